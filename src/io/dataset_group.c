#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/dataset_format.h"

/* A row and the prompt it is sorted by. */
struct entry {
    const char *key;
    size_t row;
};

static int by_key(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = strcmp(x->key, y->key);
    return order != 0 ? order : x->row < y->row ? -1 : x->row > y->row;
}

/* Same prompt: the text is the key, and it stands for the messages only if
 * those agree as well. */
static bool same_prompt(const struct record *a, const struct record *b)
{
    return strcmp(a->prompt, b->prompt) == 0 &&
           dialogue_equal(&a->dialogue, &b->dialogue);
}

/* Put the responses of rows e[0..n) into the first one. */
static enum status join(struct dataset *d, const enum dataset_label *label,
                        const struct entry *e, size_t n, struct err *err)
{
    struct record *r = &d->record[e[0].row];
    if (n > DATASET_RESPONSES_MAX)
        return err_set(err, ERR_FORMAT,
                       "%s: record '%s': %zu rows with the same prompt, limit "
                       "%d",
                       d->path, r->id, n, DATASET_RESPONSES_MAX);
    TRY(MEM_NEW(r->responses, n, err));
    TRY(MEM_NEW(r->ranking, n, err));
    r->n_responses = n;
    for (size_t i = 0; i < n; i++) {
        struct record *from = &d->record[e[i].row];
        r->responses[i] = from->response;
        from->response = NULL;
        r->ranking[i] = label[e[i].row] == LABEL_LIKED ? 1 : 2;
    }
    return OK;
}

/* Make one ranking of rows e[0..n), if both sorts are there. */
static enum status group(struct dataset *d, const enum dataset_label *label,
                         const struct entry *e, size_t n, bool *keep,
                         struct err *err)
{
    size_t liked = 0;
    for (size_t i = 0; i < n; i++)
        liked += label[e[i].row] == LABEL_LIKED;
    if (liked == 0 || liked == n) {
        d->count.unused += n;
        return OK;
    }
    keep[e[0].row] = true;
    return join(d, label, e, n, err);
}

enum status dataset_format_group(struct dataset *d,
                                 const enum dataset_label *label,
                                 struct err *err)
{
    enum status status = OK;
    struct entry *entry = NULL;
    bool *keep = NULL;
    TRY_DONE(MEM_NEW(entry, d->n, err));
    TRY_DONE(MEM_NEW(keep, d->n, err));
    for (size_t i = 0; i < d->n; i++)
        entry[i] = (struct entry){d->record[i].prompt, i};
    qsort(entry, d->n, sizeof *entry, by_key);
    for (size_t i = 0, next; i < d->n; i = next) {
        for (next = i + 1; next < d->n; next++)
            if (!same_prompt(&d->record[entry[i].row],
                             &d->record[entry[next].row]))
                break;
        TRY_DONE(group(d, label, entry + i, next - i, keep, err));
    }
    dataset_filter(d, keep);
    if (d->n == 0 && d->count.unused > 0)
        status = err_set(err, ERR_FORMAT,
                         "%s: the rows are unpaired, and no prompt has both a "
                         "liked and a disliked completion: nothing to compare",
                         d->path);
done:
    mem_free(entry);
    mem_free(keep);
    return status;
}
