#include "io/normalizer.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "io/nfc.h"

#define TEXT_MAX ((size_t)64 * 1024 * 1024)

/* ---- reading ------------------------------------------------------------ */

/* Append one step; what it holds is freed with the normalizer. */
static enum status parse_step(struct normalizer *z, const struct json *node,
                              const char *name, struct err *err)
{
    const char *type, *prepend;
    char what[256];
    TRY(json_need_text(&type, node, "type", name, err));
    if (z->n == NORMALIZER_STEPS_MAX)
        return err_set(err, ERR_LIMIT, "%s: normalizer of more than %d steps",
                       name, NORMALIZER_STEPS_MAX);
    struct normalizer_step *s = &z->step[z->n++];
    if (strcmp(type, "NFC") == 0) {
        s->type = NORMALIZER_NFC;
        return OK;
    }
    (void)snprintf(what, sizeof what, "%.180s: normalizer '%.60s'", name, type);
    if (strcmp(type, "Replace") == 0) {
        s->type = NORMALIZER_REPLACE;
        return replace_parse(&s->replace, node, what, err);
    }
    if (strcmp(type, "Prepend") != 0)
        return err_set(err, ERR_MISMATCH, "%s is not supported", what);
    s->type = NORMALIZER_PREPEND;
    TRY(json_need_text(&prepend, node, "prepend", what, err));
    s->prepend = mem_strdup(prepend);
    if (s->prepend == NULL)
        return err_set(err, ERR_MEMORY, "%s: out of memory", what);
    return OK;
}

static enum status parse_steps(struct normalizer *z, const struct json *node,
                               const char *name, struct err *err)
{
    if (strcmp(json_text(json_get(node, "type"), ""), "Sequence") != 0)
        return parse_step(z, node, name, err);
    const struct json *list = json_get(node, "normalizers");
    if (!json_is_array(list))
        return err_set(err, ERR_FORMAT,
                       "%s: normalizer 'Sequence' without 'normalizers'", name);
    for (size_t i = 0; i < json_size(list); i++)
        TRY(parse_step(z, json_at(list, i), name, err));
    return OK;
}

enum status normalizer_parse(struct normalizer *out, const struct json *node,
                             const char *name, struct err *err)
{
    struct normalizer z = {0};
    enum status status = OK;
    if (node != NULL && !json_is_null(node))
        status = parse_steps(&z, node, name, err);
    if (status != OK)
        normalizer_free(&z);
    else
        *out = z;
    return status;
}

void normalizer_free(struct normalizer *z)
{
    for (size_t i = 0; i < z->n; i++) {
        mem_free(z->step[i].prepend);
        replace_free(&z->step[i].replace);
    }
    *z = (struct normalizer){0};
}

/* ---- running ------------------------------------------------------------ */

static enum status run_step(const struct normalizer_step *s, const char *text,
                            size_t len, struct buf *out, struct err *err)
{
    struct pattern_scan scan;
    enum status status = OK;
    switch (s->type) {
    case NORMALIZER_NFC:
        return nfc_append(out, text, len, err);
    case NORMALIZER_PREPEND:
        if (len > 0)
            buf_puts(out, s->prepend);
        buf_append(out, text, len);
        return OK;
    case NORMALIZER_REPLACE:
        TRY(pattern_scan_init(&scan, s->replace.pattern, err));
        status = replace_run(&s->replace, &scan, text, len, out, err);
        pattern_scan_free(&scan);
        return status;
    }
    return OK;
}

enum status normalizer_run(const struct normalizer *z, const char *text,
                           size_t len, struct buf *out, struct err *err)
{
    struct buf now, next;
    enum status status = OK;
    buf_init(&now, TEXT_MAX);
    buf_init(&next, TEXT_MAX);
    for (size_t i = 0; i < z->n; i++) {
        buf_clear(&next);
        status = run_step(&z->step[i], text, len, &next, err);
        if (status == OK)
            status = buf_status(&next, err);
        if (status != OK)
            goto done;
        struct buf old = now;
        now = next;
        next = old;
        text = buf_text(&now);
        len = now.len;
    }
    buf_append(out, text, len);
    status = buf_status(out, err);
done:
    buf_free(&now);
    buf_free(&next);
    return status;
}
