/*
 * desk_samples.c - spot-checks of the samples that `plumb eval` drew: one
 * file with a row for each response of the policy and of the reference.
 */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "io/dataset.h"
#include "world/desk.h"

#define SAMPLES_MAX 1024 // of one prompt and model
#define FILE_MAX ((size_t)1 << 30)

/* One prompt's responses, in the order of their rows. */
struct group {
    char *id, *prompt;
    struct ticket ticket;
    struct panel_sample *policy, *reference;
    char **text; // owns the responses of both
    size_t n_policy, n_reference, n_text;
};

struct reader {
    const char *path;
    struct group *group;
    size_t n, room;
};

static void groups_free(struct reader *r)
{
    for (size_t i = 0; i < r->n; i++) {
        struct group *g = &r->group[i];
        for (size_t k = 0; k < g->n_text; k++)
            mem_free(g->text[k]);
        mem_free(g->text);
        mem_free(g->policy);
        mem_free(g->reference);
        mem_free(g->prompt);
        mem_free(g->id);
    }
    mem_free(r->group);
}

/* The group of a row; rows of a prompt stand together. */
static enum status find_group(struct group **out, struct reader *r,
                              const struct json *row, const char *id,
                              struct err *err)
{
    const char *prompt;
    if (r->n > 0 && strcmp(r->group[r->n - 1].id, id) == 0) {
        *out = &r->group[r->n - 1];
        return OK;
    }
    TRY(json_need_text(&prompt, row, "prompt", r->path, err));
    if (json_get(row, "ticket") == NULL)
        return err_set(err, ERR_FORMAT,
                       "%s: prompt '%.60s' has no ticket to judge by", r->path,
                       id);
    if (r->n == r->room) {
        size_t room = r->room * 2 + 64;
        struct group *more =
            mem_grow(r->group, r->room, room, sizeof *r->group);
        if (more == NULL)
            return err_set(err, ERR_MEMORY, "out of memory: %zu prompts", room);
        r->group = more;
        r->room = room;
    }
    struct group *g = &r->group[r->n++];
    *g = (struct group){.id = mem_strdup(id), .prompt = mem_strdup(prompt)};
    if (g->id == NULL || g->prompt == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: a prompt");
    TRY(MEM_NEW(g->policy, SAMPLES_MAX, err));
    TRY(MEM_NEW(g->reference, SAMPLES_MAX, err));
    TRY(MEM_NEW(g->text, 2 * SAMPLES_MAX, err));
    *out = g;
    return ticket_read(&g->ticket, json_get(row, "ticket"), id, err);
}

static enum status read_row(void *ctx, const struct json *row, size_t line,
                            struct err *err)
{
    struct reader *r = ctx;
    const char *id, *which, *response;
    struct group *g;
    (void)line;
    TRY(json_need_text(&id, row, "prompt_id", r->path, err));
    TRY(json_need_text(&which, row, "which", r->path, err));
    TRY(json_need_text(&response, row, "response", r->path, err));
    TRY(find_group(&g, r, row, id, err));
    bool is_policy = strcmp(which, "policy") == 0;
    size_t *n = is_policy ? &g->n_policy : &g->n_reference;
    if (*n == SAMPLES_MAX)
        return err_set(err, ERR_LIMIT, "%s: more than %d samples of '%.60s'",
                       r->path, SAMPLES_MAX, id);
    char *text = mem_strdup(response);
    if (text == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: a response");
    g->text[g->n_text++] = text;
    (is_policy ? g->policy : g->reference)[(*n)++] = (struct panel_sample){
        .text = text,
        .is_eos = json_bool(json_get(row, "is_eos"), true),
    };
    return OK;
}

enum status desk_spotcheck_samples(const char *samples_path, const char *path,
                                   const struct panel_config *c, uint64_t seed,
                                   struct err *err)
{
    enum status status = OK;
    struct reader r = {.path = samples_path};
    struct panel_prompt *prompt = NULL;
    struct buf out;
    buf_init(&out, FILE_MAX);
    TRY_DONE(jsonl_read(samples_path, read_row, &r, err));
    TRY_DONE(MEM_NEW(prompt, r.n, err));
    for (size_t i = 0; i < r.n; i++) {
        const struct group *g = &r.group[i];
        prompt[i] = (struct panel_prompt){
            .id = g->id,
            .prompt = g->prompt,
            .ticket = &g->ticket,
            .policy = g->policy,
            .n_policy = g->n_policy,
            .reference = g->reference,
            .n_reference = g->n_reference,
        };
    }
    TRY_DONE(panel_spotcheck(&out, prompt, r.n, c, seed, err));
    TRY_DONE(file_write(path, buf_text(&out), out.len, err));
done:
    buf_free(&out);
    mem_free(prompt);
    groups_free(&r);
    return status;
}
