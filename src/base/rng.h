/*
 * rng.h - random numbers that can be drawn again from their name.
 *
 * Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1,
 * 2, 3"): a keyed bijection of a 128-bit counter.  The key comes from the
 * seed, three counter words name the stream (purpose and two indices), the
 * fourth counts draws.  So rollout (step, prompt, sample) can be re-drawn
 * alone, in any order, on any thread.
 *
 *     struct rng r;
 *     rng_init(&r, seed, RNG_SAMPLE, step, prompt * K + sample);
 *     double u = rng_uniform(&r);
 */
#ifndef PLUMB_BASE_RNG_H
#define PLUMB_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

/* What a stream is for; streams of different purposes never meet.  Values
 * are part of every recorded run: append, never renumber. */
enum rng_purpose {
    RNG_TEST = 0,
    RNG_INIT,      // model weights
    RNG_SHUFFLE,   // order of training data
    RNG_SAMPLE,    // tokens of a rollout during PPO
    RNG_CANDIDATE, // tokens of replies to be ranked
    RNG_HELDOUT,   // tokens of held-out evaluation
    RNG_TICKET,    // world: tickets
    RNG_REPLY,     // world: demonstrations
    RNG_RATER,     // world: rankings
    RNG_PANEL,     // world: spot-check judges
    RNG_BOOTSTRAP, // resampling
    RNG_GENERATE,  // plumb generate
    RNG_CALIBRATE, // reference samples that fix the reward scale
    RNG_MINIBATCH, // PPO minibatch order
    RNG_PROBE,     // probes of a run (eval/probe.h)
    RNG_QUEUE,     // store: order in which items are handed out
    RNG_ARM,       // store: which arm the next item comes from
    RNG_SIDES,     // store: what is shown on which side
    RNG_LOAD,      // store: which records become which items
    RNG_VISITOR,   // world: a simulated person at the labelling page
};

struct rng {
    uint32_t key[2];
    uint32_t counter[4];
    uint32_t block[4]; // output of the current counter
    int used;          // words of it already given out
};

/* Start a stream; `a` and `b` are any 32-bit numbers, and the stream has 2^34
 * words. */
void rng_init(struct rng *r, uint64_t seed, enum rng_purpose purpose,
              uint32_t a, uint32_t b);

uint32_t rng_u32(struct rng *r);

/* Uniform on [0, 1) with 53 random bits (two words). */
double rng_uniform(struct rng *r);

/* Uniform on 0..n-1 without bias; n > 0. */
uint32_t rng_below(struct rng *r, uint32_t n);

/* out[i] = rng_below(r, n) for i < count, the same numbers and the same state
 * behind them, several blocks at a time. */
void rng_fill_below(struct rng *r, size_t *out, size_t count, uint32_t n);

/* Standard normal (Box-Muller, one of the pair). */
double rng_normal(struct rng *r);

/* Standard Gumbel: -log(-log(u)). */
double rng_gumbel(struct rng *r);

/* Fisher-Yates over n indices. */
void rng_shuffle(struct rng *r, size_t *index, size_t n);

/* The bijection itself, for its known-answer test. */
void rng_philox(uint32_t out[4], const uint32_t counter[4],
                const uint32_t key[2]);

#endif
