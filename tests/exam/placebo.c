#include "exam/placebo.h"

#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

/* The draws of a prompt, one bit each. */
struct coins {
    bool sides, kinds, stand_in;
};

static struct coins toss(uint64_t seed, uint32_t k, size_t prompt)
{
    struct rng r;
    rng_init(&r, seed, RNG_TEST, k, (uint32_t)prompt);
    uint32_t bits = rng_u32(&r);
    return (struct coins){bits & 1, bits & 2, bits & 4};
}

static void swap_doubles(double *a, double *b)
{
    double kept = *a;
    *a = *b;
    *b = kept;
}

/* The vote told from the other reply's side. */
static void turn(struct evidence_vote *v)
{
    size_t reply = v->reply;
    v->reply = v->reply_other;
    v->reply_other = reply;
    v->is_left = !v->is_left;
    v->win = 1 - v->win;
    swap_doubles(&v->direct, &v->direct_other);
    swap_doubles(&v->correct, &v->correct_other);
    swap_doubles(&v->too_long, &v->too_long_other);
    swap_doubles(&v->tokens, &v->tokens_other);
}

void placebo_permute(struct evidence *to, const struct evidence *e,
                     uint64_t seed, uint32_t k)
{
    for (size_t i = 0; i < e->n_reply; i++) {
        struct evidence_reply *r = &to->reply[i];
        *r = e->reply[i];
        if (toss(seed, k, r->prompt).sides)
            r->is_policy = !r->is_policy;
    }
    for (size_t i = 0; i < e->n_vote; i++) {
        struct evidence_vote *v = &to->vote[i];
        *v = e->vote[i];
        const struct coins c = toss(seed, k, v->prompt);
        if (v->is_placebo ? c.stand_in : c.sides)
            turn(v);
        if (c.kinds)
            v->is_placebo = !v->is_placebo;
    }
}

static const struct {
    const char *id;
    int row;
    bool is_observed, is_in_verdict; // a mechanism else; counts for a verdict
} looked_at[] = {
    {"S1", OBSERVED_REWARD_UP, true, true},
    {"S2a", OBSERVED_LONGER, true, true},
    {"S2b", OBSERVED_LESS_DIRECT, true, true},
    {"G", OBSERVED_GAP, true, false},
    {"a2", MECHANISM_EXPLOITED, false, false},
};
enum {
    LOOKED_AT = sizeof looked_at / sizeof *looked_at,
    VERDICTS = DIAGNOSIS_BUG + 1
};

struct tally {
    size_t row[LOOKED_AT], verdict[VERDICTS];
    size_t findings, verdicts;
};

static void look(struct tally *t, const struct diagnosis *d)
{
    bool is_found = false, is_seen = false;
    for (size_t i = 0; i < LOOKED_AT; i++) {
        const struct finding *f = looked_at[i].is_observed
                                      ? &d->observed[looked_at[i].row]
                                      : &d->mechanism[looked_at[i].row];
        bool is_supported = f->verdict == VERDICT_SUPPORTED;
        t->row[i] += is_supported;
        is_found = is_found || is_supported;
        is_seen = is_seen || (is_supported && looked_at[i].is_in_verdict);
    }
    t->verdict[d->verdict]++;
    t->findings += is_found;
    t->verdicts += is_seen && (d->verdict == DIAGNOSIS_PARADOX ||
                               d->verdict == DIAGNOSIS_OTHER ||
                               d->verdict == DIAGNOSIS_BUG);
}

static void write_tally(struct json_writer *w, const struct placebo *p,
                        const struct tally *t)
{
    json_open(w, '{');
    json_field_text(w, "schema", "plumb.placebo/1");
    json_field_int(w, "permutations", (int64_t)p->permutations);
    json_field_int(w, "resamples", (int64_t)p->resamples);
    json_field_int(w, "false_findings", (int64_t)t->findings);
    json_field_int(w, "false_verdicts", (int64_t)t->verdicts);
    json_put_key(w, "rows");
    json_open(w, '{');
    for (size_t i = 0; i < LOOKED_AT; i++)
        json_field_int(w, looked_at[i].id, (int64_t)t->row[i]);
    json_close(w, '}');
    json_put_key(w, "verdicts");
    json_open(w, '{');
    for (size_t i = 0; i < VERDICTS; i++)
        json_field_int(w, diagnose_verdict((enum diagnosis_verdict)i),
                       (int64_t)t->verdict[i]);
    json_close(w, '}');
    json_close(w, '}');
}

enum status placebo_run(struct json_writer *w, const struct placebo *p,
                        struct err *err)
{
    struct bootstrap plan = {.resamples = p->resamples};
    struct tally t = {.findings = 0};
    struct evidence e;
    struct evidence_reply *reply = NULL;
    struct evidence_vote *vote = NULL;
    TRY(evidence_read(&e, p->project, &plan, err));
    enum status status = OK;
    /* A shallow copy that has replies and votes of its own. */
    struct evidence permuted = e;
    TRY_DONE(MEM_NEW(reply, e.n_reply, err));
    TRY_DONE(MEM_NEW(vote, e.n_vote, err));
    permuted.reply = reply;
    permuted.vote = vote;
    for (size_t k = 0; k < p->permutations; k++) {
        struct diagnosis d;
        placebo_permute(&permuted, &e, p->seed, (uint32_t)k);
        status = diagnose(&d, &permuted, err);
        if (status != OK)
            goto done;
        look(&t, &d);
        diagnose_free(&d);
    }
    write_tally(w, p, &t);
done:
    mem_free(reply);
    mem_free(vote);
    evidence_free(&e);
    return status;
}
