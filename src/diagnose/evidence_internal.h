/*
 * evidence_internal.h - the parts of evidence.c: one file kind each.
 */
#ifndef PLUMB_DIAGNOSE_EVIDENCE_INTERNAL_H
#define PLUMB_DIAGNOSE_EVIDENCE_INTERNAL_H

#include "diagnose/evidence.h"

struct evidence_setting {
    const char *stage, *key, *text;
};

/* Each reads one file or folder into `e`.  On failure what was read of it so
 * far is left for the caller to take back. */
enum status evidence_read_replies(struct evidence *e, const char *path,
                                  struct err *err) MUST_CHECK;
enum status evidence_read_votes(struct evidence *e, const char *path,
                                struct err *err) MUST_CHECK;
enum status evidence_read_checkpoints(struct evidence *e,
                                      struct err *err) MUST_CHECK;
enum status evidence_read_rollouts(struct evidence *e, const char *run,
                                   struct err *err) MUST_CHECK;

/* Which side the tested reply is on, what kind of pair it is, and who won. */
enum status evidence_read_sides(struct evidence_vote *v, const struct json *row,
                                const char *what, struct err *err) MUST_CHECK;

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
