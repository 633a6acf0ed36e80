#include "store/slices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/utf8.h"
#include "store/query.h"

#define HEAD "watch/"
#define DIGITS 16
#define READABLE 64 // bytes of a pool's name that say whose it is

/* ---- names -------------------------------------------------------------- */

static void hash_of(char out[DIGITS + 1], const char *text)
{
    char whole[65];
    file_hash_bytes(whole, text, strlen(text));
    memcpy(out, whole, DIGITS);
    out[DIGITS] = '\0';
}

void slices_name(char out[SLICES_NAME], const char *run, int64_t step,
                 bool is_placebo, const char *prompt_id)
{
    char whose[DIGITS + 1], which[DIGITS + 1];
    hash_of(whose, run);
    hash_of(which, prompt_id);
    (void)snprintf(out, SLICES_NAME, HEAD "%s/%lld/%s/%s", whose,
                   (long long)step, is_placebo ? "placebo" : "pair", which);
}

/* Behind a hash's digits, or NULL. */
static const char *pass_hash(const char *at)
{
    size_t n = strspn(at, "0123456789abcdef");
    return n == DIGITS ? at + n : NULL;
}

bool slices_is_name(const char *name)
{
    const char *at = name;
    if (strncmp(at, HEAD, sizeof HEAD - 1) != 0 ||
        (at = pass_hash(at + sizeof HEAD - 1)) == NULL || *at != '/')
        return false;
    at += 1 + (at[1] == '-');
    size_t n = strspn(at, "0123456789");
    if (n == 0)
        return false;
    at += n;
    if (strncmp(at, "/pair/", 6) == 0)
        at = pass_hash(at + 6);
    else if (strncmp(at, "/placebo/", 9) == 0)
        at = pass_hash(at + 9);
    else
        return false;
    return at != NULL && *at == '\0';
}

/* Where the last two folders of a path begin. */
static const char *last_folders(const char *path)
{
    const char *at = path + strlen(path);
    for (int n = 0; at > path; at--)
        if (at[-1] == '/' && ++n == 2)
            break;
    return at;
}

void slices_pool(char out[SLICES_POOL], const char *run)
{
    char hash[DIGITS + 1], name[READABLE + 1];
    size_t n = 0;
    const char *from = last_folders(run);
    hash_of(hash, run);
    /* The end of a long one tells more: the stage is there. */
    if (strlen(from) > READABLE)
        from += strlen(from) - READABLE;
    while (((unsigned char)*from & 0xC0) == 0x80)
        from++;
    /* A name is UTF-8 without control characters, a path may be any bytes. */
    while (*from != '\0') {
        size_t k = utf8_length(from, strlen(from), NULL);
        bool is_fine = k > 1 || (k == 1 && *from >= 32 && *from != 127);
        k = k > 0 ? k : 1;
        if (is_fine)
            memcpy(name + n, from, k);
        else
            memset(name + n, '?', k);
        n += k;
        from += k;
    }
    name[n] = '\0';
    (void)snprintf(out, SLICES_POOL, "watch: %s %.8s", name, hash);
}

/* ---- votes -------------------------------------------------------------- */

/* shown is "[0,1]" or "[1,0]": places of the candidates from the left.  A
 * name's bound is the head with '0', which follows '/', at its end. */
static const char items_sql[] =
    "SELECT i.id, i.name, i.prompt_id,"
    " (SELECT c.place FROM candidate AS c"
    "  WHERE c.item_id = i.id AND c.source = 'policy'), p.overlap"
    " FROM item AS i JOIN pool AS p ON p.id = i.pool_id"
    " WHERE p.name = ?1 AND i.kind = 'normal'"
    " AND i.name >= ?2 AND i.name < ?3"
    " ORDER BY CAST(substr(i.name, ?4) AS INTEGER), i.id";

static const char votes_sql[] =
    "SELECT a.shown, v.overall"
    " FROM assignment AS a JOIN vote AS v ON v.assignment_id = a.id"
    " WHERE a.item_id = ?1 AND v.act = 'vote' AND v.overall IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM vote AS w WHERE w.supersedes = v.id)"
    " ORDER BY v.id LIMIT ?2";

/* SQLite gives no text where memory has run out. */
static enum status need_text(const char **out, const struct query *q,
                             int column, struct err *err)
{
    *out = query_text(q, column);
    return *out != NULL
               ? OK
               : err_set(err, ERR_MEMORY, "out of memory for what was queued");
}

static double win_of(const char *shown, const char *overall, int64_t policy)
{
    bool is_left = shown != NULL && shown[0] == '[' && shown[1] == '0' + policy;
    if (strcmp(overall, "A") == 0)
        return is_left ? 1 : 0;
    if (strcmp(overall, "B") == 0)
        return is_left ? 0 : 1;
    return 0.5;
}

/* The first `most` votes. */
static enum status read_votes(int64_t *votes, double *sum, struct db *db,
                              int64_t item, int64_t policy, int64_t most,
                              struct err *err)
{
    struct query q;
    const char *overall;
    bool row = false;
    TRY(query_open(&q, db, votes_sql, err));
    query_bind_int(&q, 1, item);
    query_bind_int(&q, 2, most);
    enum status status = query_next(&q, &row, err);
    while (status == OK && row) {
        status = need_text(&overall, &q, 1, err);
        if (status != OK)
            break;
        *sum += win_of(query_text(&q, 0), overall, policy);
        ++*votes;
        status = query_next(&q, &row, err);
    }
    query_close(&q);
    return status;
}

struct reading {
    struct db *db;
    slice_fn fn;
    void *ctx;
};

static enum status read_item(struct reading *r, const struct query *q,
                             struct err *err)
{
    const char *name;
    struct slice_vote v = {.win = 0};
    int64_t votes = 0, overlap = query_int(q, 4);
    double sum = 0;
    TRY(need_text(&name, q, 1, err));
    TRY(need_text(&v.prompt_id, q, 2, err));
    v.step = strtoll(name + sizeof HEAD + DIGITS, NULL, 10);
    TRY(read_votes(&votes, &sum, r->db, query_int(q, 0), query_int(q, 3),
                   overlap, err));
    v.is_voted = votes >= overlap;
    if (v.is_voted)
        v.win = sum / (double)votes;
    return r->fn(r->ctx, &v, err);
}

enum status slices_read(struct db *db, const char *run, slice_fn fn, void *ctx,
                        struct err *err)
{
    struct reading r = {.db = db, .fn = fn, .ctx = ctx};
    char pool[SLICES_POOL], hash[DIGITS + 1];
    char from[sizeof HEAD + DIGITS + 1], to[sizeof from];
    struct query q;
    bool row = false;
    slices_pool(pool, run);
    hash_of(hash, run);
    (void)snprintf(from, sizeof from, HEAD "%s/", hash);
    (void)snprintf(to, sizeof to, HEAD "%s0", hash);
    TRY(query_open(&q, db, items_sql, err));
    query_bind_text(&q, 1, pool);
    query_bind_text(&q, 2, from);
    query_bind_text(&q, 3, to);
    query_bind_int(&q, 4, (int64_t)strlen(from) + 1);
    enum status status = query_next(&q, &row, err);
    while (status == OK && row) {
        status = read_item(&r, &q, err);
        if (status == OK)
            status = query_next(&q, &row, err);
    }
    query_close(&q);
    return status;
}

/* ---- what is open ------------------------------------------------------- */

/* A spot-check's pool p in which something is to be judged yet. */
#define IS_OPEN                                                                \
    "p.task = 'spotcheck' AND p.closed_ms IS NULL"                             \
    " AND EXISTS (SELECT 1 FROM item AS o"                                     \
    "  WHERE o.pool_id = p.id AND o.retired_ms IS NULL"                        \
    "  AND (SELECT count(*) FROM assignment AS a"                              \
    "   WHERE a.item_id = o.id AND a.state = 'voted') < p.overlap)"

enum status slices_is_open(bool *out, struct db *db, const char *pool,
                           struct err *err)
{
    struct query q;
    int64_t n = 0;
    TRY(query_open(&q, db,
                   "SELECT count(*) FROM pool AS p WHERE " IS_OPEN
                   " AND (?1 IS NULL OR p.name = ?1)",
                   err));
    query_bind_text(&q, 1, pool);
    TRY(query_one(&n, &q, err));
    *out = n > 0;
    return OK;
}

enum status slices_walk_open(struct db *db, slice_prompt_fn fn, void *ctx,
                             struct err *err)
{
    struct query q;
    bool row = false;
    TRY(query_open(&q, db,
                   "SELECT DISTINCT i.prompt_id FROM item AS i"
                   " JOIN pool AS p ON p.id = i.pool_id"
                   " WHERE i.prompt_id IS NOT NULL AND " IS_OPEN
                   " ORDER BY i.prompt_id",
                   err));
    enum status status = query_next(&q, &row, err);
    while (status == OK && row) {
        const char *prompt_id;
        status = need_text(&prompt_id, &q, 0, err);
        if (status == OK)
            status = fn(ctx, prompt_id, err);
        if (status == OK)
            status = query_next(&q, &row, err);
    }
    query_close(&q);
    return status;
}
