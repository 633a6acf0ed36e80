/*
 * project.h - the database of a project's judgements: opening it, and what
 * its modules share.
 *
 *     judges   who judges, and who is signed in         (judges.h)
 *     items    pools of prompts with candidates         (items.h)
 *     assign   the next item for a judge, blind         (assign.h)
 *     votes    what was said                            (votes.h)
 *     progress how far it is                            (progress.h)
 *     records  all of it as lines, in and out           (records.h)
 *     load     files of prompts with replies, in        (load.h)
 *     audit    that nobody changed it                   (audit.h)
 *
 * The functions of these modules take the connection first, are transactions
 * by themselves or a part of the one they are called in, and never look at a
 * clock: `now` is milliseconds since the epoch.  Those that write can be run
 * by a writer (writer.h).  An actor is a judge's id, or 0 for the command
 * line.  Ids of rows are from 1.
 *
 * Their failures are those of db.h and
 *     ERR_ARG      a value out of range, told which
 *     ERR_MISSING  no such judge, pool, item or assignment (or not yours)
 *     ERR_MISMATCH it contradicts what is there: another vote has the key,
 *                  somebody voted meanwhile
 */
#ifndef PLUMB_STORE_PROJECT_H
#define PLUMB_STORE_PROJECT_H

#include "store/db.h"

#define PROJECT_NAME_MAX 200           // bytes of a name
#define PROJECT_TEXT_MAX (1 << 20)     // bytes of a prompt, a candidate
#define PROJECT_REMARK_MAX (16 * 1024) // bytes of a reason, a comment

/* What a new project begins with. */
struct project_new {
    uint64_t seed; // of the choice of items
    /* [32] the secret that the blind orders come of; NULL: drawn from the
     * system.  Only tests and simulations, which nobody can peek into, give
     * one. */
    const unsigned char *order_key;
    int64_t now;
};

/* db_open() of a project.  `made` is for DB_CREATE and may be NULL otherwise;
 * a project that is there stays what it is. */
enum status project_open(struct db **out, const char *path, enum db_mode mode,
                         const struct project_new *made,
                         struct err *err) MUST_CHECK;

/*
 * Close what could not be filled.  The file is removed when project_open()
 * made it and nothing was done in it since; anybody's else stays.
 */
void project_abandon(struct db *db);

struct project {
    uint64_t seed;
    unsigned char order_key[32]; // for this layer; never shown, never written
};
enum status project_read(struct project *out, struct db *db,
                         struct err *err) MUST_CHECK;

/* A name: 1 to PROJECT_NAME_MAX bytes of UTF-8 without control characters.
 * ERR_ARG naming `what`. */
enum status project_check_name(const char *name, const char *what,
                               struct err *err) MUST_CHECK;

/* A text: UTF-8 of at most `max` bytes. */
enum status project_check_text(const char *text, size_t max, const char *what,
                               struct err *err) MUST_CHECK;

#endif
