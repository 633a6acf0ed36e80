#include "import/tokens.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 8

enum status tokens_prompt_id(const char **out, struct reader *r,
                             const double *token, size_t n, struct err *err)
{
    char text[32];
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < n; i++) {
        uint64_t bits;
        memcpy(&bits, &token[i], sizeof bits);
        h = (h ^ bits) * UINT64_C(0x100000001b3);
    }
    (void)snprintf(text, sizeof text, "t%016llx", (unsigned long long)h);
    return arena_text(out, &r->arena, text, strlen(text), err);
}

enum status tokens_row(struct import_row *out, struct reader *r,
                       const struct value *row, const struct rule *rules,
                       size_t n, const char *prompt, struct err *err)
{
    size_t n_prompt;
    TRY(rowmap_read(out, r, row, rules, n, err));
    const double *token = value_numbers(value_get(row, prompt), &n_prompt);
    if (token == NULL || out->prompt_id != NULL)
        return OK;
    return tokens_prompt_id(&out->prompt_id, r, token, n_prompt, err);
}

enum status tokens_take(const int32_t **out, size_t *n_out, struct reader *r,
                        const double *token, const double *mask, size_t n,
                        const char *what, struct err *err)
{
    int32_t *kept;
    size_t k = 0;
    TRY(ARENA_NEW(&r->arena, kept, n + 1, err));
    for (size_t i = 0; i < n; i++) {
        if (mask != NULL && !(mask[i] > 0))
            continue;
        if (!(token[i] >= 0 && token[i] <= (double)INT32_MAX) ||
            token[i] != floor(token[i]))
            return err_set(err, ERR_FORMAT, "\"%s\"[%zu] is no token id", what,
                           i);
        kept[k++] = (int32_t)token[i];
    }
    *out = kept;
    *n_out = k;
    return OK;
}

enum status tokens_floats(const float **out, struct reader *r, const double *x,
                          const double *mask, size_t n, struct err *err)
{
    float *kept;
    size_t k = 0;
    TRY(ARENA_NEW(&r->arena, kept, n + 1, err));
    for (size_t i = 0; i < n; i++)
        if (mask == NULL || mask[i] > 0)
            kept[k++] = (float)x[i];
    *out = kept;
    return OK;
}

enum status tokens_settings(struct reader *r, const struct value *v,
                            const char *prefix, unsigned depth, struct err *err)
{
    char key[512];
    if (v->kind != VALUE_OBJECT || depth == DEPTH_MAX)
        return OK;
    for (const struct value *m = v->first; m != NULL; m = m->next) {
        struct buf text;
        enum status status = OK;
        (void)snprintf(key, sizeof key, "%.240s%s%.240s", prefix,
                       prefix[0] != '\0' ? "." : "", m->key);
        if (m->kind == VALUE_OBJECT) {
            TRY(tokens_settings(r, m, key, depth + 1, err));
            continue;
        }
        buf_init(&text, IMPORT_LINE_MAX);
        if (m->kind == VALUE_TEXT)
            buf_append(&text, m->text, m->n);
        else
            value_put_json(&text, m);
        status = buf_status(&text, err);
        if (status == OK && text.len <= 1024)
            status = sink_put_setting(r->sink, key, buf_text(&text), err);
        buf_free(&text);
        TRY(status);
    }
    return OK;
}
