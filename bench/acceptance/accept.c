#include "accept.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/names.h"
#include "io/jsonl.h"

void accept_must(enum status status, const struct err *err)
{
    if (status == OK)
        return;
    fprintf(stderr, "%s\n", err->text);
    exit(1);
}

const char *accept_path(const char *dir, const char *name, const char *file)
{
    static char path[FILE_PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s/%s", dir, name, file) >=
        (int)sizeof path) {
        fprintf(stderr, "%s: too long a path\n", dir);
        exit(1);
    }
    return path;
}

void accept_say(const char *id, bool holds, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    printf("%-3s %s  ", id, holds ? "PASS" : "MISS");
    vprintf(fmt, args);
    printf("\n");
    va_end(args);
}

struct reading {
    struct accept_replies *out;
    struct names prompts;
};

static enum status take(void *ctx, const struct json *row, size_t line,
                        struct err *err)
{
    struct reading *r = ctx;
    struct accept_replies *out = r->out;
    const char *prompt;
    const struct json *kl = json_get(row, "kl");
    size_t i = out->n;
    (void)line;
    if (i == ACCEPT_REPLIES_MAX)
        return err_set(err, ERR_LIMIT, "more than %d replies", (int)i);
    TRY(json_need_text(&prompt, row, "prompt_id", "a reply", err));
    TRY(names_add(&r->prompts, &out->prompt[i], prompt, err));
    TRY(json_need_number(&out->score[i], row, "score", prompt, err));
    TRY(json_need_number(&out->gold[i], row, "gold", prompt, err));
    TRY(json_need_number(&out->tokens[i], row, "len", prompt, err));
    out->is_policy[i] =
        strcmp(json_text(json_get(row, "which"), ""), "policy") == 0;
    out->sample[i] = (size_t)json_int(json_get(row, "sample"), 0);
    out->kl[i] = json_size(kl) > 0 ? 0 : (double)NAN;
    for (size_t t = 0; t < json_size(kl); t++)
        out->kl[i] += json_number(json_at(kl, t), (double)NAN);
    out->n++;
    return OK;
}

void accept_read(struct accept_replies *out, const char *path)
{
    struct reading r = {.out = out};
    struct err err;
    out->n = 0;
    accept_must(jsonl_read(path, take, &r, &err), &err);
    out->n_prompts = r.prompts.n;
    names_free(&r.prompts);
    if (out->n_prompts != ACCEPT_PROMPTS) {
        fprintf(stderr, "%s: %zu prompts, want %d\n", path, out->n_prompts,
                (int)ACCEPT_PROMPTS);
        exit(1);
    }
}

void accept_means(double out[ACCEPT_PROMPTS], const struct accept_replies *r,
                  const double *x, bool is_policy)
{
    double n[ACCEPT_PROMPTS] = {0};
    memset(out, 0, ACCEPT_PROMPTS * sizeof *out);
    for (size_t i = 0; i < r->n; i++) {
        if (r->is_policy[i] != is_policy)
            continue;
        out[r->prompt[i]] += x[i];
        n[r->prompt[i]]++;
    }
    for (size_t p = 0; p < ACCEPT_PROMPTS; p++)
        out[p] /= n[p];
}
