#include "cli/whatif_arm.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/command.h"
#include "cli/whatif_make.h"
#include "cli/whatif_value.h"
#include "world/desk.h"

#define CONFIG_MAX ((size_t)1 << 20)
#define RESULT_MAX ((size_t)16 << 20)

/* ---- places -------------------------------------------------------------- */

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
    if (a->has_ppo)
        return file_join(a->run, a->dir, "ppo", err);
    /* What becomes of the unchanged policy. */
    struct whatif_place unchanged;
    TRY(whatif_arm_find(&unchanged, p, NULL, false, a->seed, err));
    return file_join(a->run, "", unchanged.run, err);
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
    TRY(whatif_project_join(path, p, a->home, "arm.json", err));
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
    TRY_DONE(whatif_project_join(path, p, a->home, NULL, err));
    TRY_DONE(file_make_dir(path, err));
    TRY_DONE(put_record(&text, p, a, err));
    TRY_DONE(whatif_project_join(path, p, a->home, "arm.json", err));
    status = file_write(path, text.data, text.len, err);
done:
    buf_free(&text);
    return status;
}

/* The number that a change of more than settings stands for. */
static enum status read_number(struct whatif_place *a,
                               const struct whatif_change *c, struct err *err)
{
    int64_t low = 2;
    int64_t high = c->kind == WHATIF_ENSEMBLE ? ENSEMBLE_MAX : 1024;
    if (c->kind != WHATIF_ENSEMBLE && c->kind != WHATIF_BEST_OF)
        return OK;
    char *end;
    long n = strtol(c->value, &end, 10);
    if (*end != '\0' || n < low || n > high)
        return err_set(err, ERR_ARG, "%s: %.40s is outside [%d, %d]", c->name,
                       c->value, (int)low, (int)high);
    if (c->kind == WHATIF_ENSEMBLE)
        a->members = (size_t)n - 1;
    else
        a->best_of = n;
    return OK;
}

enum status whatif_arm_find(struct whatif_place *out,
                            const struct whatif_project *p,
                            const struct whatif_change *change, bool has_reward,
                            int64_t seed, struct err *err)
{
    struct whatif_place a = {
        .change = change,
        .has_reward = has_reward,
        .has_ppo = change == NULL || (change->stages & FOR_PPO) != 0,
        .seed = seed,
        .best_of = 1,
    };
    if (change != NULL)
        TRY(read_number(&a, change, err));
    a.is_project = change == NULL && seed == p->ppo.v.common.seed;
    if (a.is_project)
        a.has_reward = false; // the recorded one, whoever asks
    TRY(make_places(&a, p, err));
    TRY(look_for_record(&a.is_done, p, &a, err));
    *out = a;
    return OK;
}

/* ---- running ------------------------------------------------------------- */

static enum status train(const struct whatif_project *p,
                         const struct whatif_place *a,
                         enum option_command command, size_t member,
                         struct session *s, struct err *err)
{
    char dir[FILE_PATH_MAX], name[32];
    struct options o;
    struct stage stage;
    struct buf config;
    (void)snprintf(name, sizeof name, member > 1 ? "reward-%zu" : "reward",
                   member);
    TRY(whatif_project_join(dir, p, a->dir,
                            command == FOR_REWARD ? name : "ppo", err));
    TRY(whatif_value_options(&o, p, a, command, member, err));
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

static enum status train_all(const struct whatif_project *p,
                             const struct whatif_place *a, struct session *s,
                             struct err *err)
{
    if (a->change != NULL && whatif_value_is_made(a->change))
        TRY(whatif_make_labels(p, a, s, err));
    if (a->has_reward)
        TRY(train(p, a, FOR_REWARD, 1, s, err));
    for (size_t k = 2; k < 2 + a->members; k++)
        TRY(train(p, a, FOR_REWARD, k, s, err));
    if (a->has_ppo)
        return train(p, a, FOR_PPO, 1, s, err);
    return a->change != NULL && a->change->kind == WHATIF_INTERPOLATE
               ? whatif_make_policy(p, a, s, err)
               : OK;
}

/* The reward model that the arm's policy was trained against. */
static enum status find_reward(char out[FILE_PATH_MAX], bool *is_own,
                               const struct whatif_project *p,
                               const struct whatif_place *a, struct err *err)
{
    struct options o;
    char model[FILE_PATH_MAX], base[FILE_PATH_MAX], path[FILE_PATH_MAX];
    TRY(whatif_value_options(&o, p, a, FOR_PPO, 1, err));
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
    TRY(whatif_project_join(dir, p, a->dir, NULL, err));
    if (a->change != NULL && a->change->kind == WHATIF_INTERPOLATE)
        TRY(whatif_project_join(run, p, a->dir, "policy", err));
    else
        TRY(whatif_project_join(run, p, a->run, NULL, err));
    h.project = dir;
    h.policy = run;
    h.best_of = a->best_of;
    if (h.reward_model != NULL) { // else a program, all arms' own
        TRY(find_reward(reward, &is_own, p, a, err));
        h.reward_model = reward;
        h.base_model = is_own ? p->reward_model : NULL;
    }
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
    TRY(whatif_project_join(samples, p, a->dir, "eval/samples.jsonl", err));
    TRY(whatif_project_join(votes, p, a->votes, NULL, err));
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
    TRY(train_all(p, a, s, err));
    TRY(evaluate(p, a, s, err));
    TRY(judge(p, a, s, err));
    TRY(whatif_project_join(dir, p, a->dir, NULL, err));
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
