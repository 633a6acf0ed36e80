#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "store/query.h"
#include "store/rig.h"

static const unsigned char order_key[32] = "the key of every test's project";

void rig_open(struct rig *r)
{
    struct err err = {OK, ""};
    const struct project_new made = {
        .seed = 7, .order_key = order_key, .now = RIG_NOW};
    *r = (struct rig){.db = NULL};
    (void)snprintf(r->dir, sizeof r->dir, "/tmp/plumb-store-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    (void)snprintf(r->path, sizeof r->path, "%s/project.db", r->dir);
    if (project_open(&r->db, r->path, DB_CREATE, &made, &err) != OK)
        fail_msg("%s", err.text);
}

void rig_close(struct rig *r)
{
    db_close(r->db);
    assert_int_equal(file_remove(r->dir, NULL), OK);
}

const char *rig_path(const struct rig *r, const char *name)
{
    static char path[8][192];
    static int next;
    next = (next + 1) % 8;
    (void)snprintf(path[next], sizeof path[next], "%s/%s", r->dir, name);
    return path[next];
}

int64_t rig_pool(struct rig *r, const char *name, enum pool_task task,
                 int64_t overlap, double random_share)
{
    struct err err = {OK, ""};
    int64_t id = 0;
    const struct pool p = {.name = name,
                           .task = task,
                           .overlap = overlap,
                           .lease = RIG_LEASE,
                           .random_share = random_share,
                           .guide = "be fair"};
    if (items_add_pool(&id, r->db, &p, 0, RIG_NOW, &err) != OK)
        fail_msg("%s", err.text);
    return id;
}

int64_t rig_judge(struct rig *r, const char *name)
{
    struct err err = {OK, ""};
    int64_t id = 0;
    if (judges_add(&id, r->db, name, JUDGE_JUDGE, NULL, 0, RIG_NOW, &err) != OK)
        fail_msg("%s", err.text);
    return id;
}

static int64_t add(struct rig *r, const struct item *x)
{
    struct err err = {OK, ""};
    int64_t id = 0;
    bool is_new = false;
    if (items_add(&id, &is_new, r->db, x, 0, RIG_NOW, &err) != OK)
        fail_msg("%s", err.text);
    assert_true(is_new);
    return id;
}

int64_t rig_pair(struct rig *r, int64_t pool, const char *name,
                 enum item_kind kind, enum item_arm arm, double priority)
{
    char text[2][64], prompt[64];
    (void)snprintf(text[0], sizeof text[0], "good %s", name);
    (void)snprintf(text[1], sizeof text[1], "better %s", name);
    (void)snprintf(prompt, sizeof prompt, "what of %s?", name);
    const struct candidate c[] = {
        {.text = text[0],
         .source = kind == ITEM_PLACEBO ? "placebo" : "policy",
         .run = "runs/ppo",
         .step = 10,
         .sample = 0,
         .tokens = 58,
         .score = 1.5,
         .finish = "eos",
         .extra = "{ \"kl\": 12.5 }"},
        {.text = text[1],
         .source = "reference",
         .step = -1,
         .sample = 1,
         .tokens = 31,
         .score = (double)NAN},
    };
    return add(r, &(struct item){.pool = pool,
                                 .name = name,
                                 .kind = kind,
                                 .arm = arm,
                                 .priority = priority,
                                 .prompt_id = name,
                                 .prompt = prompt,
                                 .extra = "{\"tags\": {\"intent\": \"late\"}}",
                                 .candidate = c,
                                 .n = 2});
}

int64_t rig_repeat(struct rig *r, int64_t pool, const char *name,
                   const char *of, int64_t gap)
{
    return add(r, &(struct item){.pool = pool,
                                 .name = name,
                                 .kind = ITEM_REPEAT,
                                 .arm = ITEM_RANDOM,
                                 .repeat_of = of,
                                 .gap = gap});
}

int64_t rig_ranking(struct rig *r, int64_t pool, const char *name, size_t K)
{
    static char text[ORDER_MAX][64], source[ORDER_MAX][32];
    struct candidate c[ORDER_MAX];
    for (size_t k = 0; k < K; k++) {
        (void)snprintf(text[k], sizeof text[k], "reply %zu to %s", k, name);
        (void)snprintf(source[k], sizeof source[k], "m%zu", k);
        c[k] = (struct candidate){.text = text[k],
                                  .source = source[k],
                                  .step = -1,
                                  .sample = (int64_t)k,
                                  .tokens = -1,
                                  .score = (double)NAN,
                                  .finish = "eos"};
    }
    return add(r, &(struct item){.pool = pool,
                                 .name = name,
                                 .kind = ITEM_NORMAL,
                                 .arm = ITEM_RANDOM,
                                 .prompt_id = name,
                                 .prompt = "which one?",
                                 .extra = "{\"ticket\":{\"n\":3}}",
                                 .candidate = c,
                                 .n = K});
}

int64_t rig_next(struct rig *r, int64_t judge, int64_t pool, int64_t now)
{
    struct err err = {OK, ""};
    int64_t id = 0;
    size_t n = 0;
    if (assign_next(&id, &n, 1, r->db, judge, pool, now, &err) != OK)
        fail_msg("%s", err.text);
    return n > 0 ? id : 0;
}

static int64_t cast(struct rig *r, int64_t judge, const struct vote *v)
{
    struct err err = {OK, ""};
    int64_t id = 0;
    bool is_new = false;
    if (votes_cast(&id, &is_new, r->db, judge, v, &err) != OK)
        fail_msg("%s", err.text);
    assert_true(is_new);
    return id;
}

int64_t rig_vote(struct rig *r, int64_t judge, int64_t assignment,
                 enum vote_overall overall, const char *key, int64_t now)
{
    const struct vote v = {
        .assignment = assignment,
        .key = key,
        .act = VOTE_CAST,
        .overall = overall,
        .marks = {{3, 4, VOTE_CORRECT_YES, VOTE_LENGTH_RIGHT},
                  {-1, 1, VOTE_CORRECT_UNSURE, VOTE_TOO_LONG}},
        .reason = "it \"answers\"",
        .shown = now - 1000,
        .voted = now};
    return cast(r, judge, &v);
}

int64_t rig_rank(struct rig *r, int64_t judge, int64_t assignment, size_t K,
                 const char *key, int64_t now)
{
    struct vote v = {.assignment = assignment,
                     .key = key,
                     .act = VOTE_CAST,
                     .K = K,
                     .strength = K == 2 ? 2 : 0,
                     .marks = {votes_no_marks(), votes_no_marks()},
                     .shown = now - 1000,
                     .voted = now};
    for (size_t s = 0; s < K; s++)
        v.rank[s] = (int32_t)s + 1;
    return cast(r, judge, &v);
}

int64_t rig_act(struct rig *r, int64_t judge, int64_t assignment,
                enum vote_act act, int64_t supersedes, const char *key,
                int64_t now)
{
    const struct vote v = {.assignment = assignment,
                           .key = key,
                           .act = act,
                           .supersedes = supersedes,
                           .marks = {votes_no_marks(), votes_no_marks()},
                           .shown = now,
                           .voted = now};
    return cast(r, judge, &v);
}

int64_t rig_number(struct rig *r, const char *sql)
{
    struct err err = {OK, ""};
    struct query q;
    bool row = false;
    if (query_open(&q, r->db, sql, &err) != OK)
        fail_msg("%s", err.text);
    if (query_next(&q, &row, &err) != OK)
        fail_msg("%s", err.text);
    int64_t x = row ? query_int(&q, 0) : -1;
    query_close(&q);
    return x;
}
