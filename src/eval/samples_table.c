#include "eval/samples_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/jsonl.h"
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

enum status samples_table_number(size_t *index, size_t *n, char *const *id,
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

static const char *const value_key[SAMPLES_VALUES] = {"score",
                                                      "gold",
                                                      "weak_gold",
                                                      "help",
                                                      "len",
                                                      "repeated_sentences",
                                                      "repeated_fourgrams",
                                                      "fillers",
                                                      "is_eos",
                                                      "kl"};

/* A table that is being filled from a file. */
struct reading {
    struct samples_table *table;
    const struct samples_source *source;
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

static enum status grow(struct samples_table *t, struct err *err)
{
    size_t room = t->room > 0 ? 2 * t->room : 256;
    struct samples_row *row = mem_grow(t->row, t->n, room, sizeof *row);
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

static void read_row(struct samples_row *row, const struct json *json,
                     const struct score_scale *scale)
{
    row->sample = json_int(json_get(json, "sample"), 0);
    for (int v = 0; v < SAMPLES_VALUES; v++)
        row->value[v] = read_value(json_get(json, value_key[v]));
    if (scale == NULL)
        return;
    const struct json *raw = json_get(json, "base_raw");
    if (raw == NULL)
        raw = json_get(json, "score_raw");
    row->value[SAMPLES_SCORE] = (read_value(raw) - scale->mean) / scale->sd;
}

static enum status add_row(void *ctx, const struct json *json, size_t line,
                           struct err *err)
{
    const struct reading *reading = ctx;
    const struct samples_source *from = reading->source;
    struct samples_table *t = reading->table;
    const char *id;
    const char *which;
    TRY(json_need_text(&id, json, "prompt_id", from->path, err));
    TRY(json_need_text(&which, json, "which", from->path, err));
    bool is_policy = strcmp(which, "policy") == 0;
    if (!is_policy && strcmp(which, "reference") != 0)
        return err_set(err, ERR_FORMAT,
                       "%s:%zu: \"which\" is '%s', neither policy nor "
                       "reference",
                       from->path, line, which);
    if (from->only != NULL && strcmp(which, from->only) != 0)
        return OK;
    if (t->n == t->room)
        TRY(grow(t, err));
    struct samples_row *row = &t->row[t->n];
    row->is_policy = from->only != NULL ? from->as_policy : is_policy;
    read_row(row, json, from->scale);
    t->id[t->n] = mem_strdup(id);
    if (t->id[t->n] == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: a prompt's id");
    t->n++;
    return OK;
}

enum status samples_table_read(struct samples_table *t,
                               const struct samples_source *source,
                               struct err *err)
{
    struct reading reading = {.table = t, .source = source};
    return jsonl_read(source->path, add_row, &reading, err);
}

void samples_table_free(struct samples_table *t)
{
    for (size_t i = 0; i < t->n; i++)
        mem_free(t->id[i]);
    mem_free(t->id);
    mem_free(t->row);
    mem_free(t->index);
    memset(t, 0, sizeof *t);
}

enum status samples_table_group(struct samples_table *t, struct err *err)
{
    TRY(MEM_NEW(t->index, t->n, err));
    return samples_table_number(t->index, &t->prompts, t->id, t->n, err);
}

void samples_table_means(double *mean, double *count,
                         const struct samples_table *t, bool is_policy,
                         enum samples_value v)
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
                        const struct samples_table *t, enum samples_value v)
{
    size_t n = 0;
    for (size_t i = 0; i + 1 < t->n; i++) {
        const struct samples_row *a = &t->row[key[i][1]];
        const struct samples_row *b = &t->row[key[i + 1][1]];
        if (key[i][0] != key[i + 1][0] || a->is_policy == b->is_policy)
            continue;
        const struct samples_row *policy = a->is_policy ? a : b;
        const struct samples_row *reference = a->is_policy ? b : a;
        prompt[n] = t->index[key[i][1]];
        win[n++] = winrate_of(policy->value[v], reference->value[v]);
        i++; // a row has one partner, also when a prompt's id comes twice
    }
    return n;
}

enum status samples_table_wins(size_t *prompt, double *win, size_t *pairs,
                               const struct samples_table *t,
                               enum samples_value v, struct err *err)
{
    size_t(*key)[2];
    TRY(MEM_NEW(key, t->n, err));
    for (size_t i = 0; i < t->n; i++) {
        /* Samples are numbered below 2^32 by the stream's name. */
        key[i][0] = t->index[i] << 32 | (uint32_t)t->row[i].sample;
        key[i][1] = i;
    }
    if (t->n > 1)
        qsort(key, t->n, sizeof *key, by_place);
    *pairs = pair_wins(prompt, win, key, t, v);
    mem_free(key);
    return OK;
}
