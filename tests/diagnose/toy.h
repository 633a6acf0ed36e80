/*
 * toy.h - a run of which everything is known: a language of six tokens whose
 * next one does not depend on those before, a score that pays for length, and
 * judges who do not.
 *
 * The policy's distribution at iteration k is the reference's with `lean` * k
 * taken from the logit of EOS (token 0); token 1 reads "." and ends a sentence.
 * A response's score is pay * tokens + skill + noise.  Votes prefer the reply
 * with more skill minus dislike * tokens.
 *
 * With `patience` above 0 the votes are another kind of people's.  A reply
 * commits itself (else it is marked "unsure" of correctness) and is then right
 * or wrong, whatever its length; correctness is marked by the facts, directness
 * says nothing.  The overall vote is an impression: a wrong reply of n tokens
 * passes for a right one with probability 1 - exp(-(n / patience)^2), and of
 * two that look alike the longer one is preferred.
 */
#ifndef PLUMB_TESTS_DIAGNOSE_TOY_H
#define PLUMB_TESTS_DIAGNOSE_TOY_H

#include <stdbool.h>
#include <stdint.h>

enum {
    TOY_V = 6
};

struct toy {
    const char *dir;
    uint64_t seed;
    int prompts, samples;  // held out
    int iterations, batch; // of the run
    int max_new;
    double lean;    // logits an iteration
    double pay;     // score a token
    double skill;   // added to the policy's score and worth, end of the run
    double dislike; // judges', a token
    double beta;
    /* misled people: the policy's replies, the reference's */
    double patience; // tokens
    double commits, commits_ref;
    double right, right_ref;  // of those that commit themselves
    bool votes_the_other_way; // every overall vote is turned round
    /* faults */
    double log_temperature;  // of the logged probabilities; 0: 1
    bool keeps_banned;       // a token never sampled stays in the softmax
    bool masks_eos;          // its whitened advantage is 0
    bool is_other_reference; // logp_ref of another model from the start
    const char *compute;     // as config.yaml has it; NULL: not at all
    double sampler_error;    // of every token, as the metric has it
    double first_error;      // ratio/first_error; 0: 1e-6
};

/* A run that leans towards length: 64 prompts x 4, 12 iterations x 32. */
struct toy toy_paradox(const char *dir);
/* The reference itself under the policy's name. */
struct toy toy_placebo(const char *dir);

/* D/ppo/{config.yaml,metrics.jsonl,rollouts/}, D/eval/{samples.jsonl,
 * curve.json}, D/human/spotcheck.jsonl, D/probes/push.json.  Fails the test
 * when it cannot. */
void toy_write(const struct toy *t);

#endif
