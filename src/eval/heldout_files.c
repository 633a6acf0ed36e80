#include "eval/heldout_files.h"

#include <string.h>

#include "eval/draw.h"

enum status heldout_files_path(char out[FILE_PATH_MAX], const char *project,
                               const char *name, struct err *err)
{
    char dir[FILE_PATH_MAX];
    if (name == NULL)
        return file_join(out, project, "eval", err);
    TRY(file_join(dir, project, "eval", err));
    return file_join(out, dir, name, err);
}

enum status heldout_files_write(const char *project, const char *name,
                                struct buf *text, struct err *err)
{
    char path[FILE_PATH_MAX];
    buf_putc(text, '\n');
    TRY(buf_status(text, err));
    TRY(heldout_files_path(path, project, name, err));
    return file_write(path, text->data, text->len, err);
}

enum status heldout_files_write_samples(const char *name, const struct setup *s,
                                        const struct draw *policy,
                                        const struct draw *reference,
                                        struct err *err)
{
    enum status status = OK;
    char path[FILE_PATH_MAX];
    struct buf text;
    buf_init(&text, (size_t)4 << 30);
    TRY_DONE(heldout_files_path(path, s->config->project, name, err));
    for (size_t p = 0; p < (size_t)s->config->n_prompts; p++) {
        TRY_DONE(draw_write(&text, policy, s, p, "policy", err));
        TRY_DONE(draw_write(&text, reference, s, p, "reference", err));
    }
    TRY_DONE(file_write(path, text.data, text.len, err));
done:
    buf_free(&text);
    return status;
}

/* A model's place as seen from the project, so that a project that is moved
 * or made twice has the same bytes. */
static enum status put_path(struct json_writer *w, const char *key,
                            const char *project, const char *path,
                            struct err *err)
{
    char relative[FILE_PATH_MAX];
    TRY(file_relative(relative, project, path, err));
    json_field_text(w, key, relative);
    return OK;
}

static void put_sampling(struct json_writer *w, const char *key,
                         const struct heldout_config *c, double temperature,
                         double top_p)
{
    json_put_key(w, key);
    json_open(w, '{');
    json_field_int(w, "prompts", c->n_prompts);
    json_field_int(w, "samples", c->samples);
    json_field_int(w, "max_new", c->max_new);
    json_field_number(w, "temperature", temperature);
    json_field_number(w, "top_p", top_p);
    json_close(w, '}');
}

static void put_scale(struct json_writer *w, const char *key,
                      const struct score_scale *scale, const char *from)
{
    json_put_key(w, key);
    json_open(w, '{');
    json_field_number(w, "mean", scale->mean);
    json_field_number(w, "sd", scale->sd);
    json_field_text(w, "from", from);
    json_close(w, '}');
}

static enum status put_settings(struct json_writer *w, const struct setup *s,
                                struct err *err)
{
    const struct heldout_config *c = s->config;
    json_open(w, '{');
    json_field_text(w, "schema", "plumb.evaluation/1");
    json_field_text(w, "plumb_version", PLUMB_VERSION);
    json_field_int(w, "seed", (int64_t)c->seed);
    json_field_text(w, "scenario", c->scenario);
    TRY(put_path(w, "policy", c->project,
                 c->best_of > 1 ? s->reference_path : s->policy_path, err));
    if (s->program != NULL)
        json_field_text(w, "policy_command", outside_command(s->program));
    if (c->best_of > 1) {
        json_field_int(w, "best_of", c->best_of);
        json_field_number(w, "best_of_kl_bound",
                          draw_best_kl((size_t)c->best_of));
    }
    TRY(put_path(w, "reference", c->project, s->reference_path, err));
    if (s->reward.outside != NULL)
        json_field_text(w, "reward_command",
                        outside_command(s->reward.outside));
    else
        TRY(put_path(w, "reward_model", c->project, s->reward.path, err));
    if (strcmp(c->prompts, "-") != 0)
        TRY(put_path(w, "prompts", c->project, c->prompts, err));
    else
        json_field_text(w, "prompts", NULL); // standard input, gone
    if (s->has_gold) {
        TRY(put_path(w, "gold_model", c->project, s->gold.path, err));
        json_field_bool(w, "gold_is_disjoint", c->gold_is_disjoint);
    }
    put_sampling(w, "settings", c, 1, 1);
    if (c->temperature != 1 || c->top_p != 1) {
        put_sampling(w, "serving_settings", c, c->temperature, c->top_p);
    } else {
        json_put_key(w, "serving_settings");
        json_put_null(w);
    }
    corpus_put_counts(w, &s->corpus, &s->prompts);
    put_scale(w, "score_scale", &s->scale,
              s->is_run_scale ? "the policy's training run"
                              : "the reference's samples");
    if (s->has_gold)
        put_scale(w, "weak_gold_scale", &s->gold_scale,
                  "the reference's samples");
    json_close(w, '}');
    return OK;
}

enum status heldout_files_write_settings(const struct setup *s, struct err *err)
{
    enum status status = OK;
    struct buf text;
    struct json_writer w;
    buf_init(&text, (size_t)1 << 20);
    json_writer_init(&w, &text, true);
    TRY_DONE(put_settings(&w, s, err));
    TRY_DONE(
        heldout_files_write(s->config->project, "settings.json", &text, err));
done:
    buf_free(&text);
    return status;
}

enum status heldout_files_read_settings(struct json **out, const char *project,
                                        struct err *err)
{
    char path[FILE_PATH_MAX];
    TRY(heldout_files_path(path, project, "settings.json", err));
    if (!file_exists(path))
        return err_set(err, ERR_MISSING,
                       "%s: no such file; `plumb eval %s` draws the samples",
                       path, project);
    return json_read(out, path, (size_t)1 << 20, err);
}
