#include "eval/samples.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/dataset.h"
#include "stat/winrate.h"

struct named {
    const char *id;
    size_t at;
};

static int by_id(const void *a, const void *b)
{
    const struct named *x = a;
    const struct named *y = b;
    int order = strcmp(x->id, y->id);
    return order != 0 ? order : (x->at > y->at) - (x->at < y->at);
}

enum status samples_group(size_t *index, size_t *n, char *const *id,
                          size_t count, struct err *err)
{
    struct named *sorted;
    TRY(MEM_NEW(sorted, count, err));
    for (size_t i = 0; i < count; i++)
        sorted[i] = (struct named){id[i], i};
    if (count > 1)
        qsort(sorted, count, sizeof *sorted, by_id);
    size_t group = 0;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && strcmp(sorted[i - 1].id, sorted[i].id) != 0)
            group++;
        index[sorted[i].at] = group;
    }
    *n = count > 0 ? group + 1 : 0;
    mem_free(sorted);
    return OK;
}

/* What is averaged over a prompt's samples, for each model. */
enum value {
    VALUE_SCORE,
    VALUE_GOLD,
    VALUE_WEAK,
    VALUE_HELP,
    VALUE_LEN,
    VALUE_SENTENCES,
    VALUE_FOURGRAMS,
    VALUE_FILLERS,
    VALUE_EOS,
    VALUE_KL, // nats per sequence
    VALUES
};

static const char *const value_key[VALUES] = {"score",
                                              "gold",
                                              "weak_gold",
                                              "help",
                                              "len",
                                              "repeated_sentences",
                                              "repeated_fourgrams",
                                              "fillers",
                                              "is_eos",
                                              "kl"};

struct row {
    bool is_policy;
    int64_t sample;
    double value[VALUES];
};

struct table {
    struct row *row;
    char **id;     // [n] prompt of each row
    size_t *index; // [n] its number
    size_t n, room;
    size_t prompts;
    const char *path;
};

static double read_value(const struct json *node)
{
    if (json_is_bool(node))
        return json_bool(node, false) ? 1 : 0;
    if (!json_is_array(node))
        return json_number(node, (double)NAN);
    double sum = 0;
    for (size_t t = 0; t < json_size(node); t++)
        sum += json_number(json_at(node, t), (double)NAN);
    return sum;
}

static enum status grow(struct table *t, struct err *err)
{
    size_t room = t->room > 0 ? 2 * t->room : 256;
    struct row *row = mem_grow(t->row, t->n, room, sizeof *row);
    if (row != NULL)
        t->row = row;
    char **id = mem_grow(t->id, t->n, room, sizeof *id);
    if (id != NULL)
        t->id = id;
    if (row == NULL || id == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: %zu samples", room);
    t->room = room;
    return OK;
}

static enum status add_row(void *ctx, const struct json *json, size_t line,
                           struct err *err)
{
    struct table *t = ctx;
    const char *id;
    const char *which;
    TRY(json_need_text(&id, json, "prompt_id", t->path, err));
    TRY(json_need_text(&which, json, "which", t->path, err));
    bool is_policy = strcmp(which, "policy") == 0;
    if (!is_policy && strcmp(which, "reference") != 0)
        return err_set(err, ERR_FORMAT,
                       "%s:%zu: \"which\" is '%s', neither policy nor "
                       "reference",
                       t->path, line, which);
    if (t->n == t->room)
        TRY(grow(t, err));
    struct row *row = &t->row[t->n];
    row->is_policy = is_policy;
    row->sample = json_int(json_get(json, "sample"), 0);
    for (int v = 0; v < VALUES; v++)
        row->value[v] = read_value(json_get(json, value_key[v]));
    t->id[t->n] = mem_strdup(id);
    if (t->id[t->n] == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: a prompt's id");
    t->n++;
    return OK;
}

static void table_free(struct table *t)
{
    for (size_t i = 0; i < t->n; i++)
        mem_free(t->id[i]);
    mem_free(t->id);
    mem_free(t->row);
    mem_free(t->index);
}

/* mean[p] of a value over the rows of one model; NaN without any. */
static void prompt_means(double *mean, double *count, const struct table *t,
                         bool is_policy, enum value v)
{
    for (size_t p = 0; p < t->prompts; p++)
        mean[p] = count[p] = 0;
    for (size_t i = 0; i < t->n; i++) {
        double x = t->row[i].value[v];
        if (t->row[i].is_policy != is_policy || isnan(x))
            continue;
        mean[t->index[i]] += x;
        count[t->index[i]] += 1;
    }
    for (size_t p = 0; p < t->prompts; p++)
        mean[p] = count[p] > 0 ? mean[p] / count[p] : (double)NAN;
}

/* Names of what is reported of a value; NULL: not reported. */
static const struct report {
    enum value value;
    const char *delta, *policy, *reference;
} reports[] = {
    {VALUE_SCORE, "rm_delta", "rm_policy", "rm_reference"},
    {VALUE_GOLD, "gold_delta", "gold_policy", "gold_reference"},
    {VALUE_HELP, "help_delta", "help_policy", "help_reference"},
    {VALUE_LEN, NULL, "length_policy", "length_reference"},
    {VALUE_SENTENCES, "repetition_delta", "repetition_policy",
     "repetition_reference"},
    {VALUE_FOURGRAMS, "fourgram_delta", NULL, NULL},
    {VALUE_FILLERS, "filler_delta", "fillers_policy", "fillers_reference"},
    {VALUE_EOS, "eos_delta", "eos_rate_policy", "eos_rate_reference"},
};

/* Scratch: a column for each model, for counts and for a change, [prompts]
 * each. */
struct scratch {
    double *policy, *reference, *count, *change;
};

static enum status add_report(struct measures *out, const struct report *r,
                              const struct table *t, struct scratch *s,
                              const struct bootstrap *plan, struct err *err)
{
    struct estimate e;
    prompt_means(s->policy, s->count, t, true, r->value);
    prompt_means(s->reference, s->count, t, false, r->value);
    if (r->delta != NULL) {
        TRY(summary_estimate_difference(&e, s->policy, s->reference, t->prompts,
                                        plan, err));
        measures_add(out, r->delta, &e);
    }
    if (r->policy != NULL) {
        TRY(summary_estimate_mean(&e, s->policy, t->prompts, plan, err));
        measures_add(out, r->policy, &e);
        TRY(summary_estimate_mean(&e, s->reference, t->prompts, plan, err));
        measures_add(out, r->reference, &e);
    }
    return OK;
}

static enum status add_ratio(struct measures *out, const char *name,
                             const struct table *t, enum value above,
                             enum value below, bool below_is_policy,
                             struct scratch *s, const struct bootstrap *plan,
                             struct err *err)
{
    struct estimate e;
    prompt_means(s->policy, s->count, t, true, above);
    prompt_means(s->reference, s->count, t, below_is_policy, below);
    TRY(summary_estimate_ratio(&e, s->policy, s->reference, t->prompts, plan,
                               err));
    measures_add(out, name, &e);
    return OK;
}

/* By prompt and sample, then by row. */
static int by_place(const void *a, const void *b)
{
    const size_t *x = a;
    const size_t *y = b;
    size_t i = x[0] != y[0] ? 0 : 1;
    return (x[i] > y[i]) - (x[i] < y[i]);
}

/* The wins of sample k of the policy against sample k of the reference.  key
 * [n] holds (prompt and sample, row) in order, so that partners are next to
 * each other. */
static size_t pair_wins(size_t *prompt, double *win, size_t (*key)[2],
                        const struct table *t, enum value v)
{
    size_t n = 0;
    for (size_t i = 0; i + 1 < t->n; i++) {
        const struct row *a = &t->row[key[i][1]];
        const struct row *b = &t->row[key[i + 1][1]];
        if (key[i][0] != key[i + 1][0] || a->is_policy == b->is_policy)
            continue;
        const struct row *policy = a->is_policy ? a : b;
        const struct row *reference = a->is_policy ? b : a;
        prompt[n] = t->index[key[i][1]];
        win[n++] = winrate_of(policy->value[v], reference->value[v]);
        i++; // a row has one partner, also when a prompt's id comes twice
    }
    return n;
}

static enum status add_wins(struct measures *out, struct measures *weak_gold,
                            const struct table *t, const struct bootstrap *plan,
                            struct err *err)
{
    enum status status = OK;
    size_t(*key)[2] = NULL;
    size_t *prompt = NULL;
    double *win = NULL;
    struct estimate e;
    TRY_DONE(MEM_NEW(key, t->n, err));
    TRY_DONE(MEM_NEW(prompt, t->n, err));
    TRY_DONE(MEM_NEW(win, t->n, err));
    for (size_t i = 0; i < t->n; i++) {
        /* Samples are numbered below 2^32 by the stream's name. */
        key[i][0] = t->index[i] << 32 | (uint32_t)t->row[i].sample;
        key[i][1] = i;
    }
    if (t->n > 1)
        qsort(key, t->n, sizeof *key, by_place);
    size_t n = pair_wins(prompt, win, key, t, VALUE_SCORE);
    TRY_DONE(winrate_estimate(&e, prompt, win, n, t->prompts, plan, err));
    measures_add(out, "rm_win_rate", &e);
    n = pair_wins(prompt, win, key, t, VALUE_GOLD);
    TRY_DONE(winrate_estimate(&e, prompt, win, n, t->prompts, plan, err));
    measures_add(out, "gold_win_rate", &e);
    n = pair_wins(prompt, win, key, t, VALUE_WEAK);
    TRY_DONE(winrate_estimate(&e, prompt, win, n, t->prompts, plan, err));
    measures_add(weak_gold, "win_rate", &e);
done:
    mem_free(key);
    mem_free(prompt);
    mem_free(win);
    return status;
}

/* Columns of the reward model's and the weak gold's means of one model. */
static enum status add_correlation(struct measures *out, const char *name,
                                   const struct table *t, bool is_policy,
                                   struct scratch *s,
                                   const struct bootstrap *plan,
                                   struct err *err)
{
    struct estimate e;
    prompt_means(s->policy, s->count, t, is_policy, VALUE_SCORE);
    prompt_means(s->reference, s->count, t, is_policy, VALUE_WEAK);
    TRY(summary_estimate_correlation(&e, s->policy, s->reference, t->prompts,
                                     plan, err));
    measures_add(out, name, &e);
    return OK;
}

/* Policy minus reference by prompt, into `change`; s->reference is scratch. */
static void changes(double *change, const struct table *t, enum value v,
                    struct scratch *s)
{
    prompt_means(change, s->count, t, true, v);
    prompt_means(s->reference, s->count, t, false, v);
    for (size_t p = 0; p < t->prompts; p++)
        change[p] -= s->reference[p];
}

static enum status measure_weak_gold(struct measures *out,
                                     const struct table *t, struct scratch *s,
                                     const struct bootstrap *plan,
                                     struct err *err)
{
    static const struct report weak = {VALUE_WEAK, "delta", "policy",
                                       "reference"};
    struct estimate e;
    TRY(add_report(out, &weak, t, s, plan, err));
    changes(s->policy, t, VALUE_SCORE, s);
    changes(s->change, t, VALUE_WEAK, s);
    TRY(summary_estimate_correlation(&e, s->policy, s->change, t->prompts, plan,
                                     err));
    measures_add(out, "correlation", &e);
    TRY(add_correlation(out, "correlation_policy", t, true, s, plan, err));
    return add_correlation(out, "correlation_reference", t, false, s, plan,
                           err);
}

static enum status measure(struct measures *out, struct measures *weak_gold,
                           struct table *t, struct scratch *s,
                           const struct bootstrap *plan, struct err *err)
{
    struct estimate e;
    for (size_t i = 0; i < sizeof reports / sizeof *reports; i++)
        TRY(add_report(out, &reports[i], t, s, plan, err));
    TRY(add_wins(out, weak_gold, t, plan, err));
    TRY(measure_weak_gold(weak_gold, t, s, plan, err));
    TRY(add_ratio(out, "length_ratio", t, VALUE_LEN, VALUE_LEN, false, s, plan,
                  err));
    TRY(add_ratio(out, "kl_per_token", t, VALUE_KL, VALUE_LEN, true, s, plan,
                  err));
    prompt_means(s->policy, s->count, t, true, VALUE_KL);
    TRY(summary_estimate_mean(&e, s->policy, t->prompts, plan, err));
    measures_add(out, "kl_sequence_final", &e);
    return OK;
}

enum status samples_measure(struct measures *out, struct measures *weak_gold,
                            const char *path, const struct bootstrap *plan,
                            struct err *err)
{
    enum status status = OK;
    struct table t = {.path = path};
    struct scratch s = {NULL, NULL, NULL, NULL};
    TRY_DONE(jsonl_read(path, add_row, &t, err));
    TRY_DONE(MEM_NEW(t.index, t.n, err));
    TRY_DONE(samples_group(t.index, &t.prompts, t.id, t.n, err));
    TRY_DONE(MEM_NEW(s.policy, t.prompts, err));
    TRY_DONE(MEM_NEW(s.reference, t.prompts, err));
    TRY_DONE(MEM_NEW(s.count, t.prompts, err));
    TRY_DONE(MEM_NEW(s.change, t.prompts, err));
    TRY_DONE(measure(out, weak_gold, &t, &s, plan, err));
done:
    mem_free(s.policy);
    mem_free(s.reference);
    mem_free(s.count);
    mem_free(s.change);
    table_free(&t);
    return status;
}
