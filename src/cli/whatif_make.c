#include "cli/whatif_make.h"

#include <stdlib.h>
#include <string.h>

#include "cli/whatif_value.h"
#include "model/checkpoint.h"
#include "rlhf/speaker.h"
#include "world/desk.h"

#define CANDIDATES_MAX ((size_t)1 << 32)

/* Fresh tickets, of the split that no stage trains on. */
static enum status make_prompts(char out[FILE_PATH_MAX],
                                const struct whatif_project *p, const char *dir,
                                struct err *err)
{
    TRY(file_join(out, dir, "prompts.jsonl", err));
    return desk_write_prompts(out, TICKET_CALIBRATION,
                              (size_t)p->o->v.whatif.fresh_prompts,
                              (uint64_t)p->ppo.v.common.seed, err);
}

/* What the run's policy replies to them. */
static enum status make_candidates(char out[FILE_PATH_MAX],
                                   const struct whatif_project *p,
                                   const char *dir, struct session *s,
                                   struct err *err)
{
    enum status status = OK;
    char prompts[FILE_PATH_MAX];
    struct speaker speaker;
    struct buf text;
    const struct draw draw = {
        .sampling = {.temperature = 1,
                     .top_p = 1,
                     .max_new = (size_t)p->ppo.v.ppo.max_new},
        .samples = (size_t)p->o->v.whatif.fresh_samples,
        .seed = (uint64_t)p->ppo.v.common.seed,
        .purpose = RNG_CANDIDATE,
        .context = &s->context,
    };
    TRY(make_prompts(prompts, p, dir, err));
    TRY(file_join(out, dir, "candidates.jsonl", err));
    context_stage(&s->context, "candidates", "the policy's replies, to rank");
    TRY(speaker_open(&speaker, p->at.run, p->ppo.v.data.template, MODEL_F32,
                     err));
    buf_init(&text, CANDIDATES_MAX);
    TRY_DONE(speaker_reply_file(&text, &speaker, prompts, &p->ppo.v.data, &draw,
                                err));
    TRY_DONE(buf_status(&text, err));
    TRY_DONE(file_write(out, buf_text(&text), text.len, err));
done:
    buf_free(&text);
    speaker_close(&speaker);
    return status;
}

enum status whatif_make_labels(const struct whatif_project *p,
                               const struct whatif_place *arm,
                               struct session *s, struct err *err)
{
    char path[FILE_PATH_MAX], dir[FILE_PATH_MAX], from[FILE_PATH_MAX];
    struct rater_config careful = p->o->v.world.rater;
    careful.hurried = 0;
    TRY(whatif_value_find(path, p, arm->change, 0, err));
    if (file_exists(path))
        return OK;
    TRY(file_dirname(dir, path, err));
    TRY(file_make_dir(dir, err));
    if (arm->change->kind == WHATIF_FRESH_LABELS)
        TRY(make_candidates(from, p, dir, s, err));
    else
        TRY(file_join(from, "", p->reward.v.reward.data, err));
    context_stage(&s->context, "rank", "careful raters rank the replies");
    return desk_rank_file(from, path, &careful,
                          (uint64_t)p->reward.v.common.seed, err);
}

enum status whatif_make_policy(const struct whatif_project *p,
                               const struct whatif_place *arm,
                               struct session *s, struct err *err)
{
    enum status status = OK;
    char run[FILE_PATH_MAX], path[FILE_PATH_MAX], out[FILE_PATH_MAX];
    struct model policy = {.params = NULL}, reference = {.params = NULL};
    struct tokenizer *t = NULL;
    TRY(whatif_project_join(run, p, arm->run, NULL, err));
    TRY(whatif_project_join(out, p, arm->dir, "policy", err));
    TRY(run_find_model(path, run, "ppo", err));
    context_stage(&s->context, "interpolate",
                  "a policy between the reference and the trained one");
    TRY_DONE(checkpoint_read(&policy, path, HEAD_LM, err));
    TRY_DONE(checkpoint_read(&reference, p->reference, HEAD_LM, err));
    TRY_DONE(checkpoint_tokenizer(&t, path, err));
    TRY_DONE(model_interpolate(&policy, &reference,
                               strtod(arm->change->value, NULL), err));
    const struct checkpoint c = {.model = &policy, .tokenizer = t};
    TRY_DONE(file_dirname(path, out, err));
    TRY_DONE(file_make_dir(path, err));
    status = checkpoint_write(out, &c, err);
done:
    tokenizer_free(t);
    model_free(&policy);
    model_free(&reference);
    return status;
}
