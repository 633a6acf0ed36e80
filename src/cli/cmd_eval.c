#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/command.h"
#include "cli/outside_given.h"
#include "cli/place.h"
#include "cli/session.h"
#include "cli/weak_gold.h"
#include "eval/heldout.h"
#include "io/dataset.h"
#include "report/report.h"
#include "world/desk.h"

#define DOCUMENT_MAX ((size_t)64 << 20)

/* What is evaluated. */
struct evaluated {
    struct place at;
    char prompts[FILE_PATH_MAX];
    char scenario[32]; // of the demo that the project is, or ""
    bool gold_is_disjoint;
    const char *reward_model; // NULL: a program
    bool has_other_scale;     // than the run recorded
};

static const char *first_of(const char *a, const char *b)
{
    return a ? a : b;
}

/* Was the run trained on the support desk's tickets? */
static enum status is_desk(bool *out, const struct options *run,
                           struct err *err)
{
    struct dataset data;
    TRY(dataset_load(&data, run->v.ppo.prompts, DATASET_PROMPTS,
                     &run->v.data.dataset, NULL, err));
    *out = data.n > 0 && data.record[0].extra &&
           strstr(data.record[0].extra, "\"ticket\"");
    dataset_free(&data);
    return OK;
}

/* Who scores and who replies: what is given, else what the run has. */
static enum status check_programs(struct evaluated *p, const struct options *o,
                                  const struct options *run, struct err *err)
{
    const struct eval_values *e = &o->v.eval;
    const struct outside_config *policy = &o->v.outside.policy;
    const char *given = o->v.outside.reward.command;
    const char *recorded = run->v.ppo.reward_command.command;
    if (e->reward_model != NULL)
        TRY(outside_given_one(e->reward_model, "eval.reward_model",
                              &o->v.outside.reward, "reward", err));
    if (e->model != NULL)
        TRY(outside_given_one(e->model, "eval.model", policy, "policy", err));
    if (policy->command != NULL && e->best_of > 1)
        return err_set(err, ERR_ARG,
                       "eval.best_of and --policy-command both stand for the "
                       "policy");
    if (given == NULL && e->reward_model == NULL && recorded != NULL)
        TRY(outside_given_check(o, recorded, p->at.run, err));
    p->reward_model = given == NULL
                          ? first_of(e->reward_model, run->v.ppo.reward_model)
                          : NULL;
    p->has_other_scale =
        (given != NULL && (recorded == NULL || strcmp(given, recorded) != 0)) ||
        (given == NULL && recorded != NULL);
    return OK;
}

/* Somebody's own prompts cannot be made up, and weak gold has other pairs. */
static enum status check(struct evaluated *p, const struct options *o,
                         const struct options *run, struct err *err)
{
    const struct eval_values *e = &o->v.eval;
    bool desk = true;
    if (!e->prompts)
        TRY(is_desk(&desk, run, err));
    if (!desk)
        return err_set(err, ERR_ARG,
                       "eval.prompts is not set: prompts never trained on");
    TRY(check_programs(p, o, run, err));
    return e->gold_model && p->reward_model
               ? weak_gold_check(&p->gold_is_disjoint, p->reward_model,
                                 e->gold_model, err)
               : OK;
}

/* The prompts the user gave, else fresh tickets never used in training. */
static enum status find_prompts(struct evaluated *p, const struct options *o,
                                struct err *err)
{
    char dir[FILE_PATH_MAX];
    if (o->v.eval.prompts)
        return file_join(p->prompts, "", o->v.eval.prompts, err);
    TRY(file_join(dir, p->at.project, "eval", err));
    TRY(file_join(p->prompts, dir, "prompts.jsonl", err));
    if (comm_rank(o->comm) > 0)
        return comm_agree(o->comm, OK, err);
    TRY(file_make_dir(dir, err));
    TRY(desk_write_prompts(p->prompts, TICKET_HELDOUT,
                           (size_t)o->v.eval.n_prompts,
                           (uint64_t)o->v.common.seed, err));
    return comm_agree(o->comm, OK, err); // the others may read it
}

static struct heldout_config make_config(const struct evaluated *p,
                                         const struct options *o,
                                         const struct options *run)
{
    const struct eval_values *e = &o->v.eval;
    const struct ppo_config *ppo = &run->v.ppo;
    struct data_config data = o->v.data;
    /* The day that the policy's prompts told in training. */
    data.date = first_of(data.date, run->v.data.date);
    const struct outside_values *outside = &o->v.outside;
    bool is_program = outside->policy.command != NULL;
    const char *reference =
        first_of(e->reference, first_of(ppo->reference, ppo->model));
    return (struct heldout_config){
        .project = p->at.project,
        .policy = is_program ? reference : first_of(e->model, p->at.run),
        .reference = reference,
        .reward_model = p->reward_model,
        .reward_command = outside->reward,
        .policy_command = outside->policy,
        .has_other_scale = p->has_other_scale,
        .gold_model = e->gold_model,
        .gold_is_disjoint = p->gold_is_disjoint,
        .prompts = p->prompts,
        .start = ppo->model,
        .run = e->curve && e->best_of < 2 && !is_program ? p->at.run : NULL,
        .scenario = *p->scenario ? p->scenario : NULL,
        .n_prompts = e->n_prompts,
        .samples = e->samples,
        .curve_samples = e->curve_samples,
        .best_of = e->best_of,
        .max_new = e->max_new ? e->max_new : ppo->max_new,
        .temperature = e->temperature,
        .top_p = e->top_p,
        .seed = (uint64_t)o->v.common.seed,
        .precision = options_precision(o),
        .data = data,
        .is_followed = comm_rank(o->comm) > 0,
    };
}

/* eval/heldout.json as it is, or as a table. */
static enum status print(const struct evaluated *p, bool json, struct err *err)
{
    enum status status = OK;
    struct json *root = NULL;
    struct buf text, table;
    char path[FILE_PATH_MAX];
    buf_init(&text, DOCUMENT_MAX);
    buf_init(&table, DOCUMENT_MAX);
    TRY_DONE(file_join(path, p->at.project, "eval/heldout.json", err));
    TRY_DONE(file_read(&text, path, err));
    if (json) {
        status = terminal_print(&text, err);
    } else {
        TRY_DONE(json_parse(&root, buf_text(&text), text.len, path, err));
        heldout_table(&table, root);
        status = terminal_print(&table, err);
    }
done:
    json_free(root);
    buf_free(&table);
    buf_free(&text);
    return status;
}

/* What an earlier evaluation says of the project's origin; a project that has
 * none, or none that can be read, has no scenario. */
static void find_scenario(struct evaluated *p)
{
    char path[FILE_PATH_MAX];
    struct json *root;
    if (file_join(path, p->at.project, "eval/heldout.json", NULL) != OK ||
        json_read(&root, path, DOCUMENT_MAX, NULL) != OK)
        return;
    (void)snprintf(p->scenario, sizeof p->scenario, "%s",
                   json_text(json_get(root, "scenario"), ""));
    json_free(root);
}

static enum status evaluate(struct evaluated *p, const struct options *o,
                            const struct options *run, struct err *err)
{
    struct session s;
    TRY(find_prompts(p, o, err));
    find_scenario(p);
    struct heldout_config c = make_config(p, o, run);
    TRY(session_open(&s, o, "eval", err));
    enum status status = heldout_sample(&c, &s.context, err);
    if (status == OK && c.run)
        status = heldout_curve(&c, &s.context, err);
    if (status == OK && !c.is_followed)
        status = heldout_summary(p->at.project, err);
    if (status == OK && !c.is_followed)
        status = report_write(p->at.project, NULL, NULL, err);
    if (status == OK)
        session_tell_cost(&s);
    session_close(&s);
    if (status != OK || c.is_followed)
        return status;
    return print(p, o->v.common.json, err);
}

enum status cmd_eval(struct options *o, struct err *err)
{
    struct evaluated p = {.scenario = ""};
    struct options run;
    int lock = -1;
    bool is_followed = comm_rank(o->comm) > 0;
    TRY(place_find(&p.at, o->operand[0], o->v.common.out, err));
    TRY(session_check_processors(o, err));
    TRY(place_read_run(&run, p.at.run, FOR_PPO, err));
    enum status status = check(&p, o, &run, err);
    if (status == OK && !is_followed)
        status = file_make_dir(p.at.project, err);
    if (status == OK && !is_followed)
        status = run_lock(&lock, p.at.project, err);
    if (status == OK) {
        status = evaluate(&p, o, &run, err);
        run_unlock(lock);
    }
    options_free(&run);
    return status;
}
