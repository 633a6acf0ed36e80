/*
 * made.h - evidence, rows and rivals made by hand, so that what a remedy should
 * be and do can be worked out on paper.
 */
#ifndef PLUMB_TESTS_DIAGNOSE_MADE_H
#define PLUMB_TESTS_DIAGNOSE_MADE_H

#include "diagnose/evidence_internal.h"
#include "diagnose/remedies.h"

enum {
    MADE_PROMPTS = 40,
    MADE_EACH = 3, // replies of each model to a prompt
    MADE_SETTINGS = 8
};

/*
 * The reference's replies to every prompt: tokens 90, 100, 110; score 0.8 x +
 * 0.6 z with x = (-1, 0, 1) and z = (1, -2, 1) / sqrt 3, so that score and
 * tokens correlate by 0.8.  The policy's: 200 tokens, score 2, 4 nats.
 */
struct made {
    struct evidence e;
    struct evidence_reply reply[2 * MADE_EACH * MADE_PROMPTS];
    struct evidence_vote vote[4 * MADE_PROMPTS];
    struct evidence_setting setting[MADE_SETTINGS];
    struct finding gate[GATES], observed[OBSERVED], mechanism[MECHANISMS];
    struct leads leads;
    struct rival rival[RIVALS];
    struct rows rows;
};

/* A fresh one of project `dir`, every row not measurable; static, and so the
 * only one. */
struct made *made_new(const char *dir);

/* A recorded setting; the texts are kept. */
void made_set(struct made *m, const char *stage, const char *key,
              const char *text);

/* Rivals by rank: these two supported (NULL: none), all others refuted. */
void made_rank(struct made *m, const char *first, const char *second);

/* The two remedies; fails the test when they are not two. */
void made_choose(struct remedy out[REMEDIES], struct made *m,
                 enum remedy_purpose purpose);

#endif
