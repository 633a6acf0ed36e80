/*
 * ui_seed.c PROJECT.db [PLAN.json] - a project as the browser tests want it;
 * without a plan, [votes, their assignments, their keys] of one that is there.
 *
 * The plan is {"pools":[{"name","task","overlap","guide","items":[{"name",
 * "prompt","answers":[TEXT, ...]}]}]}; of a spot-check's two answers the first
 * one is the policy's.  What cannot be done is said and is exit 1.
 */
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "base/json.h"
#include "base/mem.h"
#include "store/items.h"
#include "store/query.h"

#define PLAN_MAX ((size_t)16 << 20)
#define LEASE_MS 600000

static int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static const char *source(bool is_pair, size_t k)
{
    return is_pair && k > 0 ? "reference" : "policy";
}

static enum status add_item(struct db *db, const struct json *x, int64_t pool,
                            enum pool_task task, struct err *err)
{
    struct candidate c[ORDER_MAX];
    const struct json *answers = json_get(x, "answers");
    int64_t id = 0;
    bool is_new = false;
    struct item item = {.pool = pool,
                        .kind = ITEM_NORMAL,
                        .arm = ITEM_RANDOM,
                        .candidate = c,
                        .n = json_size(answers)};
    TRY(json_need_text(&item.name, x, "name", "item", err));
    TRY(json_need_text(&item.prompt, x, "prompt", "item", err));
    item.prompt_id = item.name;
    if (item.n > ORDER_MAX)
        return err_set(err, ERR_LIMIT, "%s: too many answers", item.name);
    for (size_t k = 0; k < item.n; k++)
        c[k] = (struct candidate){
            .text = json_text(json_at(answers, k), ""),
            .source = source(task == POOL_SPOTCHECK, k),
            .step = -1,
            .sample = (int64_t)k,
            .tokens = -1,
            .score = (double)NAN,
        };
    return items_add(&id, &is_new, db, &item, 0, now_ms(), err);
}

static enum status add_pool(struct db *db, const struct json *x,
                            struct err *err)
{
    struct pool p = {.lease = LEASE_MS,
                     .overlap = json_int(json_get(x, "overlap"), 1),
                     .random_share = 1,
                     .guide = json_text(json_get(x, "guide"), "")};
    const char *task = json_text(json_get(x, "task"), "");
    const struct json *items = json_get(x, "items");
    int64_t id = 0;
    TRY(json_need_text(&p.name, x, "name", "pool", err));
    p.task = task[0] == 's' ? POOL_SPOTCHECK : POOL_RANKING;
    TRY(items_add_pool(&id, db, &p, 0, now_ms(), err));
    for (size_t i = 0; i < json_size(items); i++)
        TRY(add_item(db, json_at(items, i), id, p.task, err));
    return OK;
}

static enum status seed(struct db *db, void *ctx, struct err *err)
{
    const struct json *pools = json_get(ctx, "pools");
    for (size_t i = 0; i < json_size(pools); i++)
        TRY(add_pool(db, json_at(pools, i), err));
    return OK;
}

static enum status make(const char *path, const char *plan_path,
                        struct err *err)
{
    const struct project_new made = {.seed = 1, .now = now_ms()};
    struct json *plan = NULL;
    struct db *db = NULL;
    enum status status = OK;
    TRY(json_read(&plan, plan_path, PLAN_MAX, err));
    TRY_DONE(project_open(&db, path, DB_CREATE, &made, err));
    status = db_transact(db, seed, plan, err);
done:
    db_close(db);
    json_free(plan);
    return status;
}

static enum status count(const char *path, struct err *err)
{
    struct db *db = NULL;
    struct query q;
    bool row = false;
    enum status status = OK;
    TRY(project_open(&db, path, DB_READ, NULL, err));
    TRY_DONE(query_open(&q, db,
                        "SELECT count(*), count(DISTINCT assignment_id),"
                        " count(DISTINCT key) FROM vote WHERE act = 'vote'",
                        err));
    status = query_next(&q, &row, err);
    if (status == OK && row)
        (void)printf("[%lld, %lld, %lld]\n", (long long)query_int(&q, 0),
                     (long long)query_int(&q, 1), (long long)query_int(&q, 2));
    query_close(&q);
done:
    db_close(db);
    return status;
}

int main(int argc, char **argv)
{
    struct err err = {OK, ""};
    enum status status;
    if (argc == 3) {
        status = make(argv[1], argv[2], &err);
    } else if (argc == 2) {
        status = count(argv[1], &err);
    } else {
        (void)fprintf(stderr, "usage: ui_seed PROJECT.db [PLAN.json]\n");
        return 2;
    }
    if (status != OK)
        (void)fprintf(stderr, "ui_seed: %s\n", err.text);
    return status == OK ? 0 : 1;
}
