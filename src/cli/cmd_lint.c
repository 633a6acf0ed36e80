#include <string.h>

#include "cli/command.h"
#include "cli/terminal.h"
#include "diagnose/lint.h"
#include "io/flat.h"

#define TEXT_MAX ((size_t)64 << 20)

/* Of `lint.trainer`: the choice after the first is LINT_TRL_PPO. */
static enum lint_trainer wanted(const struct lint_values *v)
{
    return v->trainer == 0 ? LINT_AUTO : (enum lint_trainer)(v->trainer - 1);
}

/* One file: what was found goes to `out`, how many errors to *errors. */
static enum status look_at(struct buf *out, size_t *errors, const char *path,
                           const struct options *o, struct err *err)
{
    struct flat f;
    struct lint l;
    const char *name = strcmp(path, "-") == 0 ? "<stdin>" : path;
    TRY(flat_read(&f, path, err));
    enum status status = lint_run(&l, &f, wanted(&o->v.lint), name, err);
    flat_free(&f);
    TRY(status);
    if (o->v.common.json) {
        struct json_writer w;
        json_writer_init(&w, out, false);
        lint_document(&w, &l, name);
        buf_putc(out, '\n');
    } else {
        buf_puts(out, out->len > 0 ? "\n" : "");
        lint_text(out, &l, name);
    }
    *errors += lint_count(&l, LINT_ERROR);
    lint_free(&l);
    return OK;
}

/* All files are looked at, whatever one of them is; the first that cannot be
 * understood is then the failure. */
enum status cmd_lint(struct options *o, struct err *err)
{
    struct buf out;
    struct err first = {OK, ""};
    size_t errors = 0;
    buf_init(&out, TEXT_MAX);
    for (size_t i = 0; i < o->n_operands; i++) {
        struct err one = {OK, ""};
        enum status status = look_at(&out, &errors, o->operand[i], o, &one);
        if (status != OK && first.code == OK)
            first = one;
    }
    enum status status = buf_status(&out, err);
    if (status == OK)
        status = terminal_print(&out, err);
    buf_free(&out);
    TRY(status);
    if (first.code != OK) {
        *err = first;
        return first.code;
    }
    return errors == 0
               ? OK
               : err_set(err, ERR_FOUND, "%zu %s whose penalty cannot work",
                         errors, errors == 1 ? "setting" : "settings");
}
