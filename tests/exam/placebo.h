/*
 * placebo.h - diagnoses of evidence in which there is nothing to find.
 *
 * Of a project's held-out samples and votes, prompt by prompt and each with
 * probability 1/2:
 *
 *     the policy's samples become the reference's and the reference's the
 *     policy's, in votes too: the tested reply changes with the other one
 *     policy pairs become placebo pairs and placebo pairs policy pairs
 *     in placebo pairs, where either reply may stand in, the two change places
 *
 * Then nothing distinguishes policy and reference, nor what judges say of the
 * two kinds of pair, whatever the project was.  What does not rest on samples
 * and votes (rollouts, probes) stays as it is, so only in a run whose policy
 * is the reference may the whole diagnosis be called a placebo.
 *
 *     false finding  one of S1, S2a, S2b, G, a2 is supported: all confirmatory
 *                    rows that rest on samples and votes
 *     false verdict  one of S1, S2a, S2b is supported and the verdict is
 *                    paradox, other_pathology or bug
 */
#ifndef PLUMB_TESTS_EXAM_PLACEBO_H
#define PLUMB_TESTS_EXAM_PLACEBO_H

#include "base/json.h"
#include "diagnose/diagnose.h"

struct placebo {
    const char *project;
    uint64_t seed;
    size_t permutations, resamples;
};

/* {"schema":"plumb.placebo/1","permutations","resamples","false_findings",
 * "false_verdicts","rows":{"S1":0,...},"verdicts":{"healthy":20,...}}
 * ERR_MISSING, ERR_MEMORY as evidence_read() and diagnose(). */
enum status placebo_run(struct json_writer *w, const struct placebo *p,
                        struct err *err) MUST_CHECK;

/* Permutation number k of e into `to`, whose reply and vote arrays are the
 * caller's and as long.  Exposed for its test. */
void placebo_permute(struct evidence *to, const struct evidence *e,
                     uint64_t seed, uint32_t k);

#endif
