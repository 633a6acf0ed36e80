/*
 * evidence_internal.h - the parts of evidence.c: one file kind each.
 */
#ifndef PLUMB_DIAGNOSE_EVIDENCE_INTERNAL_H
#define PLUMB_DIAGNOSE_EVIDENCE_INTERNAL_H

#include "base/json.h"
#include "base/parallel.h"
#include "diagnose/evidence.h"

struct evidence_setting {
    const char *stage, *key, *text;
};

/* Commands that make what is lost. */
#define EVIDENCE_EVAL "plumb eval RUN"
#define EVIDENCE_TRACE                                                         \
    "plumb ppo -c RUN/ppo/config.yaml --set ppo.trace_every=1 --out RUN/ppo "  \
    "--overwrite"

/* Write down that `what` is lost, unless `why` is OK.  ERR_MISSING is told as
 * "not there", everything else by its reason.  ERR_MEMORY is the only failure:
 * that of `why`, or of this.  `what` and `command` are kept as they are. */
enum status evidence_lose(struct evidence *e, const char *what,
                          const char *command, enum status why,
                          const struct err *reason, struct err *err) MUST_CHECK;
/* The same where the rest of it is used. */
enum status evidence_lose_part(struct evidence *e, const char *what,
                               const char *command, const struct err *reason,
                               struct err *err) MUST_CHECK;

/* Who makes votes on this project. */
const char *evidence_judges(const struct evidence *e);

/*
 * Rows by name, to tell those that are there twice.
 *
 *     key    the row's name
 *     rest   the values that the copy of a row has too
 */
struct evidence_seen {
    struct names key, whole;
    size_t again; // rows that were there before
    size_t line;  // of the first such
};

/* *is_again: the row was there before.  ERR_MISMATCH, "what: ...", when another
 * row of this name was. */
enum status evidence_see(bool *is_again, struct evidence_seen *s,
                         const char *key, const char *rest, size_t line,
                         const char *what, struct err *err) MUST_CHECK;
/* Rows that were there twice, as a part of `what` that is lost; unless there
 * are none. */
enum status evidence_lose_again(struct evidence *e,
                                const struct evidence_seen *s, const char *what,
                                const char *command,
                                struct err *err) MUST_CHECK;
/* Fine on a zeroed struct. */
void evidence_seen_free(struct evidence_seen *s);

/* A vote's name, "pair visit judge", and whether it was there before: judges
 * without a name cannot be told apart, and their votes are not looked at. */
enum status evidence_see_vote(bool *is_again, struct evidence_seen *s,
                              const struct json *row, size_t line,
                              const char *what, struct err *err) MUST_CHECK;

/* What a step or iteration may be at most, and a score or another measure of a
 * reply: beyond them, a number is damage and no measurement. */
#define EVIDENCE_STEP_MAX 1000000000
#define EVIDENCE_NUMBER_MAX 1e30
#define EVIDENCE_LENGTH_MAX 1000000000 // tokens or words of a reply

/* A document's numbers, however deep: ERR_FORMAT where one is beyond
 * EVIDENCE_NUMBER_MAX, an estimate or its bound is a text, or a count is
 * negative. */
enum status evidence_check_numbers(const struct json *node,
                                   struct err *err) MUST_CHECK;

/* The sum of a member that is an array of numbers and nulls, which are NaN;
 * NaN where it is absent or null. */
enum status evidence_read_sum(double *out, const struct json *row,
                              const char *key, const char *what,
                              struct err *err) MUST_CHECK;

/* Each reads one file or folder into `e`.  On failure what was read of it so
 * far is left for the caller to take back; people's votes are lost with a
 * reason instead, unless they were asked for by the name `human`. */
enum status evidence_read_replies(struct evidence *e, const char *path,
                                  struct err *err) MUST_CHECK;
enum status evidence_read_people(struct evidence *e, const char *human,
                                 struct err *err) MUST_CHECK;
enum status evidence_read_judges(struct evidence *e,
                                 struct err *err) MUST_CHECK;
enum status evidence_read_checkpoints(struct evidence *e,
                                      struct err *err) MUST_CHECK;
enum status evidence_read_rollouts(struct evidence *e, const char *run,
                                   struct team *team,
                                   struct err *err) MUST_CHECK;

/* What a file of rollouts comes down to; its prompts, tags and iterations are
 * numbered within it. */
struct evidence_part {
    struct names prompt, tag;
    struct evidence_rollout *rollout;
    size_t n_rollout, room_rollout;
    struct evidence_step *step;
    size_t n_step, room_step;
    size_t first_line; // of the first row that is used; 0: there is none
    int64_t first_step;
    enum status status; // all of its rows, or why not
    struct err reason;
};

/* What is gathered over the rows of one iteration, and scratch of one
 * response; one for each worker, zero at first. */
struct evidence_gathering {
    struct evidence_bin {
        double sum, n; // whitened advantages of tokens that are not EOS
    } * bin;           // by place in the response
    size_t bins;
    uint64_t *gram; // twice as many: hash and place of runs of four tokens
    bool *repeated; // the token ends a run that was there before
    double *ret;    // what was paid from this token on
    size_t room;    // of these three
};

/* Read a file into a zeroed part, which is then to be freed with
 * evidence_part_free().  Of `e` only sentence ends are looked at. */
void evidence_reduce(struct evidence_part *part, struct evidence_gathering *g,
                     const struct evidence *e, const char *path);
void evidence_part_free(struct evidence_part *part);

/* Fail with: a line's iteration does not come after the one before it. */
enum status evidence_disorder(size_t line, int64_t step, int64_t last,
                              struct err *err);
void evidence_gathering_free(struct evidence_gathering *g);

/* Number the prompts of all that was read by the bytewise order of their
 * ids. */
enum status evidence_number_prompts(struct evidence *e,
                                    struct err *err) MUST_CHECK;

/* In what the lengths of rollouts, and of replies and votes, are told: tokens
 * where all of them have some, else words. */
void evidence_settle_lengths(struct evidence *e);

/* A text that lives as long as the evidence. */
enum status evidence_keep(const char **out, struct evidence *e,
                          const char *text, struct err *err) MUST_CHECK;

/*
 * Where in a response the token t of n stands; `is_eos`: it ended by itself.
 * `before` is the id of the token before it (any when t is 0), `repeated`
 * whether it ends a run that was there before.
 */
enum evidence_class evidence_class_of(const struct evidence *e, size_t t,
                                      size_t n, bool is_eos, int64_t before,
                                      bool repeated);

/*
 * repeated[t]: tokens t-3..t of token[n] were there before as a run, told by a
 * 64-bit hash of four.  scratch has 2 n entries.
 */
void evidence_find_repeats(bool *repeated, uint64_t *scratch,
                           const int32_t *token, size_t n);

/* The index of a prompt's stratum, SIZE_MAX without: its tag "intent", or the
 * first of its tags that is a text. */
enum status evidence_tag(size_t *out, struct evidence *e,
                         const struct json *tags, struct err *err) MUST_CHECK;

#endif
