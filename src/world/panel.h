/*
 * panel.h - people who spot-check the new policy, simulated.
 *
 * They see blind pairs of replies to one prompt, without knowing which is
 * which or that some pairs are placebos:
 *
 *     policy    a sample of the policy beside a sample of the reference
 *     placebo   two samples of the reference, one of them standing in for
 *               the policy; what is measured here is noise
 *
 * A part of the pairs is judged a second time by the same judge, which
 * measures how far judges agree with themselves.  All judges are careful:
 * they see gold (world/judge.h) and the facts behind it, through noise.
 *
 *     overall   v = gold + tau * Gumbel for each answer, + side_bias for the
 *               left one, + length_bias * tokens; the larger wins (so wins
 *               are Bradley-Terry).  Careful judges have neither bias.  Closer
 *               than tie_margin: both_good when their mean is at least
 *               PANEL_GOOD, else both_bad.
 *     direct    10 * help / tokens + the judge's buried term (<= 0), that is
 *               help per ten tokens less what is buried, + noise; 0..4 by
 *               the thresholds 0, 0.5, 1, 1.75
 *     correct   +1 when only the right resolution is stated and no wrong
 *               order number, -1 when a wrong one of either is, 0 when
 *               nothing is resolved; + noise; yes above 0.5, no below -0.5,
 *               else unsure
 *     length    wasted tokens / 10, or -1 when nothing is wasted and the
 *               resolution or the right next step is missing; + noise;
 *               too_long from 0.75, too_short to -0.75, else right
 *
 * Noise of the last three is normal with sd tau_axis.  Two answers with the
 * same text get the same marks and tie.  The stream is (RNG_PANEL, judge *
 * 16 + visit, pair), and it decides first which answer is shown on the left.
 *
 * What it writes has the form that people's own votes have, so that the
 * evaluation reads both alike.
 */
#ifndef PLUMB_WORLD_PANEL_H
#define PLUMB_WORLD_PANEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/rng.h"
#include "world/judge.h"

#define PANEL_SCHEMA "plumb.spotcheck/1"
#define PANEL_GOOD 1.5 // utility from which a tied pair is good

struct panel_config {
    size_t n_policy;  // policy pairs
    size_t n_placebo; // placebo pairs
    size_t n_twice;   // pairs judged twice, spread evenly over both kinds
    size_t first;     // number of the first pair of each kind
    bool is_skipping; // pass over pairs whose two texts are the same
    size_t n_judges;  // 1..16; pair p is judge p % n_judges'
    double tau;       // noise of the overall choice, > 0
    double tau_axis;  // noise of directness, correctness and length, >= 0
    double tie_margin;
    double side_bias;   // what standing on the left is worth to a judge
    double length_bias; // what a token is worth
};

/* 512, 512, 128 pairs, 4 judges, tau 0.4, tau_axis 0.15, tie_margin 0.2. */
struct panel_config panel_default(void);

struct panel_sample {
    const char *text;
    bool is_eos;
};

/* One prompt and its samples; everything stays the caller's. */
struct panel_prompt {
    const char *id;
    const char *prompt; // text
    const struct ticket *ticket;
    const struct panel_sample *policy;
    size_t n_policy;
    const struct panel_sample *reference;
    size_t n_reference;
};

/*
 * Judge pairs and append one JSON line for each visit.
 *
 * Pair p of a kind, counted from `first`, takes prompt p % n and round
 * k = (p - first) / n: policy[k] beside reference[k], or reference[2k+1] (the
 * stand-in) beside reference[2k].  So spot-checks of several checkpoints, each
 * with another `first`, ask about different prompts as long as there are any.
 * Pairs that are passed over have their numbers too and are made up for by
 * later ones, as far as the round goes: whoever skips sees every prompt once at
 * most, and may get fewer pairs than were asked for.
 *
 *     {"schema":"plumb.spotcheck/1","pair_id":"policy-000017",
 *      "kind":"policy","prompt_id":"heldout-000017","prompt":"...",
 *      "left":{"response":"...","source":"reference","sample":0,"tokens":31},
 *      "right":{"response":"...","source":"policy","sample":0,"tokens":58},
 *      "shown_left":"reference","judge":"careful-2","visit":1,
 *      "overall":"A","left_direct":3,"right_direct":1,
 *      "left_correct":"yes","right_correct":"yes",
 *      "left_length":"right","right_length":"too_long"}
 *
 * overall: A (left is better), B (right), both_good, both_bad.  source of the
 * stand-in in a placebo pair is "placebo", so that every question asked of
 * policy pairs can be asked of placebo pairs with one word changed.  visit is
 * 1, or 2 the second time.
 *
 * ERR_ARG when the configuration is out of range or a prompt has too few
 * samples for the pairs asked for; ERR_LIMIT, ERR_MEMORY.
 */
enum status panel_spotcheck(struct buf *out, const struct panel_prompt *prompt,
                            size_t n, const struct panel_config *c,
                            uint64_t seed, struct err *err) MUST_CHECK;

enum panel_correct {
    CORRECT_NO,
    CORRECT_UNSURE,
    CORRECT_YES
};
enum panel_length {
    LENGTH_TOO_SHORT,
    LENGTH_RIGHT,
    LENGTH_TOO_LONG
};

/* What a judge says of one answer. */
struct panel_marks {
    int direct; // 0..4
    enum panel_correct correct;
    enum panel_length length;
};

/* The marks of an answer seen through noise of -inf < noise < inf on each of
 * the three scales (0 for none). */
void panel_mark(struct panel_marks *out, const struct judgement *j,
                const double noise[3]);

/* What a judge says of a pair; [0] is the left answer. */
struct panel_verdict {
    const char *overall; // "A", "B", "both_good", "both_bad"
    struct panel_marks marks[2];
};

/*
 * Judge a pair as it is shown, by the rules above.
 *
 *   truth    [2]  what the answers are, left and right
 *   utility  [2]  what they are worth to this judge before noise and biases;
 *                 gold, to a careful one
 *   is_same       the two are one text: they share their noise, and no side
 *                 is favoured
 *   r             gives a Gumbel and three normals for each answer, left first
 *                 (for one text: once)
 */
void panel_judge(struct panel_verdict *out, const struct judgement truth[2],
                 const double utility[2], bool is_same,
                 const struct panel_config *c, struct rng *r);

/* The words for marks: "yes", "too_long". */
const char *panel_correct_name(enum panel_correct correct);
const char *panel_length_name(enum panel_length length);

#endif
