#include "cli/place.h"

#include <string.h>

#include "cli/args.h"

enum status place_find(struct place *out, const char *given,
                       const char *project, struct err *err)
{
    struct place p;
    char config[FILE_PATH_MAX];
    if (!file_is_dir(given))
        return err_set(err, ERR_MISSING, "%s: no such directory", given);
    if (place_is_imported(given))
        return err_set(err, ERR_MISSING,
                       "%s is an imported run, whose models are elsewhere; "
                       "plumb diagnose reads it, and plumb probe with "
                       "--reward-command",
                       given);
    TRY(file_join(p.project, "", given, err));
    TRY(file_join(p.run, given, "ppo", err));
    if (!file_is_dir(p.run)) {
        TRY(file_join(p.run, "", given, err));
        TRY(file_join(p.project, given, "..", err));
    }
    if (project)
        TRY(file_join(p.project, "", project, err));
    TRY(file_join(config, p.run, "config.yaml", err));
    if (!file_exists(config))
        return err_set(err, ERR_MISSING, "%s holds no ppo run", given);
    *out = p;
    return OK;
}

bool place_is_imported(const char *project)
{
    char path[FILE_PATH_MAX];
    return file_join(path, project, "import.json", NULL) == OK &&
           file_exists(path);
}

static const char *name_of(enum option_command stage)
{
    return stage == FOR_SFT ? "sft" : stage == FOR_REWARD ? "reward" : "ppo";
}

enum status place_read_run(struct options *out, const char *dir,
                           enum option_command stage, struct err *err)
{
    char path[FILE_PATH_MAX];
    TRY(file_join(path, dir, "config.yaml", err));
    if (!file_exists(path))
        return err_set(err, ERR_MISSING, "%s is no %s run: no config.yaml", dir,
                       name_of(stage));
    TRY(options_init(out, err));
    enum status status = args_read_file(out, path, err);
    if (status == OK)
        status = options_apply(out, err);
    if (status == OK && options_check_needed(out, stage, NULL) != OK)
        status =
            err_set(err, ERR_MISSING, "%s is no %s run", dir, name_of(stage));
    if (status != OK)
        options_free(out);
    return status;
}

const char *place_recorded_hash(const struct options *run, const char *key)
{
    const char *hash = NULL;
    for (size_t i = 0; i < run->n_given; i++)
        if (run->given[i].is_hash && strcmp(run->given[i].row->key, key) == 0)
            hash = run->given[i].text;
    return hash;
}
