#include "cli/weak_gold.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/place.h"
#include "io/dataset.h"
#include "io/run.h"

#define HASH 65

/* What a model learnt from: one hash a record, in order; none when it is not
 * known. */
struct lessons {
    char (*hash)[HASH];
    size_t n;
};

static int by_hash(const void *a, const void *b)
{
    return memcmp(a, b, HASH - 1);
}

/* The same prompt and responses, in whatever order they are ranked. */
static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum status hash_record(char out[HASH], const struct record *r,
                               struct err *err)
{
    struct buf text;
    char **sorted;
    TRY(MEM_NEW(sorted, r->n_responses, err));
    buf_init(&text, (size_t)64 << 20);
    buf_puts(&text, r->prompt);
    for (size_t i = 0; i < r->n_responses; i++)
        sorted[i] = r->responses[i];
    qsort(sorted, r->n_responses, sizeof *sorted, by_text);
    for (size_t i = 0; i < r->n_responses; i++) {
        buf_putc(&text, '\0');
        buf_puts(&text, sorted[i]);
    }
    enum status status = buf_status(&text, err);
    if (status == OK)
        file_hash_bytes(out, text.data, text.len);
    buf_free(&text);
    mem_free(sorted);
    return status;
}

static enum status read_lessons(struct lessons *out, const struct options *o,
                                struct err *err)
{
    struct dataset d = {0}, more = {0};
    enum status status = OK;
    TRY(dataset_load(&d, o->v.reward.data, DATASET_RANKINGS, &o->v.data.dataset,
                     NULL, err));
    if (o->v.reward.extra != NULL) {
        TRY_DONE(dataset_load(&more, o->v.reward.extra, DATASET_RANKINGS,
                              &o->v.data.dataset, NULL, err));
        TRY_DONE(dataset_append(&d, &more, err));
    }
    TRY_DONE(MEM_NEW(out->hash, d.n, err));
    out->n = d.n;
    for (size_t i = 0; i < d.n; i++)
        TRY_DONE(hash_record(out->hash[i], &d.record[i], err));
    if (d.n > 0)
        qsort(out->hash, d.n, HASH, by_hash);
done:
    dataset_free(&d);
    dataset_free(&more);
    return status;
}

/* Is a data file of a run still what it was? */
static bool is_unchanged(const struct options *o, const char *key,
                         const char *path)
{
    char hash[HASH];
    if (path == NULL || file_hash(hash, path, NULL) != OK)
        return false;
    const char *recorded = place_recorded_hash(o, key);
    return recorded != NULL && strcmp(recorded, hash) == 0;
}

static bool are_unchanged(const struct options *o)
{
    const struct reward_config *c = &o->v.reward;
    return is_unchanged(o, "reward.data", c->data) &&
           (c->extra == NULL || is_unchanged(o, "reward.extra_data", c->extra));
}

/* What the run that a model lies in recorded. */
static enum status lessons_of(struct lessons *out, const char *model,
                              struct err *err)
{
    char path[FILE_PATH_MAX], run[FILE_PATH_MAX];
    int64_t step;
    struct options o;
    TRY(run_find_model(path, model, "reward", err));
    if (!run_of_model(run, &step, path))
        return OK;
    TRY(file_join(path, run, "config.yaml", err));
    if (!file_exists(path))
        return OK;
    TRY(options_init(&o, err));
    enum status status = args_read_file(&o, path, err);
    if (status == OK)
        status = options_apply(&o, err);
    if (status == OK && are_unchanged(&o))
        status = read_lessons(out, &o, err);
    options_free(&o);
    return status;
}

static size_t count_common(const struct lessons *a, const struct lessons *b)
{
    size_t common = 0;
    for (size_t i = 0, k = 0; i < a->n && k < b->n;) {
        int order = by_hash(a->hash[i], b->hash[k]);
        common += order == 0;
        i += order <= 0;
        k += order >= 0;
    }
    return common;
}

enum status weak_gold_check(bool *is_disjoint, const char *reward_model,
                            const char *gold_model, struct err *err)
{
    struct lessons reward = {0}, gold = {0};
    enum status status = OK;
    *is_disjoint = false;
    TRY_DONE(lessons_of(&reward, reward_model, err));
    TRY_DONE(lessons_of(&gold, gold_model, err));
    size_t common = count_common(&reward, &gold);
    if (common > 0)
        TRY_DONE(err_set(err, ERR_ARG,
                         "%zu of the %zu records that %s was trained on are "
                         "the reward model's (%s) too; weak gold needs "
                         "disjoint ones",
                         common, gold.n, gold_model, reward_model));
    *is_disjoint = reward.n > 0 && gold.n > 0;
done:
    mem_free(reward.hash);
    mem_free(gold.hash);
    return status;
}
