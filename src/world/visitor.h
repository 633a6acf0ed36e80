/*
 * visitor.h - a simulated person at the page where people judge.
 *
 * A visitor sees what people see: a prompt and answers side by side.  What the
 * customer really needs is looked up by the prompt's text in records of the
 * desk, and the answers are then judged by the desk's own people:
 *
 *     careful   ranks by gold (world/raters.h), spot-checks as the panel does
 *               (world/panel.h)
 *     hurried   takes long and polite for good, in rankings and in the overall
 *               choice of a spot-check; the marks are still its honest ones
 *     mixed     hurried with probability rater.hurried at each item
 *     coin      does not read: every order and every mark is equally likely
 *
 * An answer that does not end in one of . ? ! was cut, as far as anybody who
 * reads it can tell.  helpful is 0 to 4 by the thresholds 0, 1, 2, 2.75 of
 * gold plus the noise of the other marks.
 *
 * The noise is that of a stream named by who judges, what is seen, and how
 * often this visitor saw it, (RNG_VISITOR, name + visit, texts).  So it does
 * not depend on the order in which a server hands things out; a second look at
 * the same answers, sides swapped or not, is a new look at them.
 */
#ifndef PLUMB_WORLD_VISITOR_H
#define PLUMB_WORLD_VISITOR_H

#include "world/panel.h"
#include "world/raters.h"

enum visitor_kind {
    VISITOR_CAREFUL,
    VISITOR_HURRIED,
    VISITOR_MIXED,
    VISITOR_COIN
};

struct visitor_config {
    enum visitor_kind kind;
    const char *name; // who it signs in as
    uint64_t seed;
    struct rater_config rater;
    struct panel_config panel;
};

struct visitor; // opaque

/*
 * A visitor who knows the tickets of a file of records: "prompt" and "ticket"
 * of each, what else there is is passed over (so prompts, candidates and the
 * samples of `plumb eval` all serve).  The configuration is copied, the name
 * too.
 *
 * ERR_ARG for a configuration out of range; ERR_FORMAT for a record without
 * ticket; ERR_MISMATCH when one text has two tickets.
 */
enum status visitor_open(struct visitor **out, const char *path,
                         const struct visitor_config *c,
                         struct err *err) MUST_CHECK;
void visitor_close(struct visitor *v); // fine on NULL

/* Has the visitor a ticket of this prompt? */
bool visitor_knows(const struct visitor *v, const char *prompt);

/* Rank K answers: 1 for the best, as rater_rank() ranks them.  ERR_MISSING
 * when the visitor has no ticket of this prompt. */
enum status visitor_rank(int32_t *ranking, struct visitor *v,
                         const char *prompt, const char *const *answer,
                         size_t K, struct err *err) MUST_CHECK;

/* Spot-check two answers as shown, the left one first. */
struct visitor_said {
    struct panel_verdict verdict;
    int helpful[2]; // 0 to 4
};
enum status visitor_check(struct visitor_said *out, struct visitor *v,
                          const char *prompt, const char *const answer[2],
                          struct err *err) MUST_CHECK;

#endif
