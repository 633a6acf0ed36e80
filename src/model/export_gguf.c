#include "model/export_gguf.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "io/gguf_write.h"
#include "io/tokenizer_export.h"
#include "model/config_gguf.h"
#include "model/params.h"
#include "nn/rope.h"

#define ROWS_BYTES ((size_t)4 << 20) // of values put in the file's order

/* ---- metadata ----------------------------------------------------------- */

struct key {
    char text[96];
};

static struct key key_of(const struct arch *a, const char *rest)
{
    struct key key;
    (void)snprintf(key.text, sizeof key.text, "%s.%s", a->gguf, rest);
    return key;
}

static void put_int(struct gguf_writer *w, const struct arch *a,
                    const char *rest, size_t x)
{
    gguf_put_int(w, key_of(a, rest).text, GGUF_U32, (int64_t)x);
}

static void put_real(struct gguf_writer *w, const struct arch *a,
                     const char *rest, double x)
{
    gguf_put_real(w, key_of(a, rest).text, GGUF_F32, x);
}

/* llama.cpp's numbers for what most tensors of a file are. */
static int64_t file_type(enum tensor_type type)
{
    switch ((int)type) {
    case TENSOR_F32:
        return 0;
    case TENSOR_F16:
        return 1;
    case TENSOR_Q8_0:
        return 7;
    default:
        assert(type == TENSOR_BF16);
        return 32;
    }
}

static void put_shape(struct gguf_writer *w, const struct model_config *c)
{
    const struct arch *a = arch_get(c->arch);
    put_int(w, a, arch_gguf_key(DIM_L), c->L);
    put_int(w, a, arch_gguf_key(DIM_T), c->T_max);
    put_int(w, a, arch_gguf_key(DIM_C), c->C);
    put_int(w, a, arch_gguf_key(DIM_F), c->F);
    put_int(w, a, arch_gguf_key(DIM_H), c->H);
    put_int(w, a, arch_gguf_key(DIM_G), c->G);
    put_int(w, a, arch_gguf_key(DIM_V), c->V);
    if (c->D * c->H != c->C || a->D != 0) {
        put_int(w, a, arch_gguf_key(DIM_D), c->D);
        put_int(w, a, "attention.value_length", c->D);
    }
    put_real(w, a, a->files->gguf_eps, c->norm_eps);
    if (a->is_learned)
        return;
    put_int(w, a, "rope.dimension_count", c->D);
    put_real(w, a, "rope.freq_base", c->rope_theta);
    if (c->stretch.kind == ROPE_LINEAR) {
        gguf_put_text(w, key_of(a, "rope.scaling.type").text, "linear");
        put_real(w, a, "rope.scaling.factor", c->stretch.factor);
    }
    if (c->stretch.kind == ROPE_LLAMA3) {
        gguf_put_real(w, CONFIG_GGUF_FACTOR, GGUF_F64, c->stretch.factor);
        gguf_put_real(w, CONFIG_GGUF_LOW, GGUF_F64, c->stretch.low);
        gguf_put_real(w, CONFIG_GGUF_HIGH, GGUF_F64, c->stretch.high);
        gguf_put_real(w, CONFIG_GGUF_ORIGINAL, GGUF_F64, c->stretch.original);
    }
}

static void put_token(struct gguf_writer *w, const char *key, int32_t id)
{
    if (id >= 0)
        gguf_put_int(w, key, GGUF_U32, id);
}

static void put_tokens(struct gguf_writer *w, const struct model_config *c)
{
    put_token(w, "tokenizer.ggml.bos_token_id", c->bos);
    put_token(w, "tokenizer.ggml.eos_token_id", c->eos);
    put_token(w, "tokenizer.ggml.padding_token_id", c->pad);
    if (c->n_stop > 0)
        put_token(w, "tokenizer.ggml.eot_token_id", c->stop[0]);
}

/* ---- tensors ------------------------------------------------------------ */

static enum tensor_type type_of(const struct model_config *c, size_t i,
                                const struct param_file *f,
                                enum tensor_type type)
{
    if (f->is_vector || params_view(c, i).kind == PARAM_POSITION)
        return TENSOR_F32;
    bool is_whole = f->cols % tensor_type_block(type) == 0;
    return is_whole ? type : TENSOR_F16;
}

/* Llama 3's stretch of positions is a tensor of divisors. */
static bool has_factors(const struct model_config *c)
{
    return !arch_get(c->arch)->is_learned && c->stretch.kind == ROPE_LLAMA3;
}

static void describe(struct gguf_writer *w, const struct model_config *c,
                     enum tensor_type type)
{
    size_t half = c->D / 2;
    if (has_factors(c))
        gguf_put_tensor(w, "rope_freqs.weight", TENSOR_F32, 1, &half);
    for (size_t i = 0; i < params_tensors(c); i++) {
        struct param_file f;
        if (!params_file_gguf(&f, c, i))
            continue;
        const size_t dim[] = {f.rows, f.cols};
        gguf_put_tensor(w, f.name, type_of(c, i, &f, type), f.is_vector ? 1 : 2,
                        f.is_vector ? &f.cols : dim);
    }
}

static enum status put_factors(struct gguf_writer *w,
                               const struct model_config *c, struct err *err)
{
    const struct rope_stretch plain = {.kind = ROPE_PLAIN};
    double rate[ROPE_D_MAX / 2], slow[ROPE_D_MAX / 2];
    float factor[ROPE_D_MAX / 2];
    /* Of the base that the file has. */
    double theta = (double)(float)c->rope_theta;
    rope_rates(rate, c->D, theta, &plain);
    rope_rates(slow, c->D, theta, &c->stretch);
    for (size_t i = 0; i < c->D / 2; i++)
        factor[i] = (float)(rate[i] / slow[i]);
    return gguf_put_values(w, factor, c->D / 2, err);
}

static enum status put_tensor(struct gguf_writer *w, const float *params,
                              const struct param_file *f, float *room,
                              struct err *err)
{
    const float *x = params + f->offset;
    size_t width = f->is_vector ? 1 : f->cols;
    size_t height = f->is_vector ? f->cols : f->rows;
    size_t step = ROWS_BYTES / sizeof *room / width;
    if (f->permuted == 0)
        return gguf_put_values(w, x, height * width, err);
    for (size_t first = 0; first < height; first += step) {
        size_t n = height - first < step ? height - first : step;
        for (size_t r = 0; r < n; r++)
            memcpy(room + r * width, x + params_file_row(f, first + r) * width,
                   width * sizeof *room);
        TRY(gguf_put_values(w, room, n * width, err));
    }
    return OK;
}

static enum status put_values(struct gguf_writer *w, const struct model *m,
                              struct err *err)
{
    const struct model_config *c = &m->config;
    float *room;
    TRY(MEM_NEW(room, ROWS_BYTES / sizeof *room, err));
    enum status status = has_factors(c) ? put_factors(w, c, err) : OK;
    for (size_t i = 0; status == OK && i < params_tensors(c); i++) {
        struct param_file f;
        if (params_file_gguf(&f, c, i))
            status = put_tensor(w, m->params, &f, room, err);
    }
    mem_free(room);
    return status;
}

/* ------------------------------------------------------------------------- */

enum status export_gguf(const char *path, const struct model *m,
                        const struct tokenizer *t, enum tensor_type type,
                        const char *name, struct err *err)
{
    const struct model_config *c = &m->config;
    struct gguf_writer *w;
    assert(m->lora == NULL);
    if (c->head != HEAD_LM)
        return err_set(err, ERR_MISMATCH,
                       "a reward model has no form in GGUF: llama.cpp knows "
                       "no score head; export it as a Hugging Face folder");
    TRY(gguf_create(&w, path, err));
    gguf_put_text(w, "general.architecture", arch_get(c->arch)->gguf);
    gguf_put_text(w, "general.type", "model");
    gguf_put_text(w, "general.name", name);
    gguf_put_int(w, "general.file_type", GGUF_U32, file_type(type));
    if (type == TENSOR_Q8_0)
        gguf_put_int(w, "general.quantization_version", GGUF_U32, 2);
    put_shape(w, c);
    enum status status = tokenizer_export(w, t, c->V, err);
    put_tokens(w, c);
    describe(w, c, type);
    if (status == OK)
        status = put_values(w, m, err);
    return gguf_finish(w, status, err);
}
