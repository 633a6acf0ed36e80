#include "cli/whatif_arm.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/command.h"
#include "world/desk.h"

#define ORIGIN "plumb whatif"
#define CONFIG_MAX ((size_t)1 << 20)
#define RESULT_MAX ((size_t)16 << 20)

/* ---- places -------------------------------------------------------------- */

/* project/dir/name, or project/dir when name is NULL. */
static enum status join(char out[FILE_PATH_MAX], const struct whatif_project *p,
                        const char *dir, const char *name, struct err *err)
{
    char at[FILE_PATH_MAX];
    if (name == NULL)
        return file_join(out, p->at.project, dir, err);
    TRY(file_join(at, p->at.project, dir, err));
    return file_join(out, at, name, err);
}

static enum status make_places(struct whatif_place *a,
                               const struct whatif_project *p, struct err *err)
{
    char name[WHATIF_NAME_MAX + 64];
    const char *base = a->has_reward ? "base-reward" : "base";
    (void)snprintf(name, sizeof name, "whatif/%s/seed-%" PRId64,
                   a->change != NULL ? a->change->name : base, a->seed);
    TRY(file_join(a->home, "", name, err));
    TRY(file_join(a->votes, a->home, "human/spotcheck.jsonl", err));
    if (a->is_project) {
        TRY(file_join(a->dir, "", ".", err));
        return file_relative(a->run, p->at.project, p->at.run, err);
    }
    TRY(file_join(a->dir, "", name, err));
    return file_join(a->run, a->dir, "ppo", err);
}

/* ---- the record of an arm ------------------------------------------------ */

static enum status put_setting(struct json_writer *w,
                               const struct whatif_project *p,
                               const struct whatif_place *a, size_t k,
                               struct err *err)
{
    enum status status = OK;
    struct buf from, to;
    char path[FILE_PATH_MAX], hash[65];
    buf_init(&from, CONFIG_MAX);
    buf_init(&to, CONFIG_MAX);
    TRY_DONE(whatif_arm_setting(&from, &to, p, a, k, err));
    json_open(w, '{');
    json_field_text(w, "key", a->change->set[k].key);
    json_field_text(w, "from", buf_text(&from));
    json_field_text(w, "to", buf_text(&to));
    /* The same name may come to hold other data. */
    if (file_join(path, p->at.project, buf_text(&to), NULL) == OK &&
        file_exists(path) && !file_is_dir(path)) {
        TRY_DONE(file_hash(hash, path, err));
        json_field_text(w, "sha256", hash);
    }
    json_close(w, '}');
done:
    buf_free(&from);
    buf_free(&to);
    return status;
}

static enum status put_record(struct buf *out, const struct whatif_project *p,
                              const struct whatif_place *a, struct err *err)
{
    struct json_writer w;
    json_writer_init(&w, out, true);
    json_open(&w, '{');
    json_field_text(&w, "schema", "plumb.whatif_arm/1");
    json_field_text(&w, "change", a->change ? a->change->name : NULL);
    json_field_int(&w, "seed", a->seed);
    json_put_key(&w, "settings");
    json_open(&w, '[');
    for (size_t k = 0; a->change != NULL && k < a->change->n_set; k++)
        TRY(put_setting(&w, p, a, k, err));
    json_close(&w, ']');
    json_field_text(&w, "made_from", p->hash);
    json_close(&w, '}');
    buf_putc(out, '\n');
    return buf_status(out, err);
}

/* Is the record there, and of this very arm? */
static enum status look_for_record(bool *is_done,
                                   const struct whatif_project *p,
                                   const struct whatif_place *a,
                                   struct err *err)
{
    enum status status = OK;
    char path[FILE_PATH_MAX];
    struct buf text, old;
    *is_done = false;
    TRY(join(path, p, a->home, "arm.json", err));
    if (!file_exists(path))
        return OK;
    buf_init(&text, CONFIG_MAX);
    buf_init(&old, CONFIG_MAX);
    TRY_DONE(put_record(&text, p, a, err));
    TRY_DONE(file_read(&old, path, err));
    *is_done = strcmp(buf_text(&text), buf_text(&old)) == 0;
done:
    buf_free(&text);
    buf_free(&old);
    return status;
}

static enum status write_record(const struct whatif_project *p,
                                const struct whatif_place *a, struct err *err)
{
    enum status status = OK;
    char path[FILE_PATH_MAX];
    struct buf text;
    buf_init(&text, CONFIG_MAX);
    TRY_DONE(join(path, p, a->home, NULL, err));
    TRY_DONE(file_make_dir(path, err));
    TRY_DONE(put_record(&text, p, a, err));
    TRY_DONE(join(path, p, a->home, "arm.json", err));
    status = file_write(path, text.data, text.len, err);
done:
    buf_free(&text);
    return status;
}

enum status whatif_arm_find(struct whatif_place *out,
                            const struct whatif_project *p,
                            const struct whatif_change *change, bool has_reward,
                            int64_t seed, struct err *err)
{
    struct whatif_place a = {
        .change = change, .has_reward = has_reward, .seed = seed};
    a.is_project = change == NULL && seed == p->ppo.v.common.seed;
    if (a.is_project)
        a.has_reward = false; // the recorded one, whoever asks
    TRY(make_places(&a, p, err));
    TRY(look_for_record(&a.is_done, p, &a, err));
    *out = a;
    return OK;
}

/* ---- settings ------------------------------------------------------------ */

static bool is_careful(const struct whatif_change *c)
{
    return c->kind == WHATIF_RELABEL && strcmp(c->value, "careful") == 0;
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

/* Setting k as text: of a change that is more than settings, what was found
 * or is made for it. */
static enum status find_value(char out[FILE_PATH_MAX],
                              const struct whatif_project *p,
                              const struct whatif_change *c, size_t k,
                              struct err *err)
{
    double epoch;
    if (is_careful(c)) {
        char name[WHATIF_NAME_MAX + 64];
        (void)snprintf(name, sizeof name, "whatif/%s/labels/rankings.jsonl",
                       c->name);
        return file_join(out, p->at.project, name, err);
    }
    if (c->kind == WHATIF_SFT_EPOCH) {
        TRY(read_epoch(&epoch, c, err));
        return find_epoch(out, p, epoch, err);
    }
    return file_join(out, "", c->set[k].text, err);
}

static const struct options *recorded(const struct whatif_project *p,
                                      const char *key)
{
    return strncmp(key, "reward.", 7) == 0 ? &p->reward : &p->ppo;
}

static const struct option *row_of(const char *key)
{
    bool is_hash;
    return options_find(key, strlen(key), &is_hash);
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
    TRY(find_value(value, p, arm->change, k, err));
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
        TRY(find_value(value, p, c, k, err));
        TRY(options_give(o, c->set[k].key, value, ORIGIN, NULL, err));
    }
    return OK;
}

/* Everything that a stage of the arm is run with but for the machine. */
static enum status give_all(struct options *o, const struct whatif_project *p,
                            const struct whatif_place *a,
                            enum option_command stage, struct err *err)
{
    char path[FILE_PATH_MAX];
    const char *section = stage == FOR_REWARD ? "reward." : "ppo.";
    int64_t shift = a->seed - p->ppo.v.common.seed;
    if (a->change != NULL)
        TRY(give_change(o, p, a->change, section, err));
    TRY(give_number(o, "seed", o->v.common.seed + shift, err));
    if (stage == FOR_PPO && a->has_reward) {
        TRY(join(path, p, a->dir, "reward", err));
        TRY(options_give(o, "ppo.reward_model", path, ORIGIN, NULL, err));
    }
    return options_apply(o, err);
}

/* Free with options_free(). */
static enum status stage_options(struct options *out,
                                 const struct whatif_project *p,
                                 const struct whatif_place *a,
                                 enum option_command stage, struct err *err)
{
    const char *dir = stage == FOR_REWARD ? p->reward_dir : p->at.run;
    TRY(place_read_run(out, dir, stage, err));
    enum status status = give_all(out, p, a, stage, err);
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
    if (is_careful(c) && !p->is_desk)
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
    if (arm->has_reward && !p->has_reward)
        return err_set(err, ERR_MISSING,
                       "%s needs the reward stage, which is not there: %s",
                       name, p->no_reward.text);
    if (arm->change != NULL)
        TRY(check_change(p, arm, err));
    TRY(stage_options(&o, p, arm, FOR_PPO, err));
    enum status status = ppo_check(&o.v.ppo, err);
    options_free(&o);
    if (status != OK)
        return err_context(err, "%s", name);
    if (!arm->has_reward)
        return OK;
    TRY(stage_options(&o, p, arm, FOR_REWARD, err));
    options_free(&o);
    return OK;
}

/* ---- running ------------------------------------------------------------- */

static enum status train(const struct whatif_project *p,
                         const struct whatif_place *a,
                         enum option_command command, struct session *s,
                         struct err *err)
{
    char dir[FILE_PATH_MAX];
    struct options o;
    struct stage stage;
    struct buf config;
    TRY(join(dir, p, a->dir, command == FOR_REWARD ? "reward" : "ppo", err));
    TRY(stage_options(&o, p, a, command, err));
    buf_init(&config, CONFIG_MAX);
    enum status status =
        session_stage(&stage, &config, &o, command, dir, s, err);
    if (status == OK)
        status = command == FOR_REWARD ? cmd_reward_run(&o, &stage, err)
                                       : cmd_ppo_run(&o, &stage, err);
    buf_free(&config);
    options_free(&o);
    return status;
}

/* The rankings that careful raters give, once for all seeds. */
static enum status relabel(const struct whatif_project *p,
                           const struct whatif_place *a, struct session *s,
                           struct err *err)
{
    char path[FILE_PATH_MAX], dir[FILE_PATH_MAX];
    struct rater_config careful = p->o->v.world.rater;
    careful.hurried = 0;
    TRY(find_value(path, p, a->change, 0, err));
    if (file_exists(path))
        return OK;
    TRY(file_dirname(dir, path, err));
    TRY(file_make_dir(dir, err));
    context_stage(&s->context, "rank", "careful raters rank the same replies");
    return desk_rank_file(p->reward.v.reward.data, path, &careful,
                          (uint64_t)p->reward.v.common.seed, err);
}

/* The reward model that the arm's policy was trained against. */
static enum status find_reward(char out[FILE_PATH_MAX], bool *is_own,
                               const struct whatif_project *p,
                               const struct whatif_place *a, struct err *err)
{
    struct options o;
    char model[FILE_PATH_MAX], base[FILE_PATH_MAX], path[FILE_PATH_MAX];
    TRY(stage_options(&o, p, a, FOR_PPO, err));
    enum status status =
        run_find_model(model, o.v.ppo.reward_model, "reward", err);
    options_free(&o);
    TRY(status);
    TRY(file_absolute(path, model, err));
    TRY(file_absolute(base, p->reward_model, err));
    *is_own = strcmp(path, base) != 0;
    return file_join(out, "", *is_own ? model : p->reward_model, err);
}

/* The arm's prompts were laid out as the base's. */
static enum status check_template(const struct whatif_project *p,
                                  const char *dir, struct err *err)
{
    struct json *settings;
    char path[FILE_PATH_MAX];
    TRY(file_join(path, dir, "eval/settings.json", err));
    TRY(json_read(&settings, path, RESULT_MAX, err));
    const char *own =
        json_text(json_get(json_get(settings, "data"), "chat_template"), "");
    const char *base =
        json_text(json_get(json_get(p->settings, "data"), "chat_template"), "");
    enum status status = OK;
    if (strcmp(own, base) != 0)
        status = err_set(err, ERR_MISMATCH,
                         "%s: prompts are laid out as %s, the project's "
                         "evaluation has %s; --chat says which",
                         path, own, base);
    json_free(settings);
    return status;
}

static enum status evaluate(const struct whatif_project *p,
                            const struct whatif_place *a, struct session *s,
                            struct err *err)
{
    char dir[FILE_PATH_MAX], run[FILE_PATH_MAX], reward[FILE_PATH_MAX];
    struct heldout_config h = p->heldout;
    bool is_own;
    TRY(join(dir, p, a->dir, NULL, err));
    TRY(join(run, p, a->run, NULL, err));
    TRY(find_reward(reward, &is_own, p, a, err));
    h.project = dir;
    h.policy = run;
    h.reward_model = reward;
    h.base_model = is_own ? p->reward_model : NULL;
    context_stage(&s->context, "eval",
                  "policy and reference on held-out prompts");
    TRY(heldout_sample(&h, &s->context, err));
    return check_template(p, dir, err);
}

static enum status judge(const struct whatif_project *p,
                         const struct whatif_place *a, struct session *s,
                         struct err *err)
{
    char samples[FILE_PATH_MAX], votes[FILE_PATH_MAX], dir[FILE_PATH_MAX];
    if (!p->is_desk)
        return OK;
    TRY(join(samples, p, a->dir, "eval/samples.jsonl", err));
    TRY(join(votes, p, a->votes, NULL, err));
    TRY(file_dirname(dir, votes, err));
    TRY(file_make_dir(dir, err));
    context_stage(&s->context, "spot-check", "careful judges see blind pairs");
    return desk_spotcheck_samples(samples, votes, &p->panel, p->heldout.seed,
                                  err);
}

static enum status run_stages(const struct whatif_project *p,
                              const struct whatif_place *a, struct session *s,
                              struct err *err)
{
    char dir[FILE_PATH_MAX];
    if (a->is_project)
        return judge(p, a, s, err);
    if (a->change != NULL && is_careful(a->change))
        TRY(relabel(p, a, s, err));
    if (a->has_reward)
        TRY(train(p, a, FOR_REWARD, s, err));
    TRY(train(p, a, FOR_PPO, s, err));
    TRY(evaluate(p, a, s, err));
    TRY(judge(p, a, s, err));
    TRY(join(dir, p, a->dir, NULL, err));
    return heldout_summary(dir, err);
}

enum status whatif_arm_run(const struct whatif_project *p,
                           struct whatif_place *arm, struct session *s,
                           struct err *err)
{
    if (arm->is_done)
        return OK;
    context_stage(&s->context, "whatif", arm->home);
    TRY(run_stages(p, arm, s, err));
    TRY(write_record(p, arm, err));
    arm->is_done = true;
    return OK;
}
