/* What plumb lint has to say of the settings of an imported run. */
#include <string.h>

#include "base/mem.h"
#include "diagnose/evidence_internal.h"
#include "diagnose/imported.h"

#define STAGE "ppo"
#define UNDER "imported." // where an import puts the trainer's own
#define NAME "the imported settings"

/* The trainer's settings, as if they were its own file. */
static enum status take_settings(struct flat *out, const struct evidence *e,
                                 struct err *err)
{
    TRY(MEM_NEW(out->entry, e->n_setting + 1, err));
    for (size_t i = 0; i < e->n_setting; i++) {
        const struct evidence_setting *s = &e->setting[i];
        if (strcmp(s->stage, STAGE) == 0 &&
            strncmp(s->key, UNDER, strlen(UNDER)) == 0)
            out->entry[out->n++] = (struct flat_entry){
                .key = s->key + strlen(UNDER), .text = s->text, .line = i + 1};
    }
    return OK;
}

static enum status warn(struct imported *x, struct evidence *e,
                        const struct lint_finding *f, struct err *err)
{
    struct buf text;
    buf_init(&text, (size_t)1 << 14);
    buf_printf(&text, "settings, %s: %s = %s%s: %s%s%s", f->id, f->key,
               f->value != NULL ? f->value : "none",
               f->line > 0 ? "" : " (default)", f->why,
               f->fix[0] != '\0' ? "; fix: " : "", f->fix);
    enum status status = buf_status(&text, err);
    if (status == OK)
        status =
            evidence_keep(&x->warning[x->n_warning], e, buf_text(&text), err);
    x->n_warning += status == OK;
    buf_free(&text);
    return status;
}

enum status imported_read_settings(struct evidence *e, struct err *err)
{
    struct flat_group group = {.words = "", .line = 1};
    struct flat f = {.syntax = FLAT_YAML, .group = &group, .n_groups = 1};
    struct imported *x = e->import;
    struct err why;
    if (x == NULL)
        return OK;
    enum status status = take_settings(&f, e, err);
    bool is_verl = strcmp(x->trainer, "verl") == 0;
    enum status linted =
        status == OK && f.n > 0
            ? lint_run(&x->lint, &f, is_verl ? LINT_VERL : LINT_AUTO, NAME,
                       &why)
            : ERR_FORMAT;
    mem_free(f.entry);
    x->is_linted = linted == OK;
    if (linted == ERR_MEMORY)
        *err = why;
    if (status != OK || linted == ERR_MEMORY)
        return ERR_MEMORY;
    for (size_t i = 0; i < x->lint.n && x->n_warning < IMPORTED_MAX; i++)
        if (x->lint.finding[i].severity != LINT_NOTE)
            TRY(warn(x, e, &x->lint.finding[i], err));
    return OK;
}
