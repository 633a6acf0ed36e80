/* audit_verify.c - everything against the log, and against itself. */
#include <string.h>

#include "store/assign.h"
#include "store/audit.h"
#include "store/items.h"
#include "store/judges.h"
#include "store/query.h"
#include "store/votes.h"

typedef enum status (*digest_fn)(unsigned char out[AUDIT_HASH], struct db *db,
                                 int64_t id, struct err *err);

/* The events that seal a row, and how many rows there are. */
static const struct seal {
    const char *event;
    digest_fn digest;
    const char *count;
} seals[] = {
    {"judge", judges_digest, "SELECT count(*) FROM judge"},
    {"pool", items_digest_pool, "SELECT count(*) FROM pool"},
    {"item", items_digest, "SELECT count(*) FROM item"},
    {"lease", assign_digest, "SELECT count(*) FROM assignment"},
    {"vote", votes_digest, "SELECT count(*) FROM vote"},
    {"remark", votes_digest_remark, "SELECT count(*) FROM remark"},
};
enum {
    SEAL_ITEM = 2,
    SEAL_LEASE = 3,
    SEAL_VOTE = 4,
    SEAL_REMARK = 5,
    SEALS = sizeof seals / sizeof *seals
};

struct verifying {
    struct db *db;
    struct audit_report report;
    int64_t n[SEALS], last[SEALS]; // events so far, and the last one's row
};

static enum status number(int64_t *out, struct db *db, const char *sql,
                          int64_t id, struct err *err)
{
    struct query q;
    TRY(query_open(&q, db, sql, err));
    if (id != 0)
        query_bind_int(&q, 1, id);
    return query_one(out, &q, err);
}

static enum status check_row(struct verifying *v, const struct seal *seal,
                             int64_t id, const struct audit_event *e,
                             struct err *err)
{
    unsigned char digest[AUDIT_HASH];
    enum status status = seal->digest(digest, v->db, e->subject, err);
    if (status == OK && e->digest != NULL &&
        memcmp(digest, e->digest, AUDIT_HASH) == 0)
        return OK;
    if (status != OK && status != ERR_MISSING)
        return status;
    return err_set(err, ERR_MISMATCH,
                   "%s: %s %lld is not what event %lld of the audit log "
                   "sealed",
                   db_path(v->db), seal->event, (long long)e->subject,
                   (long long)id);
}

/* A vote must come after the order it was given under was committed to. */
static enum status check_precedence(const struct verifying *v, int64_t id,
                                    const struct audit_event *e,
                                    struct err *err)
{
    int64_t assignment;
    TRY(number(&assignment, v->db,
               "SELECT assignment_id FROM vote WHERE id = ?1", e->subject,
               err));
    if (assignment > v->last[SEAL_LEASE])
        return err_set(err, ERR_MISMATCH,
                       "%s: event %lld is a vote before its order was "
                       "committed to",
                       db_path(v->db), (long long)id);
    return OK;
}

static enum status check_event(void *ctx, int64_t id,
                               const struct audit_event *e,
                               const unsigned char hash[AUDIT_HASH],
                               struct err *err)
{
    struct verifying *v = ctx;
    v->report.events++;
    audit_hex(v->report.head, hash, AUDIT_HASH);
    for (int k = 0; k < SEALS; k++) {
        if (strcmp(e->event, seals[k].event) != 0)
            continue;
        /* Rows are numbered as they come; so no two events are of one. */
        if (e->subject <= v->last[k])
            return err_set(err, ERR_MISMATCH,
                           "%s: event %lld of the audit log tells of %s %lld "
                           "again",
                           db_path(v->db), (long long)id, seals[k].event,
                           (long long)e->subject);
        v->last[k] = e->subject;
        v->n[k]++;
        TRY(check_row(v, &seals[k], id, e, err));
        if (k == SEAL_LEASE)
            TRY(assign_check_order(v->db, e->subject, err));
        if (k == SEAL_VOTE)
            TRY(check_precedence(v, id, e, err));
    }
    return OK;
}

/* What SQL can tell; each gives the id of a row that does not hold. */
static const struct rule {
    const char *what, *why, *sql;
} rules[] = {
    {"assignment", "its acts are no chain",
     "SELECT assignment_id FROM (SELECT assignment_id, supersedes, "
     "lag(id) OVER (PARTITION BY assignment_id ORDER BY id) AS before "
     "FROM vote) WHERE supersedes IS NOT before LIMIT 1"},
    {"assignment", "two of its acts have one key",
     "SELECT assignment_id FROM vote GROUP BY assignment_id, key "
     "HAVING count(*) > 1 LIMIT 1"},
    {"item", "it came to one judge twice",
     "SELECT item_id FROM assignment GROUP BY item_id, judge_id "
     "HAVING count(*) > 1 LIMIT 1"},
    {"assignment", "its state is not that of its last act",
     "SELECT a.id FROM assignment AS a JOIN vote AS v ON v.id = "
     "(SELECT max(id) FROM vote WHERE assignment_id = a.id) "
     "WHERE NOT CASE v.act WHEN 'vote' THEN a.state = 'voted' "
     "WHEN 'skip' THEN a.state = 'skipped' "
     "ELSE a.state IN ('leased', 'expired') END LIMIT 1"},
    {"assignment", "it ended without an act",
     "SELECT a.id FROM assignment AS a WHERE a.state IN ('voted', 'skipped') "
     "AND NOT EXISTS (SELECT 1 FROM vote WHERE assignment_id = a.id) LIMIT 1"},
    {"item", "the count of those who have it is wrong",
     "SELECT i.id FROM item AS i WHERE i.taken <> (SELECT count(*) "
     "FROM assignment AS a WHERE a.item_id = i.id "
     "AND a.state IN ('leased', 'voted')) LIMIT 1"},
};

static enum status check_rules(struct db *db, struct err *err)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        int64_t id = 0;
        TRY(number(&id, db, rules[i].sql, 0, err));
        if (id != 0)
            return err_set(err, ERR_MISMATCH, "%s: %s %lld: %s", db_path(db),
                           rules[i].what, (long long)id, rules[i].why);
    }
    return OK;
}

static enum status check_counts(const struct verifying *v, struct err *err)
{
    for (int k = 0; k < SEALS; k++) {
        int64_t rows;
        TRY(number(&rows, v->db, seals[k].count, 0, err));
        if (rows != v->n[k])
            return err_set(err, ERR_MISMATCH,
                           "%s: %lld rows of %s, but the audit log tells of "
                           "%lld",
                           db_path(v->db), (long long)rows, seals[k].event,
                           (long long)v->n[k]);
    }
    return OK;
}

static enum status verify(struct db *db, void *ctx, struct err *err)
{
    struct verifying *v = ctx;
    TRY(audit_walk(db, check_event, v, err));
    TRY(check_counts(v, err));
    return check_rules(db, err);
}

enum status audit_verify(struct audit_report *out, struct db *db,
                         struct err *err)
{
    struct verifying v = {.db = db};
    static const unsigned char none[AUDIT_HASH];
    audit_hex(v.report.head, none, AUDIT_HASH);
    TRY(db_snapshot(db, verify, &v, err));
    v.report.items = v.n[SEAL_ITEM];
    v.report.orders = v.n[SEAL_LEASE];
    v.report.votes = v.n[SEAL_VOTE];
    v.report.remarks = v.n[SEAL_REMARK];
    *out = v.report;
    return OK;
}
