#include "eval/point.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "io/run.h"
#include "model/checkpoint.h"

enum status point_list(int64_t **step, size_t *n, const char *run,
                       struct err *err)
{
    int64_t *saved, *list;
    size_t checkpoints, m = 1;
    TRY(run_checkpoints(&saved, &checkpoints, run, err));
    enum status status = MEM_NEW(list, checkpoints + 1, err);
    if (status == OK) {
        for (size_t i = 0; i < checkpoints; i++)
            if (saved[i] > 0)
                list[m++] = saved[i];
        *step = list;
        *n = m;
    }
    mem_free(saved);
    return status;
}

/* Where the policy of a point is; empty: it is the reference. */
static enum status find(char path[FILE_PATH_MAX], const struct setup *s,
                        int64_t step, struct err *err)
{
    const struct heldout_config *c = s->config;
    char name[32];
    path[0] = '\0';
    if (step == 0 && c->start == NULL)
        return OK;
    if (step == 0) {
        TRY(run_find_model(path, c->start, "sft", err));
        if (strcmp(path, s->reference_path) == 0)
            path[0] = '\0';
        return OK;
    }
    (void)snprintf(name, sizeof name, "checkpoints/%06lld", (long long)step);
    return file_join(path, c->run, name, err);
}

enum status point_open(struct point *out, const struct setup *s, int64_t step,
                       struct err *err)
{
    char path[FILE_PATH_MAX];
    TRY(find(path, s, step, err));
    memset(out, 0, sizeof *out);
    out->is_reference = path[0] == '\0';
    out->model = out->is_reference ? &s->reference : &out->own;
    if (out->is_reference)
        return OK;
    TRY(checkpoint_read_as(&out->own, path, HEAD_LM,
                           (enum model_precision)s->config->precision, err));
    setup_end_turns(s, &out->own);
    enum status status = setup_check_model(s, &out->own, path, err);
    if (status != OK)
        point_close(out);
    return status;
}

void point_close(struct point *p)
{
    model_free(&p->own);
    memset(p, 0, sizeof *p);
}
