/*
 * whatif_arm.h - one training run with one change and one seed, and its
 * evaluation.
 *
 *     PROJECT/whatif/NAME/seed-S/
 *         reward/     when the change touches the reward model
 *         reward-2/   and on: further members of an ensemble
 *         ppo/
 *         policy/     the model of an arm that trains none
 *         human/      the support desk's panel, where the prompts are its own
 *         eval/       as plumb eval writes it, without a curve
 *         arm.json    written last: what was changed, and from what it was made
 *     PROJECT/whatif/NAME/labels/     data made for the change, of all seeds
 *
 * The base arm of the run's own seed is the project itself.  Those of other
 * seeds are whatif/base/seed-S, which reads the recorded reward model, and
 * whatif/base-reward/seed-S, which trains it anew with the seed, as the arms
 * of a change that touches it do: so two arms that are compared differ in the
 * change alone.
 *
 * Every arm is evaluated on the prompts and random streams of the project's
 * evaluation, beside the reference of that one.
 */
#ifndef PLUMB_CLI_WHATIF_ARM_H
#define PLUMB_CLI_WHATIF_ARM_H

#include "cli/place.h"
#include "cli/session.h"
#include "cli/whatif_change.h"
#include "eval/heldout.h"
#include "world/panel.h"

/* What is known of the project that is changed. */
struct whatif_project {
    struct place at;
    const struct options *o; // of the command
    struct options ppo;      // as recorded
    struct options reward;   // as recorded, where has_reward
    bool has_reward;
    struct err no_reward; // why not
    char reward_dir[FILE_PATH_MAX];
    struct json *settings; // eval/settings.json
    char reference[FILE_PATH_MAX], reward_model[FILE_PATH_MAX];
    char gold_model[FILE_PATH_MAX], prompts[FILE_PATH_MAX];
    struct heldout_config heldout; // of every arm but for its models
    bool is_desk;                  // the prompts are the support desk's
    struct panel_config panel;
    char hash[65]; // of all this: arms made from something else are not ours
};

/*
 * Read a project; ERR_MISSING names the stage or file that is not there and the
 * command that makes it, ERR_MISMATCH: its evaluation is not of its run.  `o`
 * must outlive it.
 */
enum status whatif_project_open(struct whatif_project *out,
                                const struct options *o,
                                struct err *err) MUST_CHECK;
void whatif_project_close(struct whatif_project *p);

/* project/dir/name, or project/dir when name is NULL. */
enum status whatif_project_join(char out[FILE_PATH_MAX],
                                const struct whatif_project *p, const char *dir,
                                const char *name, struct err *err) MUST_CHECK;

struct whatif_place {
    const struct whatif_change *change; // NULL: a base arm
    bool has_reward;                    // it trains its own reward model
    bool has_ppo;                       // it trains a policy
    size_t members;                     // further reward models it trains
    int64_t best_of; // samples of the reference for each of its replies; 1: it
                     // is the policy that replies
    bool is_project; // the base arm that is there already
    int64_t seed;
    char dir[FILE_PATH_MAX];   // what was evaluated: seen from the project
    char run[FILE_PATH_MAX];   // its PPO run, or the base's without one
    char home[FILE_PATH_MAX];  // where arm.json and the panel's votes are
    char votes[FILE_PATH_MAX]; // the votes
    bool is_done;
    struct err failed; // why it failed; code OK: it did not
};

/* Where the arm of a change (NULL: the base of one that trains the reward
 * model, or not) with a seed is, and whether it is complete. */
enum status whatif_arm_find(struct whatif_place *out,
                            const struct whatif_project *p,
                            const struct whatif_change *change, bool has_reward,
                            int64_t seed, struct err *err) MUST_CHECK;

/* The value of setting k of the arm's change before and after, appended as
 * text: paths are seen from the project. */
enum status whatif_arm_setting(struct buf *from, struct buf *to,
                               const struct whatif_project *p,
                               const struct whatif_place *arm, size_t k,
                               struct err *err) MUST_CHECK;

/* Would its stages start?  ERR_ARG for settings that do not go together or that
 * the run has already, ERR_MISSING for a stage that left no record. */
enum status whatif_arm_check(const struct whatif_project *p,
                             const struct whatif_place *arm,
                             struct err *err) MUST_CHECK;

/*
 * Run what of it is not done.  Stopped or killed, it goes on from its last
 * checkpoint the next time.  ERR_MISMATCH: what is there was made with other
 * settings.
 */
enum status whatif_arm_run(const struct whatif_project *p,
                           struct whatif_place *arm, struct session *s,
                           struct err *err) MUST_CHECK;

#endif
