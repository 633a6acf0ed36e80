#include "cli/whatif_value.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "rlhf/ppo.h"

#define ORIGIN "plumb whatif"
#define CONFIG_MAX ((size_t)1 << 20)
#define RESULT_MAX ((size_t)16 << 20)

/* Seeds between the members of an ensemble: more than whatif.seeds, so that no
 * two models of one change share one. */
#define MEMBER_SEEDS 1000

bool whatif_value_is_made(const struct whatif_change *c)
{
    return (c->kind == WHATIF_RELABEL || c->kind == WHATIF_FRESH_LABELS) &&
           strcmp(c->value, "careful") == 0;
}

/* The last checkpoint of supervised fine-tuning at or before the end of an
 * epoch. */
static enum status find_epoch(char out[FILE_PATH_MAX],
                              const struct whatif_project *p, double epoch,
                              struct err *err)
{
    char model[FILE_PATH_MAX], sft[FILE_PATH_MAX], path[FILE_PATH_MAX];
    struct options o;
    struct json *result;
    int64_t step, steps = 0, best = -1, *list;
    size_t n;
    TRY(run_find_model(model, p->ppo.v.ppo.model, "sft", err));
    if (!run_of_model(sft, &step, model))
        return err_set(err, ERR_MISSING,
                       "%s lies in no sft run: it has no epochs", model);
    TRY(place_read_run(&o, sft, FOR_SFT, err));
    int64_t epochs = o.v.sft.epochs;
    options_free(&o);
    TRY(file_join(path, sft, "result.json", err));
    TRY(json_read(&result, path, RESULT_MAX, err));
    enum status status =
        json_need_int(&steps, result, "steps", 1, INT64_MAX, path, err);
    json_free(result);
    TRY(status);
    TRY(run_checkpoints(&list, &n, sft, err));
    double last = epoch * (double)steps / (double)epochs;
    for (size_t i = 0; i < n; i++)
        if ((double)list[i] <= last + 0.5 && list[i] > best)
            best = list[i];
    mem_free(list);
    if (best < 0)
        return err_set(err, ERR_MISSING,
                       "%s has no checkpoint up to epoch %g (step %.0f)", sft,
                       epoch, last);
    char name[64];
    (void)snprintf(name, sizeof name, "checkpoints/%06" PRId64, best);
    return file_join(out, sft, name, err);
}

static enum status read_epoch(double *out, const struct whatif_change *c,
                              struct err *err)
{
    char rest;
    if (sscanf(c->value, "%lf%c", out, &rest) != 1 || !(*out > 0) ||
        !isfinite(*out))
        return err_set(err, ERR_ARG, "%s: '%.40s' is no epoch", c->name,
                       c->value);
    return OK;
}

static const struct option *row_of(const char *key)
{
    bool is_hash;
    return options_find(key, strlen(key), &is_hash);
}

static enum status find_labels(char out[FILE_PATH_MAX],
                               const struct whatif_project *p,
                               const struct whatif_change *c, struct err *err)
{
    char name[WHATIF_NAME_MAX + 96];
    const struct whatif_values *v = &p->o->v.whatif;
    if (c->kind == WHATIF_RELABEL)
        (void)snprintf(name, sizeof name, "whatif/%s/labels/rankings.jsonl",
                       c->name);
    else
        (void)snprintf(name, sizeof name,
                       "whatif/%s/labels/rankings-%" PRId64 "x%" PRId64
                       ".jsonl",
                       c->name, v->fresh_prompts, v->fresh_samples);
    return file_join(out, p->at.project, name, err);
}

/* How steep a bound score is where the reference's lies (ppo.score_shape). */
static double slope_of(const struct options *o)
{
    static const double slope[] = {
        [SHAPE_NONE] = 1,
        [SHAPE_SIGMOID] = 0.25,
        [SHAPE_LOG_SIGMOID] = 0.5,
    };
    return slope[o->v.ppo.score_shape];
}

/* A price of a nat that is at the reference what it was: a bound score is
 * flatter there, and an unchanged beta would be dearer. */
static enum status find_beta(char out[FILE_PATH_MAX],
                             const struct whatif_project *p,
                             const struct whatif_change *c, struct err *err)
{
    struct options o;
    TRY(options_init(&o, err));
    enum status status =
        options_set(&o, row_of("ppo.score_shape"), c->value, ORIGIN, NULL, err);
    if (status == OK)
        (void)snprintf(out, FILE_PATH_MAX, "%.9g",
                       p->ppo.v.ppo.kl.beta * slope_of(&o) / slope_of(&p->ppo));
    options_free(&o);
    return status;
}

enum status whatif_value_find(char out[FILE_PATH_MAX],
                              const struct whatif_project *p,
                              const struct whatif_change *c, size_t k,
                              struct err *err)
{
    double epoch;
    if (whatif_value_is_made(c))
        return find_labels(out, p, c, err);
    if (c->kind == WHATIF_BOUNDED && strcmp(c->set[k].key, "ppo.beta") == 0)
        return find_beta(out, p, c, err);
    if (c->kind == WHATIF_SFT_EPOCH) {
        TRY(read_epoch(&epoch, c, err));
        return find_epoch(out, p, epoch, err);
    }
    return file_join(out, "", c->set[k].text, err);
}

static const struct options *recorded(const struct whatif_project *p,
                                      const char *key)
{
    return strncmp(key, "reward.", 7) == 0 ? &p->reward
           : strncmp(key, "ppo.", 4) == 0  ? &p->ppo
                                           : p->o; // of evaluation: no stage's
}

/* A value as text, a path as seen from the project. */
static enum status print_value(struct buf *out, const struct options *o,
                               const struct option *row,
                               const struct whatif_project *p, struct err *err)
{
    char path[FILE_PATH_MAX];
    bool is_path = row->type == OPTION_PATH && options_text(o, row) != NULL;
    if (!is_path) {
        options_print_value(out, o, row);
        return buf_status(out, err);
    }
    TRY(file_relative(path, p->at.project, options_text(o, row), err));
    buf_puts(out, path);
    return buf_status(out, err);
}

enum status whatif_arm_setting(struct buf *from, struct buf *to,
                               const struct whatif_project *p,
                               const struct whatif_place *arm, size_t k,
                               struct err *err)
{
    char value[FILE_PATH_MAX];
    struct options o;
    const char *key = arm->change->set[k].key;
    const struct option *row = row_of(key);
    TRY(print_value(from, recorded(p, key), row, p, err));
    TRY(whatif_value_find(value, p, arm->change, k, err));
    TRY(options_init(&o, err));
    enum status status = options_set(&o, row, value, ORIGIN, NULL, err);
    if (status == OK)
        status = print_value(to, &o, row, p, err);
    options_free(&o);
    return status;
}

static enum status give_number(struct options *o, const char *key, int64_t x,
                               struct err *err)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%" PRId64, x);
    return options_give(o, key, text, ORIGIN, NULL, err);
}

/* The change's settings of one stage, over the recorded ones. */
static enum status give_change(struct options *o,
                               const struct whatif_project *p,
                               const struct whatif_change *c,
                               const char *section, struct err *err)
{
    char value[FILE_PATH_MAX];
    for (size_t k = 0; k < c->n_set; k++) {
        if (strncmp(c->set[k].key, section, strlen(section)) != 0)
            continue;
        TRY(whatif_value_find(value, p, c, k, err));
        TRY(options_give(o, c->set[k].key, value, ORIGIN, NULL, err));
    }
    return OK;
}

/* The further members of an ensemble, each a run of its own. */
static enum status give_members(struct options *o,
                                const struct whatif_project *p,
                                const struct whatif_place *a, struct err *err)
{
    char key[64], name[32], path[FILE_PATH_MAX];
    for (size_t k = 2; k < 2 + a->members; k++) {
        (void)snprintf(key, sizeof key, "ppo.reward_model_%zu", k);
        (void)snprintf(name, sizeof name, "reward-%zu", k);
        TRY(whatif_project_join(path, p, a->dir, name, err));
        TRY(options_give(o, key, path, ORIGIN, NULL, err));
    }
    return OK;
}

/* Everything that a stage of the arm is run with but for the machine. */
static enum status give_all(struct options *o, const struct whatif_project *p,
                            const struct whatif_place *a,
                            enum option_command stage, size_t member,
                            struct err *err)
{
    char path[FILE_PATH_MAX];
    const char *section = stage == FOR_REWARD ? "reward." : "ppo.";
    int64_t shift = a->seed - p->ppo.v.common.seed;
    if (member > 1)
        shift += MEMBER_SEEDS * (int64_t)(member - 1);
    if (a->change != NULL)
        TRY(give_change(o, p, a->change, section, err));
    TRY(give_number(o, "seed", o->v.common.seed + shift, err));
    if (stage == FOR_PPO && a->has_reward) {
        TRY(whatif_project_join(path, p, a->dir, "reward", err));
        TRY(options_give(o, "ppo.reward_model", path, ORIGIN, NULL, err));
    }
    if (stage == FOR_PPO)
        TRY(give_members(o, p, a, err));
    return options_apply(o, err);
}

/* Free with options_free(). */
enum status whatif_value_options(struct options *out,
                                 const struct whatif_project *p,
                                 const struct whatif_place *a,
                                 enum option_command stage, size_t member,
                                 struct err *err)
{
    const char *dir = stage == FOR_REWARD ? p->reward_dir : p->at.run;
    TRY(place_read_run(out, dir, stage, err));
    enum status status = give_all(out, p, a, stage, member, err);
    out->v.common.threads = p->o->v.common.threads;
    out->v.common.quiet = p->o->v.common.quiet;
    out->v.common.resume = true;
    if (status != OK)
        options_free(out);
    return status;
}

/* ---- before anything is run ---------------------------------------------- */

static enum status check_change(const struct whatif_project *p,
                                const struct whatif_place *a, struct err *err)
{
    const struct whatif_change *c = a->change;
    bool is_same = true;
    if (whatif_value_is_made(c) && !p->is_desk)
        return err_set(err, ERR_ARG,
                       "%s: only the support desk has raters of its own; "
                       "%s=FILE names rankings of yours",
                       c->name, c->name);
    for (size_t k = 0; is_same && k < c->n_set; k++) {
        struct buf from, to;
        buf_init(&from, CONFIG_MAX);
        buf_init(&to, CONFIG_MAX);
        enum status status = whatif_arm_setting(&from, &to, p, a, k, err);
        is_same = strcmp(buf_text(&from), buf_text(&to)) == 0;
        buf_free(&from);
        buf_free(&to);
        TRY(status);
    }
    return is_same ? err_set(err, ERR_ARG, "%s: the run has these settings",
                             c->name)
                   : OK;
}

enum status whatif_arm_check(const struct whatif_project *p,
                             const struct whatif_place *arm, struct err *err)
{
    struct options o;
    const char *name = arm->change ? arm->change->name : "base";
    if ((arm->has_reward || arm->members > 0) && !p->has_reward)
        return err_set(err, ERR_MISSING,
                       "%s needs the reward stage, which is not there: %s",
                       name, p->no_reward.text);
    if (arm->change != NULL)
        TRY(check_change(p, arm, err));
    if (!arm->has_ppo)
        return OK;
    TRY(whatif_value_options(&o, p, arm, FOR_PPO, 1, err));
    enum status status = ppo_check(&o.v.ppo, err);
    options_free(&o);
    if (status != OK)
        return err_context(err, "%s", name);
    if (!arm->has_reward)
        return OK;
    TRY(whatif_value_options(&o, p, arm, FOR_REWARD, 1, err));
    options_free(&o);
    return OK;
}
