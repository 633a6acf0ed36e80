#include "world/panel.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/rng.h"

enum {
    JUDGES_MAX = 16,
    VISITS_MAX = 16
};

static const char *const correct_names[] = {"no", "unsure", "yes"};
static const char *const length_names[] = {"too_short", "right", "too_long"};

/* A pair before it is shown: the answer under test and its comparison. */
struct pair {
    const struct panel_prompt *prompt;
    bool is_placebo;
    size_t number; // within its kind
    size_t judge;
    bool is_twice;
    const struct panel_sample *sample[2]; // under test, reference
    size_t index[2];                      // which samples those are
    struct judgement truth[2];
};

struct panel_config panel_default(void)
{
    return (struct panel_config){
        .n_policy = 512,
        .n_placebo = 512,
        .n_twice = 128,
        .n_judges = 4,
        .tau = 0.4,
        .tau_axis = 0.15,
        .tie_margin = 0.2,
    };
}

static enum status check_config(const struct panel_config *c, size_t n,
                                struct err *err)
{
    if (n == 0)
        return err_set(err, ERR_ARG, "spot-check without prompts");
    if (c->n_judges < 1 || c->n_judges > JUDGES_MAX)
        return err_set(err, ERR_ARG, "%zu judges, wanted 1..%d", c->n_judges,
                       (int)JUDGES_MAX);
    if (c->n_policy > UINT32_MAX / 8 || c->n_placebo > UINT32_MAX / 8 ||
        c->first > UINT32_MAX / 4)
        return err_set(err, ERR_ARG, "%zu and %zu pairs from %zu are too many",
                       c->n_policy, c->n_placebo, c->first);
    if (c->n_twice > c->n_policy + c->n_placebo)
        return err_set(err, ERR_ARG, "%zu pairs to be judged twice of %zu",
                       c->n_twice, c->n_policy + c->n_placebo);
    if (!(c->tau > 0) || !isfinite(c->tau) || !(c->tau_axis >= 0) ||
        !isfinite(c->tau_axis) || !(c->tie_margin >= 0))
        return err_set(err, ERR_ARG,
                       "tau %g, tau_axis %g, tie_margin %g: wanted a positive "
                       "tau, the others 0 or more",
                       c->tau, c->tau_axis, c->tie_margin);
    if (!isfinite(c->side_bias) || !isfinite(c->length_bias))
        return err_set(err, ERR_ARG,
                       "side_bias %g, length_bias %g: wanted finite numbers",
                       c->side_bias, c->length_bias);
    return OK;
}

/* 0..4 by thresholds: a wrong or useless answer; something; a right answer
 * among padding; a right answer; little but the right answer. */
static int direct_mark(double x)
{
    static const double threshold[] = {0, 0.5, 1, 1.75};
    int mark = 0;
    while (mark < 4 && x >= threshold[mark])
        mark++;
    return mark;
}

static double correct_level(const struct judgement *j)
{
    if (j->resolution_wrong || j->order == FACT_WRONG)
        return -1;
    return j->resolution_right ? 1 : 0;
}

static double length_level(const struct judgement *j)
{
    if (j->tokens_wasted == 0 && !(j->resolution_right && j->next_right))
        return -1;
    return (double)j->tokens_wasted / 10;
}

void panel_mark(struct panel_marks *out, const struct judgement *j,
                const double noise[3])
{
    double tokens = j->tokens > 0 ? (double)j->tokens : 1;
    double correct = correct_level(j) + noise[1];
    double length = length_level(j) + noise[2];
    out->direct =
        direct_mark(10 * j->help / tokens + j->term[JUDGE_BURIED] + noise[0]);
    out->correct = correct > 0.5    ? CORRECT_YES
                   : correct < -0.5 ? CORRECT_NO
                                    : CORRECT_UNSURE;
    out->length = length >= 0.75    ? LENGTH_TOO_LONG
                  : length <= -0.75 ? LENGTH_TOO_SHORT
                                    : LENGTH_RIGHT;
}

static const char *choose(const double v[2], double tie_margin)
{
    if (fabs(v[0] - v[1]) < tie_margin || v[0] == v[1])
        return (v[0] + v[1]) / 2 >= PANEL_GOOD ? "both_good" : "both_bad";
    return v[0] > v[1] ? "A" : "B";
}

void panel_judge(struct panel_verdict *out, const struct judgement truth[2],
                 const double utility[2], bool is_same,
                 const struct panel_config *c, struct rng *r)
{
    double v[2];
    double noise[4];
    for (size_t i = 0; i < 2; i++) {
        if (i == 0 || !is_same) {
            noise[3] = c->tau * rng_gumbel(r);
            for (size_t k = 0; k < 3; k++)
                noise[k] = c->tau_axis * rng_normal(r);
        }
        v[i] = utility[i] + c->length_bias * (double)truth[i].tokens + noise[3];
        if (i == 0 && !is_same)
            v[i] += c->side_bias;
        panel_mark(&out->marks[i], &truth[i], noise);
    }
    out->overall = choose(v, c->tie_margin);
}

const char *panel_correct_name(enum panel_correct correct)
{
    return correct_names[correct];
}

const char *panel_length_name(enum panel_length length)
{
    return length_names[length];
}

/* What one visit of a judge to a pair yields. */
struct visit {
    size_t side[2]; // which of pair.sample is shown there, left first
    struct panel_verdict said;
};

static bool is_same(const struct pair *p)
{
    return strcmp(p->sample[0]->text, p->sample[1]->text) == 0 &&
           p->sample[0]->is_eos == p->sample[1]->is_eos;
}

static void judge_visit(struct visit *out, const struct pair *p,
                        const struct panel_config *c, uint64_t seed,
                        size_t number)
{
    struct rng r;
    struct judgement shown[2];
    double utility[2];
    uint32_t pair = (uint32_t)(2 * p->number + (p->is_placebo ? 1 : 0));
    rng_init(&r, seed, RNG_PANEL, (uint32_t)(p->judge * VISITS_MAX + number),
             pair);
    out->side[0] = rng_below(&r, 2);
    out->side[1] = 1 - out->side[0];
    for (size_t i = 0; i < 2; i++) {
        shown[i] = p->truth[out->side[i]];
        utility[i] = shown[i].gold;
    }
    panel_judge(&out->said, shown, utility, is_same(p), c, &r);
}

static const char *source_name(const struct pair *p, size_t which)
{
    if (which == 1)
        return "reference";
    return p->is_placebo ? "placebo" : "policy";
}

static void write_side(struct json_writer *w, const char *key,
                       const struct pair *p, size_t which)
{
    json_put_key(w, key);
    json_open(w, '{');
    json_field_text(w, "response", p->sample[which]->text);
    json_field_text(w, "source", source_name(p, which));
    json_field_int(w, "sample", (int64_t)p->index[which]);
    json_field_int(w, "tokens", (int64_t)p->truth[which].tokens);
    json_close(w, '}');
}

static void write_visit(struct buf *out, const struct pair *p,
                        const struct visit *v, size_t number)
{
    struct json_writer w;
    char id[48];
    const char *kind = p->is_placebo ? "placebo" : "policy";
    json_writer_init(&w, out, false);
    json_open(&w, '{');
    json_field_text(&w, "schema", PANEL_SCHEMA);
    (void)snprintf(id, sizeof id, "%s-%06zu", kind, p->number);
    json_field_text(&w, "pair_id", id);
    json_field_text(&w, "kind", kind);
    json_field_text(&w, "prompt_id", p->prompt->id);
    json_field_text(&w, "prompt", p->prompt->prompt);
    write_side(&w, "left", p, v->side[0]);
    write_side(&w, "right", p, v->side[1]);
    json_field_text(&w, "shown_left", source_name(p, v->side[0]));
    (void)snprintf(id, sizeof id, "careful-%zu", p->judge + 1);
    json_field_text(&w, "judge", id);
    json_field_int(&w, "visit", (int64_t)number);
    json_field_text(&w, "overall", v->said.overall);
    json_field_int(&w, "left_direct", v->said.marks[0].direct);
    json_field_int(&w, "right_direct", v->said.marks[1].direct);
    json_field_text(&w, "left_correct",
                    correct_names[v->said.marks[0].correct]);
    json_field_text(&w, "right_correct",
                    correct_names[v->said.marks[1].correct]);
    json_field_text(&w, "left_length", length_names[v->said.marks[0].length]);
    json_field_text(&w, "right_length", length_names[v->said.marks[1].length]);
    json_close(&w, '}');
    buf_putc(out, '\n');
}

/* Find the two samples of a pair. */
static enum status pair_init(struct pair *p, const struct panel_prompt *prompt,
                             size_t n, size_t round, struct err *err)
{
    const struct panel_prompt *own = &prompt[p->number % n];
    p->prompt = own;
    p->index[0] = p->is_placebo ? 2 * round + 1 : round;
    p->index[1] = p->is_placebo ? 2 * round : round;
    const struct panel_sample *tested =
        p->is_placebo ? own->reference : own->policy;
    size_t n_tested = p->is_placebo ? own->n_reference : own->n_policy;
    if (p->index[0] >= n_tested || p->index[1] >= own->n_reference)
        return err_set(err, ERR_ARG,
                       "prompt %s has %zu policy and %zu reference samples; "
                       "%s pair %zu needs sample %zu; ask for fewer pairs or "
                       "draw more samples",
                       own->id, own->n_policy, own->n_reference,
                       p->is_placebo ? "placebo" : "policy", p->number,
                       p->index[0]);
    p->sample[0] = &tested[p->index[0]];
    p->sample[1] = &own->reference[p->index[1]];
    return OK;
}

static enum status judge_pair(struct buf *out, struct pair *p,
                              const struct panel_config *c, uint64_t seed,
                              struct err *err)
{
    struct visit v;
    for (size_t i = 0; i < 2; i++)
        TRY(judge_reply(&p->truth[i], p->prompt->ticket, p->sample[i]->text,
                        p->sample[i]->is_eos, err));
    for (size_t visit = 1; visit <= (p->is_twice ? 2u : 1u); visit++) {
        judge_visit(&v, p, c, seed, visit);
        write_visit(out, p, &v, visit);
    }
    return OK;
}

/* The pairs of one kind. */
static enum status judge_kind(struct buf *out,
                              const struct panel_prompt *prompt, size_t n,
                              const struct panel_config *c, bool is_placebo,
                              uint64_t seed, struct err *err)
{
    size_t total = c->n_policy + c->n_placebo;
    size_t wanted = is_placebo ? c->n_placebo : c->n_policy;
    size_t at = is_placebo ? c->n_policy : 0;
    for (size_t k = 0, made = 0; made < wanted && (k < n || !c->is_skipping);
         k++) {
        struct pair p = {.is_placebo = is_placebo, .number = c->first + k};
        size_t i = at + made;
        p.judge = p.number % c->n_judges;
        /* True for n_twice of the total values of i, evenly spread. */
        p.is_twice = (i + 1) * c->n_twice / total > i * c->n_twice / total;
        TRY(pair_init(&p, prompt, n, k / n, err));
        if (c->is_skipping && is_same(&p))
            continue;
        TRY(judge_pair(out, &p, c, seed, err));
        made++;
    }
    return OK;
}

enum status panel_spotcheck(struct buf *out, const struct panel_prompt *prompt,
                            size_t n, const struct panel_config *c,
                            uint64_t seed, struct err *err)
{
    TRY(check_config(c, n, err));
    TRY(judge_kind(out, prompt, n, c, false, seed, err));
    TRY(judge_kind(out, prompt, n, c, true, seed, err));
    return buf_status(out, err);
}
