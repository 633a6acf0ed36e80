/*
 * load.h - from files to items: prompts with replies, and what is mixed in to
 * check who judges.
 *
 * A file is JSON Lines or one array, plain or compressed (io/jsonl.h).  Its
 * records are, told by their members, for a ranking
 *
 *     {"id","prompt","responses":[TEXT, ...]}
 *     {"id","prompt","samples":[REPLY, ...]}
 *
 * and for a spot-check
 *
 *     {"id","prompt","policy":REPLIES,"reference":REPLIES,"placebo":REPLIES}
 *     {"prompt_id","prompt","which":"policy"|"reference","response",...}
 *
 * where REPLIES is a REPLY or a list of them, and a REPLY is a text or
 * {"text" or "response","source","run","step","sample","tokens","score",
 * "finish",...}.  "placebo" is more of the reference's.  The last form is the
 * samples that `plumb eval` writes, a row for each; rows of one prompt_id are
 * one record.  "prompt" is a text or a list of messages, or there is
 * "messages"; an absent "id" is the line's number.  "priority", a number,
 * asks for a record early (items.h: adaptive arm), unless the random share
 * takes it.  What else a record holds is passed on to exports and shown to
 * nobody.
 *
 * For a folder stands what lies in it or, of a stage's, in the project:
 * eval/samples.jsonl for a spot-check, human/candidates.jsonl for a ranking.
 *
 * WHAT BECOMES OF THEM.  Of a record the item of its name; of a record with
 * more samples, up to `pairs` in all, "NAME~r2", "NAME~r3", ...: no text of
 * these is used twice, since one that is met again would tell whose it is.  So
 * later rounds lean to the rarer replies of a prompt, and a prompt of few
 * different ones has few items.  Then
 *
 *     placebo    in the place of so many of the pairs, those whose record has
 *                the replies for it
 *     repeats    so many more, "NAME~2"
 *     identical  so many more, "NAME~3", one of the record's replies, by lot,
 *                as all of the candidates
 *     gold       from a file of their own: {"id","prompt","responses",
 *                "better":PLACE or "ranking":[RANK, ...]}, "NAME~4"; with
 *                "messages" where the pool's items have them, since a page
 *                shows these otherwise than a text (ERR_MISMATCH)
 *
 * Which records these are is drawn by the stream (project's seed, RNG_LOAD,
 * the id's hash), exactly round(share * pairs) of them as far as they go.  So
 * the same file gives the same items, and loading it again changes nothing.
 */
#ifndef PLUMB_STORE_LOAD_H
#define PLUMB_STORE_LOAD_H

#include "store/items.h"

#define LOAD_RECORDS_MAX 1000000
#define LOAD_TEXT_MAX ((size_t)1 << 30) // bytes of a file's texts

struct load_config {
    /* A pool is made when absent; else its task must be this one and what is
     * given here must be what it has.  0, NaN, NULL: not given, which is 1
     * judge, LOAD_LEASE, LOAD_RANDOM_SHARE and "" for a new pool. */
    const char *pool;
    enum pool_task task;
    int64_t overlap;
    int64_t lease; // ms
    double random_share;
    const char *guide;

    double placebo;   // share of pairs, 0 to 1
    double repeats;   // of the items so far, 0 to 1
    double identical; // the same
    int64_t gap;      // of repeats, at least 1
    int64_t pairs;    // items at most, 0: one of each record
    bool is_adaptive; // a record without a priority has 0: all but the random
                      // share are of the adaptive arm
    int64_t actor, now;
};

#define LOAD_LEASE ((int64_t)30 * 60 * 1000)
#define LOAD_RANDOM_SHARE 0.2

/* What was loaded, whether it was there before or not. */
struct load_counts {
    int64_t records;
    int64_t normal, placebo, repeats, identical, gold; // items
    int64_t is_new;                                    // of these
    int64_t pairs_wanted;   // more than there are: too few different replies
    int64_t placebo_wanted; // more than `placebo`: too few reference replies
};

/*
 * Load n files and, unless NULL, one of gold items: all are read first, and go
 * into the database in one transaction.  The counts are their sum.  ERR_FORMAT
 * "FILE:LINE: ..." when a record is none; ERR_MISMATCH when it is of the other
 * task, or an item of its name is there with other content; ERR_MISSING;
 * ERR_LIMIT.
 */
enum status load_all(struct load_counts *out, struct db *db,
                     const struct load_config *c, const char *const *path,
                     size_t n, const char *gold, struct err *err) MUST_CHECK;

/* Load one file. */
enum status load_file(struct load_counts *out, struct db *db,
                      const struct load_config *c, const char *path,
                      struct err *err) MUST_CHECK;

/* Load a file of gold items alone. */
enum status load_gold(struct load_counts *out, struct db *db,
                      const struct load_config *c, const char *path,
                      struct err *err) MUST_CHECK;

#endif
