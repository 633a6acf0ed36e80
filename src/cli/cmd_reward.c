#include <string.h>

#include "cli/command.h"
#include "cli/session.h"
#include "store/human.h"

enum status cmd_reward_run(const struct options *o, const struct stage *stage,
                           struct err *err)
{
    return reward_model_run(&o->v.reward, stage, err);
}

/* Where a database of judgements is named, its rankings as they stand now are
 * what is trained on: a file of them takes its place, so that the record names
 * exactly these. */
static enum status take_votes(struct options *o, struct err *err)
{
    static const char *const key[] = {"reward.data", "reward.extra_data",
                                      "reward.heldout"};
    for (size_t i = 0; i < sizeof key / sizeof *key; i++) {
        char votes[FILE_PATH_MAX];
        bool is_hash;
        const struct option *row =
            options_find(key[i], strlen(key[i]), &is_hash);
        const char *path = options_text(o, row);
        if (path == NULL || !human_is_database(path))
            continue;
        TRY(human_rankings(votes, path, o->v.reward_pool, err));
        TRY(options_set_text(o, row, votes, err));
    }
    return OK;
}

enum status cmd_reward(struct options *o, struct err *err)
{
    TRY(take_votes(o, err));
    return session_train(o, FOR_REWARD, "reward", cmd_reward_run, err);
}
