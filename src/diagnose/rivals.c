#include "diagnose/rivals.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *id, *name, *experiment;
    bool is_bug, is_permissive;
    struct rival_sign sign[RIVAL_SIGNS];
} table[RIVALS] = {
    {"R0",
     "healthy run",
     "plumb eval RUN --n-prompts 1024",
     false,
     false,
     {{SIGN_WANTS, "S1"},
      {SIGN_WANTS_NOT, "worse"},
      {SIGN_BARS, "S2b"},
      {SIGN_HELPS_NOT, "G"},
      {SIGN_HELPS_NOT, "a2"},
      {SIGN_HELPS, "win_equal"},
      {SIGN_BARS_NOT, "V7"},
      {SIGN_BARS, "value"},
      {SIGN_BARS, "a3"}}},
    {"R1",
     "the reward model likes length beyond its labels",
     "plumb whatif RUN --change residual",
     false,
     false,
     {{SIGN_WANTS, "a1"},
      {SIGN_WANTS, "S2a"},
      {SIGN_WANTS, "a2"},
      {SIGN_HELPS, "split"},
      {SIGN_HELPS, "b1"},
      {SIGN_HELPS_NOT, "label_taste"},
      {SIGN_BARS_NOT, "edit_pad"},
      {SIGN_BARS_NOT, "worse"}}},
    {"R2",
     "those who rank prefer length",
     "plumb whatif RUN --change relabel",
     false,
     false,
     {{SIGN_WANTS, "label_taste"},
      {SIGN_WANTS, "S2a"},
      {SIGN_WANTS, "a2"},
      {SIGN_HELPS, "edit_pad"},
      {SIGN_HELPS, "b1"},
      {SIGN_HELPS_NOT, "a1"},
      {SIGN_HELPS_NOT, "judge_taste"},
      {SIGN_BARS_NOT, "worse"}}},
    {"R3",
     "beta is too low",
     "plumb whatif RUN --change beta=X",
     false,
     true,
     {{SIGN_WANTS, "c2"},
      {SIGN_WANTS, "S3"},
      {SIGN_WANTS, "G"},
      {SIGN_HELPS, "V7"},
      {SIGN_HELPS, "c1"},
      {SIGN_HELPS, "price"},
      {SIGN_BARS_NOT, "V7"}}},
    {"R4",
     "the KL penalty is implemented wrongly",
     "plumb whatif RUN --change k1-reward",
     true,
     false,
     {{SIGN_WANTS_NOT, "V7"}, {SIGN_HELPS, "S3"}}},
    {"R5",
     "the price of KL decays",
     "plumb whatif RUN --change ppo.beta_end=-1",
     false,
     false,
     {{SIGN_WANTS, "beta_path"}, {SIGN_HELPS, "S3"}}},
    {"R6",
     "the value model lags",
     "plumb whatif RUN --change lambda=1",
     false,
     true,
     {{SIGN_WANTS, "value"}, {SIGN_HELPS, "baseline"}}},
    {"R7",
     "responses are drawn at another temperature than is logged",
     "plumb whatif RUN --change ppo.log_temperature=0",
     true,
     false,
     {{SIGN_WANTS_NOT, "V2"},
      {SIGN_WANTS, "sampler_start"},
      {SIGN_HELPS_NOT, "V1"}}},
    {"R8",
     "template or EOS handled wrongly",
     "plumb whatif RUN --change ppo.missing_eos=X",
     true,
     false,
     {{SIGN_WANTS_NOT, "V6"}, {SIGN_BARS, "limit"}}},
    {"R9",
     "the reference is over-fitted",
     "plumb whatif RUN --change sft-epoch=X",
     false,
     false,
     {{SIGN_WANTS, "overfit"}, {SIGN_HELPS, "concentrated"}}},
    {"R10",
     "KL rises because responses are longer, nothing else",
     "plumb whatif RUN --change ppo.max_new=32",
     false,
     false,
     {{SIGN_EITHER, "length_share"},
      {SIGN_EITHER, "limit"},
      {SIGN_HELPS, "S3"}}},
    {"R11",
     "the way losses are added up favours length",
     "plumb whatif RUN --change ppo.loss_aggregation=token-mean",
     false,
     false,
     {{SIGN_WANTS, "aggregation"}}},
    {"R12",
     "the prompts changed",
     "plumb whatif RUN --change ppo.file_order=false",
     false,
     false,
     {{SIGN_WANTS, "mix"}}},
    {"R13",
     "the spot-check is noise",
     "plumb world judge --panel careful --seed 2 --data "
     "RUN/eval/samples.jsonl --out RUN/human/spotcheck.jsonl",
     false,
     false,
     {{SIGN_WANTS, "noise"}, {SIGN_HELPS, "sides"}}},
    {"R14",
     "the reward model is too weak to rank what the policy writes",
     "plumb whatif RUN --change fresh-labels",
     false,
     false,
     {{SIGN_WANTS, "weak"},
      {SIGN_WANTS_NOT, "S2a"},
      {SIGN_EITHER, "worse"},
      {SIGN_EITHER, "S2b"},
      {SIGN_EITHER, "G"},
      {SIGN_HELPS, "agreement"},
      {SIGN_HELPS_NOT, "edit_pad"},
      {SIGN_BARS_NOT, "S1"}}},
    {"R15",
     "sampler and scorer leave out different tokens",
     "plumb whatif RUN --change ppo.mask_logits=true",
     true,
     false,
     {{SIGN_EITHER_NOT, "V5"},
      {SIGN_EITHER_NOT, "V1"},
      {SIGN_BARS, "sampler_start"}}},
};

static const struct finding *find_in(const struct finding *row, size_t n,
                                     const char *id)
{
    for (size_t i = 0; row != NULL && i < n; i++)
        if (row[i].id != NULL && strcmp(row[i].id, id) == 0)
            return &row[i];
    return NULL;
}

const struct finding *rivals_row(const struct rows *r, const char *id)
{
    const struct finding *f = find_in(r->gate, GATES, id);
    if (f == NULL)
        f = find_in(r->observed, OBSERVED, id);
    if (f == NULL)
        f = find_in(r->mechanism, MECHANISMS, id);
    if (f == NULL && r->leads != NULL)
        f = find_in(r->leads->row, r->leads->n, id);
    return f;
}

/* What a row's verdict says for or against. */
static enum verdict read_sign(enum rival_sign_kind kind, enum verdict v)
{
    bool is_there = v == VERDICT_SUPPORTED;
    bool is_refuted = v == VERDICT_NOT_SUPPORTED;
    switch (kind) {
    case SIGN_WANTS:
        return v;
    case SIGN_WANTS_NOT:
        return is_refuted ? VERDICT_SUPPORTED
               : is_there ? VERDICT_NOT_SUPPORTED
                          : VERDICT_NOT_MEASURABLE;
    case SIGN_EITHER: // refuted, it says nothing beside the others
    case SIGN_HELPS:
        return is_there ? VERDICT_SUPPORTED : VERDICT_NOT_MEASURABLE;
    case SIGN_EITHER_NOT:
    case SIGN_HELPS_NOT:
        return is_refuted ? VERDICT_SUPPORTED : VERDICT_NOT_MEASURABLE;
    case SIGN_BARS:
        return is_there ? VERDICT_NOT_SUPPORTED : VERDICT_NOT_MEASURABLE;
    case SIGN_BARS_NOT:
        return is_refuted ? VERDICT_NOT_SUPPORTED : VERDICT_NOT_MEASURABLE;
    case SIGN_END:
        break;
    }
    return VERDICT_NOT_MEASURABLE;
}

static bool is_alternative(enum rival_sign_kind kind)
{
    return kind == SIGN_EITHER || kind == SIGN_EITHER_NOT;
}

static bool is_healthy(const struct rival *r)
{
    return strcmp(r->id, "R0") == 0;
}

static void judge_one(struct rival *out, size_t which, const struct rows *rows)
{
    *out = (struct rival){.id = table[which].id,
                          .name = table[which].name,
                          .is_bug = table[which].is_bug,
                          .is_permissive = table[which].is_permissive,
                          .experiment = table[which].experiment,
                          .tied_with = SIZE_MAX};
    bool has_all = true, is_begun = false;
    size_t either = 0, seen = 0, refuted = 0;
    for (size_t s = 0; s < RIVAL_SIGNS; s++) {
        const struct rival_sign *sign = &table[which].sign[s];
        if (sign->kind == SIGN_END)
            break;
        const struct finding *f = rivals_row(rows, sign->row);
        enum verdict v = f != NULL ? f->verdict : VERDICT_NOT_MEASURABLE;
        enum verdict says = read_sign(sign->kind, v);
        bool is_wanted =
            sign->kind == SIGN_WANTS || sign->kind == SIGN_WANTS_NOT;
        out->seen[out->n_seen++] = (struct rival_seen){*sign, says, f != NULL};
        out->supported += says == VERDICT_SUPPORTED;
        out->contradicted += says == VERDICT_NOT_SUPPORTED;
        out->not_measurable += v == VERDICT_NOT_MEASURABLE;
        has_all = has_all && (!is_wanted || says == VERDICT_SUPPORTED);
        is_begun = is_begun || (says == VERDICT_SUPPORTED &&
                                (is_wanted || is_alternative(sign->kind)));
        if (is_alternative(sign->kind)) {
            either++;
            seen += says == VERDICT_SUPPORTED;
            refuted += v != VERDICT_NOT_MEASURABLE && says != VERDICT_SUPPORTED;
        }
    }
    out->contradicted += either > 0 && refuted == either;
    has_all = has_all && (either == 0 || seen > 0);
    out->verdict = out->contradicted > 0 ? VERDICT_NOT_SUPPORTED
                   : has_all             ? VERDICT_SUPPORTED
                                         : VERDICT_NOT_MEASURABLE;
    out->is_open = out->verdict == VERDICT_NOT_MEASURABLE && is_begun &&
                   !out->is_permissive && !is_healthy(out);
    out->is_begun = is_begun;
}

enum rank_class {
    CLASS_BUG,
    CLASS_CAUSE,
    CLASS_HEALTHY, // "nothing is wrong" stands behind whatever is
    CLASS_ALONE,   // R6 when there is no cause: something does not work
    CLASS_PERMISSIVE,
    CLASS_OPEN,
    CLASS_REFUTED
};

static enum rank_class class_of(const struct rival *r)
{
    if (r->verdict == VERDICT_NOT_SUPPORTED)
        return CLASS_REFUTED;
    if (r->verdict == VERDICT_NOT_MEASURABLE || r->is_outdone)
        return CLASS_OPEN;
    if (r->is_permissive)
        return r->is_alone ? CLASS_ALONE : CLASS_PERMISSIVE;
    return r->is_bug ? CLASS_BUG : is_healthy(r) ? CLASS_HEALTHY : CLASS_CAUSE;
}

/* A defect without a cause to let happen. */
static void find_alone(struct rival r[RIVALS])
{
    bool is_caused = false;
    for (size_t i = 0; i < RIVALS; i++)
        is_caused = is_caused || class_of(&r[i]) <= CLASS_CAUSE;
    for (size_t i = 0; i < RIVALS; i++)
        r[i].is_alone = !is_caused && strcmp(r[i].id, "R6") == 0;
}

/* Share of its signs that are seen, so that long lists do not win by length. */
static double share_for(const struct rival *r)
{
    return (double)r->supported / (double)r->n_seen;
}

static int by_rank(const void *a, const void *b)
{
    const struct rival *x = a;
    const struct rival *y = b;
    if (class_of(x) != class_of(y))
        return class_of(x) < class_of(y) ? -1 : 1;
    if (x->contradicted != y->contradicted)
        return x->contradicted < y->contradicted ? -1 : 1;
    if (class_of(x) == CLASS_OPEN && x->is_held_back != y->is_held_back)
        return x->is_held_back ? 1 : -1;
    /* Of what is open the share would favour whoever has few rows. */
    if (class_of(x) == CLASS_OPEN && x->supported != y->supported)
        return x->supported > y->supported ? -1 : 1;
    /* Of two signs one says no more than of ten: a sign that is wanted does. */
    if (x->is_held_back && y->is_held_back && x->is_begun != y->is_begun)
        return x->is_begun ? -1 : 1;
    if (!(x->is_held_back && y->is_held_back) && share_for(x) != share_for(y))
        return share_for(x) > share_for(y) ? -1 : 1;
    /* qsort is not stable: the table's order decides. */
    size_t i = (size_t)strtoul(x->id + 1, NULL, 10);
    size_t k = (size_t)strtoul(y->id + 1, NULL, 10);
    return (i > k) - (i < k);
}

/* Does the first have to stand back?  At most once for each. */
static bool outdo_first(struct rival r[RIVALS])
{
    if (!r[0].is_permissive || class_of(&r[0]) >= CLASS_OPEN)
        return false;
    for (size_t i = 1; i < RIVALS; i++)
        r[0].is_outdone = r[0].is_outdone ||
                          (r[i].is_open && r[i].supported > r[0].supported);
    return r[0].is_outdone;
}

static void rank(struct rival out[RIVALS])
{
    find_alone(out);
    do
        qsort(out, RIVALS, sizeof *out, by_rank);
    while (outdo_first(out));
    for (size_t i = 0; i < RIVALS; i++) {
        out[i].rank = i + 1;
        out[i].tied_with = SIZE_MAX;
    }
    for (size_t i = 1; i < RIVALS; i++) {
        if (class_of(&out[i]) == class_of(&out[i - 1]) &&
            class_of(&out[i]) < CLASS_OPEN &&
            out[i].contradicted == out[i - 1].contradicted &&
            share_for(&out[i]) == share_for(&out[i - 1])) {
            out[i].tied_with = i - 1;
            if (out[i - 1].tied_with == SIZE_MAX)
                out[i - 1].tied_with = i;
        }
    }
}

void rivals_judge(struct rival out[RIVALS], const struct rows *rows)
{
    for (size_t i = 0; i < RIVALS; i++)
        judge_one(&out[i], i, rows);
    rank(out);
}

void rivals_hold_back(struct rival r[RIVALS])
{
    for (size_t i = 0; i < RIVALS; i++)
        r[i].is_held_back = r[i].verdict == VERDICT_NOT_MEASURABLE &&
                            (!r[i].is_begun || r[i].supported < 2);
    rank(r);
}
