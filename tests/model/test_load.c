/*
 * Models as others keep them: GGUF files with rows in llama.cpp's order, tied
 * heads written out, buffers; and what is refused by name.
 */
#include "rig.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "io/gguf_write.h"
#include "io/safetensors.h"
#include "model/checkpoint.h"

struct fixture {
    char root[64], file[FILE_PATH_MAX], dir[FILE_PATH_MAX];
};

static int set_up(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof *f);
    struct err err = {0};

    (void)snprintf(f->root, sizeof f->root, "/tmp/plumb_load_XXXXXX");
    assert_non_null(mkdtemp(f->root));
    assert_int_equal(file_join(f->file, f->root, "model.gguf", &err), OK);
    assert_int_equal(file_join(f->dir, f->root, "model", &err), OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};

    assert_int_equal(file_remove(f->root, &err), OK);
    mem_free(f);
    return 0;
}

/* ---- GGUF ---------------------------------------------------------------- */

/* One change to a good file. */
struct change {
    const char *drop;     // this key or tensor is left out
    const char *key;      // this one is put in
    const char *text;     // as text, or
    bool is_false;        // as a bool, or
    int64_t number;       // as a number
    const float *factors; // rope_freqs.weight [D/2]
    size_t n_factors;
    bool is_wide; // token_embd.weight has a column too many
};

static bool is_dropped(const struct change *x, const char *name)
{
    return x != NULL && ((x->drop != NULL && strcmp(x->drop, name) == 0) ||
                         (x->key != NULL && strcmp(x->key, name) == 0));
}

static void put_number(struct gguf_writer *w, const struct model_config *c,
                       const char *rest, double x, const struct change *change)
{
    char key[96];

    (void)snprintf(key, sizeof key, "%s.%s", arch_get(c->arch)->gguf, rest);
    if (is_dropped(change, key))
        return;
    if (x == floor(x) && strstr(rest, "freq") == NULL)
        gguf_put_int(w, key, GGUF_U32, (int64_t)x);
    else
        gguf_put_real(w, key, GGUF_F64, x);
}

static void put_metadata(struct gguf_writer *w, const struct model_config *c,
                         const struct change *change)
{
    const struct arch *arch = arch_get(c->arch);
    const double dim[ARCH_DIMS] = {
        [DIM_C] = (double)c->C,     [DIM_L] = (double)c->L,
        [DIM_H] = (double)c->H,     [DIM_G] = (double)c->G,
        [DIM_D] = (double)c->D,     [DIM_F] = (double)c->F,
        [DIM_T] = (double)c->T_max,
    };

    if (!is_dropped(change, "general.architecture"))
        gguf_put_text(w, "general.architecture", arch->gguf);
    for (enum arch_dim d = DIM_C; d < ARCH_DIMS; d++)
        put_number(w, c, arch_gguf_key(d), dim[d], change);
    put_number(w, c, arch->files->gguf_eps, c->norm_eps, change);
    if (!arch->is_learned)
        put_number(w, c, "rope.freq_base", c->rope_theta, change);
    if (c->stretch.kind == ROPE_LINEAR) {
        if (!is_dropped(change, "llama.rope.scaling.type"))
            gguf_put_text(w, "llama.rope.scaling.type", "linear");
        put_number(w, c, "rope.scaling.factor", c->stretch.factor, change);
    }
    gguf_put_int(w, "tokenizer.ggml.eos_token_id", GGUF_U32, c->eos);
    if (change != NULL && change->key != NULL && change->text != NULL)
        gguf_put_text(w, change->key, change->text);
    else if (change != NULL && change->is_false)
        gguf_put_bool(w, change->key, false);
    else if (change != NULL && change->key != NULL)
        gguf_put_int(w, change->key, GGUF_U32, change->number);
}

/* A tensor's values in the file's order: llama.cpp reshapes the rows of a head
 * from [2,D/2] to [D/2,2]. */
static float *file_order(const struct model *m, const struct param_file *f)
{
    size_t n = f->rows * f->cols;
    size_t rows = f->is_vector ? f->cols : f->rows;
    size_t cols = n / rows;
    float *out = mem_calloc(n, sizeof *out);
    size_t D = f->permuted == 0 ? 2 : rows / f->permuted;

    for (size_t r = 0; r < rows; r++) {
        size_t half = r % D / (D / 2), i = r % (D / 2);
        size_t to = f->permuted == 0 ? r : r - r % D + 2 * i + half;

        memcpy(out + to * cols, m->params + f->offset + r * cols,
               cols * sizeof *out);
    }
    return out;
}

static void write_gguf(const struct fixture *fix, const struct model *m,
                       const struct change *change)
{
    const struct model_config *c = &m->config;
    struct gguf_writer *w;
    struct err err = {0};
    enum status status = OK;

    assert_int_equal(gguf_create(&w, fix->file, &err), OK);
    put_metadata(w, c, change);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < params_tensors(c); i++) {
            struct param_file f;

            if (!params_file_gguf(&f, c, i) || is_dropped(change, f.name))
                continue;
            bool is_wide = change != NULL && change->is_wide && i == 0;
            size_t dim[2] = {f.is_vector ? f.cols : f.rows,
                             f.cols + (is_wide ? 1 : 0)};
            float *x = file_order(m, &f);
            if (pass == 0)
                gguf_put_tensor(w, f.name, TENSOR_F32, f.is_vector ? 1 : 2,
                                dim);
            else if (status == OK)
                status = gguf_put_values(w, x, f.rows * f.cols, &err);
            if (pass == 1 && is_wide && status == OK)
                status = gguf_put_values(w, x, f.rows, &err);
            mem_free(x);
        }
        if (change == NULL || change->n_factors == 0)
            continue;
        if (pass == 0)
            gguf_put_tensor(w, "rope_freqs.weight", TENSOR_F32, 1,
                            &change->n_factors);
        else if (status == OK)
            status =
                gguf_put_values(w, change->factors, change->n_factors, &err);
    }
    if (gguf_finish(w, status, &err) != OK)
        fail_msg("%s", err.text);
}

static void check_reads(const char *path, const struct model *want)
{
    struct model got;
    struct err err = {0};

    if (checkpoint_read(&got, path, HEAD_LM, &err) != OK)
        fail_msg("%s", err.text);
    assert_int_equal(got.config.eos, want->config.eos);
    struct model_config shape;
    assert_int_equal(checkpoint_read_shape(&shape, path, &err), OK);
    assert_int_equal(params_count(&shape), params_count(&want->config));
    assert_int_equal(shape.arch, got.config.arch);
    assert_int_equal(shape.head, HEAD_LM);
    assert_int_equal(params_count(&got.config), params_count(&want->config));
    assert_true(got.config.rope_theta == want->config.rope_theta);
    assert_true(fabs(got.config.norm_eps / want->config.norm_eps - 1) < 1e-12);
    assert_true(got.config.stretch.kind == want->config.stretch.kind);
    assert_true(got.config.stretch.factor == want->config.stretch.factor);
    assert_memory_equal(got.params, want->params,
                        params_count(&want->config) * sizeof(float));
    /* Straight into bf16 is the same as rounded afterwards. */
    struct model narrow;
    assert_int_equal(
        checkpoint_read_as(&narrow, path, HEAD_LM, MODEL_BF16, &err), OK);
    assert_int_equal(model_freeze(&got, &err), OK);
    assert_memory_equal(narrow.rest, got.rest,
                        params_rest_count(&got.config) * sizeof *got.rest);
    for (size_t i = 0; i < params_tensors(&got.config); i++) {
        struct param_view view = params_view(&got.config, i);

        if (params_is_product(view.kind))
            assert_memory_equal(narrow.narrow + view.offset,
                                got.narrow + view.offset,
                                view.rows * view.cols * sizeof *got.narrow);
    }
    model_free(&narrow);
    model_free(&got);
}

static void test_gguf(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < arch_count(); i++) {
        struct model_config c = rig_config_of(arch_get(i)->model_type);
        struct model m;

        /* A file of mistral's is llama's there. */
        if (arch_find_gguf(arch_get(i)->gguf) != i)
            continue;
        c.attention_bias = i == 0;
        c.tied = i % 2 == 0;
        if (i == 0)
            c.stretch = (struct rope_stretch){.kind = ROPE_LINEAR, .factor = 2};
        rig_model(&m, &c, 7 + i);
        write_gguf(f, &m, NULL);
        check_reads(f->file, &m);
        model_free(&m);
    }
}

/* What llama.cpp makes of each: a file that names no kind is linear. */
static void test_linear(void **state)
{
    static const struct {
        struct change change;
        double factor; // 1: plain
    } cases[] = {
        {{.drop = "llama.rope.scaling.type"}, 4},
        {{.key = "llama.rope.scaling.type", .text = "none"}, 1},
        {{.drop = "llama.rope.scaling.factor"}, 1},
        {{.key = "llama.rope.scaling.factor", .number = 0}, 1},
        {{.key = "llama.rope.scale_linear", .number = 2}, 4},
        {{.drop = "llama.rope.scaling.factor",
          .key = "llama.rope.scale_linear",
          .number = 2},
         2},
    };
    struct fixture *f = *state;
    struct model_config c = rig_config();
    struct model m, got;
    struct err err = {0};

    c.stretch = (struct rope_stretch){.kind = ROPE_LINEAR, .factor = 4};
    rig_model(&m, &c, 3);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_gguf(f, &m, &cases[i].change);
        if (checkpoint_read(&got, f->file, HEAD_LM, &err) != OK)
            fail_msg("case %zu: %s", i, err.text);
        bool is_plain = got.config.stretch.kind == ROPE_PLAIN;
        double factor = is_plain ? 1 : got.config.stretch.factor;
        if (factor != cases[i].factor)
            fail_msg("case %zu: factor %g", i, factor);
        model_free(&got);
    }
    model_free(&m);
}

/* Llama 3.1's factors give back its parameters; others are refused. */
static void test_factors(void **state)
{
    struct fixture *f = *state;
    struct model_config c = rig_config();
    struct rope_stretch plain = {.kind = ROPE_PLAIN};
    double fast[8], slow[8];
    float factor[8];
    struct change change = {.factors = factor, .n_factors = 8};
    struct model m, got;
    struct err err = {0};

    c.D = 16;
    c.rope_theta = 500000;
    c.stretch = (struct rope_stretch){ROPE_LLAMA3, 8, 1, 4, 8192};
    rope_rates(fast, 16, c.rope_theta, &plain);
    rope_rates(slow, 16, c.rope_theta, &c.stretch);
    for (size_t i = 0; i < 8; i++)
        factor[i] = (float)(fast[i] / slow[i]);
    assert_true(factor[0] == 1 && factor[7] == 8);
    rig_model(&m, &c, 3);
    write_gguf(f, &m, &change);
    check_reads(f->file, &m);
    /* Parameters that say something else than the factors. */
    change.key = "plumb.rope.low_freq_factor";
    change.number = 2;
    write_gguf(f, &m, &change);
    assert_int_equal(checkpoint_read(&got, f->file, HEAD_LM, &err),
                     ERR_MISMATCH);
    assert_non_null(strstr(err.text, "low 2, high 4 and original 8192"));
    change.key = NULL;
    factor[4] *= 1.01f;
    write_gguf(f, &m, &change);
    assert_int_equal(checkpoint_read(&got, f->file, HEAD_LM, &err),
                     ERR_MISMATCH);
    assert_non_null(strstr(err.text, "rope_freqs.weight"));
    change.n_factors = 7;
    write_gguf(f, &m, &change);
    assert_int_equal(checkpoint_read(&got, f->file, HEAD_LM, &err),
                     ERR_MISMATCH);
    assert_non_null(strstr(err.text, "rope_freqs.weight"));
    model_free(&m);
}

static const struct {
    struct change change;
    enum status status;
    const char *word;
} bad[] = {
    {{.drop = "general.architecture"}, ERR_FORMAT, "general.architecture"},
    {{.key = "general.architecture", .text = "mamba"}, ERR_MISMATCH, "mamba"},
    {{.drop = "llama.block_count"}, ERR_FORMAT, "llama.block_count"},
    {{.key = "llama.block_count", .number = 0},
     ERR_FORMAT,
     "llama.block_count"},
    {{.key = "llama.block_count", .text = "2"},
     ERR_FORMAT,
     "llama.block_count"},
    {{.key = "llama.block_count", .number = 3}, ERR_MISMATCH, "blk.2."},
    {{.key = "llama.block_count", .number = 1}, ERR_MISMATCH, "blk.1."},
    {{.key = "llama.block_count", .number = 1000000},
     ERR_FORMAT,
     "num_hidden_layers"},
    {{.key = "llama.embedding_length", .number = 9},
     ERR_MISMATCH,
     "embedding_length"},
    {{.key = "llama.feed_forward_length", .number = 13},
     ERR_MISMATCH,
     "feed_forward_length"},
    {{.key = "llama.attention.head_count", .number = 4},
     ERR_MISMATCH,
     "attention.head_count"},
    {{.key = "llama.attention.key_length", .number = 3},
     ERR_FORMAT,
     "head_dim"},
    {{.key = "llama.rope.dimension_count", .number = 2},
     ERR_MISMATCH,
     "llama.rope.dimension_count"},
    {{.key = "llama.rope.freq_base", .number = 0},
     ERR_FORMAT,
     "llama.rope.freq_base"},
    {{.key = "llama.rope.scaling.type", .text = "yarn"}, ERR_MISMATCH, "yarn"},
    {{.key = "llama.rope.scaling.factor", .text = "4"},
     ERR_FORMAT,
     "llama.rope.scaling.factor"},
    {{.key = "llama.attention.causal", .is_false = true},
     ERR_MISMATCH,
     "llama.attention.causal"},
    {{.key = "llama.expert_count", .number = 8},
     ERR_MISMATCH,
     "llama.expert_count"},
    {{.key = "tokenizer.ggml.bos_token_id", .number = 11},
     ERR_FORMAT,
     "bos_token_id"},
    {{.drop = "token_embd.weight"}, ERR_MISMATCH, "token_embd.weight"},
    {{.drop = "blk.1.ffn_up.weight"}, ERR_MISMATCH, "blk.1.ffn_up.weight"},
    {{.is_wide = true}, ERR_MISMATCH, "token_embd.weight"},
};

static void test_refused(void **state)
{
    struct fixture *f = *state;
    struct model_config c = rig_config();
    struct model m, got;

    rig_model(&m, &c, 3);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err err = {0};
        enum status status;

        write_gguf(f, &m, &bad[i].change);
        status = checkpoint_read(&got, f->file, HEAD_LM, &err);
        if (status != bad[i].status || strstr(err.text, bad[i].word) == NULL)
            fail_msg("case %zu: status %d, \"%s\"", i, (int)status, err.text);
    }
    struct err err = {0};
    write_gguf(f, &m, NULL);
    assert_int_equal(checkpoint_read(&got, f->file, HEAD_SCORE, &err),
                     ERR_MISMATCH);
    model_free(&m);
}

/* ---- folders ------------------------------------------------------------- */

/* model.safetensors written anew with one tensor more. */
static void add_tensor(const struct fixture *f, const struct model *m,
                       const struct tensor_out *extra)
{
    const struct model_config *c = &m->config;
    struct param_view view[64];
    struct tensor_out t[65];
    size_t n = params_tensors(c);
    char path[FILE_PATH_MAX];
    struct err err = {0};

    assert_true(n <= 64);
    for (size_t i = 0; i < n; i++) {
        view[i] = params_view(c, i);
        t[i] = (struct tensor_out){
            .name = view[i].name,
            .n_dim = view[i].is_vector ? 1 : 2,
            .dim = {view[i].is_vector ? view[i].cols : view[i].rows,
                    view[i].cols},
            .data = m->params + view[i].offset,
        };
    }
    t[n] = *extra;
    assert_int_equal(file_join(path, f->dir, "model.safetensors", &err), OK);
    assert_int_equal(safetensors_write(path, t, n + 1, &err), OK);
}

static void test_extra_tensors(void **state)
{
    struct fixture *f = *state;
    struct model_config c = rig_config();
    struct model m, got;
    struct err err = {0};
    const float ones[4] = {1, 1, 1, 1};
    struct tensor_out buffer = {
        .name = "model.layers.0.self_attn.rotary_emb.inv_freq",
        .n_dim = 1,
        .dim = {2},
        .data = ones};
    struct tensor_out head = {
        .name = "lm_head.weight", .n_dim = 2, .dim = {c.V, c.C}};

    c.tied = true;
    rig_model(&m, &c, 3);
    assert_int_equal(
        checkpoint_write(f->dir, &(struct checkpoint){.model = &m}, &err), OK);
    add_tensor(f, &m, &buffer);
    check_reads(f->dir, &m);

    /* A tied head may be written out, but not another one. */
    float *copy = mem_calloc(c.V * c.C, sizeof *copy);
    memcpy(copy, m.params, c.V * c.C * sizeof *copy);
    head.data = copy;
    add_tensor(f, &m, &head);
    check_reads(f->dir, &m);
    copy[c.V * c.C - 1] += 1;
    add_tensor(f, &m, &head);
    assert_int_equal(checkpoint_read(&got, f->dir, HEAD_LM, &err),
                     ERR_MISMATCH);
    assert_non_null(strstr(err.text, "tie_word_embeddings"));
    head.dim[0]--;
    add_tensor(f, &m, &head);
    assert_int_equal(checkpoint_read(&got, f->dir, HEAD_LM, &err),
                     ERR_MISMATCH);
    assert_non_null(strstr(err.text, "lm_head.weight"));
    mem_free(copy);
    model_free(&m);
}

/* Weights without a configuration are no model. */
static void test_bare_file(void **state)
{
    struct fixture *f = *state;
    struct model_config c = rig_config();
    struct model m, got;
    struct err err = {0};
    char path[FILE_PATH_MAX];

    rig_model(&m, &c, 3);
    assert_int_equal(
        checkpoint_write(f->dir, &(struct checkpoint){.model = &m}, &err), OK);
    assert_int_equal(file_join(path, f->dir, "model.safetensors", &err), OK);
    assert_int_equal(checkpoint_read(&got, path, HEAD_LM, &err), ERR_MISMATCH);
    assert_non_null(strstr(err.text, "config.json"));
    model_free(&m);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_gguf),    CASE(test_linear),        CASE(test_factors),
        CASE(test_refused), CASE(test_extra_tensors), CASE(test_bare_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
