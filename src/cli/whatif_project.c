/*
 * whatif_project.c - what plumb whatif reads of a project before it changes
 * anything.
 */
#include <string.h>

#include "base/json.h"
#include "cli/command.h"
#include "cli/outside_given.h"
#include "cli/whatif_arm.h"
#include "eval/heldout_files.h"
#include "io/run.h"

#define RECORD_MAX ((size_t)16 << 20)

static const char what[] = "eval/settings.json";

/* A path of settings.json, told from the project. */
static enum status read_path(char out[FILE_PATH_MAX],
                             const struct whatif_project *p, const char *key,
                             struct err *err)
{
    const char *text;
    TRY(json_need_text(&text, p->settings, key, what, err));
    return file_join(out, p->at.project, text, err);
}

/* The evaluation is of the run's own last checkpoint, so that its samples are
 * those of the base arm. */
static enum status check_policy(const struct whatif_project *p, struct err *err)
{
    char policy[FILE_PATH_MAX], run[FILE_PATH_MAX], newest[FILE_PATH_MAX];
    if (json_get(p->settings, "policy_command") != NULL)
        return err_set(err, ERR_MISMATCH,
                       "%s/%s is about the replies of a program; `plumb eval "
                       "%s` evaluates the run's own policy",
                       p->at.project, what, p->at.project);
    TRY(read_path(policy, p, "policy", err));
    TRY(run_find_model(newest, p->at.run, "ppo", err));
    TRY(file_absolute(run, newest, err));
    TRY(file_absolute(newest, policy, err));
    if (strcmp(run, newest) != 0)
        return err_set(err, ERR_MISMATCH,
                       "%s/%s is about %s, not about the run's last "
                       "checkpoint; `plumb eval %s` evaluates that one",
                       p->at.project, what, policy, p->at.project);
    return OK;
}

static enum status read_sizes(struct heldout_config *h,
                              const struct json *settings, struct err *err)
{
    const struct json *sizes = json_get(settings, "settings");
    TRY(json_need_int(&h->n_prompts, sizes, "prompts", 1, 1000000, what, err));
    TRY(json_need_int(&h->samples, sizes, "samples", 1, 1024, what, err));
    TRY(json_need_int(&h->max_new, sizes, "max_new", 1, 65536, what, err));
    int64_t seed;
    TRY(json_need_int(&seed, settings, "seed", 0, INT64_MAX, what, err));
    h->seed = (uint64_t)seed;
    return OK;
}

/* The reward model that the evaluation scored with, or the run's own program,
 * which is then the evaluation's, too. */
static enum status read_scorer(struct whatif_project *p, struct err *err)
{
    const char *own = p->ppo.v.ppo.reward_command.command;
    const char *program =
        json_text(json_get(p->settings, "reward_command"), NULL);
    TRY(outside_given_check(p->o, own, p->at.run, err));
    if (own == NULL && program == NULL)
        return read_path(p->reward_model, p, "reward_model", err);
    if (own == NULL || program == NULL || strcmp(own, program) != 0)
        return err_set(err, ERR_MISMATCH,
                       "%s/%s is not scored as the run was; `plumb eval %s` "
                       "does that",
                       p->at.project, what, p->at.project);
    return OK;
}

static enum status read_evaluation(struct whatif_project *p, struct err *err)
{
    struct heldout_config *h = &p->heldout;
    TRY(heldout_files_read_settings(&p->settings, p->at.project, err));
    TRY(check_policy(p, err));
    TRY(read_path(p->reference, p, "reference", err));
    TRY(read_scorer(p, err));
    TRY(read_path(p->prompts, p, "prompts", err));
    TRY(read_sizes(h, p->settings, err));
    if (json_get(p->settings, "gold_model") != NULL) {
        TRY(read_path(p->gold_model, p, "gold_model", err));
        h->gold_model = p->gold_model;
        h->gold_is_disjoint =
            json_bool(json_get(p->settings, "gold_is_disjoint"), false);
    }
    if (!file_exists(p->prompts))
        return err_set(err, ERR_MISSING,
                       "%s: the evaluation's prompts are not there",
                       p->prompts);
    h->reference = p->reference;
    h->reward_model =
        p->ppo.v.ppo.reward_model != NULL ? p->reward_model : NULL;
    h->reward_command = p->o->v.outside.reward;
    h->prompts = p->prompts;
    h->scenario = json_text(json_get(p->settings, "scenario"), NULL);
    h->temperature = h->top_p = 1;
    h->precision = options_precision(p->o);
    h->data = p->o->v.data;
    /* The day that the policy's prompts told in training. */
    if (h->data.date == NULL)
        h->data.date = p->ppo.v.data.date;
    return OK;
}

/* The run of the recorded reward model; a model from elsewhere has none, which
 * only matters to a change that trains it anew. */
static enum status read_reward(struct whatif_project *p, struct err *err)
{
    char model[FILE_PATH_MAX];
    int64_t step;
    if (p->ppo.v.ppo.reward_model == NULL) {
        (void)err_set(&p->no_reward, ERR_MISSING,
                      "the run's scores are those of a program, which is not "
                      "trained here");
        return OK;
    }
    TRY(run_find_model(model, p->ppo.v.ppo.reward_model, "reward", err));
    enum status status = OK;
    if (!run_of_model(p->reward_dir, &step, model))
        status = err_set(&p->no_reward, ERR_MISSING,
                         "%s lies in no reward run: how it was trained is not "
                         "recorded",
                         model);
    else
        status = place_read_run(&p->reward, p->reward_dir, FOR_REWARD,
                                &p->no_reward);
    p->has_reward = status == OK;
    if (status == ERR_MEMORY)
        return err_set(err, ERR_MEMORY, "%s", p->no_reward.text);
    return OK;
}

/* Do the first prompts carry the desk's hidden truth? */
static enum status look_at_prompts(struct whatif_project *p, struct err *err)
{
    struct dataset data;
    TRY(dataset_load(&data, p->prompts, DATASET_PROMPTS,
                     &p->heldout.data.dataset, NULL, err));
    p->is_desk = data.n > 0 && data.record[0].extra != NULL &&
                 strstr(data.record[0].extra, "\"ticket\"") != NULL;
    dataset_free(&data);
    return OK;
}

/* As in the demo: fewer pairs where there are not so many samples. */
static void find_panel(struct whatif_project *p)
{
    const struct heldout_config *h = &p->heldout;
    struct panel_config c = cmd_world_panel(&p->o->v.world);
    size_t most = (size_t)(h->n_prompts * (h->samples / 2));
    c.n_policy = c.n_policy < most ? c.n_policy : most;
    c.n_placebo = c.n_placebo < most ? c.n_placebo : most;
    if (c.n_twice > c.n_policy + c.n_placebo)
        c.n_twice = c.n_policy + c.n_placebo;
    p->panel = c;
    p->is_desk = p->is_desk && c.n_policy > 0;
}

static enum status add_file(struct buf *text, const char *dir, const char *name,
                            struct err *err)
{
    char path[FILE_PATH_MAX], hash[65];
    TRY(file_join(path, dir, name, err));
    TRY(file_hash(hash, path, err));
    buf_printf(text, "%s\n", hash);
    return OK;
}

/* One hash of everything that an arm is made from but for its change. */
static enum status hash_all(struct whatif_project *p, struct err *err)
{
    enum status status = OK;
    const struct panel_config *c = &p->panel;
    struct buf text;
    buf_init(&text, RECORD_MAX);
    TRY_DONE(add_file(&text, p->at.run, "config.yaml", err));
    if (p->has_reward)
        TRY_DONE(add_file(&text, p->reward_dir, "config.yaml", err));
    TRY_DONE(add_file(&text, p->at.project, what, err));
    TRY_DONE(add_file(&text, "", p->prompts, err));
    buf_printf(&text, "%zu %zu %zu %zu %.17g %.17g %.17g\n", c->n_policy,
               c->n_placebo, c->n_twice, c->n_judges, c->tau, c->tau_axis,
               c->tie_margin);
    TRY_DONE(buf_status(&text, err));
    file_hash_bytes(p->hash, text.data, text.len);
done:
    buf_free(&text);
    return status;
}

static enum status fill(struct whatif_project *p, struct err *err)
{
    TRY(place_find(&p->at, p->o->operand[0], NULL, err));
    TRY(place_read_run(&p->ppo, p->at.run, FOR_PPO, err));
    TRY(read_evaluation(p, err));
    TRY(read_reward(p, err));
    TRY(look_at_prompts(p, err));
    find_panel(p);
    return hash_all(p, err);
}

enum status whatif_project_open(struct whatif_project *out,
                                const struct options *o, struct err *err)
{
    memset(out, 0, sizeof *out);
    out->o = o;
    enum status status = fill(out, err);
    if (status != OK)
        whatif_project_close(out);
    return status;
}

void whatif_project_close(struct whatif_project *p)
{
    json_free(p->settings);
    options_free(&p->ppo);
    options_free(&p->reward);
    memset(p, 0, sizeof *p);
}

enum status whatif_project_join(char out[FILE_PATH_MAX],
                                const struct whatif_project *p, const char *dir,
                                const char *name, struct err *err)
{
    char at[FILE_PATH_MAX];
    if (name == NULL)
        return file_join(out, p->at.project, dir, err);
    TRY(file_join(at, p->at.project, dir, err));
    return file_join(out, at, name, err);
}
