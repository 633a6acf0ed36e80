#include "eval/whatif.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "eval/draw.h"
#include "eval/heldout.h"
#include "eval/heldout_files.h"
#include "io/jsonl.h"
#include "io/run.h"
#include "stat/measures.h"

#define DOCUMENT_MAX ((size_t)64 << 20)

/* What all comparisons share. */
struct comparing {
    const struct whatif_config *config;
    struct json *settings; // of the project's evaluation
    struct score_scale scale;
    struct bootstrap plan;
};

static enum status open_comparing(struct comparing *c,
                                  const struct whatif_config *config,
                                  struct err *err)
{
    static const char what[] = "eval/settings.json";
    c->config = config;
    TRY(heldout_files_read_settings(&c->settings, config->project, err));
    const struct json *scale = json_get(c->settings, "score_scale");
    TRY(json_need_number(&c->scale.mean, scale, "mean", what, err));
    TRY(json_need_number(&c->scale.sd, scale, "sd", what, err));
    if (!(c->scale.sd > 0))
        return err_set(err, ERR_FORMAT, "%s: score_scale.sd is %g", what,
                       c->scale.sd);
    c->plan.seed = (uint64_t)json_int(json_get(c->settings, "seed"), 0);
    return OK;
}

/* ---- one pair of arms ---------------------------------------------------- */

static enum status find_files(char samples[FILE_PATH_MAX],
                              char votes[FILE_PATH_MAX],
                              const struct comparing *c,
                              const struct whatif_arm *arm, struct err *err)
{
    char dir[FILE_PATH_MAX];
    TRY(file_join(dir, c->config->project, arm->dir, err));
    TRY(heldout_files_path(samples, dir, "samples.jsonl", err));
    if (arm->votes == NULL)
        return OK;
    return file_join(votes, c->config->project, arm->votes, err);
}

static enum status measure_pair(struct whatif_effect out[WHATIF_MEASURES],
                                const struct comparing *c,
                                const struct whatif_arm *base,
                                const struct whatif_arm *changed,
                                struct err *err)
{
    char samples[2][FILE_PATH_MAX], votes[2][FILE_PATH_MAX];
    TRY(find_files(samples[0], votes[0], c, base, err));
    TRY(find_files(samples[1], votes[1], c, changed, err));
    bool has_votes = base->votes != NULL && changed->votes != NULL;
    const struct whatif_files files = {
        .base = samples[0],
        .changed = samples[1],
        .base_votes = has_votes ? votes[0] : NULL,
        .changed_votes = has_votes ? votes[1] : NULL,
        .scale = c->scale,
    };
    return whatif_pair_measure(out, &files, &c->plan, err);
}

static void put_estimate(struct json_writer *w, const char *key,
                         const struct estimate *e)
{
    json_put_key(w, key);
    measures_write_estimate(w, e);
}

static void put_measures(struct json_writer *w,
                         const struct whatif_effect effect[WHATIF_MEASURES])
{
    json_put_key(w, "measures");
    json_open(w, '{');
    for (int m = 0; m < WHATIF_MEASURES; m++) {
        json_put_key(w, whatif_measure_table[m].name);
        json_open(w, '{');
        put_estimate(w, "base", &effect[m].base);
        put_estimate(w, "changed", &effect[m].changed);
        put_estimate(w, "effect", &effect[m].effect);
        json_close(w, '}');
    }
    json_close(w, '}');
}

/* What the arm's own reward model says of its policy, and of its pairs. */
static enum status put_own_reward(struct json_writer *w,
                                  const struct comparing *c,
                                  const struct whatif_arm *arm, struct err *err)
{
    char path[FILE_PATH_MAX], dir[FILE_PATH_MAX];
    struct json *heldout;
    json_put_key(w, "own_reward");
    if (!arm->has_own_reward) {
        json_put_null(w);
        return OK;
    }
    TRY(file_join(dir, c->config->project, arm->dir, err));
    TRY(heldout_files_path(path, dir, "heldout.json", err));
    TRY(json_read(&heldout, path, DOCUMENT_MAX, err));
    struct estimate uplift =
        measures_read_estimate(json_get(heldout, "rm_delta"));
    struct estimate accuracy = measures_read_estimate(
        json_get(json_get(heldout, "reward_heldout"), "accuracy"));
    json_open(w, '{');
    put_estimate(w, "uplift", &uplift);
    put_estimate(w, "accuracy", &accuracy);
    json_close(w, '}');
    json_free(heldout);
    return OK;
}

/* Replies and tokens that PPO drew: each iteration's mean length times its
 * episodes. */
static enum status read_cost(struct run_table *out, const struct comparing *c,
                             const struct whatif_arm *arm, struct err *err)
{
    char run[FILE_PATH_MAX], path[FILE_PATH_MAX];
    *out = (struct run_table){.n = 0};
    if (arm->run == NULL)
        return OK;
    TRY(file_join(run, c->config->project, arm->run, err));
    TRY(file_join(path, run, "metrics.jsonl", err));
    return run_table_read(out, path, err);
}

static enum status put_cost(struct json_writer *w, const char *key,
                            const struct comparing *c,
                            const struct whatif_arm *arm, struct err *err)
{
    struct run_table t;
    double tokens = 0, episodes = 0;
    TRY(read_cost(&t, c, arm, err));
    size_t length = run_table_find(&t, "response/length");
    size_t episode = run_table_find(&t, "episode");
    size_t kl = run_table_find(&t, "kl/sequence");
    for (size_t i = 0; i < t.n && length < t.columns && episode < t.columns;
         i++) {
        double now = t.value[i * t.columns + episode];
        tokens += t.value[i * t.columns + length] * (now - episodes);
        episodes = now;
    }
    json_put_key(w, key);
    json_open(w, '{');
    json_field_int(w, "iterations", (int64_t)t.n);
    json_field_number(w, "kl_last",
                      t.n > 0 && kl < t.columns
                          ? t.value[(t.n - 1) * t.columns + kl]
                          : (double)NAN);
    json_field_number(w, "replies_drawn", episodes);
    json_field_number(w, "tokens_drawn", round(tokens));
    json_field_int(w, "samples_per_reply", arm->inference);
    if (arm->inference > 1)
        json_field_number(w, "kl_bound", draw_best_kl((size_t)arm->inference));
    json_close(w, '}');
    run_table_free(&t);
    return OK;
}

static enum status put_seed(struct json_writer *w, struct comparing *c,
                            const struct whatif_trial *t, size_t i,
                            struct whatif_effect effect[WHATIF_MEASURES],
                            struct err *err)
{
    const struct whatif_arm *base = &t->base[i], *changed = &t->changed[i];
    const char *error = base->error ? base->error : changed->error;
    json_open(w, '{');
    json_field_int(w, "seed", changed->seed);
    json_field_text(w, "arm", changed->dir);
    json_field_text(w, "base", base->dir);
    if (error != NULL) {
        json_field_text(w, "error", error);
        json_close(w, '}');
        return OK;
    }
    TRY(measure_pair(effect, c, base, changed, err));
    put_measures(w, effect);
    TRY(put_own_reward(w, c, changed, err));
    TRY(put_cost(w, "cost", c, changed, err));
    TRY(put_cost(w, "base_cost", c, base, err));
    json_close(w, '}');
    return OK;
}

/* ---- one change ---------------------------------------------------------- */

static void put_pooled(struct json_writer *w,
                       struct whatif_effect (*effect)[WHATIF_MEASURES],
                       size_t n)
{
    struct estimate over[WHATIF_SEEDS_MAX];
    json_put_key(w, "over_seeds");
    json_open(w, '{');
    for (int m = 0; m < WHATIF_MEASURES; m++) {
        const struct whatif_measure_row *row = &whatif_measure_table[m];
        for (size_t i = 0; i < n; i++)
            over[i] = effect[i][m].effect;
        struct whatif_pooled p = whatif_pair_pool(over, n, row->is_ratio);
        json_put_key(w, row->name);
        json_open(w, '{');
        json_field_number(w, "mean", p.e.estimate);
        json_field_number(w, "low", p.e.low);
        json_field_number(w, "high", p.e.high);
        json_field_int(w, "seeds", (int64_t)p.e.n);
        json_field_text(w, "claim", p.claim);
        json_close(w, '}');
    }
    json_close(w, '}');
    json_field_text(w, "claim",
                    n == 0                    ? NULL
                    : n >= WHATIF_SEEDS_CLAIM ? "caused by"
                                              : "consistent with");
}

static void put_settings(struct json_writer *w, const struct whatif_trial *t)
{
    json_field_text(w, "name", t->name);
    json_field_text(w, "what", t->what);
    json_put_key(w, "stages");
    json_open(w, '[');
    for (size_t i = 0; i < t->n_stages; i++)
        json_put_text(w, t->stages[i]);
    json_close(w, ']');
    json_put_key(w, "settings");
    json_open(w, '[');
    for (size_t i = 0; i < t->n_settings; i++) {
        json_open(w, '{');
        json_field_text(w, "key", t->setting[i].key);
        json_field_text(w, "from", t->setting[i].from);
        json_field_text(w, "to", t->setting[i].to);
        json_close(w, '}');
    }
    json_close(w, ']');
}

/* One arm's levels, a point of the plots. */
static void put_point(struct json_writer *w, const char *name,
                      const struct whatif_arm *arm, bool is_base,
                      const struct whatif_effect effect[WHATIF_MEASURES])
{
    static const enum whatif_measure shown[] = {WHATIF_KL,    WHATIF_RM,
                                                WHATIF_GOLD,  WHATIF_WEAK_GOLD,
                                                WHATIF_HUMAN, WHATIF_LENGTH};
    json_open(w, '{');
    json_field_text(w, "name", name);
    json_field_int(w, "seed", arm->seed);
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        struct estimate e =
            is_base ? effect[shown[i]].base : effect[shown[i]].changed;
        if (shown[i] == WHATIF_KL && arm->inference > 1) {
            e.estimate = e.high = draw_best_kl((size_t)arm->inference);
            e.low = (double)NAN;
        }
        put_estimate(w, whatif_measure_table[shown[i]].name, &e);
    }
    json_close(w, '}');
}

/* Was this base arm a point of an earlier trial or seed? */
static bool is_drawn(const struct whatif_config *c, size_t trial, size_t seed)
{
    const char *dir = c->trial[trial].base[seed].dir;
    for (size_t t = 0; t <= trial; t++) {
        size_t n = t < trial ? c->trial[t].n : seed;
        for (size_t i = 0; i < n; i++) {
            const struct whatif_arm *base = &c->trial[t].base[i];
            const struct whatif_arm *changed = &c->trial[t].changed[i];
            if (base->error == NULL && changed->error == NULL &&
                strcmp(base->dir, dir) == 0)
                return true;
        }
    }
    return false;
}

static enum status put_trial(struct json_writer *w, struct json_writer *points,
                             struct comparing *c, size_t number,
                             struct whatif_effect (*effect)[WHATIF_MEASURES],
                             struct err *err)
{
    const struct whatif_trial *t = &c->config->trial[number];
    size_t n = 0;
    json_open(w, '{');
    put_settings(w, t);
    json_put_key(w, "seeds");
    json_open(w, '[');
    for (size_t i = 0; i < t->n; i++) {
        TRY(put_seed(w, c, t, i, effect[n], err));
        if (t->base[i].error != NULL || t->changed[i].error != NULL)
            continue;
        if (!is_drawn(c->config, number, i))
            put_point(points, "base", &t->base[i], true, effect[n]);
        put_point(points, t->name, &t->changed[i], false, effect[n]);
        n++;
    }
    json_close(w, ']');
    put_pooled(w, effect, n);
    json_close(w, '}');
    return OK;
}

/* ---- the document -------------------------------------------------------- */

static void put_head(struct json_writer *w, const struct comparing *c)
{
    const struct json *sizes = json_get(c->settings, "settings");
    bool is_disjoint =
        json_bool(json_get(c->settings, "gold_is_disjoint"), false);
    bool has_votes = c->config->n > 0 && c->config->trial[0].n > 0 &&
                     c->config->trial[0].changed[0].votes != NULL;
    json_field_text(w, "schema", "plumb.whatif/1");
    json_field_text(w, "plumb_version", PLUMB_VERSION);
    json_put_key(w, "evaluation");
    json_open(w, '{');
    json_field_int(w, "seed", json_int(json_get(c->settings, "seed"), 0));
    json_field_int(w, "prompts", json_int(json_get(sizes, "prompts"), 0));
    json_field_int(w, "samples", json_int(json_get(sizes, "samples"), 0));
    json_close(w, '}');
    json_put_key(w, "score_scale");
    json_open(w, '{');
    json_field_number(w, "mean", c->scale.mean);
    json_field_number(w, "sd", c->scale.sd);
    json_close(w, '}');
    json_field_text(w, "weak_gold",
                    json_get(c->settings, "gold_model") == NULL ? NULL
                    : is_disjoint ? HELDOUT_WEAK_GOLD
                                  : HELDOUT_WEAK_GOLD_UNKNOWN);
    json_field_text(w, "judge", has_votes ? "simulated panel" : NULL);
}

static enum status put_document(struct buf *out, struct comparing *c,
                                struct whatif_effect (*effect)[WHATIF_MEASURES],
                                struct err *err)
{
    enum status status = OK;
    struct buf text;
    struct json_writer w, points;
    buf_init(&text, DOCUMENT_MAX);
    json_writer_init(&w, out, true);
    json_writer_init(&points, &text, false);
    json_open(&points, '[');
    json_open(&w, '{');
    put_head(&w, c);
    json_put_key(&w, "changes");
    json_open(&w, '[');
    for (size_t i = 0; i < c->config->n; i++)
        TRY_DONE(put_trial(&w, &points, c, i, effect, err));
    json_close(&w, ']');
    json_close(&points, ']');
    TRY_DONE(buf_status(&text, err));
    json_put_key(&w, "points");
    json_put_raw(&w, text.data, text.len);
    json_close(&w, '}');
    buf_putc(out, '\n');
    status = buf_status(out, err);
done:
    buf_free(&text);
    return status;
}

enum status whatif_compare(const struct whatif_config *config, struct err *err)
{
    enum status status = OK;
    struct comparing c = {.settings = NULL};
    struct whatif_effect(*effect)[WHATIF_MEASURES] = NULL;
    char dir[FILE_PATH_MAX], path[FILE_PATH_MAX];
    struct buf text;
    buf_init(&text, DOCUMENT_MAX);
    TRY_DONE(open_comparing(&c, config, err));
    TRY_DONE(MEM_NEW(effect, WHATIF_SEEDS_MAX, err));
    TRY_DONE(put_document(&text, &c, effect, err));
    TRY_DONE(file_join(dir, config->project, "whatif", err));
    TRY_DONE(file_make_dir(dir, err));
    TRY_DONE(file_join(path, dir, "result.json", err));
    TRY_DONE(file_write(path, text.data, text.len, err));
done:
    mem_free(effect);
    json_free(c.settings);
    buf_free(&text);
    return status;
}

static enum status add_seconds(void *ctx, const struct json *row, size_t line,
                               struct err *err)
{
    double *sum = ctx;
    (void)line;
    (void)err;
    *sum += json_number(json_get(row, "seconds"), 0);
    return OK;
}

double whatif_seconds(const char *run)
{
    char path[FILE_PATH_MAX];
    double sum = 0;
    if (file_join(path, run, "timing.jsonl", NULL) != OK ||
        jsonl_read(path, add_seconds, &sum, NULL) != OK)
        return (double)NAN;
    return sum;
}
