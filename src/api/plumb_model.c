#include <plumb.h>

#include "api/call.h"
#include "api/held.h"
#include "base/mem.h"

/* The settings for a model that a caller has given, and how they read. */
static enum status read_options(struct plumb_load *o, int *precision,
                                const struct plumb_load *given, struct err *err)
{
    *o = (struct plumb_load)PLUMB_LOAD_DEFAULT;
    TRY(call_options(o, sizeof *o, given, "options", err));
    *precision = (o->is_bf16 ? (int)MODEL_IS_BF16 : 0) |
                 (o->computes_bf16 ? (int)MODEL_BY_BF16 : 0);
    return OK;
}

/* What a call to load is given. */
struct wanted {
    struct plumb_model **model;
    struct plumb_reward_model **reward_model;
    const char *path;
    const struct plumb_load *options;
};

static enum status load(void *arg, struct err *err)
{
    const struct wanted *w = arg;
    struct plumb_load o;
    struct plumb_model *m;
    int precision;
    TRY(call_need(w->model, "out", err));
    TRY(call_need(w->path, "path", err));
    TRY(read_options(&o, &precision, w->options, err));
    TRY(MEM_NEW(m, 1, err));
    enum status status =
        speaker_open(&m->speaker, w->path, o.chat, precision, err);
    if (status != OK) {
        mem_free(m);
        return status;
    }
    *w->model = m;
    return OK;
}

int plumb_model_load(struct plumb_model **out, const char *path,
                     const struct plumb_load *options,
                     struct plumb_error *error)
{
    struct wanted w = {.model = out, .path = path, .options = options};
    return call_run(load, &w, error);
}

void plumb_model_free(struct plumb_model *model)
{
    if (model == NULL)
        return;
    speaker_close(&model->speaker);
    mem_free(model);
}

const char *plumb_model_path(const struct plumb_model *model)
{
    return model != NULL ? model->speaker.path : "";
}

size_t plumb_model_positions(const struct plumb_model *model)
{
    return model != NULL ? model->speaker.model.config.T_max : 0;
}

size_t plumb_model_vocabulary(const struct plumb_model *model)
{
    return model != NULL ? model->speaker.model.config.V : 0;
}

static enum status load_reward(void *arg, struct err *err)
{
    const struct wanted *w = arg;
    struct plumb_load o;
    struct plumb_reward_model *m;
    int precision;
    TRY(call_need(w->reward_model, "out", err));
    TRY(call_need(w->path, "path", err));
    TRY(read_options(&o, &precision, w->options, err));
    if (o.chat != NULL)
        return err_set(err, ERR_ARG,
                       "'options' names the chat template '%.40s', and a "
                       "reward model has its own",
                       o.chat);
    TRY(MEM_NEW(m, 1, err));
    enum status status =
        reward_reader_open(&m->reader, w->path, NULL, precision, err);
    if (status != OK) {
        mem_free(m);
        return status;
    }
    *w->reward_model = m;
    return OK;
}

int plumb_reward_model_load(struct plumb_reward_model **out, const char *path,
                            const struct plumb_load *options,
                            struct plumb_error *error)
{
    struct wanted w = {.reward_model = out, .path = path, .options = options};
    return call_run(load_reward, &w, error);
}

void plumb_reward_model_free(struct plumb_reward_model *model)
{
    if (model == NULL)
        return;
    reward_reader_close(&model->reader);
    mem_free(model);
}
