#include "model/transformer.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "nn/ops.h"

enum status model_create(struct model *out, const struct model_config *c,
                         struct err *err)
{
    struct model m = {.config = *c};
    enum status status = OK;

    TRY(model_config_check(c, err));
    TRY_DONE(MEM_NEW(m.params, params_count(c), err));
    TRY_DONE(MEM_NEW(m.rope, c->T_max * c->D, err));
    rope_table(m.rope, c->T_max, c->D, c->rope_theta);
    *out = m;
done:
    if (status != OK)
        model_free(&m);
    return status;
}

void model_free(struct model *m)
{
    mem_free(m->params);
    mem_free(m->banned);
    mem_free(m->rope);
    *m = (struct model){0};
}

enum status model_clone(struct model *out, const struct model *m,
                        struct err *err)
{
    struct model copy;
    size_t V = m->config.V;

    TRY(model_create(&copy, &m->config, err));
    memcpy(copy.params, m->params, params_count(&m->config) * sizeof(float));
    if (m->banned != NULL) {
        enum status status = MEM_NEW(copy.banned, V, err);

        if (status != OK) {
            model_free(&copy);
            return status;
        }
        memcpy(copy.banned, m->banned, V);
    }
    *out = copy;
    return OK;
}

enum status model_clone_as_score(struct model *out, const struct model *m,
                                 struct err *err)
{
    struct model_config c = m->config;
    struct model copy;
    size_t trunk;

    /* The trunk comes first in both layouts and ends with the last norm. */
    c.head = HEAD_SCORE;
    trunk = params_offset(&c, PARAM_NORM, 0) + c.C;
    TRY(model_create(&copy, &c, err));
    memcpy(copy.params, m->params, trunk * sizeof(float));
    *out = copy;
    return OK;
}

static size_t lmhead_offset(const struct model_config *c)
{
    assert(c->head == HEAD_LM);
    return params_offset(c, c->tied ? PARAM_EMBED : PARAM_HEAD, 0);
}

struct lmhead model_lmhead(const struct model *m, float temperature)
{
    return (struct lmhead){
        .weight = m->params + lmhead_offset(&m->config),
        .banned = m->banned,
        .V = m->config.V,
        .C = m->config.C,
        .temperature = temperature,
    };
}

float *model_lmhead_grad(const struct model *m, float *grad)
{
    return grad + lmhead_offset(&m->config);
}
