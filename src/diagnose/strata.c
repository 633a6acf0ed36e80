#include "diagnose/strata.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "diagnose/observations.h"
#include "stat/distribution.h"
#include "stat/hypothesis.h"
#include "stat/measures.h"

const char *strata_measure(enum stratum_measure m)
{
    static const char *const name[STRATUM_MEASURES] = {
        [STRATUM_SCORE] = "score",
        [STRATUM_LENGTH] = "length",
        [STRATUM_LESS_DIRECT] = "less_direct",
        [STRATUM_KL] = "kl",
    };
    return name[m];
}

bool strata_holds(const struct stratum_cell *c)
{
    return c->q <= STRATA_Q;
}

bool strata_differs(const struct stratum_cell *c)
{
    return c->differs_q <= STRATA_Q;
}

/* ---- one number a prompt ------------------------------------------------ */

/* Columns over prompts, NaN where there is none. */
enum column {
    SCORE,  // policy minus reference, in deviations
    TOKENS, // policy
    TOKENS_REF,
    KL,
    LESS,     // policy pairs marked less direct
    PAIRS,    // asked
    LESS_REF, // the same of placebo pairs
    PAIRS_REF,
    COLUMNS
};

struct table_of_prompts {
    double *x[COLUMNS];
    double *kept[COLUMNS]; // scratch: the columns of one stratum
    double *in, *out;      // scratch: one measure inside and outside
    size_t *tag;           // SIZE_MAX: no replies, or no tag
    bool *has_reply;
    size_t n;
};

static void table_close(struct table_of_prompts *t)
{
    for (size_t c = 0; c < COLUMNS; c++) {
        mem_free(t->x[c]);
        mem_free(t->kept[c]);
    }
    mem_free(t->in);
    mem_free(t->out);
    mem_free(t->tag);
    mem_free(t->has_reply);
}

static enum status table_open(struct table_of_prompts *t, size_t n,
                              struct err *err)
{
    t->n = n;
    for (size_t c = 0; c < COLUMNS; c++) {
        TRY(MEM_NEW(t->x[c], n, err));
        TRY(MEM_NEW(t->kept[c], n, err));
    }
    TRY(MEM_NEW(t->in, n, err));
    TRY(MEM_NEW(t->out, n, err));
    TRY(MEM_NEW(t->tag, n, err));
    return MEM_NEW(t->has_reply, n, err);
}

static void count_votes(struct table_of_prompts *t, const struct evidence *e)
{
    for (size_t i = 0; i < e->n_vote; i++) {
        const struct evidence_vote *v = &e->vote[i];
        double less = v->direct - v->direct_other;
        if (v->visit != 1 || isnan(less))
            continue;
        double *yes = &t->x[v->is_placebo ? LESS_REF : LESS][v->prompt];
        double *asked = &t->x[v->is_placebo ? PAIRS_REF : PAIRS][v->prompt];
        *yes = (isnan(*yes) ? 0 : *yes) + (less < 0 ? 1 : 0);
        *asked = (isnan(*asked) ? 0 : *asked) + 1;
    }
}

static enum status fill(struct table_of_prompts *t, const struct evidence *e,
                        struct err *err)
{
    size_t score = offsetof(struct evidence_reply, score);
    size_t tokens = offsetof(struct evidence_reply, tokens);
    size_t kl = offsetof(struct evidence_reply, kl);
    double sd;
    for (size_t c = 0; c < COLUMNS; c++)
        for (size_t p = 0; p < t->n; p++)
            t->x[c][p] = (double)NAN;
    for (size_t p = 0; p < t->n; p++)
        t->tag[p] = SIZE_MAX;
    TRY(observations_sd_within(&sd, e, err));
    TRY(evidence_prompt_means(t->x[SCORE], e, true, score, err));
    TRY(evidence_prompt_means(t->x[TOKENS], e, false, score, err));
    for (size_t p = 0; p < t->n; p++)
        t->x[SCORE][p] = (t->x[SCORE][p] - t->x[TOKENS][p]) /
                         (isfinite(sd) && sd > 0 ? sd : 1);
    TRY(evidence_prompt_means(t->x[TOKENS], e, true, tokens, err));
    TRY(evidence_prompt_means(t->x[TOKENS_REF], e, false, tokens, err));
    TRY(evidence_prompt_means(t->x[KL], e, true, kl, err));
    count_votes(t, e);
    for (size_t i = 0; i < e->n_reply; i++) {
        t->has_reply[e->reply[i].prompt] = true;
        if (e->reply[i].tag != SIZE_MAX)
            t->tag[e->reply[i].prompt] = e->reply[i].tag;
    }
    return OK;
}

/* What is compared between strata; NaN where the prompt does not tell. */
static double value(const struct table_of_prompts *t, enum stratum_measure m,
                    size_t p)
{
    switch (m) {
    case STRATUM_SCORE:
        return t->x[SCORE][p];
    case STRATUM_LENGTH:
        return log(t->x[TOKENS][p] / t->x[TOKENS_REF][p]);
    case STRATUM_LESS_DIRECT:
        return t->x[LESS][p] / t->x[PAIRS][p] -
               t->x[LESS_REF][p] / t->x[PAIRS_REF][p];
    case STRATUM_KL:
        return t->x[KL][p];
    case STRATUM_MEASURES:
        break;
    }
    return (double)NAN;
}

/* ---- tests -------------------------------------------------------------- */

/* Welch's two-sided p of equal means; NaN when it cannot be made. */
static double welch(const double *a, size_t n, const double *b, size_t m)
{
    if (n < STRATA_MIN || m < STRATA_MIN)
        return (double)NAN;
    double va = pow(summary_sd(a, n), 2) / (double)n;
    double vb = pow(summary_sd(b, m), 2) / (double)m;
    double t = (summary_mean(a, n) - summary_mean(b, m)) / sqrt(va + vb);
    double degrees = (va + vb) * (va + vb) /
                     (va * va / (double)(n - 1) + vb * vb / (double)(m - 1));
    if (!isfinite(t) || !(degrees > 0))
        return (double)NAN;
    return fmin(1, 2 * distribution_t_tail(fabs(t), degrees));
}

static double compare(struct table_of_prompts *t, enum stratum_measure m,
                      size_t tag)
{
    size_t in = 0, out = 0;
    for (size_t p = 0; p < t->n; p++) {
        double x = value(t, m, p);
        if (t->tag[p] == SIZE_MAX || !isfinite(x))
            continue;
        if (t->tag[p] == tag)
            t->in[in++] = x;
        else
            t->out[out++] = x;
    }
    return welch(t->in, in, t->out, out);
}

static double paired(const double *x, size_t n)
{
    struct hypothesis_t test = hypothesis_t_test(x, n, 0.95);
    return test.n < STRATA_MIN ? (double)NAN : test.p;
}

/* Estimates and paired tests of one stratum, from its prompts alone. */
static enum status judge_stratum(struct stratum *s, struct table_of_prompts *t,
                                 size_t tag, const struct bootstrap *plan,
                                 struct err *err)
{
    struct stratum_cell *c = s->cell;
    double **k = t->kept;
    size_t n = 0;
    for (size_t p = 0; p < t->n; p++) {
        if (t->tag[p] != tag)
            continue;
        for (size_t i = 0; i < COLUMNS; i++)
            k[i][n] = t->x[i][p];
        n++;
    }
    TRY(summary_estimate_mean(&c[STRATUM_SCORE].e, k[SCORE], n, plan, err));
    TRY(summary_estimate_ratio(&c[STRATUM_LENGTH].e, k[TOKENS], k[TOKENS_REF],
                               n, plan, err));
    TRY(summary_estimate_excess(&c[STRATUM_LESS_DIRECT].e, k[LESS], k[PAIRS],
                                k[LESS_REF], k[PAIRS_REF], n, plan, err));
    TRY(summary_estimate_mean(&c[STRATUM_KL].e, k[KL], n, plan, err));
    c[STRATUM_SCORE].p = paired(k[SCORE], n);
    for (size_t i = 0; i < n; i++)
        t->in[i] = k[TOKENS][i] - k[TOKENS_REF][i];
    c[STRATUM_LENGTH].p = paired(t->in, n);
    for (size_t i = 0; i < n; i++)
        t->in[i] = k[LESS][i] / k[PAIRS][i] - k[LESS_REF][i] / k[PAIRS_REF][i];
    c[STRATUM_LESS_DIRECT].p = paired(t->in, n);
    c[STRATUM_KL].p = (double)NAN;
    for (size_t m = 0; m < STRATUM_MEASURES; m++)
        c[m].differs_p = compare(t, (enum stratum_measure)m, tag);
    return OK;
}

/* Both families, corrected. */
static enum status correct(struct strata *s, struct err *err)
{
    enum status status = OK;
    double *p = NULL, *d = NULL;
    size_t n = s->n * STRATUM_MEASURES;
    TRY_DONE(MEM_NEW(p, n, err));
    TRY_DONE(MEM_NEW(d, n, err));
    for (size_t i = 0; i < n; i++) {
        const struct stratum_cell *c =
            &s->item[i / STRATUM_MEASURES].cell[i % STRATUM_MEASURES];
        p[i] = c->p;
        d[i] = c->differs_p;
    }
    TRY_DONE(hypothesis_bh(p, p, n, err));
    TRY_DONE(hypothesis_bh(d, d, n, err));
    for (size_t i = 0; i < n; i++) {
        struct stratum_cell *c =
            &s->item[i / STRATUM_MEASURES].cell[i % STRATUM_MEASURES];
        c->q = p[i];
        c->differs_q = d[i];
    }
done:
    mem_free(p);
    mem_free(d);
    return status;
}

/* ---- strata ------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    const struct stratum *x = a;
    const struct stratum *y = b;
    if (x->prompts != y->prompts)
        return x->prompts > y->prompts ? -1 : 1;
    return strcmp(x->tag, y->tag);
}

static enum status list(struct strata *s, const struct table_of_prompts *t,
                        const struct evidence *e, struct err *err)
{
    TRY(MEM_NEW(s->item, e->tag.n, err));
    for (size_t k = 0; k < e->tag.n; k++)
        s->item[k].tag = e->tag.text[k];
    for (size_t p = 0; p < t->n; p++) {
        if (t->tag[p] != SIZE_MAX)
            s->item[t->tag[p]].prompts++;
        else
            s->untagged += t->has_reply[p];
    }
    if (e->tag.n > 1)
        qsort(s->item, e->tag.n, sizeof *s->item, by_size);
    /* Tags of training prompts alone have no replies here. */
    while (s->n < e->tag.n && s->item[s->n].prompts > 0)
        s->n++;
    s->left_out = s->n > STRATA_MAX ? s->n - STRATA_MAX : 0;
    s->n -= s->left_out;
    return OK;
}

enum status strata_judge(struct strata *out, const struct evidence *e,
                         struct err *err)
{
    struct table_of_prompts t = {.n = 0};
    struct strata s = {.item = NULL};
    enum status status = OK;
    TRY_DONE(table_open(&t, e->n_prompts, err));
    TRY_DONE(fill(&t, e, err));
    TRY_DONE(list(&s, &t, e, err));
    for (size_t i = 0; i < s.n; i++) {
        size_t tag = names_find(&e->tag, s.item[i].tag);
        TRY_DONE(judge_stratum(&s.item[i], &t, tag, &e->plan, err));
    }
    TRY_DONE(correct(&s, err));
    *out = s;
    s.item = NULL;
done:
    strata_free(&s);
    table_close(&t);
    return status;
}

void strata_free(struct strata *s)
{
    mem_free(s->item);
    *s = (struct strata){.item = NULL};
}

/* ---- diagnosis.json ----------------------------------------------------- */

static void write_cell(struct json_writer *w, const struct stratum_cell *c)
{
    json_open(w, '{');
    json_field_number(w, "estimate", c->e.estimate);
    json_field_number(w, "low", c->e.low);
    json_field_number(w, "high", c->e.high);
    json_field_int(w, "n", (int64_t)c->e.n);
    json_field_number(w, "p", c->p);
    json_field_number(w, "q", c->q);
    json_field_number(w, "differs_p", c->differs_p);
    json_field_number(w, "differs_q", c->differs_q);
    json_field_bool(w, "holds", strata_holds(c));
    json_field_bool(w, "differs", strata_differs(c));
    json_close(w, '}');
}

void strata_write(struct json_writer *w, const struct strata *s)
{
    json_open(w, '[');
    for (size_t i = 0; i < s->n; i++) {
        json_open(w, '{');
        json_field_text(w, "tag", s->item[i].tag);
        json_field_int(w, "prompts", (int64_t)s->item[i].prompts);
        json_field_bool(w, "lead", true);
        for (size_t m = 0; m < STRATUM_MEASURES; m++) {
            json_put_key(w, strata_measure((enum stratum_measure)m));
            write_cell(w, &s->item[i].cell[m]);
        }
        json_close(w, '}');
    }
    json_close(w, ']');
}
