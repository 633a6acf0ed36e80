/*
 * gates.h - may the numbers be believed at all?  V1 to V7, before anything
 * else; a gate that is not passed caps what rests on it.
 *
 * A gate is "supported" when it is passed, "not supported" when it is failed,
 * "not measurable" when what it needs is not there.
 *
 *     V1  ratio identity      largest |ratio - 1| where nothing has moved yet,
 *                             of sampler and training, and of rollout and first
 *                             update: each within its bound of stat/ratio.h,
 *                             which the recorded `compute` chooses (f32 where a
 *                             record has none), whatever gate the run was
 *                             given.  Where it is auto, or no record is left,
 *                             what floats explain is passed, what bfloat16s do
 *                             not explain is failed, and between the two is not
 *                             measurable.  The row has the one that is further
 *                             out by its bound.  Of an imported run two
 *                             engines: GATES_ENGINE_SIZE and _BIAS
 *     V2  sampler match       z of the mean of -logp - entropy over tokens,
 *                             zero when tokens are drawn from the distribution
 *                             that is logged: |z| < 4, or the mean is under 1 %
 *                             of the entropy
 *     V3  reference identity  largest |logp - logp_ref| in the first
 *                             iteration: below 1e-4
 *     V4  measure identity    mean over tokens of exp(-(logp - logp_ref)),
 *                             which is 1: within 5 % or four standard errors.
 *                             Iterations with under 0.02 nats a token: beyond,
 *                             its tail is too heavy
 *     V5  KL agreement        mean of summed k1 minus exact KL: within 5 % of
 *                             the exact KL or four standard errors
 *     V6  EOS hygiene         under 5 % cut at the limit among the reference's
 *                             replies and in the first quarter of training -
 *                             a policy that is cut later only has learned to
 *                             be long, which is no bug - and the EOS token
 *                             trained: not one in two has a whitened advantage
 *                             of exactly 0
 *     V7  the penalty acts    zero-reward relaxation (probes/relaxation.json):
 *                             class "acts"; asked at the coefficient "beta",
 *                             which may be above the run's own
 *
 * Bounds are those of the research notes' F0, but where chance has a say a gate
 * fails at four standard errors: at 95 % one healthy run in twenty would be
 * called a bug.
 */
#ifndef PLUMB_DIAGNOSE_GATES_H
#define PLUMB_DIAGNOSE_GATES_H

#include "diagnose/evidence.h"
#include "diagnose/finding.h"

enum gate {
    GATE_RATIO,
    GATE_SAMPLER,
    GATE_REFERENCE,
    GATE_MEASURE,
    GATE_KL,
    GATE_EOS,
    GATE_PENALTY,
    GATES
};

/* Of an imported run V1 compares two engines: their numerics are no bug, nor is
 * a mean |log ratio| of a token below the first bound, a probability that is
 * off by a twentieth, with a mean within the second.  Nats. */
#define GATES_ENGINE_SIZE 0.05
#define GATES_ENGINE_BIAS 0.02

/* Of tokens with logp and logp_sample: mean |logp - logp_sample|, mean without
 * its sign taken off, and how many; false: there are none. */
bool gates_engine(double *size, double *gap, double *n,
                  const struct evidence *e);

/* ERR_MEMORY is the only failure. */
enum status gates_judge(struct finding gate[GATES], const struct evidence *e,
                        struct err *err) MUST_CHECK;

#endif
