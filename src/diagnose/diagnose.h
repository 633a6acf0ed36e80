/*
 * diagnose.h - from a project's files to a diagnosis: gates, observations, the
 * joining statistic, three sides of why, rivals, one verdict.
 *
 *     struct evidence e;
 *     struct diagnosis d;
 *     TRY(evidence_read(&e, "D", &plan, err));
 *     TRY(diagnose(&d, &e, err));
 *     diagnose_write(&writer, &d, &e);          // diagnosis.json
 *     diagnose_free(&d);
 *     evidence_free(&e);
 *
 * Verdict.  A bug that is supported pre-empts everything, since it spoils what
 * the rest is computed from.  Then, in this order:
 *     healthy          R0 is supported
 *     paradox          S1; S2a; S2b, or people prefer the reference; S3, and
 *                      S3p not refuted; a1 or a2; b1; c1 or c2; and the first
 *                      rival is R1, R2 or R3
 *     other_pathology  another rival is supported
 *     inconclusive     none is, or none but what merely lets others happen
 *                      while a cause is open (diagnose/rivals.h)
 *
 * Confirmatory tests - S1, S2a, S2b, S3, G, a1, a2, b1, c2 - are corrected by
 * Holm; a row whose corrected p is above 0.05 is not supported by it and says
 * so.  All else is a lead.  "Consistent with" is all that one run can say;
 * "caused by" is for plumb whatif over three seeds.
 */
#ifndef PLUMB_DIAGNOSE_DIAGNOSE_H
#define PLUMB_DIAGNOSE_DIAGNOSE_H

#include "diagnose/remedies.h"
#include "diagnose/ship.h"
#include "diagnose/strata.h"
#include "diagnose/warning.h"

enum diagnosis_verdict {
    DIAGNOSIS_INCONCLUSIVE,
    DIAGNOSIS_HEALTHY,
    DIAGNOSIS_PARADOX,
    DIAGNOSIS_OTHER,
    DIAGNOSIS_BUG,
};

/* "inconclusive", "healthy", "paradox", "other_pathology", "bug". */
const char *diagnose_verdict(enum diagnosis_verdict v);

enum {
    CONTRADICTIONS_MAX = 8
};

struct diagnosis {
    struct finding gate[GATES], observed[OBSERVED], mechanism[MECHANISMS];
    struct leads leads;
    struct rival rival[RIVALS]; // by rank
    struct strata strata;       // by the prompts' tags
    struct ship ship;           // which checkpoint
    enum diagnosis_verdict verdict;
    struct warning_log warning; // what would have been said during the run
    /* Files that do not fit each other: what the configuration says against
     * what the rollouts have. */
    char contradiction[CONTRADICTIONS_MAX][FINDING_TEXT_MAX];
    size_t n_contradictions;
    struct remedy remedy[REMEDIES]; // two, whatever the verdict
    size_t n_remedies;
};

/* ERR_MEMORY is the only failure; the evidence must outlive it.  Free with
 * diagnose_free(). */
enum status diagnose(struct diagnosis *out, const struct evidence *e,
                     struct err *err) MUST_CHECK;
void diagnose_free(struct diagnosis *d);

/* "other_pathology" says that the best explanation is none of the paradox's,
 * "inconclusive" that there is none.  Where a row that the paradox needs could
 * not be measured and none excludes it, it need not be absent for that, and
 * nobody may be told so. */
bool diagnose_leaves_paradox_open(const struct diagnosis *d);

/* The rows of a diagnosis, to be looked up by id. */
struct rows diagnose_rows(const struct diagnosis *d);

/* diagnosis.json (docs/diagnosis.md has the schema). */
void diagnose_write(struct json_writer *w, const struct diagnosis *d,
                    const struct evidence *e);

/* Of an imported run whose verdict has no explanation of its own what its rows
 * say together (diagnose/partial.h): "probably ..., because ...; to try: ...",
 * or that nothing points to a fault, appended; false and nothing where neither
 * can be said. */
bool diagnose_sentence(struct buf *out, const struct diagnosis *d,
                       const struct evidence *e);

/* One screen for a terminal, appended. */
void diagnose_summary(struct buf *out, const struct diagnosis *d,
                      const struct evidence *e);

#endif
