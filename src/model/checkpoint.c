#include "model/checkpoint.h"

#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "io/safetensors.h"
#include "io/weights.h"
#include "model/adapter.h"
#include "model/checkpoint_internal.h"
#include "model/config_gguf.h"
#include "model/load.h"
#include "model/save.h"

/* A config.json is a few kilobytes, a trainer.json at most a few more. */
#define JSON_BYTES_MAX ((size_t)16 << 20)

/* ---- writing ------------------------------------------------------------- */

/* Where a folder is built, where it goes, and where one in its way waits to
 * be removed.  All three lie side by side, so that rename(2) works. */
struct places {
    char target[FILE_PATH_MAX];
    char building[FILE_PATH_MAX];
    char replaced[FILE_PATH_MAX];
};

static enum status places_of(struct places *p, const char *dir, struct err *err)
{
    char parent[FILE_PATH_MAX];
    char hidden[FILE_PATH_MAX];
    const char *name;
    size_t len;
    struct buf text;
    enum status status = OK;

    buf_init(&text, FILE_PATH_MAX - 1);
    TRY_DONE(file_join(p->target, "", dir, err));
    len = strlen(p->target);
    while (len > 1 && p->target[len - 1] == '/')
        p->target[--len] = '\0';
    name = strrchr(p->target, '/');
    name = name == NULL ? p->target : name + 1;
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        TRY_DONE(err_set(err, ERR_ARG, "%s: no name for a folder", dir));

    TRY_DONE(file_dirname(parent, p->target, err));
    buf_printf(&text, ".%s.tmp", name);
    TRY_DONE(buf_status(&text, err));
    TRY_DONE(file_join(hidden, parent, buf_text(&text), err));
    memcpy(p->building, hidden, sizeof hidden);
    buf_clear(&text);
    buf_printf(&text, ".%s.old", name);
    TRY_DONE(buf_status(&text, err));
    TRY_DONE(file_join(p->replaced, parent, buf_text(&text), err));
done:
    buf_free(&text);
    return status;
}

static enum status write_bytes(const char *dir, const char *name,
                               const void *data, size_t len, struct err *err)
{
    char path[FILE_PATH_MAX];

    TRY(file_join(path, dir, name, err));
    return file_write(path, data, len, err);
}

static enum status write_buf(const char *dir, const char *name,
                             const struct buf *text, struct err *err)
{
    TRY(buf_status(text, err));
    return write_bytes(dir, name, text->data, text->len, err);
}

static void put_generation_config(struct buf *out, const struct model *m)
{
    struct json_writer w;

    json_writer_init(&w, out, true);
    json_open(&w, '{');
    if (m->config.eos >= 0)
        model_config_put_eos(&w, &m->config);
    if (m->config.pad >= 0)
        json_field_int(&w, "pad_token_id", m->config.pad);
    if (m->banned != NULL) {
        json_put_key(&w, "suppress_tokens");
        json_open(&w, '[');
        for (size_t v = 0; v < m->config.V; v++)
            if (m->banned[v])
                json_put_int(&w, (int64_t)v);
        json_close(&w, ']');
    }
    json_close(&w, '}');
    buf_putc(out, '\n');
}

static enum status write_configs(const char *dir, const struct model *m,
                                 enum tensor_type type, int32_t pad,
                                 struct err *err)
{
    struct model_config c = m->config;
    struct buf text;
    enum status status = OK;

    buf_init(&text, JSON_BYTES_MAX);
    c.pad = pad;
    model_config_write(&text, &c, type);
    TRY_DONE(write_buf(dir, "config.json", &text, err));
    if (m->config.head == HEAD_LM) {
        buf_clear(&text);
        put_generation_config(&text, m);
        TRY_DONE(write_buf(dir, "generation_config.json", &text, err));
    }
done:
    buf_free(&text);
    return status;
}

static enum status write_params(const char *dir, const struct model *m,
                                enum tensor_type type, struct err *err)
{
    char path[FILE_PATH_MAX];

    TRY(file_join(path, dir, "model.safetensors", err));
    return save_params(path, m, type, err);
}

/* pad >= 0: what tokenizer_config.json is to say, too. */
static enum status write_tokenizer(const char *dir, const struct tokenizer *t,
                                   int32_t pad, struct err *err)
{
    static const char name[] = "tokenizer_config.json";
    size_t len = 0;
    const char *json = tokenizer_json(t, &len);
    struct buf text;
    enum status status = OK;

    TRY(write_bytes(dir, "tokenizer.json", json, len, err));
    json = tokenizer_config_json(t, &len);
    if (json == NULL && pad < 0)
        return OK;
    if (pad < 0 || tokenizer_token(t, pad) == NULL)
        return json == NULL ? OK : write_bytes(dir, name, json, len, err);
    buf_init(&text, JSON_BYTES_MAX);
    TRY_DONE(
        save_tokenizer_config(&text, json, len, tokenizer_token(t, pad), err));
    TRY_DONE(write_buf(dir, name, &text, err));
done:
    buf_free(&text);
    return status;
}

/* `home` is where the folder will stand. */
static enum status write_all(const char *dir, const struct checkpoint *c,
                             const char *home, struct err *err)
{
    const struct model_config *config = &c->model->config;
    bool is_score = config->head == HEAD_SCORE;
    int32_t pad = is_score ? save_pad(config, c->tokenizer) : config->pad;

    TRY(file_make_dir(dir, err));
    if (c->model->lora != NULL) {
        TRY(adapter_write(dir, c->model, c->base, home, err));
    } else {
        TRY(write_configs(dir, c->model, c->type, pad, err));
        TRY(write_params(dir, c->model, c->type, err));
    }
    if (c->tokenizer != NULL)
        TRY(write_tokenizer(dir, c->tokenizer, is_score ? pad : -1, err));
    if (c->trainer_json != NULL)
        TRY(checkpoint_trainer_write(dir, c, err));
    return file_sync(dir, err);
}

/* Put the finished folder in its place; on failure the former one is there.
 * What waits under p->replaced is let go only once the new one stands: after a
 * kill between the two renames it is all there is. */
static enum status publish(const struct places *p, struct err *err)
{
    enum status status;

    if (file_exists(p->target)) {
        TRY(file_remove(p->replaced, err));
        TRY(file_rename(p->target, p->replaced, err));
    }
    status = file_rename(p->building, p->target, err);
    if (status != OK && !file_exists(p->target) && file_exists(p->replaced))
        (void)!file_rename(p->replaced, p->target, NULL);
    TRY(status);
    return file_remove(p->replaced, err);
}

static enum status write_folder(const char *dir, const struct checkpoint *c,
                                struct err *err)
{
    struct places p;
    enum status status;

    TRY(places_of(&p, dir, err));
    TRY(file_remove(p.building, err));
    status = write_all(p.building, c, p.target, err);
    if (status == OK)
        status = publish(&p, err);
    /* The failure above is the one to report. */
    if (status != OK)
        (void)!file_remove(p.building, NULL);
    return status;
}

enum status checkpoint_write(const char *dir, const struct checkpoint *c,
                             struct err *err)
{
    enum status status = comm_rank(c->comm) == 0
                             ? write_folder(dir, c, err)
                             : checkpoint_trainer_lend(c, err);

    return comm_agree(c->comm, status, err);
}

/* ---- reading ------------------------------------------------------------- */

enum status checkpoint_need_file(char path[FILE_PATH_MAX], const char *dir,
                                 const char *name, struct err *err)
{
    TRY(file_join(path, dir, name, err));
    return file_need(path, err);
}

/* The folder, or a word on where an interrupted replacement left it. */
enum status checkpoint_need_folder(const char *dir, struct err *err)
{
    enum status status = file_need(dir, err);
    struct places p;

    if (status != ERR_MISSING || places_of(&p, dir, NULL) != OK ||
        !file_is_dir(p.replaced))
        return status;
    return err_set(err, ERR_MISSING,
                   "%s does not exist; a write was interrupted, the former "
                   "one is %s",
                   dir, p.replaced);
}

/* config.json of a folder, whose path is told. */
static enum status read_config(struct model_config *out,
                               char path[FILE_PATH_MAX], const char *dir,
                               struct err *err)
{
    struct json *json;

    TRY(checkpoint_need_file(path, dir, "config.json", err));
    TRY(json_read(&json, path, JSON_BYTES_MAX, err));
    enum status status = model_config_parse(out, json, path, err);
    json_free(json);
    return status;
}

/* suppress_tokens as a mask; at least one token must stay. */
static enum status parse_banned(uint8_t **out, const struct json *list,
                                size_t V, const char *what, struct err *err)
{
    uint8_t *banned;
    size_t n_banned = 0;

    if (list == NULL || json_is_null(list) || json_size(list) == 0)
        return OK;
    TRY(MEM_NEW(banned, V, err));
    for (size_t i = 0; i < json_size(list); i++) {
        int64_t id = json_int(json_at(list, i), -1);

        if (id < 0 || id >= (int64_t)V) {
            mem_free(banned);
            return err_set(err, ERR_MISMATCH,
                           "%s: suppress_tokens[%zu] is not a token id below "
                           "%zu",
                           what, i, V);
        }
        n_banned += banned[id] == 0;
        banned[id] = 1;
    }
    if (n_banned == V) {
        mem_free(banned);
        return err_set(err, ERR_MISMATCH, "%s: suppress_tokens leaves no token",
                       what);
    }
    *out = banned;
    return OK;
}

/* What generation_config.json adds: its eos is the one generation heeds. */
static enum status read_generation(struct model *m, const char *dir,
                                   struct err *err)
{
    char path[FILE_PATH_MAX];
    struct json *json = NULL;
    struct err inner;
    enum status status = OK;

    TRY(file_join(path, dir, "generation_config.json", err));
    if (!file_exists(path))
        return OK;
    TRY(json_read(&json, path, JSON_BYTES_MAX, err));
    TRY_DONE(model_config_parse_eos(&m->config, json, path, err));
    if (model_config_check(&m->config, &inner) != OK)
        TRY_DONE(err_set(err, ERR_MISMATCH, "%s: %s", path, inner.text));
    TRY_DONE(parse_banned(&m->banned, json_get(json, "suppress_tokens"),
                          m->config.V, path, err));
done:
    json_free(json);
    return status;
}

/* A Hugging Face folder. */
static enum status read_folder(struct model *out, const char *dir,
                               enum model_head head,
                               enum model_precision precision, struct err *err)
{
    char path[FILE_PATH_MAX];
    struct model_config c;
    struct weights w;
    struct model m;

    TRY(read_config(&c, path, dir, err));
    if (c.head != head)
        return err_set(err, ERR_MISMATCH, "%s: %s, where %s is wanted", path,
                       c.head == HEAD_LM ? "a language model"
                                         : "a model with a score head",
                       head == HEAD_LM ? "a language model"
                                       : "one with a score head");
    TRY(weights_open(&w, dir, err));
    enum status status = load_params(&m, &c, &w, precision, err);
    weights_close(&w);
    TRY(status);
    if (head == HEAD_LM)
        status = read_generation(&m, dir, err);
    if (status != OK)
        model_free(&m);
    else
        *out = m;
    return status;
}

/* A file of tensors that says what shape they are, which only GGUF does. */
static enum status open_gguf(struct weights *w, struct model_config *c,
                             const char *path, struct err *err)
{
    enum status status = OK;

    TRY(weights_open(w, path, err));
    if (weights_gguf(w) == NULL)
        TRY_DONE(err_set(err, ERR_MISMATCH,
                         "%s: weights alone; a model is a folder with "
                         "config.json or a .gguf file",
                         path));
    TRY_DONE(model_config_gguf(c, w, err));
done:
    if (status != OK)
        weights_close(w);
    return status;
}

/* A GGUF file, which holds all of a language model. */
static enum status read_file(struct model *out, const char *path,
                             enum model_head head,
                             enum model_precision precision, struct err *err)
{
    struct model_config c;
    struct weights w;
    enum status status = OK;

    TRY(open_gguf(&w, &c, path, err));
    if (head != HEAD_LM)
        TRY_DONE(err_set(err, ERR_MISMATCH,
                         "%s: a language model, where one with a score head "
                         "is wanted",
                         path));
    TRY_DONE(load_params(out, &c, &w, precision, err));
done:
    weights_close(&w);
    return status;
}

/* The base of an adapter: for a score head a language model will do. */
static enum status read_base(struct model *out, const char *dir,
                             enum model_head head, struct err *err)
{
    struct err inner;

    if (head == HEAD_LM)
        return checkpoint_read(out, dir, HEAD_LM, err);
    if (checkpoint_read(out, dir, HEAD_SCORE, &inner) == OK)
        return OK;
    if (inner.code != ERR_MISMATCH)
        return err_set(err, inner.code, "%s", inner.text);
    struct model base;
    TRY(checkpoint_read(&base, dir, HEAD_LM, err));
    enum status status = model_into_score(&base, err);
    if (status != OK)
        model_free(&base);
    else
        *out = base;
    return status;
}

static enum status find_base(char base[FILE_PATH_MAX], const char *dir,
                             struct err *err)
{
    TRY(adapter_find_base(base, dir, err));
    if (!adapter_is(base))
        return OK;
    return err_set(err, ERR_MISMATCH,
                   "%s: the adapter's base %s is an adapter itself", dir, base);
}

static enum status read_adapted(struct model *out, const char *dir,
                                enum model_head head, struct err *err)
{
    char base[FILE_PATH_MAX];
    enum model_head own;
    struct model m;

    TRY(adapter_head(&own, dir, err));
    if (own != head)
        return err_set(
            err, ERR_MISMATCH, "%s: an adapter of %s, where %s is wanted", dir,
            own == HEAD_LM ? "a language model" : "a reward model",
            head == HEAD_LM ? "a language model" : "one with a score head");
    TRY(find_base(base, dir, err));
    TRY(read_base(&m, base, head, err));
    enum status status = adapter_read(&m, dir, err);
    if (status == OK)
        status = model_merge(&m, err);
    if (status != OK)
        model_free(&m);
    else
        *out = m;
    return status;
}

enum status checkpoint_read_as(struct model *out, const char *path,
                               enum model_head head,
                               enum model_precision precision, struct err *err)
{
    TRY(checkpoint_need_folder(path, err));
    if (adapter_is(path)) {
        TRY(read_adapted(out, path, head, err));
        enum status status = OK;
        if ((precision & MODEL_IS_BF16) != 0)
            status = model_freeze(out, err);
        if (status == OK && (precision & MODEL_BY_BF16) != 0)
            status = model_round(out, err);
        if (status != OK)
            model_free(out);
        return status;
    }
    return file_is_dir(path) ? read_folder(out, path, head, precision, err)
                             : read_file(out, path, head, precision, err);
}

enum status checkpoint_read(struct model *out, const char *path,
                            enum model_head head, struct err *err)
{
    return checkpoint_read_as(out, path, head, MODEL_F32, err);
}

/* The shape of a model that is no adapter. */
static enum status read_whole_shape(struct model_config *out, const char *path,
                                    struct err *err)
{
    char file[FILE_PATH_MAX];
    struct weights w;

    if (file_is_dir(path))
        return read_config(out, file, path, err);
    TRY(open_gguf(&w, out, path, err));
    weights_close(&w);
    return OK;
}

enum status checkpoint_read_shape(struct model_config *out, const char *path,
                                  struct err *err)
{
    char base[FILE_PATH_MAX];
    struct model_config c;
    enum model_head head;

    TRY(checkpoint_need_folder(path, err));
    if (adapter_is(path)) {
        TRY(adapter_head(&head, path, err));
        TRY(find_base(base, path, err));
        TRY(checkpoint_need_folder(base, err));
        TRY(read_whole_shape(&c, base, err));
        c.head = head;
        TRY(adapter_read_length(&c, path, err));
    } else {
        TRY(read_whole_shape(&c, path, err));
    }
    *out = c;
    return OK;
}

enum status checkpoint_tokenizer(struct tokenizer **out, const char *path,
                                 struct err *err)
{
    char own[FILE_PATH_MAX], base[FILE_PATH_MAX];

    if (!file_is_dir(path) || !adapter_is(path))
        return tokenizer_open(out, path, err);
    TRY(file_join(own, path, "tokenizer.json", err));
    if (file_exists(own))
        return tokenizer_open(out, path, err);
    TRY(adapter_find_base(base, path, err));
    return tokenizer_open(out, base, err);
}

enum status checkpoint_check_tokenizer(const struct model *m,
                                       const struct tokenizer *t,
                                       const char *dir, struct err *err)
{
    if (tokenizer_size(t) > m->config.V)
        return err_set(err, ERR_MISMATCH,
                       "%s: the tokenizer has %zu tokens, the model %zu", dir,
                       tokenizer_size(t), m->config.V);
    return OK;
}
