#include <math.h>
#include <string.h>

#include "base/file.h"
#include "eval/heldout.h"
#include "eval/heldout_files.h"
#include "eval/observe.h"
#include "eval/samples.h"
#include "eval/spotcheck.h"
#include "io/run.h"
#include "store/human.h"

#define CURVE_MAX ((size_t)16 << 20)
#define REWARD_MAX ((size_t)1 << 20)

/* What the summary is made of. */
struct sources {
    const char *project;
    struct json *settings;
    struct json *curve;  // NULL: absent
    struct json *reward; // the reward model on its own pairs; NULL: unknown
    struct measures measures, serving, panel;
    struct measures weak_gold, serving_weak_gold;
    struct spotcheck_counts counts;
    bool has_serving, has_panel;
    struct bootstrap plan;
};

/* Votes count when they are about these samples; a policy trained anew in the
 * same place must not inherit what was said of the old one. */
static enum status read_panel(struct sources *s, struct err *err)
{
    char samples[FILE_PATH_MAX];
    char path[FILE_PATH_MAX];
    struct known known;
    TRY(heldout_files_path(samples, s->project, "samples.jsonl", err));
    TRY(human_find(path, s->project, err));
    if (!file_exists(path))
        return OK;
    TRY(known_read(&known, samples, err));
    enum status status =
        spotcheck_read(&s->panel, &s->counts, path, &known, &s->plan, err);
    known_free(&known);
    /* A database keeps the votes on earlier policies beside those on this. */
    bool is_fitting =
        human_is_database(path) ? s->counts.pairs > 0 : s->counts.strange == 0;
    s->has_panel = status == OK && is_fitting;
    return status;
}

/* What the reward model's run found on the pairs it held out.  It speaks of
 * one checkpoint, and counts only when that is the one evaluated here. */
static enum status read_reward(struct sources *s, struct err *err)
{
    char model[FILE_PATH_MAX];
    char run[FILE_PATH_MAX];
    char path[FILE_PATH_MAX];
    int64_t step;
    const char *given = json_text(json_get(s->settings, "reward_model"), NULL);
    if (given == NULL) // a program
        return OK;
    TRY(file_join(model, s->project, given, err));
    if (!run_of_model(run, &step, model))
        return OK;
    TRY(file_join(path, run, "eval/heldout.json", err));
    if (!file_exists(path))
        return OK;
    TRY(json_read(&s->reward, path, REWARD_MAX, err));
    const char *schema = json_text(json_get(s->reward, "schema"), "");
    int64_t about = json_int(json_get(s->reward, "step"), -1);
    if (strcmp(schema, "plumb.reward_heldout/1") != 0 ||
        (step >= 0 && step != about)) {
        json_free(s->reward);
        s->reward = NULL;
    }
    return OK;
}

static enum status read_sources(struct sources *s, struct err *err)
{
    char path[FILE_PATH_MAX];
    TRY(heldout_files_read_settings(&s->settings, s->project, err));
    s->plan.seed = (uint64_t)json_int(json_get(s->settings, "seed"), 0);
    TRY(heldout_files_path(path, s->project, "samples.jsonl", err));
    TRY(samples_measure(&s->measures, &s->weak_gold, path, &s->plan, err));
    TRY(heldout_files_path(path, s->project, "serving.jsonl", err));
    s->has_serving = file_exists(path);
    if (s->has_serving)
        TRY(samples_measure(&s->serving, &s->serving_weak_gold, path, &s->plan,
                            err));
    TRY(heldout_files_path(path, s->project, "curve.json", err));
    if (file_exists(path))
        TRY(json_read(&s->curve, path, CURVE_MAX, err));
    TRY(read_reward(s, err));
    return read_panel(s, err);
}

/* Members of settings.json as they stand. */
static void put_settings(struct json_writer *w, const struct sources *s)
{
    static const char *const key[] = {
        "seed",           "scenario",         "policy",    "policy_command",
        "best_of",        "best_of_kl_bound", "reference", "reward_model",
        "reward_command", "settings",         "data",      "score_scale"};
    for (size_t i = 0; i < sizeof key / sizeof *key; i++) {
        const struct json *node = json_get(s->settings, key[i]);
        if (node == NULL)
            continue;
        json_put_key(w, key[i]);
        json_put_node(w, node);
    }
}

static struct estimate kl_trend(const struct sources *s)
{
    return measures_read_estimate(
        json_get(json_get(s->curve, "trend"), "kl_sequence"));
}

static void put_curve(struct json_writer *w, const struct sources *s)
{
    const struct json *list = json_get(s->curve, "checkpoints");
    struct estimate trend = kl_trend(s);
    json_put_key(w, "kl_trend");
    measures_write_estimate(w, &trend);
    json_put_key(w, "kl_sequence");
    json_open(w, '[');
    for (size_t i = 0; i < json_size(list); i++) {
        const struct json *row = json_at(list, i);
        struct estimate e =
            measures_read_estimate(json_get(row, "kl_sequence"));
        json_open(w, '{');
        json_field_int(w, "iteration", json_int(json_get(row, "iteration"), 0));
        json_field_number(w, "estimate", e.estimate);
        json_field_number(w, "low", e.low);
        json_field_number(w, "high", e.high);
        json_field_int(w, "n", (int64_t)e.n);
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void put_panel(struct json_writer *w, const struct sources *s)
{
    json_put_key(w, "panel");
    if (!s->has_panel) {
        json_put_null(w);
        json_field_int(w, "votes_on_other_replies", (int64_t)s->counts.strange);
        return;
    }
    json_open(w, '{');
    json_field_int(w, "pairs", (int64_t)s->counts.pairs);
    json_field_int(w, "placebo_pairs", (int64_t)s->counts.placebo_pairs);
    json_field_int(w, "pairs_judged_twice", (int64_t)s->counts.repeated);
    measures_write(w, &s->panel);
    json_close(w, '}');
}

/* From the first to the last point of the curve, and the KL at the last. */
static enum observation observe_curve(const struct sources *s)
{
    const struct json *list = json_get(s->curve, "checkpoints");
    struct estimate trend = kl_trend(s);
    size_t m = json_size(list);
    if (m < 2)
        return OBSERVATION_OPEN;
    const struct json *last = json_at(list, m - 1);
    double from = json_number(json_get(json_at(list, 0), "iteration"), 0);
    double to = json_number(json_get(last, "iteration"), 0);
    struct estimate kl = measures_read_estimate(json_get(last, "kl_sequence"));
    return observe_kl_up(&trend, to - from, kl.estimate);
}

/* The measures of the weak gold under its label; null without one. */
static void put_weak_gold(struct json_writer *w, const struct sources *s,
                          const struct measures *m)
{
    const struct json *model = json_get(s->settings, "gold_model");
    json_put_key(w, "weak_gold");
    if (model == NULL) {
        json_put_null(w);
        return;
    }
    json_open(w, '{');
    json_field_text(w, "label",
                    json_bool(json_get(s->settings, "gold_is_disjoint"), false)
                        ? HELDOUT_WEAK_GOLD
                        : HELDOUT_WEAK_GOLD_UNKNOWN);
    json_put_key(w, "model");
    json_put_node(w, model);
    measures_write(w, m);
    json_close(w, '}');
}

static void put_observations(struct json_writer *w, const struct sources *s)
{
    struct estimate rm = measures_find(&s->measures, "rm_delta");
    struct estimate length = measures_find(&s->measures, "length_ratio");
    struct estimate gold = measures_find(&s->measures, "gold_win_rate");
    bool is_weak = gold.n == 0;
    if (is_weak)
        gold = measures_find(&s->weak_gold, "win_rate");
    struct estimate win = measures_find(&s->panel, "win_rate");
    struct estimate excess = measures_find(&s->panel, "less_direct_excess");
    json_put_key(w, "observations");
    json_open(w, '{');
    observe_write(w, "reward_up", observe_reward_up(&rm));
    observe_write(w, "human_down",
                  s->has_panel ? observe_human_down(&win, &excess)
                               : observe_gold_down(&gold));
    observe_write(w, "verbosity_up", observe_verbosity_up(&length));
    observe_write(w, "kl_up", observe_curve(s));
    json_close(w, '}');
    const char *from = s->has_panel  ? "spot-checks"
                       : gold.n == 0 ? NULL
                       : is_weak     ? "weak gold"
                                     : "gold rubric";
    json_field_text(w, "human_down_from", from);
}

static void put_reward(struct json_writer *w, const struct sources *s)
{
    json_put_key(w, "reward_heldout");
    if (s->reward == NULL)
        json_put_null(w);
    else
        json_put_node(w, s->reward);
}

static void put_serving(struct json_writer *w, const struct sources *s)
{
    json_put_key(w, "serving");
    if (!s->has_serving) {
        json_put_null(w);
        return;
    }
    json_open(w, '{');
    json_put_key(w, "settings");
    json_put_node(w, json_get(s->settings, "serving_settings"));
    measures_write(w, &s->serving);
    put_weak_gold(w, s, &s->serving_weak_gold);
    json_close(w, '}');
}

enum status heldout_summary(const char *project, struct err *err)
{
    enum status status = OK;
    struct sources s = {.project = project};
    struct buf text;
    struct json_writer w;
    buf_init(&text, CURVE_MAX);
    TRY_DONE(read_sources(&s, err));
    json_writer_init(&w, &text, true);
    json_open(&w, '{');
    json_field_text(&w, "schema", "plumb.heldout/1");
    json_field_text(&w, "plumb_version", PLUMB_VERSION);
    put_settings(&w, &s);
    put_observations(&w, &s);
    measures_write(&w, &s.measures);
    put_curve(&w, &s);
    put_weak_gold(&w, &s, &s.weak_gold);
    put_reward(&w, &s);
    put_panel(&w, &s);
    put_serving(&w, &s);
    json_close(&w, '}');
    TRY_DONE(heldout_files_write(project, "heldout.json", &text, err));
done:
    json_free(s.settings);
    json_free(s.curve);
    json_free(s.reward);
    buf_free(&text);
    return status;
}
