#include "cli/inspect.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "io/run.h"
#include "io/safetensors.h"
#include "io/tokenizer.h"
#include "model/adapter.h"
#include "model/checkpoint.h"
#include "model/params.h"

#define CONFIG_MAX ((size_t)1 << 20)

static void put_length(struct json_writer *w, const struct score_length *s)
{
    json_field_number(w, "length_gain", s->gain);
    json_field_number(w, "length_target", s->target);
}

static void put_shape(struct json_writer *w, const struct model_config *c)
{
    json_field_text(w, "head", c->head == HEAD_LM ? "lm" : "score");
    json_field_int(w, "parameters", (int64_t)params_count(c));
    json_field_int(w, "vocabulary", (int64_t)c->V);
    json_field_int(w, "channels", (int64_t)c->C);
    json_field_int(w, "layers", (int64_t)c->L);
    json_field_int(w, "heads", (int64_t)c->H);
    json_field_int(w, "kv_heads", (int64_t)c->G);
    json_field_int(w, "head_size", (int64_t)c->D);
    json_field_int(w, "feed_forward", (int64_t)c->F);
    json_field_int(w, "positions", (int64_t)c->T_max);
    json_field_number(w, "rope_theta", c->rope_theta);
    json_field_number(w, "norm_eps", c->norm_eps);
    json_field_bool(w, "tied", c->tied);
    json_field_int(w, "eos", c->eos);
    json_field_int(w, "pad", c->pad);
    if (c->head == HEAD_SCORE)
        put_length(w, &c->length);
}

static enum status put_tokenizer(struct json_writer *w, const char *dir,
                                 const struct model_config *c, struct err *err)
{
    struct tokenizer *t;
    TRY(checkpoint_tokenizer(&t, dir, err));
    size_t n = tokenizer_size(t);
    json_put_key(w, "tokenizer");
    json_open(w, '{');
    json_field_int(w, "size", (int64_t)n);
    json_field_bool(w, "fits", n <= c->V);
    if (c->eos >= 0)
        json_field_text(w, "eos", tokenizer_token(t, c->eos));
    json_close(w, '}');
    tokenizer_free(t);
    return OK;
}

/* The header of the weights, which tells a file that is cut short. */
static enum status put_weights(struct json_writer *w, const char *path,
                               struct err *err)
{
    struct safetensors s;
    TRY(safetensors_open(&s, path, err));
    json_field_int(w, "tensors", (int64_t)s.n);
    safetensors_close(&s);
    return OK;
}

enum status inspect_model(struct json_writer *w, const char *dir,
                          struct err *err)
{
    char path[FILE_PATH_MAX];
    struct json *json;
    struct model_config c;
    TRY(file_join(path, dir, "config.json", err));
    TRY(json_read(&json, path, CONFIG_MAX, err));
    enum status status = model_config_parse(&c, json, path, err);
    json_free(json);
    TRY(status);
    json_field_text(w, "kind", "model");
    json_field_text(w, "path", dir);
    put_shape(w, &c);
    TRY(file_join(path, dir, "model.safetensors", err));
    if (file_exists(path))
        TRY(put_weights(w, path, err));
    TRY(file_join(path, dir, "tokenizer.json", err));
    return file_exists(path) ? put_tokenizer(w, dir, &c, err) : OK;
}

/* What adapter_config.json says, as it says it. */
static void put_adapter(struct json_writer *w, const struct json *config)
{
    static const char *const member[] = {
        "base_model_name_or_path", "task_type", "r", "lora_alpha", "use_rslora",
        "target_modules",
    };
    for (size_t i = 0; i < sizeof member / sizeof *member; i++) {
        const struct json *node = json_get(config, member[i]);
        if (!node)
            continue;
        json_put_key(w, member[i]);
        json_put_node(w, node);
    }
}

enum status inspect_adapter(struct json_writer *w, const char *dir,
                            struct err *err)
{
    char path[FILE_PATH_MAX], base[FILE_PATH_MAX];
    struct json *json;
    struct safetensors s;
    uint64_t values = 0;
    TRY(file_join(path, dir, "adapter_config.json", err));
    TRY(json_read(&json, path, CONFIG_MAX, err));
    json_field_text(w, "kind", "adapter");
    json_field_text(w, "path", dir);
    put_adapter(w, json);
    json_free(json);
    struct err missing = {OK, ""};
    bool has_base = adapter_find_base(base, dir, &missing) == OK;
    json_field_text(w, "base", has_base ? base : NULL);
    if (!has_base)
        json_field_text(w, "base_missing", missing.text);
    struct model_config c = {.head = HEAD_LM};
    TRY(adapter_head(&c.head, dir, err));
    if (c.head == HEAD_SCORE) {
        TRY(adapter_read_length(&c, dir, err));
        put_length(w, &c.length);
    }
    TRY(file_join(path, dir, "adapter_model.safetensors", err));
    TRY(safetensors_open(&s, path, err));
    for (size_t i = 0; i < s.n; i++)
        values += s.tensor[i].count;
    json_field_int(w, "parameters", (int64_t)values);
    json_field_int(w, "tensors", (int64_t)s.n);
    safetensors_close(&s);
    return OK;
}

static enum status put_checkpoints(struct json_writer *w, const char *dir,
                                   struct err *err)
{
    int64_t *step = NULL;
    size_t n = 0;
    TRY(run_checkpoints(&step, &n, dir, err));
    json_put_key(w, "checkpoints");
    json_open(w, '[');
    for (size_t i = 0; i < n; i++)
        json_put_int(w, step[i]);
    json_close(w, ']');
    mem_free(step);
    return OK;
}

/* The last row of metrics.jsonl. */
static enum status put_metrics(struct json_writer *w, const char *path,
                               struct err *err)
{
    struct run_table t;
    TRY(run_table_read(&t, path, err));
    json_field_int(w, "rows", (int64_t)t.n);
    if (t.n) {
        const double *last = t.value + (t.n - 1) * t.columns;
        json_field_int(w, "last_step", t.step[t.n - 1]);
        json_put_key(w, "metrics");
        json_open(w, '{');
        for (size_t i = 0; i < t.columns; i++)
            json_field_number(w, t.name[i], last[i]);
        json_close(w, '}');
    }
    run_table_free(&t);
    return OK;
}

static enum status put_config(struct json_writer *w, const char *path,
                              struct err *err)
{
    struct buf text;
    buf_init(&text, CONFIG_MAX);
    enum status status = file_read(&text, path, err);
    if (status == OK)
        json_field_text(w, "config", buf_text(&text));
    buf_free(&text);
    return status;
}

enum status inspect_run(struct json_writer *w, const char *dir, struct err *err)
{
    char path[FILE_PATH_MAX];
    json_field_text(w, "kind", "run");
    json_field_text(w, "path", dir);
    TRY(file_join(path, dir, "result.json", err));
    json_field_bool(w, "complete", file_exists(path));
    TRY(put_checkpoints(w, dir, err));
    TRY(file_join(path, dir, "metrics.jsonl", err));
    if (file_exists(path))
        TRY(put_metrics(w, path, err));
    TRY(file_join(path, dir, "config.yaml", err));
    return file_exists(path) ? put_config(w, path, err) : OK;
}
