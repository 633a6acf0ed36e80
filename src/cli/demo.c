#include "cli/demo.h"

#include <string.h>

#include "base/mem.h"
#include "cli/command.h"
#include "cli/probing.h"
#include "eval/heldout.h"
#include "report/diagnosing.h"
#include "report/report.h"
#include "rlhf/speaker.h"
#include "world/desk.h"

#define CONFIG_MAX ((size_t)1 << 20)
#define CANDIDATES_MAX ((size_t)1 << 32)

enum status demo_path(const char **out, const struct demo *d, const char *name,
                      struct err *err)
{
    char path[FILE_PATH_MAX];
    TRY(file_join(path, d->dir, name, err));
    return options_copy(d->o, out, path, strlen(path), err);
}

/* Is a file of an interrupted run still there to go on with?  Data files are
 * written whole, so one that is there is right. */
static bool is_done(const struct demo *d, const char *path)
{
    return d->o->v.common.resume && file_exists(path);
}

enum status demo_mix(struct mix *out, const struct options *o, struct err *err)
{
    TRY(mix_parse(out, o->v.world.intents, o->v.world.mix_shift, err));
    if (out->shift > 0 && !o->v.ppo.file_order)
        return err_set(err, ERR_ARG,
                       "world.mix_shift lets prompts drift over their file, "
                       "which PPO would shuffle; ppo.file_order=true does not");
    return OK;
}

static enum status make_world(const struct demo *d, struct err *err)
{
    const struct world_values *w = &d->o->v.world;
    const struct ppo_config *ppo = &d->o->v.ppo;
    uint64_t seed = (uint64_t)d->o->v.common.seed;
    struct mix mix;
    const struct {
        const char *name;
        enum ticket_split split;
        int64_t n;
        const struct mix *mix;
    } prompts[] = {
        {"world/rank_prompts.jsonl", TICKET_RANKING, w->rank_prompts, NULL},
        {"world/ppo_prompts.jsonl", TICKET_PPO, ppo->iterations * ppo->batch,
         &mix},
        {"world/heldout.jsonl", TICKET_HELDOUT, d->o->v.eval.n_prompts, NULL},
    };
    const char *path;
    TRY(demo_mix(&mix, d->o, err));
    context_stage(&d->session->context, "world",
                  "tickets and demonstrations of the support desk");
    TRY(demo_path(&path, d, "world", err));
    TRY(file_make_dir(path, err));
    TRY(desk_write_tokenizer(path, err));
    TRY(demo_path(&path, d, "world/demos.jsonl", err));
    if (!is_done(d, path))
        TRY(desk_write_demos(path, (size_t)w->demos, seed, err));
    for (size_t i = 0; i < sizeof prompts / sizeof *prompts; i++) {
        TRY(demo_path(&path, d, prompts[i].name, err));
        if (!is_done(d, path))
            TRY(desk_write_mix(path, prompts[i].split, (size_t)prompts[i].n,
                               prompts[i].mix, seed, err));
    }
    return OK;
}

/* A training stage in D/name. */
static enum status train(const struct demo *d, enum option_command command,
                         const char *name, session_fn fn, struct err *err)
{
    const char *dir;
    struct stage stage;
    struct buf config;
    TRY(demo_path(&dir, d, name, err));
    buf_init(&config, CONFIG_MAX);
    enum status status =
        session_stage(&stage, &config, d->o, command, dir, d->session, err);
    if (status == OK)
        status = fn(d->o, &stage, err);
    buf_free(&config);
    return status;
}

/* Replies of the fine-tuned model to the prompts that will be ranked. */
static enum status make_candidates(const struct demo *d, struct err *err)
{
    enum status status = OK;
    const char *model, *prompts, *path;
    struct speaker speaker;
    struct buf out;
    struct draw draw = {
        .sampling = {.temperature = 1,
                     .top_p = 1,
                     .max_new = (size_t)d->o->v.ppo.max_new},
        .samples = (size_t)d->o->v.world.candidates,
        .seed = (uint64_t)d->o->v.common.seed,
        .purpose = RNG_CANDIDATE,
        .context = &d->session->context,
    };
    TRY(demo_path(&path, d, "human/candidates.jsonl", err));
    if (is_done(d, path))
        return OK;
    TRY(demo_path(&model, d, "sft", err));
    TRY(demo_path(&prompts, d, "world/rank_prompts.jsonl", err));
    context_stage(&d->session->context, "candidates", "replies to be ranked");
    TRY(speaker_open(&speaker, model, NULL, MODEL_F32, err));
    buf_init(&out, CANDIDATES_MAX);
    TRY_DONE(
        speaker_reply_file(&out, &speaker, prompts, &d->o->v.data, &draw, err));
    TRY_DONE(buf_status(&out, err));
    TRY_DONE(file_write(path, buf_text(&out), out.len, err));
done:
    buf_free(&out);
    speaker_close(&speaker);
    return status;
}

static enum status rank_candidates(const struct demo *d, struct err *err)
{
    const char *from, *path;
    TRY(demo_path(&from, d, "human/candidates.jsonl", err));
    TRY(demo_path(&path, d, "human/rankings.jsonl", err));
    if (is_done(d, path))
        return OK;
    context_stage(&d->session->context, "rank", "raters rank the replies");
    return desk_rank_file(from, path, &d->o->v.world.rater,
                          (uint64_t)d->o->v.common.seed, err);
}

struct heldout_config demo_heldout(const struct demo *d)
{
    static const char *const scenario[] = {
        [DEMO_PARADOX] = "paradox",
        [DEMO_HEALTHY] = "healthy",
        [DEMO_WEAK_RM] = "weak-rm",
    };
    const struct eval_values *e = &d->o->v.eval;
    return (struct heldout_config){
        .project = d->dir,
        .scenario = scenario[d->o->v.demo.scenario],
        .n_prompts = e->n_prompts,
        .samples = e->samples,
        .curve_samples = e->curve_samples,
        .max_new = e->max_new > 0 ? e->max_new : d->o->v.ppo.max_new,
        .temperature = e->temperature,
        .top_p = e->top_p,
        .seed = (uint64_t)d->o->v.common.seed,
    };
}

/* The panel's blind spot-checks of the samples just drawn; a demo too small
 * for all pairs makes fewer. */
static enum status spotcheck(const struct demo *d, struct err *err)
{
    const char *samples, *path;
    const struct eval_values *e = &d->o->v.eval;
    struct panel_config c = cmd_world_panel(&d->o->v.world);
    size_t most = (size_t)(e->n_prompts * (e->samples / 2));
    if (c.n_policy > most)
        c.n_policy = most;
    if (c.n_placebo > most)
        c.n_placebo = most;
    if (c.n_twice > c.n_policy + c.n_placebo)
        c.n_twice = c.n_policy + c.n_placebo;
    TRY(demo_path(&samples, d, "eval/samples.jsonl", err));
    TRY(demo_path(&path, d, "human/spotcheck.jsonl", err));
    context_stage(&d->session->context, "spot-check",
                  "careful judges see blind pairs");
    return desk_spotcheck_samples(samples, path, &c,
                                  (uint64_t)d->o->v.common.seed, err);
}

static enum status evaluate(const struct demo *d, struct err *err)
{
    struct heldout_config c = demo_heldout(d);
    TRY(demo_path(&c.policy, d, "ppo", err));
    TRY(demo_path(&c.run, d, "ppo", err));
    TRY(demo_path(&c.reference, d, "sft", err));
    TRY(demo_path(&c.reward_model, d, "reward", err));
    TRY(demo_path(&c.prompts, d, "world/heldout.jsonl", err));
    context_stage(&d->session->context, "eval",
                  "policy and reference on held-out prompts");
    TRY(heldout_sample(&c, &d->session->context, err));
    TRY(heldout_curve(&c, &d->session->context, err));
    TRY(spotcheck(d, err));
    TRY(heldout_summary(d->dir, err));
    return report_write(d->dir, NULL, NULL, err);
}

/* What only the models can answer. */
static enum status probe(const struct demo *d, struct err *err)
{
    struct place at;
    struct probe_result *result;
    TRY(place_find(&at, d->dir, NULL, err));
    TRY(MEM_NEW(result, probe_count, err));
    context_stage(&d->session->context, "probe",
                  "questions to the models of the run");
    enum status status =
        probing_run(result, &at, d->o, &d->session->context, err);
    mem_free(result);
    return status;
}

/* Why, from all these files, and the report that opens with it. */
static enum status diagnose_it(struct demo *d, struct err *err)
{
    const struct bootstrap plan = {.seed = (uint64_t)d->o->v.common.seed,
                                   .resamples =
                                       (size_t)d->o->v.diagnose.resamples};
    struct diagnosing g;
    context_stage(&d->session->context, "diagnose",
                  "what happened, why, and what would help");
    TRY(diagnosing_open(&g, d->dir, NULL, d->session->team, &plan, err));
    enum status status = diagnosing_save(&g, err);
    if (status == OK)
        status = diagnosing_summary(d->summary, &g, err);
    d->verdict = diagnose_verdict(g.d.verdict);
    d->top_rival = g.d.rival[0].id;
    diagnosing_close(&g);
    return status;
}

enum status demo_run(struct demo *d, struct err *err)
{
    struct option_values *v = &d->o->v;
    const char *path;
    TRY(make_world(d, err));
    TRY(demo_path(&v->sft.data, d, "world/demos.jsonl", err));
    TRY(demo_path(&v->sft.tokenizer, d, "world", err));
    TRY(train(d, FOR_SFT, "sft", cmd_sft_run, err));

    TRY(demo_path(&path, d, "human", err));
    TRY(file_make_dir(path, err));
    TRY(make_candidates(d, err));
    TRY(rank_candidates(d, err));
    TRY(demo_path(&v->reward.data, d, "human/rankings.jsonl", err));
    TRY(demo_path(&v->reward.model, d, "sft", err));
    TRY(train(d, FOR_REWARD, "reward", cmd_reward_run, err));

    TRY(demo_path(&v->ppo.model, d, "sft", err));
    TRY(demo_path(&v->ppo.reward_model, d, "reward", err));
    TRY(demo_path(&v->ppo.prompts, d, "world/ppo_prompts.jsonl", err));
    TRY(train(d, FOR_PPO, "ppo", cmd_ppo_run, err));
    TRY(evaluate(d, err));
    TRY(probe(d, err));
    return diagnose_it(d, err);
}
