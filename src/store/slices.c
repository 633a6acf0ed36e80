#include "store/slices.h"

#include <string.h>

#include "store/query.h"

/* shown is "[0,1]" or "[1,0]": places of the candidates from the left. */
static const char items_sql[] =
    "SELECT i.id, (SELECT c.place FROM candidate AS c"
    "              WHERE c.item_id = i.id AND c.source = 'policy')"
    " FROM item AS i JOIN pool AS p ON p.id = i.pool_id"
    " WHERE p.name = ?1 AND i.kind = 'normal'"
    " AND substr(i.name, 1, length(?2)) = ?2 ORDER BY i.id";

static const char votes_sql[] =
    "SELECT a.shown, v.overall"
    " FROM assignment AS a JOIN vote AS v ON v.assignment_id = a.id"
    " WHERE a.item_id = ?1 AND v.act = 'vote' AND v.overall IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM vote AS w WHERE w.supersedes = v.id)"
    " ORDER BY v.id";

static double win_of(const char *shown, const char *overall, int64_t policy)
{
    bool is_left = shown != NULL && shown[0] == '[' && shown[1] == '0' + policy;
    if (strcmp(overall, "A") == 0)
        return is_left ? 1 : 0;
    if (strcmp(overall, "B") == 0)
        return is_left ? 0 : 1;
    return 0.5;
}

static enum status read_votes(size_t *votes, double *sum, struct db *db,
                              int64_t item, int64_t policy, struct err *err)
{
    struct query q;
    bool row = false;
    TRY(query_open(&q, db, votes_sql, err));
    query_bind_int(&q, 1, item);
    enum status status = query_next(&q, &row, err);
    while (status == OK && row) {
        *sum += win_of(query_text(&q, 0), query_text(&q, 1), policy);
        ++*votes;
        status = query_next(&q, &row, err);
    }
    query_close(&q);
    return status;
}

enum status slices_read(struct slice_counts *out, struct db *db,
                        const char *pool, const char *head, slice_fn fn,
                        void *ctx, struct err *err)
{
    struct slice_counts counts = {0, 0};
    struct query q;
    bool row = false;
    TRY(query_open(&q, db, items_sql, err));
    query_bind_text(&q, 1, pool);
    query_bind_text(&q, 2, head);
    enum status status = query_next(&q, &row, err);
    while (status == OK && row) {
        size_t votes = 0;
        double sum = 0;
        counts.items++;
        status = read_votes(&votes, &sum, db, query_int(&q, 0),
                            query_int(&q, 1), err);
        if (status == OK && votes > 0) {
            counts.voted++;
            fn(ctx, sum / (double)votes);
        }
        if (status == OK)
            status = query_next(&q, &row, err);
    }
    query_close(&q);
    if (status == OK)
        *out = counts;
    return status;
}
