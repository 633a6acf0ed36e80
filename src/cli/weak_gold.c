#include "cli/weak_gold.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/args.h"
#include "io/run.h"

/* The recorded hash of the run's preference data; "" when it is not known. */
static enum status data_hash(char out[65], const char *config, struct err *err)
{
    struct options o;
    out[0] = '\0';
    TRY(options_init(&o, err));
    enum status status = args_read_file(&o, config, err);
    for (size_t i = 0; status == OK && i < o.n_given; i++)
        if (o.given[i].is_hash && o.given[i].text != NULL &&
            strcmp(o.given[i].row->key, "reward.data") == 0)
            (void)snprintf(out, 65, "%s", o.given[i].text);
    options_free(&o);
    return status;
}

/* The same of a model: of the run that it lies in. */
static enum status model_hash(char out[65], const char *model, struct err *err)
{
    char path[FILE_PATH_MAX];
    char run[FILE_PATH_MAX];
    int64_t step;
    out[0] = '\0';
    TRY(run_find_model(path, model, "reward", err));
    if (!run_of_model(run, &step, path))
        return OK;
    TRY(file_join(path, run, "config.yaml", err));
    return file_exists(path) ? data_hash(out, path, err) : OK;
}

enum status weak_gold_check(const char *reward_model, const char *gold_model,
                            struct err *err)
{
    char reward[65];
    char gold[65];
    TRY(model_hash(reward, reward_model, err));
    TRY(model_hash(gold, gold_model, err));
    if (reward[0] != '\0' && strcmp(reward, gold) == 0)
        return err_set(err, ERR_ARG,
                       "%s was trained on the same pairs as the reward model "
                       "%s; weak gold needs disjoint ones",
                       gold_model, reward_model);
    return OK;
}
