/*
 * trl_rewards.h - which columns of TRL's completions are rewards.
 *
 * A table has a column for each reward function, and others that the functions
 * were handed (a solution's number, an entropy).  Which are which is told, in
 * this order,
 *
 *   1. by the log: trainer_state.json has rewards/{function}/mean for each;
 *   2. by the advantage, which within a group of answers to one prompt is
 *      a (sum of the rewards) + b with a > 0, with weights of 1: the largest
 *      set of columns whose sum is that in every group that is looked at.  A
 *      column that never varies within a group is of no set.
 *
 * The beginnings of all files decide together: a score that counted other
 * columns in other steps would be no curve.
 */
#ifndef PLUMB_IMPORT_TRL_REWARDS_H
#define PLUMB_IMPORT_TRL_REWARDS_H

#include "base/names.h"
#include "import/formats.h"

#define TRL_REWARDS_COLUMNS 8 // that are looked at for 2

struct trl_rewards {
    struct names logged;     // of 1
    struct names column;     // of 2; no more than TRL_REWARDS_COLUMNS
    struct trl_group *group; // [n]
    size_t n, room;
    unsigned set; // bits of `column`; 0: not told
};

/* What the beginning of a file says; of other kinds than `kind` of TRL's state
 * and completions nothing. */
enum status trl_rewards_look(struct trl_rewards *t, const struct format *kind,
                             const struct head *h, struct err *err) MUST_CHECK;

/* Behind the last file: decide. */
void trl_rewards_settle(struct trl_rewards *t);

/* Is it known which columns are rewards, and is this one? */
bool trl_rewards_known(const struct trl_rewards *t);
bool trl_rewards_has(const struct trl_rewards *t, const char *column);

void trl_rewards_free(struct trl_rewards *t);

/* Is it a column of numbers that a reward function may have made (trl.c)? */
bool trl_is_reward(const struct value *column);

#endif
