#include "model/adapter.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "io/run.h"
#include "io/safetensors.h"

#define CONFIG "adapter_config.json"
#define TENSORS "adapter_model.safetensors"
#define BASE "base.json"
#define JSON_BYTES_MAX ((size_t)1 << 20)

bool adapter_is(const char *dir)
{
    return file_holds(dir, CONFIG) && !file_holds(dir, "config.json");
}

/* ---- writing ------------------------------------------------------------ */

/* Has an earlier target the same name?  GPT-2 has two c_proj. */
static bool is_named(const struct model *m, enum lora_module module)
{
    const char *name = lora_module_name(&m->config, module);

    for (enum lora_module i = 0; i < module; i++)
        if ((m->lora->config.targets >> i & 1) != 0 &&
            strcmp(lora_module_name(&m->config, i), name) == 0)
            return true;
    return false;
}

static void put_targets(struct json_writer *w, const struct model *m)
{
    json_put_key(w, "target_modules");
    json_open(w, '[');
    for (enum lora_module i = 0; i < LORA_MODULES; i++)
        if ((m->lora->config.targets >> i & 1) != 0 && !is_named(m, i))
            json_put_text(w, lora_module_name(&m->config, i));
    json_close(w, ']');
}

static void put_config(struct buf *out, const struct model *m, const char *base)
{
    const struct lora_config *l = &m->lora->config;
    bool is_score = m->config.head == HEAD_SCORE;
    struct json_writer w;

    json_writer_init(&w, out, true);
    json_open(&w, '{');
    json_field_text(&w, "peft_type", "LORA");
    json_field_text(&w, "task_type", is_score ? "SEQ_CLS" : "CAUSAL_LM");
    json_field_text(&w, "base_model_name_or_path", base);
    json_field_int(&w, "r", l->rank);
    json_field_number(&w, "lora_alpha", l->alpha);
    json_field_number(&w, "lora_dropout", 0);
    json_field_bool(&w, "use_rslora", l->rslora);
    json_field_text(&w, "bias", "none");
    json_field_bool(&w, "fan_in_fan_out",
                    arch_get(m->config.arch)->files->is_conv1d);
    json_field_bool(&w, "inference_mode", true);
    put_targets(&w, m);
    json_put_key(&w, "modules_to_save");
    if (is_score) {
        json_open(&w, '[');
        json_put_text(&w, "score");
        json_close(&w, ']');
    } else {
        json_put_null(&w);
    }
    json_close(&w, '}');
    buf_putc(out, '\n');
}

static enum status write_text(const char *dir, const char *name,
                              const struct buf *text, struct err *err)
{
    char path[FILE_PATH_MAX];

    TRY(buf_status(text, err));
    TRY(file_join(path, dir, name, err));
    return file_write(path, text->data, text->len, err);
}

static enum status write_tensors(const char *dir, const struct model *m,
                                 struct err *err)
{
    size_t n = model_trainable_tensors(m);
    struct param_view *view = NULL;
    struct tensor_out *tensor = NULL;
    char path[FILE_PATH_MAX];
    enum status status = OK;

    TRY_DONE(MEM_NEW(view, n, err));
    TRY_DONE(MEM_NEW(tensor, n, err));
    for (size_t i = 0; i < n; i++) {
        view[i] = model_trainable_view(m, i);
        tensor[i] =
            (struct tensor_out){.name = view[i].name,
                                .n_dim = 2,
                                .dim = {view[i].rows, view[i].cols},
                                .data = m->lora->params + view[i].offset};
    }
    TRY_DONE(file_join(path, dir, TENSORS, err));
    status = safetensors_write(path, tensor, n, err);
done:
    mem_free(tensor);
    mem_free(view);
    return status;
}

enum status adapter_write(const char *dir, const struct model *m,
                          const char *base, const char *home, struct err *err)
{
    char whole[FILE_PATH_MAX], way[FILE_PATH_MAX];
    struct buf text;
    struct json_writer w;
    enum status status = OK;

    buf_init(&text, JSON_BYTES_MAX);
    TRY_DONE(file_absolute(whole, base, err));
    TRY_DONE(file_relative(way, home, base, err));
    put_config(&text, m, whole);
    TRY_DONE(write_text(dir, CONFIG, &text, err));
    buf_clear(&text);
    json_writer_init(&w, &text, true);
    json_open(&w, '{');
    json_field_text(&w, "path", way);
    if (m->config.head == HEAD_SCORE)
        score_length_write(&w, &m->config.length);
    json_close(&w, '}');
    buf_putc(&text, '\n');
    TRY_DONE(write_text(dir, BASE, &text, err));
    status = write_tensors(dir, m, err);
done:
    buf_free(&text);
    return status;
}

/* ---- reading ------------------------------------------------------------ */

static enum status read_json(struct json **out, char path[FILE_PATH_MAX],
                             const char *dir, const char *name, struct err *err)
{
    TRY(file_join(path, dir, name, err));
    TRY(file_need(path, err));
    TRY(json_read(out, path, JSON_BYTES_MAX, err));
    if (json_is_object(*out))
        return OK;
    json_free(*out);
    return err_set(err, ERR_FORMAT, "%s: not a JSON object", path);
}

/* The base by the way that base.json gives; false when it leads nowhere. */
static bool find_by_way(char out[FILE_PATH_MAX], const char *dir)
{
    char path[FILE_PATH_MAX], base[FILE_PATH_MAX];
    struct json *json = NULL;

    if (!file_holds(dir, BASE) || read_json(&json, path, dir, BASE, NULL) != OK)
        return false;
    const char *way = json_text(json_get(json, "path"), "");
    bool found = way[0] != '\0' && file_join(base, dir, way, NULL) == OK &&
                 run_find_model(out, base, NULL, NULL) == OK;
    json_free(json);
    return found;
}

enum status adapter_find_base(char out[FILE_PATH_MAX], const char *dir,
                              struct err *err)
{
    char path[FILE_PATH_MAX];
    struct json *json = NULL;
    const char *name;

    if (find_by_way(out, dir))
        return OK;
    TRY(read_json(&json, path, dir, CONFIG, err));
    enum status status =
        json_need_text(&name, json, "base_model_name_or_path", path, err);
    if (status == OK) {
        status = run_find_model(out, name, NULL, err);
        if (status != OK)
            (void)err_context(err, "%s: the adapter's base", path);
    }
    json_free(json);
    return status;
}

enum status adapter_head(enum model_head *out, const char *dir, struct err *err)
{
    char path[FILE_PATH_MAX];
    struct json *json = NULL;

    TRY(read_json(&json, path, dir, CONFIG, err));
    *out = strcmp(json_text(json_get(json, "task_type"), ""), "SEQ_CLS") == 0
               ? HEAD_SCORE
               : HEAD_LM;
    json_free(json);
    return OK;
}

/* Is a setting absent, or what it is when nobody uses it? */
static bool is_off(const struct json *node)
{
    return node == NULL || json_is_null(node) ||
           (json_is_bool(node) && !json_bool(node, true)) ||
           (json_is_number(node) && json_number(node, 1) == 0) ||
           ((json_is_array(node) || json_is_object(node)) &&
            json_size(node) == 0) ||
           (json_is_string(node) && (strcmp(json_text(node, ""), "none") == 0 ||
                                     json_text(node, "x")[0] == '\0'));
}

/* Settings that change the arithmetic and that we do not have. */
static enum status refuse_variants(const struct json *json, const char *path,
                                   struct err *err)
{
    static const char *const off[] = {
        "use_dora",
        "rank_pattern",
        "alpha_pattern",
        "bias",
        "lora_bias",
        "layers_to_transform",
        "layers_pattern",
        "layer_replication",
        "megatron_config",
        "trainable_token_indices",
        "target_parameters",
        "exclude_modules",
        "use_bdlora",
        "arrow_config",
        "alora_invocation_tokens",
    };
    const char *type = json_text(json_get(json, "peft_type"), "");

    if (strcmp(type, "LORA") != 0)
        return err_set(err, ERR_MISMATCH,
                       "%s: peft_type '%.40s' is not supported, only LORA",
                       path, type);
    for (size_t i = 0; i < sizeof off / sizeof *off; i++)
        if (!is_off(json_get(json, off[i])))
            return err_set(err, ERR_MISMATCH, "%s: %s is not supported", path,
                           off[i]);
    return OK;
}

static enum status read_targets(unsigned *out, const struct json *node,
                                const struct model_config *c, const char *path,
                                struct err *err)
{
    unsigned targets = 0;

    if (json_is_string(node) && strcmp(json_text(node, ""), "all-linear") == 0)
        return lora_parse_targets(out, "all-linear", c, err);
    if (!json_is_array(node) || json_size(node) == 0)
        return err_set(err, ERR_MISMATCH,
                       "%s: target_modules is no list of module names", path);
    for (size_t i = 0; i < json_size(node); i++) {
        const char *name = json_text(json_at(node, i), "");
        const char *dot = strrchr(name, '.');
        unsigned one = 0;

        /* PEFT writes whole paths of a small model's modules.  That every
         * layer has its own is seen when the tensors are read. */
        if (lora_parse_targets(&one, dot != NULL ? dot + 1 : name, c, NULL) !=
            OK)
            return err_set(err, ERR_MISMATCH,
                           "%s: target_modules: '%.60s' is not supported", path,
                           json_text(json_at(node, i), "(no text)"));
        targets |= one;
    }
    *out = targets;
    return OK;
}

/* A score model's adapter must keep its head; nothing else may be kept. */
static enum status check_saved(const struct json *json, enum model_head head,
                               const char *path, struct err *err)
{
    const struct json *list = json_get(json, "modules_to_save");
    bool has_score = false;

    for (size_t i = 0; i < json_size(list); i++) {
        const char *name = json_text(json_at(list, i), "");

        if (strcmp(name, "score") != 0 && strcmp(name, "classifier") != 0)
            return err_set(err, ERR_MISMATCH,
                           "%s: modules_to_save: '%.60s' is not supported",
                           path, name);
        has_score = has_score || strcmp(name, "score") == 0;
    }
    if (has_score != (head == HEAD_SCORE))
        return err_set(err, ERR_MISMATCH,
                       "%s: an adapter %s a score head, where %s is wanted",
                       path, has_score ? "with" : "without",
                       head == HEAD_SCORE ? "one" : "none");
    return OK;
}

static enum status read_config(struct lora_config *out, const struct model *m,
                               const char *dir, struct err *err)
{
    struct lora_config l = {0};
    char path[FILE_PATH_MAX];
    struct json *json = NULL;
    struct err inner;
    enum status status = OK;

    TRY(read_json(&json, path, dir, CONFIG, err));
    TRY_DONE(refuse_variants(json, path, err));
    TRY_DONE(json_need_int(&l.rank, json, "r", 1, LORA_RANK_MAX, path, err));
    TRY_DONE(json_need_number(&l.alpha, json, "lora_alpha", path, err));
    l.rslora = json_bool(json_get(json, "use_rslora"), false);
    TRY_DONE(read_targets(&l.targets, json_get(json, "target_modules"),
                          &m->config, path, err));
    TRY_DONE(check_saved(json, m->config.head, path, err));
    if (lora_check(&l, &m->config, &inner) != OK)
        TRY_DONE(err_set(err, ERR_FORMAT, "%s: %s", path, inner.text));
    *out = l;
done:
    json_free(json);
    return status;
}

static enum status check_tensor(const struct tensor_view *t,
                                const struct param_view *want, const char *path,
                                struct err *err)
{
    if (t == NULL)
        return err_set(err, ERR_MISMATCH, "%s: no tensor %s", path, want->name);
    if (t->type == TENSOR_OTHER)
        return err_set(err, ERR_MISMATCH,
                       "%s: tensor %s is %s; F32, F16 and BF16 are read", path,
                       want->name, t->dtype);
    if (t->n_dim != 2 || t->dim[0] != want->rows || t->dim[1] != want->cols)
        return err_set(err, ERR_MISMATCH,
                       "%s: tensor %s is not [%zu,%zu], as the base and " CONFIG
                       " say",
                       path, want->name, want->rows, want->cols);
    return OK;
}

/* What the file has is what the adapter wants, no less and no more. */
static enum status check_tensors(const struct safetensors *file,
                                 const struct lora_config *l,
                                 const struct model_config *c, const char *path,
                                 struct err *err)
{
    size_t n = lora_tensors(l, c);

    for (size_t i = 0; i < n; i++) {
        struct param_view view = lora_view(l, c, i);

        TRY(check_tensor(safetensors_find(file, view.name), &view, path, err));
    }
    /* All of ours are there and different, so more are foreign. */
    if (file->n != n)
        return err_set(err, ERR_MISMATCH,
                       "%s: %zu tensors where the adapter has %zu", path,
                       file->n, n);
    return OK;
}

static enum status read_tensors(struct lora *l, const struct model_config *c,
                                const struct safetensors *file,
                                const char *path, struct err *err)
{
    for (size_t i = 0; i < lora_tensors(&l->config, c); i++) {
        struct param_view view = lora_view(&l->config, c, i);
        const struct tensor_view *t = safetensors_find(file, view.name);
        float *to = l->params + view.offset;

        TRY(safetensors_floats(to, t, err));
        TRY(tensor_check_finite(to, t, 0, t->count, path, err));
    }
    return OK;
}

static enum status read_values(struct lora **out, const struct lora_config *l,
                               const struct model_config *c, const char *dir,
                               struct err *err)
{
    struct safetensors file;
    struct lora *lora = NULL;
    char path[FILE_PATH_MAX];
    enum status status = OK;

    TRY(file_join(path, dir, TENSORS, err));
    TRY(file_need(path, err));
    TRY(safetensors_open(&file, path, err));
    /* Before memory is asked for, which a rank alone can make any amount. */
    TRY_DONE(check_tensors(&file, l, c, path, err));
    TRY_DONE(lora_create(&lora, l, c, 0, err));
    status = read_tensors(lora, c, &file, path, err);
    if (status == OK)
        *out = lora;
    else
        lora_free(lora);
done:
    safetensors_close(&file);
    return status;
}

enum status adapter_read_length(struct model_config *c, const char *dir,
                                struct err *err)
{
    char path[FILE_PATH_MAX];
    struct json *json = NULL;

    if (c->head != HEAD_SCORE || !file_holds(dir, BASE))
        return OK;
    TRY(read_json(&json, path, dir, BASE, err));
    enum status status = score_length_parse(&c->length, json, path, err);
    json_free(json);
    return status;
}

/* The folder's adapter for a model of m's shape. */
static enum status read_adapter(struct lora **out, const struct model *m,
                                const char *dir, struct err *err)
{
    struct lora_config config;

    TRY(read_config(&config, m, dir, err));
    return read_values(out, &config, &m->config, dir, err);
}

enum status adapter_read(struct model *m, const char *dir, struct err *err)
{
    TRY(adapter_read_length(&m->config, dir, err));
    return read_adapter(&m->lora, m, dir, err);
}

enum status adapter_reload(struct model *m, const char *dir, struct err *err)
{
    struct lora *other = NULL;
    const struct lora_config *a = &m->lora->config;

    TRY(read_adapter(&other, m, dir, err));
    const struct lora_config *b = &other->config;
    enum status status = OK;
    if (a->rank != b->rank || a->targets != b->targets ||
        a->alpha != b->alpha || a->rslora != b->rslora)
        status =
            err_set(err, ERR_MISMATCH,
                    "%s: the adapter is of another shape than the run's", dir);
    else
        memcpy(m->lora->params, other->params,
               m->lora->n * sizeof *m->lora->params);
    lora_free(other);
    return status;
}
