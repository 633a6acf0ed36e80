#include "diagnose/alarm_people.h"

#include <math.h>
#include <stdio.h>

#define PASS 1024 // prompts whose votes are added up at once

/* Is it one that the alarm hears? */
static bool is_first(const struct evidence_vote *v)
{
    return !v->is_placebo && v->visit == 1 && !isnan(v->win);
}

/* First votes on the finished run's pairs, a vote a prompt: the mean of what is
 * said of its first pair.  One more pair of the prompt changes nothing, so that
 * what was counted is not taken back.  A prompt's votes may stand anywhere, so
 * they are added up in passes of some prompts each, which needs no memory. */
static void add_final(struct sequential *said, const struct evidence *e)
{
    for (size_t from = 0; from < e->n_prompts; from += PASS) {
        double sum[PASS];
        size_t pair[PASS], n[PASS] = {0};
        for (size_t i = 0; i < e->n_vote; i++) {
            const struct evidence_vote *v = &e->vote[i];
            if (!is_first(v) || v->prompt < from || v->prompt - from >= PASS)
                continue;
            size_t p = v->prompt - from;
            if (n[p] == 0 || v->pair < pair[p]) {
                pair[p] = v->pair;
                sum[p] = 0;
                n[p] = 0;
            }
            if (v->pair == pair[p]) {
                sum[p] += v->win;
                n[p]++;
            }
        }
        for (size_t p = 0; p < PASS; p++)
            if (n[p] > 0)
                sequential_vote(said, sum[p] / (double)n[p]);
    }
}

/* Those on a checkpoint's; `next` is behind them. */
static size_t add_checkpoint(struct sequential *said, const struct evidence *e,
                             size_t from)
{
    size_t i = from;
    for (; i < e->n_spot && e->spot[i].step == e->spot[from].step; i++)
        sequential_vote(said, e->spot[i].win);
    return i;
}

/* The iteration of the policy that the finished run's votes are about; -1
 * without any. */
static int64_t final_step(const struct evidence *e)
{
    int64_t step = evidence_policy_step(e);
    size_t i = 0;
    while (i < e->n_vote && !is_first(&e->vote[i]))
        i++;
    if (i == e->n_vote)
        return -1;
    return step >= 0 ? step : e->n_step > 0 ? e->step[e->n_step - 1].step : 0;
}

/* Did said_of() hear of this prompt from the evidence?  The same votes may be
 * in both, and a prompt has one.  Of the finished run's policy the checkpoint's
 * votes are not heard. */
static bool is_heard(const struct evidence *e, const struct alarm_vote *x)
{
    size_t prompt = evidence_prompt(e, x->prompt);
    uint64_t hash = names_hash(x->prompt);
    bool is_final = x->step == final_step(e);
    for (size_t i = 0; is_final && i < e->n_vote; i++)
        if (e->vote[i].prompt == prompt && is_first(&e->vote[i]))
            return true;
    for (size_t i = 0; !is_final && i < e->n_spot; i++)
        if (e->spot[i].step == x->step && e->spot[i].prompt == hash)
            return true;
    return false;
}

static void add_queued(struct sequential *said, const struct evidence *e,
                       const struct alarm_votes *votes, int64_t step)
{
    for (size_t i = 0; i < votes->n; i++)
        if (votes->vote[i].step == step && !is_heard(e, &votes->vote[i]))
            sequential_vote(said, votes->vote[i].win);
}

/* All that was said of the policy at an iteration. */
static struct estimate said_of(const struct evidence *e,
                               const struct alarm_votes *votes, int64_t step)
{
    struct sequential said = {.wins = 0};
    if (step == final_step(e))
        add_final(&said, e);
    for (size_t i = 0; step != final_step(e) && i < e->n_spot; i++)
        if (e->spot[i].step == step) {
            (void)add_checkpoint(&said, e, i);
            break;
        }
    add_queued(&said, e, votes, step);
    return sequential_rate(&said, 0);
}

/* The first iteration after one that anything was said of, or -1. */
static int64_t next_step(const struct evidence *e,
                         const struct alarm_votes *votes, int64_t after)
{
    int64_t next = final_step(e) > after ? final_step(e) : -1;
    for (size_t i = 0; i < e->n_spot; i++)
        if (e->spot[i].step > after && (next < 0 || e->spot[i].step < next))
            next = e->spot[i].step;
    for (size_t i = 0; i < votes->n; i++)
        if (votes->vote[i].step > after &&
            (next < 0 || votes->vote[i].step < next))
            next = votes->vote[i].step;
    return next;
}

size_t alarm_people(struct alarm_point *out, size_t room,
                    const struct evidence *e, const struct alarm_votes *votes)
{
    size_t n = 0;
    int64_t step = -1;
    while (n < room && (step = next_step(e, votes, step)) >= 0) {
        out[n] = (struct alarm_point){step, said_of(e, votes, step)};
        n += out[n].win.n > 0 ? 1 : 0;
    }
    return n;
}

static int verdict_of(const struct estimate *rate)
{
    return rate->low > 0.5 ? 1 : rate->high < 0.5 ? -1 : 0;
}

struct alarm_say alarm_hear(const struct evidence *e,
                            const struct alarm_votes *votes)
{
    struct alarm_say p = {.step = -1}, decided = {.step = -1};
    int64_t step;
    while ((step = next_step(e, votes, p.step)) >= 0) {
        p.step = step;
        p.rate = said_of(e, votes, step);
        p.say = verdict_of(&p.rate);
        if (p.say != 0)
            decided = p;
    }
    int64_t newest = p.step;
    if (newest < 0)
        p.rate = said_of(e, votes, newest);
    /* Better must be of the newest policy; worse stands until people have
     * decided on a newer one. */
    if (p.say == 0 && decided.say < 0)
        p = decided;
    p.is_older = p.step < newest;
    p.is_asked = votes->is_asked && votes->step >= newest;
    if (p.say > 0 && p.is_asked && votes->step > newest)
        p.say = 0;
    return p;
}

void alarm_tell_people(char *out, size_t room, const struct alarm_say *p,
                       bool is_damaged)
{
    char which[48] = "";
    if (p->is_older)
        (void)snprintf(which, sizeof which, " of iteration %lld",
                       (long long)p->step);
    if (p->is_blind)
        (void)snprintf(out, room, "people are judging");
    else if (p->rate.n > 0)
        (void)snprintf(out, room,
                       "people prefer the policy%s in %.0f %% of %zu prompts "
                       "on which they chose [%.0f, %.0f]",
                       which, 100 * p->rate.estimate, p->rate.n,
                       100 * p->rate.low, 100 * p->rate.high);
    else if (is_damaged)
        (void)snprintf(out, room, "what people said cannot be read");
    else
        (void)snprintf(out, room, "nobody has compared the replies");
}
