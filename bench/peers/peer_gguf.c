/*
 * peer_gguf.c - writes a GGUF file anew, metadata copied, matrices in another
 * type, for check_gguf.py to read with other programs.
 *
 *     peer_gguf IN.gguf OUT.gguf F32|F16|BF16|Q8_0
 *     peer_gguf IN.gguf OUT.safetensors F32|F16|BF16
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "io/gguf_write.h"
#include "io/weights.h"

/* Vectors stay F32, as llama.cpp wants its norms. */
static enum tensor_type type_for(const struct tensor_view *t,
                                 enum tensor_type type)
{
    return t->n_dim < 2 ? TENSOR_F32 : type;
}

static void put_heads(struct gguf_writer *out, const struct weights *w,
                      enum tensor_type type)
{
    const struct gguf *g = weights_gguf(w);
    for (size_t i = 0; i < gguf_n_keys(g); i++)
        gguf_put_copy(out, g, i);
    for (size_t i = 0; i < w->n; i++) {
        const struct tensor_view *t = weights_at(w, i);
        size_t dim[TENSOR_DIMS_MAX];
        for (size_t d = 0; d < t->n_dim; d++)
            dim[d] = (size_t)t->dim[d];
        gguf_put_tensor(out, t->name, type_for(t, type), t->n_dim, dim);
    }
}

static enum status put_values(struct gguf_writer *out, const struct weights *w,
                              struct err *err)
{
    float *x = NULL;
    for (size_t i = 0; i < w->n; i++) {
        const struct tensor_view *t = weights_at(w, i);
        TRY(MEM_NEW(x, t->count, err));
        enum status status = weights_floats(x, w, t, err);
        if (status == OK)
            status = gguf_put_values(out, x, t->count, err);
        mem_free(x);
        TRY(status);
    }
    return OK;
}

static enum status write_gguf(const char *path, const struct weights *w,
                              enum tensor_type type, struct err *err)
{
    struct gguf_writer *out;
    TRY(gguf_create(&out, path, err));
    put_heads(out, w, type);
    return gguf_finish(out, put_values(out, w, err), err);
}

static enum status write_safetensors(const char *path, const struct weights *w,
                                     enum tensor_type type, struct err *err)
{
    struct tensor_out *out = NULL;
    float **x = NULL;
    enum status status;
    TRY_DONE(MEM_NEW(out, w->n, err));
    TRY_DONE(MEM_NEW(x, w->n, err));
    for (size_t i = 0; i < w->n; i++) {
        const struct tensor_view *t = weights_at(w, i);
        TRY_DONE(MEM_NEW(x[i], t->count, err));
        TRY_DONE(weights_floats(x[i], w, t, err));
        out[i] = (struct tensor_out){.name = t->name,
                                     .type = type_for(t, type),
                                     .n_dim = t->n_dim,
                                     .data = x[i]};
        for (size_t d = 0; d < t->n_dim; d++)
            out[i].dim[d] = (size_t)t->dim[d];
    }
    status = safetensors_write(path, out, w->n, err);
done:
    for (size_t i = 0; x != NULL && i < w->n; i++)
        mem_free(x[i]);
    mem_free(x);
    mem_free(out);
    return status;
}

int main(int argc, char **argv)
{
    struct weights w = {0};
    struct err err = {0};
    int type = 0;
    if (argc != 4) {
        (void)fprintf(stderr, "usage: peer_gguf IN OUT TYPE\n");
        return 2;
    }
    while (type < TENSOR_Q8_0 &&
           strcmp(tensor_type_name((enum tensor_type)type), argv[3]) != 0)
        type++;
    enum status status = weights_open(&w, argv[1], &err);
    if (status == OK)
        status =
            strstr(argv[2], ".gguf") != NULL
                ? write_gguf(argv[2], &w, (enum tensor_type)type, &err)
                : write_safetensors(argv[2], &w, (enum tensor_type)type, &err);
    if (status != OK)
        (void)fprintf(stderr, "peer_gguf: %s\n", err.text);
    weights_close(&w);
    return status != OK;
}
