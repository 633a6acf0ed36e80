#include "stat/decompose_rows.h"

#include <math.h>

#include "base/mem.h"

static bool is_whole(const struct decompose_replies *x, size_t i)
{
    if (isnan(x->score[i]) || (x->length != NULL && isnan(x->length[i])))
        return false;
    for (size_t f = 0; x->feature != NULL && f < x->features; f++)
        if (isnan(x->feature[i * x->features + f]))
            return false;
    return true;
}

enum status decompose_rows_select(struct decompose_rows *out,
                                  const struct decompose_replies *replies,
                                  struct err *err)
{
    *out = (struct decompose_rows){0};
    TRY(cluster_build(&out->prompt, replies->prompt, replies->n,
                      replies->n_prompts, err));
    TRY(MEM_NEW(out->is_used, replies->n, err));
    for (size_t p = 0; p < replies->n_prompts; p++) {
        const size_t *row = out->prompt.row + out->prompt.start[p];
        size_t rows = out->prompt.start[p + 1] - out->prompt.start[p];
        bool has[2] = {false, false};
        for (size_t k = 0; k < rows; k++)
            if (is_whole(replies, row[k]))
                has[replies->is_policy[row[k]]] = true;
        if (!has[0] || !has[1])
            continue;
        out->prompts++;
        for (size_t k = 0; k < rows; k++)
            out->is_used[row[k]] = is_whole(replies, row[k]);
    }
    return OK;
}

void decompose_rows_free(struct decompose_rows *r)
{
    mem_free(r->is_used);
    cluster_free(&r->prompt);
}
