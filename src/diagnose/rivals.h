/*
 * rivals.h - the explanations that compete, each held against the same rows.
 *
 *     R0   healthy run: nothing is wrong
 *     R1   the reward model likes length beyond its labels
 *     R2   those who rank prefer length
 *     R3   beta is too low, the code is right
 *     R4   the KL penalty is implemented wrongly
 *     R5   the price of KL decays
 *     R6   the value model lags
 *     R7   responses are drawn at another temperature than is logged
 *     R8   template or EOS handled wrongly
 *     R9   the reference is over-fitted
 *     R10  KL rises because responses are longer, nothing else - or may be
 *          longer, where the limit on their length rises
 *     R11  the way losses are added up favours length
 *     R12  the prompts changed
 *     R13  the spot-check is noise
 *     R14  the reward model is too weak to rank what the policy writes
 *     R15  sampler and scorer leave out different tokens
 *
 * A rival is a list of signs, each a row of the diagnosis and what it means
 * when that row is supported or refuted (rivals.c has the table).  Signs are
 * counted, never weighed; a rival is
 *
 *     supported       every sign it wants is there and none speaks against it
 *     not supported   a sign speaks against it
 *     not measurable  otherwise
 *
 * Rank: bugs (R4, R7, R8, R15) that are supported come first, since they spoil
 * the inputs of all others; then the supported ones: causes of their own, then
 * the healthy run (R0), then what merely lets others happen (R3, R6); then
 * those that are not measurable, by signs seen; then those refuted.  Within a
 * class by signs against, signs for; but where there is no cause a defect (R6)
 * stands before a price (R3), since drifting pays in healthy runs too.  Ties
 * keep the order above and are named, with the cheapest experiment that would
 * part them.
 *
 * What could not be measured must not decide.  A cause of its own is *open*
 * when it is not measurable and a sign that it wants is seen.  What merely lets
 * others happen does not come first before an open cause of which more signs
 * are seen.
 */
#ifndef PLUMB_DIAGNOSE_RIVALS_H
#define PLUMB_DIAGNOSE_RIVALS_H

#include "diagnose/gates.h"
#include "diagnose/mechanisms.h"
#include "diagnose/observations.h"

enum {
    RIVALS = 16,
    RIVAL_SIGNS = 10
};

/* What a row's verdict says of a rival. */
enum rival_sign_kind {
    SIGN_END,        // ends a list
    SIGN_WANTS,      // must be supported; refuted speaks against
    SIGN_WANTS_NOT,  // must be refuted; supported speaks against
    SIGN_EITHER,     // of all such, and the next, one must be there; all
                     // of them missing speaks against
    SIGN_EITHER_NOT, // the same, there when the row is refuted
    SIGN_HELPS,      // supported speaks for
    SIGN_HELPS_NOT,  // refuted speaks for
    SIGN_BARS,       // supported speaks against
    SIGN_BARS_NOT,   // refuted speaks against
};

struct rival_sign {
    enum rival_sign_kind kind;
    const char *row; // a row's id
};

struct rival_seen {
    struct rival_sign sign;
    enum verdict says; // supported: for the rival; not supported: against
    bool is_there;     // the row exists
};

struct rival {
    const char *id, *name;
    bool is_bug;
    bool is_permissive; // lets others happen, is no cause of its own
    bool is_open;       // may be the cause: of what it wants some is seen
    bool is_begun;      // a sign that it wants, or one of either, is seen
    bool is_held_back;  // of part of the evidence: no more than one sign
    bool is_outdone;    // not first, since more is seen of an open cause
    bool is_alone;      // a defect, and no cause is supported
    enum verdict verdict;
    size_t supported, contradicted, not_measurable; // signs
    size_t rank;                                    // 1 is first
    size_t tied_with;       // index in the list, SIZE_MAX: with none
    const char *experiment; // a command that would tell more, with RUN for
                            // the project and X for a number
    struct rival_seen seen[RIVAL_SIGNS];
    size_t n_seen;
};

/* Rows by id: gates, observations, mechanisms, leads. */
struct rows {
    const struct finding *gate, *observed, *mechanism;
    const struct leads *leads;
};
const struct finding *rivals_row(const struct rows *r, const char *id);

/* All rivals, first rank first. */
void rivals_judge(struct rival out[RIVALS], const struct rows *rows);

/* Of a run of which there is only part of the evidence: among what is not
 * decided, what shows a single sign, or none of those that it wants, comes
 * last.  A rise of the KL alone is a sign of four. */
void rivals_hold_back(struct rival r[RIVALS]);

#endif
