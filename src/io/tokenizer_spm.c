#include "io/tokenizer_spm.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "io/pieces.h"

#define TOKEN_MAX ((size_t)256) // every way to cut a token is tried
#define MERGES_MAX ((size_t)1 << 23)

/* A merge with what it is ordered by. */
struct ranked {
    struct spm_merge merge;
    double score;
    uint32_t len; // bytes of the token
};

struct list {
    struct ranked *item;
    size_t n, room;
};

static enum status push(struct list *l, struct ranked item, const char *name,
                        struct err *err)
{
    if (l->n == l->room) {
        size_t room = l->room != 0 ? 2 * l->room : 1024;
        if (l->n >= MERGES_MAX)
            return err_set(err, ERR_LIMIT, "%s: tokens of more than %zu merges",
                           name, MERGES_MAX);
        struct ranked *grown = mem_grow(l->item, l->n, room, sizeof *grown);
        if (grown == NULL)
            return err_set(err, ERR_MEMORY, "out of memory for merges");
        l->item = grown;
        l->room = room;
    }
    l->item[l->n++] = item;
    return OK;
}

/* Every way to cut one token. */
static enum status cut(struct list *l, const struct pieces *all,
                       const struct spm_token *token, uint32_t i,
                       const char *name, struct err *err)
{
    const struct spm_token *t = &token[i];
    for (size_t at = 0, n; at < t->len; at += n) {
        (void)utf8_decode(t->text + at, &n);
        if (at == 0 || pieces_find(all, t->text, at) < 0 ||
            pieces_find(all, t->text + at, t->len - at) < 0)
            continue;
        TRY(push(l,
                 (struct ranked){.merge = {.token = i, .cut = (uint32_t)at},
                                 .score = t->score,
                                 .len = (uint32_t)t->len},
                 name, err));
    }
    return OK;
}

/* Highest score first; of one token the longest left part. */
static int by_rank(const void *a, const void *b)
{
    const struct ranked *x = a;
    const struct ranked *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->merge.cut != y->merge.cut)
        return x->merge.cut > y->merge.cut ? -1 : 1;
    if (x->len != y->len)
        return x->len > y->len ? -1 : 1;
    return (x->merge.token > y->merge.token) -
           (x->merge.token < y->merge.token);
}

/* Is it its first character again and again? */
static bool is_run(const struct spm_token *t, const char *character, size_t n)
{
    if (t->len % n != 0)
        return false;
    for (size_t i = 0; i < t->len; i += n)
        if (memcmp(t->text + i, character, n) != 0)
            return false;
    return true;
}

static enum status check_equal(const struct list *l,
                               const struct spm_token *token, const char *name,
                               struct err *err)
{
    for (size_t i = 1; i < l->n; i++) {
        const struct spm_token *a = &token[l->item[i - 1].merge.token];
        const struct spm_token *b = &token[l->item[i].merge.token];
        size_t n;
        if (a == b || a->score != b->score)
            continue;
        (void)utf8_decode(a->text, &n);
        if (!is_run(a, a->text, n) || !is_run(b, a->text, n))
            return err_set(err, ERR_MISMATCH,
                           "%s: tokens '%.*s' and '%.*s' have the same score "
                           "%g: not supported",
                           name, (int)a->len, a->text, (int)b->len, b->text,
                           a->score);
    }
    return OK;
}

static enum status gather(struct list *l, struct pieces *all,
                          const struct spm_token *token, size_t n,
                          const char *name, struct err *err)
{
    TRY(pieces_init(all, n, err));
    for (size_t i = 0; i < n; i++) {
        const struct spm_token *t = &token[i];
        if (!t->is_normal || t->len == 0)
            continue;
        if (t->len > TOKEN_MAX)
            return err_set(err, ERR_LIMIT,
                           "%s: token %zu of %zu bytes, at most %zu", name, i,
                           t->len, TOKEN_MAX);
        if (pieces_find(all, t->text, t->len) >= 0)
            return err_set(err, ERR_FORMAT,
                           "%s: token '%.*s' stands there "
                           "twice",
                           name, (int)t->len, t->text);
        TRY(pieces_add(all, t->text, t->len, (int32_t)i, err));
    }
    for (size_t i = 0; i < n; i++)
        if (token[i].is_normal)
            TRY(cut(l, all, token, (uint32_t)i, name, err));
    return OK;
}

enum status tokenizer_spm_merges(struct spm_merge **out, size_t *n_out,
                                 const struct spm_token *token, size_t n,
                                 const char *name, struct err *err)
{
    struct list l = {0};
    struct pieces all = {0};
    struct spm_merge *merges = NULL;
    enum status status;
    TRY_DONE(gather(&l, &all, token, n, name, err));
    if (l.n > 1)
        qsort(l.item, l.n, sizeof *l.item, by_rank);
    TRY_DONE(check_equal(&l, token, name, err));
    TRY_DONE(MEM_NEW(merges, l.n, err));
    for (size_t i = 0; i < l.n; i++)
        merges[i] = l.item[i].merge;
    *out = merges;
    *n_out = l.n;
done:
    pieces_free(&all);
    mem_free(l.item);
    return status;
}
