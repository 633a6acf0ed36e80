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
        json_close(&w, '}');
    } else {
        buf_puts(&text, o->v.common.out);
    }
    buf_putc(&text, '\n');
    enum status status = terminal_print(&text, err);
    buf_free(&text);
    return status;
}

static enum status export_model(const struct options *o, const char *path,
                                struct err *err)
{
    struct model_config shape;
    struct model m;
    struct tokenizer *t = NULL;
    enum status status = OK;
    if (adapter_is(path) && !o->v.export_to.merge)
        return err_set(err, ERR_ARG,
                       "%s is an adapter: --merge folds it into its base",
                       path);
    TRY(checkpoint_read_shape(&shape, path, err));
    TRY(checkpoint_read(&m, path, shape.head, err));
    TRY_DONE(checkpoint_tokenizer(&t, path, err));
    TRY_DONE(checkpoint_check_tokenizer(&m, t, path, err));
    TRY_DONE(write_model(o, &m, t, path, err));
    status = print_result(o, path, &m, err);
done:
    tokenizer_free(t);
    model_free(&m);
    return status;
}

enum status cmd_export(struct options *o, struct err *err)
{
    char path[FILE_PATH_MAX];
    TRY(check_out(o, err));
    TRY(run_find_model(path, o->operand[0], NULL, err));
    return export_model(o, path, err);
}
