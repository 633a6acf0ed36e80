#include "model/config.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/*
 * Bounds.  Together they keep every size the code computes far below 2^63:
 * parameters below 2^44 floats, a token's activations below 2^28.
 */
#define V_MAX ((int64_t)1 << 20)
#define C_MAX 16384
#define L_MAX 256
#define H_MAX 1024
#define D_MAX 1024
#define F_MAX 65536
#define T_MAX ((int64_t)1 << 20)

/* The dimensions: where each goes and what it may be. */
static const struct dim_row {
    size_t offset;
    int64_t high;
} dims[ARCH_DIMS] = {
    [DIM_V] = {offsetof(struct model_config, V), V_MAX},
    [DIM_C] = {offsetof(struct model_config, C), C_MAX},
    [DIM_L] = {offsetof(struct model_config, L), L_MAX},
    [DIM_H] = {offsetof(struct model_config, H), H_MAX},
    [DIM_G] = {offsetof(struct model_config, G), H_MAX},
    [DIM_D] = {offsetof(struct model_config, D), D_MAX},
    [DIM_F] = {offsetof(struct model_config, F), F_MAX},
    [DIM_T] = {offsetof(struct model_config, T_max), T_MAX},
};

static size_t *dim_of(struct model_config *c, enum arch_dim d)
{
    return (size_t *)(void *)((char *)c + dims[d].offset);
}

static size_t dim_value(const struct model_config *c, enum arch_dim d)
{
    size_t value;

    memcpy(&value, (const char *)c + dims[d].offset, sizeof value);
    return value;
}

static enum status check_token(const char *key, int32_t id, size_t V,
                               struct err *err)
{
    if (id < -1 || (id >= 0 && (size_t)id >= V))
        return err_set(err, ERR_ARG,
                       "%s is %" PRId32 ", outside the vocabulary of %zu", key,
                       id, V);
    return OK;
}

static enum status check_dims(const struct model_config *c, struct err *err)
{
    for (enum arch_dim d = 0; d < ARCH_DIMS; d++) {
        size_t value = dim_value(c, d);

        if (value < 1 || value > (size_t)dims[d].high)
            return err_set(err, ERR_ARG, "%s is %zu, want 1..%" PRId64,
                           arch_key(arch_get(c->arch), d), value, dims[d].high);
    }
    if (c->H % c->G != 0)
        return err_set(err, ERR_ARG,
                       "%s %zu is not a multiple of num_key_value_heads %zu",
                       arch_key(arch_get(c->arch), DIM_H), c->H, c->G);
    if (c->H * c->D > F_MAX)
        return err_set(err, ERR_ARG,
                       "num_attention_heads * head_dim is %zu, at most %d",
                       c->H * c->D, F_MAX);
    return OK;
}

static enum status check_rope(const struct model_config *c, struct err *err)
{
    const struct rope_stretch *s = &c->stretch;

    if (arch_get(c->arch)->is_learned)
        return OK;
    if (c->D % 2 != 0)
        return err_set(err, ERR_ARG,
                       "head_dim is %zu; rotary positions want an even number",
                       c->D);
    if (!(c->rope_theta >= 1 && c->rope_theta <= 1e12))
        return err_set(err, ERR_ARG, "rope_theta is %g, want 1..1e12",
                       c->rope_theta);
    if (s->kind == ROPE_PLAIN)
        return OK;
    if (!(s->factor >= 1 && s->factor <= 1e6))
        return err_set(err, ERR_ARG, "rope factor is %g, want 1..1e6",
                       s->factor);
    if (s->kind == ROPE_LINEAR)
        return OK;
    if (!(s->low > 0 && s->low < s->high && s->high <= 1e6))
        return err_set(err, ERR_ARG,
                       "low_freq_factor %g and high_freq_factor %g, want "
                       "0 < low < high <= 1e6",
                       s->low, s->high);
    if (!(s->original >= 1 && s->original <= (double)T_MAX))
        return err_set(
            err, ERR_ARG,
            "original_max_position_embeddings is %g, want 1..%" PRId64,
            s->original, T_MAX);
    return OK;
}

static enum status check_tokens(const struct model_config *c, struct err *err)
{
    TRY(check_token("bos_token_id", c->bos, c->V, err));
    TRY(check_token("eos_token_id", c->eos, c->V, err));
    TRY(check_token("pad_token_id", c->pad, c->V, err));
    if (c->n_stop > MODEL_STOPS_MAX)
        return err_set(err, ERR_ARG, "%zu tokens that end a response",
                       c->n_stop);
    for (size_t i = 0; i < c->n_stop; i++)
        TRY(check_token("eos_token_id", c->stop[i], c->V, err));
    return OK;
}

enum status model_config_check(const struct model_config *c, struct err *err)
{
    const struct arch *arch;

    if (c->arch >= arch_count())
        return err_set(err, ERR_ARG, "unknown architecture %zu", c->arch);
    arch = arch_get(c->arch);
    TRY(check_dims(c, err));
    TRY(check_rope(c, err));
    if (!(c->norm_eps > 0 && c->norm_eps <= 0.1))
        return err_set(err, ERR_ARG, "%s is %g, want 0 < eps <= 0.1",
                       arch->files->eps, c->norm_eps);
    if (c->attention_bias && !arch->may_bias)
        return err_set(err, ERR_ARG, "attention_bias is not for %s",
                       arch->model_type);
    if (c->head != HEAD_LM && c->head != HEAD_SCORE)
        return err_set(err, ERR_ARG, "unknown head %d", (int)c->head);
    return check_tokens(c, err);
}

/* ---- reading ------------------------------------------------------------- */

static bool is_given(const struct json *node)
{
    return node != NULL && !json_is_null(node);
}

static enum status refuse(const struct json *node, const char *key,
                          const char *what, struct err *err)
{
    struct buf text;

    buf_init(&text, 4096);
    json_dump(&text, node);
    (void)err_set(err, ERR_MISMATCH, "%s: %s %.80s is not supported", what, key,
                  buf_text(&text));
    buf_free(&text);
    return ERR_MISMATCH;
}

/* A number, booleans being 0 and 1; NaN otherwise. */
static double number_of(const struct json *node)
{
    return json_is_bool(node) ? (json_bool(node, false) ? 1 : 0)
                              : json_number(node, (double)NAN);
}

/* Attention over all that went before, in every layer. */
static enum status refuse_windows(const struct arch *arch,
                                  const struct json *json, const char *what,
                                  struct err *err)
{
    const struct json *window = json_get(json, "sliding_window");
    const struct json *use = json_get(json, "use_sliding_window");
    const struct json *types = json_get(json, "layer_types");

    if (is_given(use) && number_of(use) != 0)
        return refuse(use, "use_sliding_window", what, err);
    if (arch->window != WINDOW_SWITCHED && is_given(window))
        return refuse(window, "sliding_window", what, err);
    if (arch->window == WINDOW_NULL && window == NULL)
        return err_set(err, ERR_MISMATCH,
                       "%s: no sliding_window, which for %s means 4096 and is "
                       "not supported; null means none",
                       what, arch->model_type);
    for (size_t i = 0; i < json_size(types); i++)
        if (strcmp(json_text(json_at(types, i), ""), "full_attention") != 0)
            return refuse(types, "layer_types", what, err);
    return OK;
}

/* Keys that change the arithmetic: only the value this code computes. */
static enum status refuse_variants(const struct arch *arch,
                                   const struct json *json, const char *what,
                                   struct err *err)
{
    const struct json *bias = json_get(json, "attention_bias");

    for (const struct arch_rule *r = arch->files->rule; r->key != NULL; r++) {
        const struct json *node = json_get(json, r->key);

        if (!is_given(node))
            continue;
        if (r->text != NULL ? strcmp(json_text(node, ""), r->text) != 0
                            : !(number_of(node) == r->number))
            return refuse(node, r->key, what, err);
    }
    if (is_given(bias) && number_of(bias) != 0 &&
        !(arch->may_bias && number_of(bias) == 1))
        return refuse(bias, "attention_bias", what, err);
    return refuse_windows(arch, json, what, err);
}

/* A real that may be absent or null, then `fallback`. */
static enum status parse_real(double *out, const struct json *json,
                              const char *key, double fallback,
                              const char *what, struct err *err)
{
    const struct json *node = json_get(json, key);

    *out = fallback;
    if (node == NULL || json_is_null(node))
        return OK;
    return json_need_number(out, json, key, what, err);
}

static enum status parse_stretch(struct rope_stretch *out,
                                 const struct json *node, const char *block,
                                 const char *what, struct err *err)
{
    const struct json *named = json_get(node, "rope_type");
    const char *key = named != NULL ? "rope_type" : "type";
    const char *type;

    *out = (struct rope_stretch){.kind = ROPE_PLAIN};
    if (!json_is_object(node))
        return err_set(err, ERR_FORMAT, "%s: %s is not an object", what, block);
    if (named == NULL)
        named = json_get(node, key);
    if (named != NULL && !json_is_string(named))
        return err_set(err, ERR_FORMAT, "%s: %s.%s is not a string", what,
                       block, key);
    type = json_text(named, "default");
    if (strcmp(type, "default") == 0)
        return OK;
    if (strcmp(type, "linear") == 0)
        out->kind = ROPE_LINEAR;
    else if (strcmp(type, "llama3") == 0)
        out->kind = ROPE_LLAMA3;
    else
        return err_set(err, ERR_MISMATCH,
                       "%s: %s of type %.40s is not supported", what, block,
                       type);
    TRY(json_need_number(&out->factor, node, "factor", what, err));
    if (out->kind == ROPE_LINEAR)
        return OK;
    TRY(json_need_number(&out->low, node, "low_freq_factor", what, err));
    TRY(json_need_number(&out->high, node, "high_freq_factor", what, err));
    return json_need_number(&out->original, node,
                            "original_max_position_embeddings", what, err);
}

/* rope_theta and its kind: v4 has rope_theta and rope_scaling at the top, v5
 * puts both into rope_parameters. */
static enum status parse_rope(struct model_config *out, const struct json *json,
                              const char *what, struct err *err)
{
    static const char *const block[] = {"rope_scaling", "rope_parameters"};

    TRY(parse_real(&out->rope_theta, json, "rope_theta", 10000, what, err));
    for (size_t i = 0; i < 2; i++) {
        const struct json *node = json_get(json, block[i]);

        if (!is_given(node))
            continue;
        TRY(parse_stretch(&out->stretch, node, block[i], what, err));
        if (!(json_number(json_get(node, "partial_rotary_factor"), 1) == 1))
            return err_set(err, ERR_MISMATCH,
                           "%s: partial rotary positions are not supported",
                           what);
        TRY(parse_real(&out->rope_theta, node, "rope_theta", out->rope_theta,
                       what, err));
    }
    return OK;
}

static enum status parse_head(struct model_config *out, const struct json *json,
                              const char *what, struct err *err)
{
    const struct arch *arch = arch_get(out->arch);
    const struct json *list = json_get(json, "architectures");
    const char *name = json_text(json_at(list, 0), "");
    size_t labels = json_size(json_get(json, "id2label"));

    if (json_size(list) != 1)
        return err_set(err, ERR_FORMAT, "%s: architectures must name one class",
                       what);
    if (strcmp(name, arch->lm_class) == 0) {
        out->head = HEAD_LM;
        return OK;
    }
    if (strcmp(name, arch->score_class) != 0)
        return err_set(err, ERR_MISMATCH,
                       "%s: architecture %.80s of model_type %s is not "
                       "supported",
                       what, name, arch->model_type);
    out->head = HEAD_SCORE;
    if (labels == 0)
        labels = (size_t)json_int(json_get(json, "num_labels"), 2);
    if (labels != 1)
        return err_set(err, ERR_MISMATCH,
                       "%s: a score head has 1 label, this one %zu", what,
                       labels);
    return OK;
}

static enum status parse_id(int32_t *out, const struct json *node,
                            const char *key, const char *what, struct err *err)
{
    int64_t id = json_int(node, -2);

    if (!json_is_number(node) || id < -1 || id >= V_MAX)
        return err_set(err, ERR_FORMAT, "%s: %s is not a token id", what, key);
    *out = (int32_t)id;
    return OK;
}

enum status model_config_parse_token(int32_t *out, const struct json *json,
                                     const char *key, const char *what,
                                     struct err *err)
{
    const struct json *node = json_get(json, key);

    *out = -1;
    return is_given(node) ? parse_id(out, node, key, what, err) : OK;
}

enum status model_config_parse_eos(struct model_config *c,
                                   const struct json *json, const char *what,
                                   struct err *err)
{
    static const char key[] = "eos_token_id";
    const struct json *node = json_get(json, key);
    size_t n = json_is_array(node) ? json_size(node) : 1;
    int32_t id[MODEL_STOPS_MAX + 1];
    int32_t eos;

    if (!is_given(node) || n == 0)
        return OK;
    if (n > MODEL_STOPS_MAX + 1)
        return err_set(err, ERR_LIMIT, "%s: %s lists %zu tokens, at most %d",
                       what, key, n, MODEL_STOPS_MAX + 1);
    for (size_t i = 0; i < n; i++)
        TRY(parse_id(&id[i], json_is_array(node) ? json_at(node, i) : node, key,
                     what, err));
    eos = id[0];
    for (size_t i = 0; i < n; i++)
        if (c->eos >= 0 && id[i] == c->eos)
            eos = c->eos;
    c->eos = eos;
    c->n_stop = 0;
    for (size_t i = 0; i < n; i++)
        if (id[i] >= 0 && !model_config_stops(c, id[i]))
            c->stop[c->n_stop++] = id[i];
    return OK;
}

bool model_config_stops(const struct model_config *c, int32_t token)
{
    if (token == c->eos)
        return token >= 0;
    for (size_t i = 0; i < c->n_stop; i++)
        if (c->stop[i] == token)
            return true;
    return false;
}

/* A dimension that is absent or null, where that is allowed; earlier ones are
 * known.  0: it must be given. */
static size_t dim_default(const struct model_config *c, enum arch_dim d,
                          bool is_null)
{
    const struct arch *arch = arch_get(c->arch);

    if (d == DIM_G &&
        (arch->is_g_optional || is_null || arch->files->dim[d] == NULL))
        return c->H;
    if (d == DIM_D && arch->D != 0)
        return arch->D;
    if (d == DIM_D && c->C % c->H == 0)
        return c->C / c->H;
    if (d == DIM_F && arch->files->has_f_of_4c)
        return 4 * c->C;
    return 0;
}

static enum status parse_dims(struct model_config *out, const struct json *json,
                              const char *what, struct err *err)
{
    for (enum arch_dim d = 0; d < ARCH_DIMS; d++) {
        const char *key = arch_get(out->arch)->files->dim[d];
        const struct json *node = key == NULL ? NULL : json_get(json, key);
        size_t *dim = dim_of(out, d);
        int64_t value;

        *dim = 0;
        if (!is_given(node))
            *dim = dim_default(out, d, json_is_null(node));
        if (*dim != 0)
            continue;
        if (key == NULL)
            return err_set(err, ERR_FORMAT,
                           "%s: %s %zu is not a multiple of "
                           "%s %zu",
                           what, arch_key(arch_get(out->arch), DIM_C), out->C,
                           arch_key(arch_get(out->arch), DIM_H), out->H);
        TRY(json_need_int(&value, json, key, 1, dims[d].high, what, err));
        *dim = (size_t)value;
    }
    return OK;
}

static enum status parse_arch(struct model_config *out, const struct json *json,
                              const char *what, struct err *err)
{
    const struct json *node = json_get(json, "model_type");

    if (node == NULL)
        return err_set(err, ERR_FORMAT, "%s: no model_type", what);
    out->arch = arch_find(json_text(node, ""));
    if (out->arch == arch_count())
        return refuse(node, "model_type", what, err);
    return OK;
}

enum status model_config_parse(struct model_config *out,
                               const struct json *json, const char *what,
                               struct err *err)
{
    struct model_config c = {.eos = -1};
    const struct arch *arch;
    struct err inner;

    if (!json_is_object(json))
        return err_set(err, ERR_FORMAT, "%s: not a JSON object", what);
    TRY(parse_arch(&c, json, what, err));
    arch = arch_get(c.arch);
    TRY(refuse_variants(arch, json, what, err));
    TRY(parse_dims(&c, json, what, err));
    if (!arch->is_learned)
        TRY(parse_rope(&c, json, what, err));
    TRY(parse_head(&c, json, what, err));
    if (c.head == HEAD_SCORE)
        TRY(score_length_parse(&c.length, json, what, err));
    TRY(model_config_parse_token(&c.bos, json, "bos_token_id", what, err));
    TRY(model_config_parse_eos(&c, json, what, err));
    TRY(model_config_parse_token(&c.pad, json, "pad_token_id", what, err));
    TRY(parse_real(&c.norm_eps, json, arch->files->eps,
                   arch->is_layernorm ? 1e-5 : 1e-6, what, err));
    c.tied = json_bool(json_get(json, "tie_word_embeddings"), arch->is_tied);
    c.attention_bias =
        arch->may_bias && number_of(json_get(json, "attention_bias")) == 1;
    if (model_config_check(&c, &inner) != OK)
        return err_set(err, ERR_FORMAT, "%s: %s", what, inner.text);
    *out = c;
    return OK;
}

/* ---- writing ------------------------------------------------------------- */

static void put_token(struct json_writer *w, const char *key, int32_t id)
{
    json_put_key(w, key);
    if (id < 0)
        json_put_null(w);
    else
        json_put_int(w, id);
}

/* One label, as transformers writes it: num_labels itself is derived. */
static void put_labels(struct json_writer *w)
{
    json_put_key(w, "id2label");
    json_open(w, '{');
    json_field_text(w, "0", "LABEL_0");
    json_close(w, '}');
    json_put_key(w, "label2id");
    json_open(w, '{');
    json_field_int(w, "LABEL_0", 0);
    json_close(w, '}');
}

static void put_rules(struct json_writer *w, const struct model_config *c)
{
    const struct arch *arch = arch_get(c->arch);

    for (const struct arch_rule *r = arch->files->rule; r->key != NULL; r++) {
        if (!r->is_written)
            continue;
        if (r->text != NULL)
            json_field_text(w, r->key, r->text);
        else
            json_field_bool(w, r->key, r->number != 0);
    }
    if (arch->may_bias)
        json_field_bool(w, "attention_bias", c->attention_bias);
    if (arch->window == WINDOW_SWITCHED)
        json_field_bool(w, "use_sliding_window", false);
    if (arch->window == WINDOW_NULL) {
        json_put_key(w, "sliding_window");
        json_put_null(w);
    }
}

static void put_rope(struct json_writer *w, const struct model_config *c)
{
    const struct rope_stretch *s = &c->stretch;

    json_field_number(w, "rope_theta", c->rope_theta);
    if (s->kind == ROPE_PLAIN)
        return;
    json_put_key(w, "rope_scaling");
    json_open(w, '{');
    json_field_text(w, "rope_type",
                    s->kind == ROPE_LINEAR ? "linear" : "llama3");
    json_field_number(w, "factor", s->factor);
    if (s->kind == ROPE_LLAMA3) {
        json_field_number(w, "low_freq_factor", s->low);
        json_field_number(w, "high_freq_factor", s->high);
        json_field_int(w, "original_max_position_embeddings",
                       (int64_t)s->original);
    }
    json_close(w, '}');
}

void model_config_put_eos(struct json_writer *w, const struct model_config *c)
{
    json_put_key(w, "eos_token_id");
    if (c->n_stop == 0) {
        if (c->eos < 0)
            json_put_null(w);
        else
            json_put_int(w, c->eos);
        return;
    }
    json_open(w, '[');
    json_put_int(w, c->eos);
    for (size_t i = 0; i < c->n_stop; i++)
        json_put_int(w, c->stop[i]);
    json_close(w, ']');
}

/* The name that transformers has for a type. */
static const char *dtype_name(enum tensor_type type)
{
    return type == TENSOR_F16    ? "float16"
           : type == TENSOR_BF16 ? "bfloat16"
                                 : "float32";
}

void model_config_write(struct buf *out, const struct model_config *c,
                        enum tensor_type type)
{
    const struct arch *arch = arch_get(c->arch);
    struct json_writer w;

    json_writer_init(&w, out, true);
    json_open(&w, '{');
    json_put_key(&w, "architectures");
    json_open(&w, '[');
    json_put_text(&w, c->head == HEAD_LM ? arch->lm_class : arch->score_class);
    json_close(&w, ']');
    json_field_text(&w, "model_type", arch->model_type);
    for (enum arch_dim d = 0; d < ARCH_DIMS; d++)
        if (arch->files->dim[d] != NULL)
            json_field_int(&w, arch->files->dim[d], (int64_t)dim_value(c, d));
    put_rules(&w, c);
    json_field_number(&w, arch->files->eps, c->norm_eps);
    if (!arch->is_learned)
        put_rope(&w, c);
    json_field_bool(&w, "tie_word_embeddings", c->tied);
    put_token(&w, "bos_token_id", c->bos);
    model_config_put_eos(&w, c);
    put_token(&w, "pad_token_id", c->pad);
    if (c->head == HEAD_SCORE) {
        put_labels(&w);
        score_length_write(&w, &c->length);
    }
    json_field_text(&w, "torch_dtype", dtype_name(type));
    json_close(&w, '}');
    buf_putc(out, '\n');
}
