/*
 * records.h - judgements as lines of JSON: all of it in our own form, in and
 * out, and what training and diagnosis read.
 *
 * RECORDS_CANONICAL, one line for every act and remark of the assignments that
 * ended (in a vote or a skip; what is in a judge's hands comes out when it is
 * no longer), by item, judge and time:
 *
 *     {"schema":"plumb.judgement/1",
 *      "pool":{"name","task","overlap","lease","random_share","guide"},
 *      "item","kind","arm","priority","repeat_of","gap","expected",
 *      "prompt_id","prompt","messages","extra",
 *      "candidates":[{"response","source","run","step","sample","tokens",
 *                     "score","finish","extra"}, ...],
 *      "judge","role","unblinded_at",             (store/unblind.h)
 *      "nth","leased_at",
 *      "shown":[1,0],"secret":HEX,"commitment":HEX,       (store/order.h)
 *      "turn":0,                    place in the chain of acts, from 0
 *      "act":"vote"|"skip"|"undo","key","ranks","strength","overall",
 *      "left_helpful",...,"right_length","reason","render","shown_at",
 *      "voted_at"}
 *
 * or with "remark":{"kind","key","text","at"} in the place of "turn" and what
 * follows.  What was not given is left out.  So everybody can verify the blind
 * orders from the file alone.
 *
 * RECORDS_SPOTCHECK, the votes that stand on policy and placebo pairs, repeats
 * as visit 2 of their pair: human/spotcheck.jsonl's form (world/panel.h) with
 * "pool", "left_helpful", "right_helpful", "reason", "leased_at", "voted_at"
 * and "unblinded_at" besides.
 *
 * RECORDS_RANKINGS, the votes that stand on normal items of ranking pools, as
 * `plumb reward` reads them (io/dataset.h): {"id","prompt","responses",
 * "ranking"}, the item's extra members, "finish", "rater", "arm", "strength".
 * Left out: repeats, identical and gold items, and rankings that tie all.
 *
 * Lines come in one order and the same bytes for the same database, all of one
 * moment.
 */
#ifndef PLUMB_STORE_RECORDS_H
#define PLUMB_STORE_RECORDS_H

#include "store/project.h"

#define RECORDS_SCHEMA "plumb.judgement/1"

enum records_format {
    RECORDS_CANONICAL,
    RECORDS_SPOTCHECK,
    RECORDS_RANKINGS,
};

struct records_config {
    enum records_format format;
    int64_t pool;   // 0: all pools
    bool is_redact; // "judge-" and 12 hex digits, keyed by the project's key,
                    // for names; reasons and remarks are left out
};

/* Called with each line, without its end. */
typedef enum status (*records_fn)(void *ctx, const char *line, size_t len,
                                  struct err *err);
enum status records_walk(struct db *db, const struct records_config *c,
                         records_fn fn, void *ctx, struct err *err) MUST_CHECK;

/* What restoring did. */
struct records_counts {
    int64_t lines, pools, items, judges, assignments, acts, remarks;
};

/*
 * Put canonical records into a project, in one transaction: pools, items,
 * judges (who cannot sign in until they get a token), assignments, acts.  What
 * is there already is compared instead.  Every order is checked against its
 * commitment.  What comes out again is, but for items nobody judged, the same
 * file.
 *
 * ERR_FORMAT "file:line: ..." when a line is none (or longer than
 * JSONL_LINE_MAX, which candidates of megabytes can be); ERR_MISMATCH when it
 * contradicts what is there.
 */
enum status records_restore(struct records_counts *out, struct db *db,
                            const char *path, int64_t actor, int64_t now,
                            struct err *err) MUST_CHECK;

#endif
