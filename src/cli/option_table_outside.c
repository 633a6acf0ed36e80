#include "cli/option_rows.h"

#define FOR_SCORES                                                             \
    (FOR_PPO | FOR_EVAL | FOR_PROBE | FOR_WHATIF | FOR_GENERATE | FOR_SCORE)
#define FOR_REPLIES (FOR_EVAL | FOR_GENERATE)

static const struct option rows[] = {
    TEXT("outside.reward_command", outside.reward.command, NULL,
         "a program that says the scores, in place of the reward model: a line "
         "for /bin/sh, JSON Lines in and out (docs/commands.md)",
         FOR_SCORES, RECORDED),
    TEXT("outside.policy_command", outside.policy.command, NULL,
         "a program that says the replies, in place of the model: a line for "
         "/bin/sh, JSON Lines in and out (docs/commands.md)",
         FOR_REPLIES, RECORDED),
    INT("outside.command_batch", outside.batch, "64", 1, 65536,
        "requests that such a program is given at a time",
        FOR_SCORES | FOR_REPLIES, RECORDED),
    REAL("outside.command_timeout", outside.timeout, "600", 0, 1e9,
         "seconds that its next answer is waited for; 0: for ever",
         FOR_SCORES | FOR_REPLIES, 0),
    PATH("probe.rankings", 0, probe.rankings,
         "pairs, where a program says the scores: rankings, JSON Lines, all of "
         "them taken as held out",
         FOR_PROBE, 0, PARENT_FILE),
};

struct option_rows option_table_outside(void)
{
    return (struct option_rows){rows, sizeof rows / sizeof *rows};
}
