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

/* Floats of the rotary table: a million positions of 128 channels.  Unlike
 * parameters no file backs them, so a few bytes could ask for any number. */
#define ROPE_MAX ((size_t)1 << 27)

/* The integer keys: where each goes and what it may be. */
struct dim_row {
    const char *key;
    size_t offset;
    int64_t high;
};

static const struct dim_row dims[] = {
    {"vocab_size", offsetof(struct model_config, V), V_MAX},
    {"hidden_size", offsetof(struct model_config, C), C_MAX},
    {"num_hidden_layers", offsetof(struct model_config, L), L_MAX},
    {"num_attention_heads", offsetof(struct model_config, H), H_MAX},
    {"num_key_value_heads", offsetof(struct model_config, G), H_MAX},
    {"head_dim", offsetof(struct model_config, D), D_MAX},
    {"intermediate_size", offsetof(struct model_config, F), F_MAX},
    {"max_position_embeddings", offsetof(struct model_config, T_max), T_MAX},
};
#define N_DIMS (sizeof dims / sizeof dims[0])

static size_t *dim_of(struct model_config *c, const struct dim_row *row)
{
    return (size_t *)(void *)((char *)c + row->offset);
}

static size_t dim_value(const struct model_config *c, const struct dim_row *row)
{
    size_t value;

    memcpy(&value, (const char *)c + row->offset, sizeof value);
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

enum status model_config_check(const struct model_config *c, struct err *err)
{
    for (size_t i = 0; i < N_DIMS; i++) {
        size_t value = dim_value(c, &dims[i]);

        if (value < 1 || value > (size_t)dims[i].high)
            return err_set(err, ERR_ARG, "%s is %zu, want 1..%" PRId64,
                           dims[i].key, value, dims[i].high);
    }
    if (c->H % c->G != 0)
        return err_set(err, ERR_ARG,
                       "num_attention_heads %zu is not a multiple of "
                       "num_key_value_heads %zu",
                       c->H, c->G);
    if (c->D % 2 != 0)
        return err_set(err, ERR_ARG,
                       "head_dim is %zu; rotary positions want an even number",
                       c->D);
    if (c->H * c->D > F_MAX)
        return err_set(err, ERR_ARG,
                       "num_attention_heads * head_dim is %zu, at most %d",
                       c->H * c->D, F_MAX);
    if (c->T_max * c->D > ROPE_MAX)
        return err_set(err, ERR_ARG,
                       "max_position_embeddings * head_dim is %zu, at most %zu",
                       c->T_max * c->D, ROPE_MAX);
    if (!(c->rope_theta >= 1 && c->rope_theta <= 1e12))
        return err_set(err, ERR_ARG, "rope_theta is %g, want 1..1e12",
                       c->rope_theta);
    if (!(c->norm_eps > 0 && c->norm_eps <= 0.1))
        return err_set(err, ERR_ARG, "rms_norm_eps is %g, want 0 < eps <= 0.1",
                       c->norm_eps);
    if (c->head != HEAD_LM && c->head != HEAD_SCORE)
        return err_set(err, ERR_ARG, "unknown head %d", (int)c->head);
    TRY(check_token("bos_token_id", c->bos, c->V, err));
    TRY(check_token("eos_token_id", c->eos, c->V, err));
    return check_token("pad_token_id", c->pad, c->V, err);
}

/* Keys that change the arithmetic: only the value that means "off" will do. */
static enum status refuse_variants(const struct json *json, const char *what,
                                   struct err *err)
{
    static const struct {
        const char *key;
        const char *text; // the only text allowed, or NULL
        double number;    // the only number allowed (booleans count as 0, 1)
    } only[] = {
        {"model_type", "llama", 0},       {"hidden_act", "silu", 0},
        {"attention_bias", NULL, 0},      {"mlp_bias", NULL, 0},
        {"sliding_window", NULL, 0},      {"use_sliding_window", NULL, 0},
        {"pretraining_tp", NULL, 1},      {"partial_rotary_factor", NULL, 1},
        {"quantization_config", NULL, 0},
    };

    for (size_t i = 0; i < sizeof only / sizeof only[0]; i++) {
        const struct json *node = json_get(json, only[i].key);
        double number;

        if (node == NULL || json_is_null(node))
            continue;
        number = json_is_bool(node) ? (json_bool(node, false) ? 1 : 0)
                                    : json_number(node, (double)NAN);
        if (only[i].text != NULL
                ? strcmp(json_text(node, ""), only[i].text) != 0
                : !(number == only[i].number)) {
            struct buf text;

            buf_init(&text, 4096);
            json_dump(&text, node);
            (void)err_set(err, ERR_MISMATCH, "%s: %s %.80s is not supported",
                          what, only[i].key, buf_text(&text));
            buf_free(&text);
            return ERR_MISMATCH;
        }
    }
    if (json_get(json, "model_type") == NULL)
        return err_set(err, ERR_FORMAT, "%s: no model_type", what);
    return OK;
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

/* rope_theta and its kind: v4 has rope_theta and rope_scaling at the top, v5
 * puts both into rope_parameters. */
static enum status parse_rope(struct model_config *out, const struct json *json,
                              const char *what, struct err *err)
{
    static const char *const block[] = {"rope_scaling", "rope_parameters"};

    TRY(parse_real(&out->rope_theta, json, "rope_theta", 10000, what, err));
    for (size_t i = 0; i < 2; i++) {
        const struct json *node = json_get(json, block[i]);
        const char *type;

        if (node == NULL || json_is_null(node))
            continue;
        type = json_text(json_get(node, "rope_type"),
                         json_text(json_get(node, "type"), "default"));
        if (!json_is_object(node) || strcmp(type, "default") != 0)
            return err_set(err, ERR_MISMATCH,
                           "%s: %s of type %.40s is not supported", what,
                           block[i], type);
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
    const struct json *list = json_get(json, "architectures");
    const char *name = json_text(json_at(list, 0), "");
    size_t labels = json_size(json_get(json, "id2label"));

    if (json_size(list) != 1)
        return err_set(err, ERR_FORMAT, "%s: architectures must name one class",
                       what);
    if (strcmp(name, "LlamaForCausalLM") == 0) {
        out->head = HEAD_LM;
        return OK;
    }
    if (strcmp(name, "LlamaForSequenceClassification") != 0)
        return err_set(err, ERR_MISMATCH,
                       "%s: architecture %.80s is not supported", what, name);
    out->head = HEAD_SCORE;
    if (labels == 0)
        labels = (size_t)json_int(json_get(json, "num_labels"), 2);
    if (labels != 1)
        return err_set(err, ERR_MISMATCH,
                       "%s: a score head has 1 label, this one %zu", what,
                       labels);
    return OK;
}

enum status model_config_parse_token(int32_t *out, const struct json *json,
                                     const char *key, const char *what,
                                     struct err *err)
{
    const struct json *node = json_get(json, key);
    int64_t id;

    *out = -1;
    if (json_is_array(node)) {
        if (json_size(node) != 1)
            return err_set(err, ERR_MISMATCH,
                           "%s: %s lists %zu tokens; one is supported", what,
                           key, json_size(node));
        node = json_at(node, 0);
    }
    if (node == NULL || json_is_null(node))
        return OK;
    id = json_int(node, -2);
    if (!json_is_number(node) || id < -1 || id >= V_MAX)
        return err_set(err, ERR_FORMAT, "%s: %s is not a token id", what, key);
    *out = (int32_t)id;
    return OK;
}

static enum status parse_dims(struct model_config *out, const struct json *json,
                              const char *what, struct err *err)
{
    for (size_t i = 0; i < N_DIMS; i++) {
        const struct json *node = json_get(json, dims[i].key);
        size_t *dim = dim_of(out, &dims[i]);
        int64_t value;

        /* Two keys may be left out; their defaults come from earlier rows. */
        if (node == NULL || json_is_null(node)) {
            if (dim == &out->G) {
                *dim = out->H;
                continue;
            }
            if (dim == &out->D && out->C % out->H == 0) {
                *dim = out->C / out->H;
                continue;
            }
        }
        TRY(json_need_int(&value, json, dims[i].key, 1, dims[i].high, what,
                          err));
        *dim = (size_t)value;
    }
    return OK;
}

enum status model_config_parse(struct model_config *out,
                               const struct json *json, const char *what,
                               struct err *err)
{
    struct model_config c = {0};
    struct err inner;

    if (!json_is_object(json))
        return err_set(err, ERR_FORMAT, "%s: not a JSON object", what);
    TRY(refuse_variants(json, what, err));
    TRY(parse_dims(&c, json, what, err));
    TRY(parse_rope(&c, json, what, err));
    TRY(parse_head(&c, json, what, err));
    TRY(model_config_parse_token(&c.bos, json, "bos_token_id", what, err));
    TRY(model_config_parse_token(&c.eos, json, "eos_token_id", what, err));
    TRY(model_config_parse_token(&c.pad, json, "pad_token_id", what, err));
    TRY(parse_real(&c.norm_eps, json, "rms_norm_eps", 1e-6, what, err));
    c.tied = json_bool(json_get(json, "tie_word_embeddings"), false);
    if (model_config_check(&c, &inner) != OK)
        return err_set(err, ERR_FORMAT, "%s: %s", what, inner.text);
    *out = c;
    return OK;
}

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

void model_config_write(struct buf *out, const struct model_config *c)
{
    struct json_writer w;

    json_writer_init(&w, out, true);
    json_open(&w, '{');
    json_put_key(&w, "architectures");
    json_open(&w, '[');
    json_put_text(&w, c->head == HEAD_LM ? "LlamaForCausalLM"
                                         : "LlamaForSequenceClassification");
    json_close(&w, ']');
    json_field_text(&w, "model_type", "llama");
    for (size_t i = 0; i < N_DIMS; i++)
        json_field_int(&w, dims[i].key, (int64_t)dim_value(c, &dims[i]));
    json_field_text(&w, "hidden_act", "silu");
    json_field_bool(&w, "attention_bias", false);
    json_field_bool(&w, "mlp_bias", false);
    json_field_number(&w, "rms_norm_eps", c->norm_eps);
    json_field_number(&w, "rope_theta", c->rope_theta);
    json_field_bool(&w, "tie_word_embeddings", c->tied);
    put_token(&w, "bos_token_id", c->bos);
    put_token(&w, "eos_token_id", c->eos);
    put_token(&w, "pad_token_id", c->pad);
    if (c->head == HEAD_SCORE)
        put_labels(&w);
    json_field_text(&w, "torch_dtype", "float32");
    json_close(&w, '}');
    buf_putc(out, '\n');
}
