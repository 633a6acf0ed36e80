/*
 * watch_held.c - replies that people are judging blind, and nobody who looks
 * at a run on their machine may be told whose.
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "serve/watch_internal.h"
#include "store/human.h"
#include "store/slices.h"

#define ID_MAX (6 * PROJECT_NAME_MAX + 1) // bytes of a prompt's id as JSON

static enum status add_prompt(void *ctx, const char *prompt_id, struct err *err)
{
    size_t at;
    return names_add(ctx, &at, prompt_id, err);
}

static enum status add_database(void *ctx, const char *path, struct err *err)
{
    struct db *db = NULL;
    if (!file_exists(path))
        return OK;
    TRY(project_open(&db, path, DB_READ, NULL, err));
    enum status status = slices_walk_open(db, add_prompt, ctx, err);
    db_close(db);
    return status;
}

bool watch_is_trusted(const struct http_request *r)
{
    const struct http_who *who = http_who(r);
    return who->is_known && who->judge.role == JUDGE_ADMIN;
}

enum status watch_held_read(struct names *out, const struct watch *w,
                            const char *project, const struct http_request *r,
                            struct err *err)
{
    *out = (struct names){.n = 0};
    if (watch_is_trusted(r))
        return OK;
    if (w->judgements[0] != '\0')
        TRY(add_database(out, w->judgements, err));
    return project[0] != '\0' ? human_walk(project, add_database, out, err)
                              : OK;
}

void watch_held_hide(const struct names *held, struct watch_row *r)
{
    static const char said[] = "\"held back while people judge it\"";
    char id[ID_MAX];
    const struct scan_slice *raw = &r->prompt_id;
    if (held->n == 0 || raw->text == NULL || raw->len < 2 ||
        raw->len - 2 >= sizeof id)
        return;
    struct scan_slice inner = {raw->text + 1, raw->len - 2, false};
    inner.is_escaped = memchr(inner.text, '\\', inner.len) != NULL;
    id[scan_slice_copy(id, &inner)] = '\0';
    if (names_find(held, id) == SIZE_MAX)
        return;
    /* Numbers would tell one text from another, too. */
    *r = (struct watch_row){.prompt_id = r->prompt_id,
                            .prompt = r->prompt,
                            .tags = r->tags,
                            .which = r->which,
                            .response = {said, sizeof said - 1, false},
                            .step = r->step,
                            .sample = r->sample,
                            .score = (double)NAN,
                            .score_raw = (double)NAN,
                            .gold = (double)NAN,
                            .tokens = (double)NAN,
                            .kl = (double)NAN,
                            .k1 = (double)NAN};
}
