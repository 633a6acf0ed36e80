#include "stat/decompose.h"

#include <assert.h>
#include <math.h>

#include "base/mem.h"
#include "stat/cluster.h"
#include "stat/decompose_rows.h"
#include "stat/levels.h"

/* ---- KL per reply = length x KL per token ---- */

struct kl_columns {
    const double *kl0, *length0, *kl1, *length1;
};

enum kl_values {
    KL_CHANGE,
    KL_BY_LENGTH,
    KL_BY_RATE,
    KL_SHARE,
    KL_VALUES
};

static bool is_measured(const struct kl_columns *x, size_t i)
{
    return !isnan(x->kl0[i]) && !isnan(x->length0[i]) && !isnan(x->kl1[i]) &&
           !isnan(x->length1[i]);
}

static void kl_statistic(void *ctx, double *value, size_t r,
                         const size_t *index, size_t n)
{
    const struct kl_columns *x = ctx;
    double count = 0, kl0 = 0, kl1 = 0, length0 = 0, length1 = 0;
    (void)r;
    for (size_t i = 0; i < n; i++) {
        size_t p = index[i];
        if (!is_measured(x, p))
            continue;
        count++;
        kl0 += x->kl0[p];
        kl1 += x->kl1[p];
        length0 += x->length0[p];
        length1 += x->length1[p];
    }
    double rate0 = kl0 / length0;
    double rate1 = kl1 / length1;
    length0 /= count;
    length1 /= count;
    value[KL_CHANGE] = (kl1 - kl0) / count;
    value[KL_BY_LENGTH] = (length1 - length0) * (rate0 + rate1) / 2;
    value[KL_BY_RATE] = (rate1 - rate0) * (length0 + length1) / 2;
    value[KL_SHARE] = value[KL_BY_LENGTH] / value[KL_CHANGE];
}

/* A part of a whole as a share; nothing when the whole may be zero. */
static struct estimate share_of(const struct estimate *share,
                                const struct estimate *whole)
{
    if (whole->low > 0 || whole->high < 0)
        return *share;
    struct estimate e = summary_nothing();
    e.n = whole->n;
    return e;
}

enum status decompose_kl(struct decompose_kl *out, const double *kl0,
                         const double *length0, const double *kl1,
                         const double *length1, size_t n,
                         const struct bootstrap *plan, struct err *err)
{
    struct kl_columns x = {kl0, length0, kl1, length1};
    struct estimate e[KL_VALUES];
    size_t count = 0;
    TRY(summary_bootstrap_many(e, NULL, kl_statistic, &x, KL_VALUES, n, plan,
                               err));
    for (size_t i = 0; i < n; i++)
        count += is_measured(&x, i);
    for (size_t k = 0; k < KL_VALUES; k++)
        e[k].n = count;
    *out = (struct decompose_kl){.change = e[KL_CHANGE],
                                 .by_length = e[KL_BY_LENGTH],
                                 .by_rate = e[KL_BY_RATE],
                                 .share_length =
                                     share_of(&e[KL_SHARE], &e[KL_CHANGE])};
    return OK;
}

/* ---- reward gain, by bins of length ---- */

enum bin_values {
    BIN_GAIN,
    BIN_OVERLAP,
    BIN_NRG,
    BIN_NRG_SHARE,
    BIN_NIE,
    BIN_NDE,
    BIN_COVERED,
    BIN_SLOPE,
    BIN_PREDICTED,
    BIN_RATIO,
    BIN_VALUES
};

/* Of one model. */
struct side {
    double count, score, length;
    double *bin_count, *bin_score; // [bins]
};

struct bins {
    const struct decompose_replies *replies;
    const struct decompose_edits *edits; // or NULL
    struct decompose_rows rows;
    struct cluster edit; // of prompts
    size_t n;
    double *id; // [n] ascending: floor(length / width)
    size_t *of; // [replies] which bin
    struct side side[2];
    size_t *stands_in; // [n] scratch: the nearest bin of the reference
};

static void tally(struct bins *b, const size_t *index, size_t n)
{
    const struct decompose_replies *x = b->replies;
    for (size_t g = 0; g < 2; g++) {
        struct side *s = &b->side[g];
        s->count = s->score = s->length = 0;
        for (size_t k = 0; k < b->n; k++)
            s->bin_count[k] = s->bin_score[k] = 0;
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t k = b->rows.prompt.start[index[i]];
             k < b->rows.prompt.start[index[i] + 1]; k++) {
            size_t row = b->rows.prompt.row[k];
            if (!b->rows.is_used[row])
                continue;
            struct side *s = &b->side[x->is_policy[row]];
            s->count += 1;
            s->score += x->score[row];
            s->length += x->length[row];
            s->bin_count[b->of[row]] += 1;
            s->bin_score[b->of[row]] += x->score[row];
        }
    }
}

/* The nearest bin with replies of the reference, the shorter one of two. */
static void find_stand_ins(struct bins *b)
{
    const double *count = b->side[0].bin_count;
    size_t last = SIZE_MAX;
    for (size_t k = 0; k < b->n; k++) {
        last = count[k] > 0 ? k : last;
        b->stands_in[k] = last;
    }
    last = SIZE_MAX;
    for (size_t k = b->n; k-- > 0;) {
        last = count[k] > 0 ? k : last;
        size_t below = b->stands_in[k];
        if (below == SIZE_MAX ||
            (last != SIZE_MAX &&
             b->id[last] - b->id[k] < b->id[k] - b->id[below]))
            b->stands_in[k] = last;
    }
}

static void compare_bins(struct bins *b, double *value)
{
    const struct side *ref = &b->side[0];
    const struct side *pi = &b->side[1];
    double gained = 0, weight = 0;
    find_stand_ins(b);
    for (size_t k = 0; k < b->n; k++) {
        double in_ref = ref->bin_count[k];
        double in_pi = pi->bin_count[k];
        size_t near = b->stands_in[k];
        value[BIN_OVERLAP] += fmin(in_ref / ref->count, in_pi / pi->count);
        value[BIN_NIE] += ref->bin_score[near] / ref->bin_count[near] *
                          (in_pi / pi->count - in_ref / ref->count);
        if (in_ref == 0)
            continue;
        value[BIN_COVERED] += in_pi / pi->count;
        if (in_pi == 0)
            continue;
        weight += in_ref + in_pi;
        gained += (in_ref + in_pi) *
                  (pi->bin_score[k] / in_pi - ref->bin_score[k] / in_ref);
    }
    value[BIN_NRG] = gained / weight;
}

static void compare_edits(const struct bins *b, double *value,
                          const size_t *index, size_t n)
{
    const struct decompose_edits *x = b->edits;
    double changed = 0, added = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = b->edit.start[index[i]];
             k < b->edit.start[index[i] + 1]; k++) {
            size_t row = b->edit.row[k];
            double d = x->after[row] - x->before[row];
            if (isnan(d) || isnan(x->added[row]))
                continue;
            changed += d;
            added += x->added[row];
        }
    }
    double longer = b->side[1].length / b->side[1].count -
                    b->side[0].length / b->side[0].count;
    value[BIN_SLOPE] = changed / added;
    value[BIN_PREDICTED] = value[BIN_SLOPE] * longer;
    value[BIN_RATIO] = value[BIN_NIE] / value[BIN_PREDICTED];
}

static void bin_statistic(void *ctx, double *value, size_t r,
                          const size_t *index, size_t n)
{
    struct bins *b = ctx;
    (void)r;
    for (size_t k = 0; k < BIN_VALUES; k++)
        value[k] = (double)NAN;
    tally(b, index, n);
    if (b->side[0].count == 0 || b->side[1].count == 0)
        return;
    value[BIN_OVERLAP] = value[BIN_NIE] = value[BIN_COVERED] = 0;
    value[BIN_GAIN] = b->side[1].score / b->side[1].count -
                      b->side[0].score / b->side[0].count;
    compare_bins(b, value);
    value[BIN_NRG_SHARE] = value[BIN_NRG] / value[BIN_GAIN];
    value[BIN_NDE] = value[BIN_GAIN] - value[BIN_NIE];
    if (b->edits != NULL)
        compare_edits(b, value, index, n);
}

static enum status bins_prepare(struct bins *b, double width, struct err *err)
{
    const struct decompose_replies *x = b->replies;
    size_t n = 0;
    if (!(width > 0))
        width = DECOMPOSE_BIN;
    TRY(decompose_rows_select(&b->rows, x, err));
    TRY(MEM_NEW(b->id, x->n, err));
    TRY(MEM_NEW(b->of, x->n, err));
    for (size_t i = 0; i < x->n; i++) {
        if (!b->rows.is_used[i])
            continue;
        if (!(x->length[i] >= 0) || isinf(x->length[i]))
            return err_set(err, ERR_ARG,
                           "decompose: reply %zu is %g tokens long", i,
                           x->length[i]);
        b->id[n++] = floor(x->length[i] / width);
    }
    b->n = levels_unique(b->id, n);
    for (size_t i = 0; i < x->n; i++)
        if (b->rows.is_used[i])
            b->of[i] = levels_find(b->id, b->n, floor(x->length[i] / width));
    for (size_t g = 0; g < 2; g++) {
        TRY(MEM_NEW(b->side[g].bin_count, b->n, err));
        TRY(MEM_NEW(b->side[g].bin_score, b->n, err));
    }
    TRY(MEM_NEW(b->stands_in, b->n, err));
    if (b->edits == NULL)
        return OK;
    return cluster_build(&b->edit, b->edits->prompt, b->edits->n, x->n_prompts,
                         err);
}

static void bins_free(struct bins *b)
{
    cluster_free(&b->edit);
    mem_free(b->stands_in);
    for (size_t g = 0; g < 2; g++) {
        mem_free(b->side[g].bin_score);
        mem_free(b->side[g].bin_count);
    }
    mem_free(b->of);
    mem_free(b->id);
    decompose_rows_free(&b->rows);
}

/* All values of one comparison. */
static enum status compare(struct estimate e[BIN_VALUES],
                           const struct decompose_replies *replies,
                           const struct decompose_edits *edits, double width,
                           const struct bootstrap *plan, struct err *err)
{
    enum status status = OK;
    struct bins b = {.replies = replies, .edits = edits};
    TRY_DONE(bins_prepare(&b, width, err));
    TRY_DONE(summary_bootstrap_many(e, NULL, bin_statistic, &b, BIN_VALUES,
                                    replies->n_prompts, plan, err));
    for (size_t k = 0; k < BIN_VALUES; k++)
        e[k].n = b.rows.prompts;
done:
    bins_free(&b);
    return status;
}

static void refuse(struct estimate *e)
{
    *e = (struct estimate){(double)NAN, (double)NAN, (double)NAN, e->n};
}

enum status decompose_length(struct decompose_length *out,
                             const struct decompose_replies *replies,
                             double width, const struct bootstrap *plan,
                             struct err *err)
{
    struct estimate e[BIN_VALUES];
    TRY(compare(e, replies, NULL, width, plan, err));
    struct decompose_length d = {
        .gain = e[BIN_GAIN],
        .overlap = e[BIN_OVERLAP],
        .nrg = e[BIN_NRG],
        .nrg_share = share_of(&e[BIN_NRG_SHARE], &e[BIN_GAIN]),
        .nie = e[BIN_NIE],
        .nde = e[BIN_NDE],
        .covered = e[BIN_COVERED],
    };
    if (e[BIN_GAIN].n == 0)
        d.reason = "no prompt has replies of both models";
    else if (!(e[BIN_OVERLAP].estimate >= DECOMPOSE_OVERLAP_MIN))
        d.reason = "the two models' lengths overlap by less than 30 %";
    if (d.reason != NULL) {
        refuse(&d.nrg);
        refuse(&d.nrg_share);
        refuse(&d.nie);
        refuse(&d.nde);
    }
    *out = d;
    return OK;
}

enum status decompose_constant(struct decompose_constant *out,
                               const struct decompose_edits *edits,
                               const struct decompose_replies *replies,
                               double width, const struct bootstrap *plan,
                               struct err *err)
{
    struct estimate e[BIN_VALUES];
    TRY(compare(e, replies, edits, width, plan, err));
    if (!(e[BIN_OVERLAP].estimate >= DECOMPOSE_OVERLAP_MIN))
        refuse(&e[BIN_RATIO]);
    *out = (struct decompose_constant){
        .slope = e[BIN_SLOPE],
        .predicted = e[BIN_PREDICTED],
        .ratio = e[BIN_RATIO],
        .is_close = e[BIN_RATIO].estimate >= 0.5 && e[BIN_RATIO].estimate <= 2};
    return OK;
}
