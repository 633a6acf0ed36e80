#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/terminal.h"
#include "io/run.h"
#include "model/adapter.h"
#include "model/checkpoint.h"
#include "model/export_gguf.h"

#define TEXT_MAX ((size_t)1 << 20)

/* In the order of the choices of export.type. */
static const enum tensor_type types[] = {TENSOR_F32, TENSOR_F16, TENSOR_BF16,
                                         TENSOR_Q8_0};

/* What is written goes beside nothing that is there. */
static enum status check_out(const struct options *o, struct err *err)
{
    const char *out = o->v.common.out;
    if (!out)
        return err_set(err, ERR_ARG, "out is not set: %s to write",
                       o->v.export_to.gguf ? "file" : "directory");
    if (o->v.export_to.gguf && file_is_dir(out))
        return err_set(err, ERR_ARG, "%s is a directory; --gguf writes a file",
                       out);
    if (file_exists(out) && !o->v.common.overwrite)
        return err_set(err, ERR_ARG, "%s is there; --overwrite replaces it",
                       out);
    if (types[o->v.export_to.type] == TENSOR_Q8_0 && !o->v.export_to.gguf)
        return err_set(err, ERR_ARG,
                       "export.type = q8_0 is a type of GGUF files: --gguf");
    return OK;
}

/* The last part of a path, for general.name. */
static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static enum status write_model(const struct options *o, const struct model *m,
                               const struct tokenizer *t, const char *path,
                               struct err *err)
{
    enum tensor_type type = types[o->v.export_to.type];
    const struct checkpoint c = {.model = m, .tokenizer = t, .type = type};
    if (o->v.export_to.gguf)
        return export_gguf(o->v.common.out, m, t, type, base_name(path), err);
    return checkpoint_write(o->v.common.out, &c, err);
}

/* Is it the whole way to the model, as it is? */
static bool is_plain(const struct options *o)
{
    return o->v.export_to.interpolate == 1;
}

/* What other programs will make of it: they do not know what length adds. */
static void warn_of_length(const struct options *o, const struct model *m)
{
    const struct score_length *s = &m->config.length;
    struct terminal t;
    const struct context context = {
        .sink = terminal_event, .sink_ctx = &t, .stage = "export"};
    if (!score_length_counts(s))
        return;
    terminal_init(&t, o->v.common.quiet);
    context_warn(&context,
                 "its scores owe something to length (" SCORE_LENGTH_GAIN
                 " %.6g, " SCORE_LENGTH_TARGET " %.6g in config.json) that "
                 "only Plumb adds: other programs will read other scores",
                 s->gain, s->target);
}

static enum status print_result(const struct options *o, const char *path,
                                const struct model *m, struct err *err)
{
    static const char *const names[] = {"f32", "f16", "bf16", "q8_0"};
    struct json_writer w;
    struct buf text;
    buf_init(&text, TEXT_MAX);
    if (o->v.common.json) {
        json_writer_init(&w, &text, true);
        json_open(&w, '{');
        json_field_text(&w, "schema", "plumb.export/1");
        json_field_text(&w, "plumb_version", PLUMB_VERSION);
        json_field_text(&w, "model", path);
        json_field_text(&w, "path", o->v.common.out);
        json_field_text(&w, "format", o->v.export_to.gguf ? "gguf" : "folder");
        json_field_text(&w, "type", names[o->v.export_to.type]);
        json_field_text(&w, "head", m->config.head == HEAD_LM ? "lm" : "score");
        json_field_int(&w, "parameters", (int64_t)params_count(&m->config));
        if (!is_plain(o)) {
            json_field_number(&w, "interpolate", o->v.export_to.interpolate);
            json_field_text(&w, "with", o->v.export_to.with);
        }
        score_length_write(&w, &m->config.length);
        json_close(&w, '}');
    } else {
        buf_puts(&text, o->v.common.out);
    }
    buf_putc(&text, '\n');
    enum status status = terminal_print(&text, err);
    buf_free(&text);
    return status;
}

/* The reference by the same tokens, folded into `m`. */
static enum status mix(struct model *m, const struct tokenizer *t,
                       const struct options *o, struct err *err)
{
    enum status status = OK;
    char path[FILE_PATH_MAX];
    struct model reference = {.params = NULL};
    struct tokenizer *own = NULL;
    size_t len_own = 0, len = 0;
    TRY(run_find_model(path, o->v.export_to.with, "sft", err));
    TRY(checkpoint_read(&reference, path, m->config.head, err));
    TRY_DONE(checkpoint_tokenizer(&own, path, err));
    const char *json_own = tokenizer_json(own, &len_own);
    const char *json = tokenizer_json(t, &len);
    if (json && json_own &&
        (len != len_own || memcmp(json, json_own, len) != 0))
        TRY_DONE(err_set(err, ERR_MISMATCH,
                         "%s has another tokenizer than the model", path));
    status = model_interpolate(m, &reference, o->v.export_to.interpolate, err);
    if (status != OK)
        status = err_context(err, "%s", path);
done:
    tokenizer_free(own);
    model_free(&reference);
    return status;
}

static enum status export_model(const struct options *o, const char *path,
                                struct err *err)
{
    struct model_config shape;
    struct model m;
    struct tokenizer *t = NULL;
    enum status status = OK;
    TRY(checkpoint_read_shape(&shape, path, err));
    TRY(checkpoint_read(&m, path, shape.head, err));
    TRY_DONE(checkpoint_tokenizer(&t, path, err));
    TRY_DONE(checkpoint_check_tokenizer(&m, t, path, err));
    if (!is_plain(o))
        TRY_DONE(mix(&m, t, o, err));
    TRY_DONE(write_model(o, &m, t, path, err));
    warn_of_length(o, &m);
    status = print_result(o, path, &m, err);
done:
    tokenizer_free(t);
    model_free(&m);
    return status;
}

/* An adapter's reference is its base, and its factor is in alpha / rank: the
 * way between them is a smaller alpha. */
static enum status export_adapter(const struct options *o, const char *path,
                                  struct err *err)
{
    enum status status = OK;
    char base[FILE_PATH_MAX];
    struct model m = {.params = NULL};
    struct tokenizer *t = NULL;
    enum model_head head;
    TRY(adapter_head(&head, path, err));
    if (head != HEAD_LM)
        return err_set(err, ERR_ARG,
                       "%s is a reward model's adapter: its base has no score "
                       "head to interpolate with",
                       path);
    TRY(adapter_find_base(base, path, err));
    TRY(checkpoint_read(&m, base, HEAD_LM, err));
    TRY_DONE(adapter_read(&m, path, err));
    TRY_DONE(checkpoint_tokenizer(&t, path, err));
    m.lora->config.alpha *= o->v.export_to.interpolate;
    const struct checkpoint c = {.model = &m, .base = base, .tokenizer = t};
    TRY_DONE(checkpoint_write(o->v.common.out, &c, err));
    status = print_result(o, path, &m, err);
done:
    tokenizer_free(t);
    model_free(&m);
    return status;
}

/* What the way to the reference needs, said before anything is read. */
static enum status check_interpolation(const struct options *o, bool is_adapter,
                                       struct err *err)
{
    const struct export_values *e = &o->v.export_to;
    if (is_adapter && e->with)
        return err_set(err, ERR_ARG,
                       "an adapter's reference is its base; --merge folds it "
                       "in and interpolates with any other");
    if (is_adapter && (e->gguf || !(e->interpolate > 0)))
        return err_set(err, ERR_ARG,
                       "a scaled adapter is a folder, and scaled by more than "
                       "0; --merge folds it into its base");
    if (!is_adapter && !e->with)
        return err_set(err, ERR_ARG,
                       "export.interpolate = %g: --with names the reference",
                       e->interpolate);
    return OK;
}

enum status cmd_export(struct options *o, struct err *err)
{
    char path[FILE_PATH_MAX];
    TRY(check_out(o, err));
    TRY(run_find_model(path, o->operand[0], NULL, err));
    bool is_adapter = adapter_is(path) && !o->v.export_to.merge;
    if (is_adapter && is_plain(o))
        return err_set(err, ERR_ARG,
                       "%s is an adapter: --merge folds it into its base",
                       path);
    if (!is_plain(o))
        TRY(check_interpolation(o, is_adapter, err));
    return is_adapter ? export_adapter(o, path, err)
                      : export_model(o, path, err);
}
