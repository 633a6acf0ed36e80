#include "eval/probe_stage.h"

#include <string.h>

enum status probe_stage_check(const struct probe_stage *s, const char *path,
                              struct err *err)
{
    char hash[65];
    if (!file_exists(path))
        return err_set(err, ERR_MISSING,
                       "%s: no such file; the run names it as its data", path);
    if (s->hash == NULL)
        return OK;
    TRY(file_hash(hash, path, err));
    if (strcmp(hash, s->hash) != 0)
        return err_set(err, ERR_MISMATCH,
                       "%s has changed since the model was trained on it",
                       path);
    return OK;
}
