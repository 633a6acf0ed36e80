#include <string.h>

#include "base/file.h"
#include "cli/command.h"
#include "cli/inspect.h"
#include "cli/terminal.h"
#include "io/hub.h"
#include "io/run.h"
#include "model/adapter.h"

#define TEXT_MAX ((size_t)64 << 20)

static bool is_run(const char *dir)
{
    return file_holds(dir, "config.yaml") || file_holds(dir, "metrics.jsonl") ||
           file_holds(dir, "checkpoints");
}

/* A project: the runs of its stages, one object each. */
static enum status inspect_project(struct json_writer *w, const char *dir,
                                   struct err *err)
{
    static const char *const stage[] = {"sft", "reward", "ppo"};
    size_t found = 0;
    json_field_text(w, "kind", "project");
    json_field_text(w, "path", dir);
    for (size_t i = 0; i < sizeof stage / sizeof *stage; i++) {
        char path[FILE_PATH_MAX];
        TRY(file_join(path, dir, stage[i], err));
        if (!is_run(path))
            continue;
        found++;
        json_put_key(w, stage[i]);
        json_open(w, '{');
        TRY(inspect_run(w, path, err));
        json_close(w, '}');
    }
    return found ? OK
                 : err_set(err, ERR_MISSING,
                           "%s holds neither a model nor a run nor a project",
                           dir);
}

static enum status inspect_file(struct json_writer *w, const char *path,
                                struct err *err)
{
    if (file_ends_with(path, ".safetensors"))
        return inspect_tensors(w, path, err);
    return file_ends_with(path, ".gguf") ? inspect_gguf(w, path, err)
                                         : inspect_rows(w, path, err);
}

static enum status inspect(struct json_writer *w, const char *path,
                           struct err *err)
{
    char found[FILE_PATH_MAX];
    if (hub_is_meant("", path)) {
        TRY(run_find_model(found, path, NULL, err));
        path = found;
    }
    if (!file_exists(path))
        return err_set(err, ERR_MISSING, "%s is not there", path);
    if (!file_is_dir(path))
        return inspect_file(w, path, err);
    if (file_holds(path, "config.json"))
        return inspect_model(w, path, err);
    if (adapter_is(path))
        return inspect_adapter(w, path, err);
    if (is_run(path))
        return inspect_run(w, path, err);
    /* A folder around one GGUF file is that file. */
    if (run_find_model(found, path, NULL, NULL) == OK && !file_is_dir(found))
        return inspect_gguf(w, found, err);
    return inspect_project(w, path, err);
}

/* ---- the document for people -------------------------------------------- */

static void print_node(struct buf *out, const struct json *node, int indent);

static void print_member(struct buf *out, const char *name,
                         const struct json *value, int indent)
{
    const char *text = json_text(value, NULL);
    buf_printf(out, "%*s%s:", indent, "", name);
    if (json_is_object(value)) {
        buf_putc(out, '\n');
        print_node(out, value, indent + 2);
    } else if (text && strchr(text, '\n')) {
        buf_putc(out, '\n');
        for (const char *line = text; *line;) {
            size_t n = strcspn(line, "\n");
            buf_printf(out, "%*s%.*s\n", indent + 2, "", (int)n, line);
            line += n + (line[n] == '\n');
        }
    } else if (text) {
        buf_printf(out, " %s\n", text);
    } else if (json_is_array(value) && json_is_object(json_at(value, 0))) {
        buf_putc(out, '\n');
        for (size_t i = 0; i < json_size(value); i++) {
            buf_printf(out, "%*s", indent + 2, "");
            json_dump(out, json_at(value, i));
            buf_putc(out, '\n');
        }
    } else {
        buf_putc(out, ' ');
        json_dump(out, value);
        buf_putc(out, '\n');
    }
}

static void print_node(struct buf *out, const struct json *node, int indent)
{
    for (const void *it = json_first(node); it; it = json_next(node, it))
        print_member(out, json_key(it), json_value(it), indent);
}

static enum status print_plain(const struct buf *document, struct err *err)
{
    struct json *json;
    struct buf text;
    TRY(json_parse(&json, buf_text(document), document->len, "inspect", err));
    buf_init(&text, TEXT_MAX);
    print_node(&text, json, 0);
    enum status status = terminal_print(&text, err);
    buf_free(&text);
    json_free(json);
    return status;
}

enum status cmd_inspect(struct options *o, struct err *err)
{
    struct buf out;
    struct json_writer w;
    const struct inspect_values *v = &o->v.inspect;
    if (!v->logits && (v->prompt || v->prompt_ids || v->chat))
        return err_set(err, ERR_ARG, "a prompt is for --logits");
    buf_init(&out, TEXT_MAX);
    json_writer_init(&w, &out, true);
    json_open(&w, '{');
    json_field_text(&w, "schema", "plumb.inspect/1");
    json_field_text(&w, "plumb_version", PLUMB_VERSION);
    enum status status = o->v.inspect.logits ? inspect_logits(&w, o, err)
                                             : inspect(&w, o->operand[0], err);
    json_close(&w, '}');
    buf_putc(&out, '\n');
    if (status == OK)
        status = buf_status(&out, err);
    if (status == OK)
        status = o->v.common.json ? terminal_print(&out, err)
                                  : print_plain(&out, err);
    buf_free(&out);
    return status;
}
