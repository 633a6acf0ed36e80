/*
 * remedies.h - exactly two changes, chosen by what the rows say, each with what
 * it should do according to this run and the command that tells whether it
 * does.
 *
 * Which.  The first supported rival (rivals.h) names a list of changes in order
 * of preference, each with a condition (remedy_table.c); the first that applies
 * is the first remedy.  The second answers another supported rival from the
 * other side, reward against optimiser and penalty; without one it is the first
 * rival's own second choice.  So the paradox gets one of each, a bug its repair
 * and a brake that does not rest on what is broken.  A healthy run gets two
 * cheap checks of what is left to gain, an undecided one the two measurements
 * that would decide most.
 *
 * What for.  Effects are those of plumb whatif's result.json, like for like:
 *
 *     rm      changed - base, mean score by the recorded reward model, in the
 *             unit of the evaluation
 *     human   changed - base, share of blind pairs in which the reply is
 *             preferred to the reference's
 *     length  changed / base, mean tokens
 *     kl      changed - base, exact, nats a reply, to the reference
 *     cost    changed / base, tokens that are drawn to train the policy
 *
 * Predicted from this run alone (remedy_path.h for changes of the price,
 * remedy_response.h for changes of the reward); an effect that the run cannot
 * say is NaN, and `missing` says why.  The interval has two parts, added in
 * squares: what other prompts would have given (bootstrap) and how wrong the
 * way of predicting is by itself (remedy_predict.h has the table).  Observed is
 * read from whatif/result.json and never goes into a prediction.
 */
#ifndef PLUMB_DIAGNOSE_REMEDIES_H
#define PLUMB_DIAGNOSE_REMEDIES_H

#include "diagnose/evidence.h"
#include "diagnose/rivals.h"

enum remedy_measure {
    REMEDY_RM,
    REMEDY_HUMAN,
    REMEDY_LENGTH,
    REMEDY_KL,
    REMEDY_COST,
    REMEDY_MEASURES
};

/* "rm", "human", "length", "kl", "cost". */
const char *remedies_measure_name(enum remedy_measure m);

/* Level of the predicted intervals. */
#define REMEDY_LEVEL 0.90

struct remedy_effect {
    struct estimate predicted; // 90 % interval; NaN where the run cannot say
    struct estimate observed;  // whatif/result.json; NaN: not re-run
    bool is_inside;            // observed lies in the predicted interval
};

enum {
    REMEDIES = 2,
    REMEDY_TEXT_MAX = 512,
    REMEDY_COMMAND_MAX = 2 * FILE_PATH_MAX + REMEDY_TEXT_MAX, // two paths
    REMEDY_NAME_MAX = 120
};

/* What a remedy's command is. */
enum remedy_how {
    REMEDY_SHELL, // a command of Plumb's
    REMEDY_FLAG,  // a flag or setting of the trainer that made the run
    REMEDY_WORDS, // advice in words
};

/* What is wanted of the two. */
enum remedy_purpose {
    REMEDY_REPAIR,  // something is wrong: undo it
    REMEDY_CHECK,   // nothing is: what would be left to gain
    REMEDY_MEASURE, // nobody knows: what would tell
};

/* "repair", "check", "measure". */
const char *remedies_purpose_name(enum remedy_purpose p);

struct remedy {
    const char *id;    // the change's name in plumb whatif: "residual"
    const char *title; // plain clause
    char against[64];  // rows it answers: "R2 a2"
    enum remedy_purpose purpose; // of a measurement nothing is predicted
    bool is_reward_side;         // else the optimiser's or the penalty's
    /* NAME[=VALUE] as plumb whatif takes it and as result.json names it; "" of
     * a measurement. */
    char name[REMEDY_NAME_MAX];
    char change[REMEDY_TEXT_MAX]; // lines "- ppo.beta: 0.02", "+ ppo.beta: .2"
    char command[REMEDY_COMMAND_MAX]; // this one alone
    enum remedy_how how;              // what `command` is
    char verify[REMEDY_COMMAND_MAX];  // both remedies in one result.json
    char why[REMEDY_TEXT_MAX];        // the numbers it was chosen by
    char tradeoff[REMEDY_TEXT_MAX];
    char missing[REMEDY_TEXT_MAX]; // what kept effects from being predicted, ""
    struct remedy_effect effect[REMEDY_MEASURES];
    size_t seeds;      // of the verification, 0: not re-run
    const char *claim; // "caused by", "consistent with", "not shown" or NULL
};

/*
 * The two remedies of a diagnosis: `n` is REMEDIES whatever the evidence holds.
 * `rivals` [RIVALS] by rank.  Of `purpose` REMEDY_REPAIR, a rival must be
 * supported.  ERR_MEMORY is the only failure.
 */
enum status remedies_choose(struct remedy out[REMEDIES], size_t *n,
                            const struct evidence *e, const struct rows *rows,
                            const struct rival *rivals,
                            enum remedy_purpose purpose,
                            struct err *err) MUST_CHECK;

/* "remedies" and their list, as members of diagnosis.json. */
void remedies_write(struct json_writer *w, const struct remedy *r, size_t n);

/* Two lines each for a terminal, appended. */
void remedies_summary(struct buf *out, const struct remedy *r, size_t n);

#endif
