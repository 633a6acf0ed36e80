#include "eval/heldout.h"

#include <math.h>

#include "base/file.h"
#include "eval/draw.h"
#include "eval/heldout_files.h"

/* Samples of both models of one evaluation. */
struct both {
    struct draw policy, reference;
};

static enum status stopped(const struct context *context, struct err *err)
{
    bool stop;
    TRY(context_agree_stop(&stop, context, err));
    if (!stop)
        return OK;
    return err_set(err, ERR_STOPPED,
                   "stopped; nothing was written, run the command again");
}

static void say(const struct context *context, double done, const char *text)
{
    context_progress(context, done, 2, "model", text);
}

static enum status draw_both(struct both *out, const struct setup *s,
                             const struct sampling *how, bool is_serving,
                             const struct context *context, struct err *err)
{
    size_t samples = (size_t)s->config->samples;
    say(context, 0, "reference");
    TRY(draw_replies(&out->reference, s, &s->reference, NULL, samples, how,
                     is_serving ? DRAW_REFERENCE_SERVING : DRAW_REFERENCE,
                     context, err));
    TRY(stopped(context, err));
    say(context, 1, "policy");
    enum draw_part part = is_serving ? DRAW_POLICY_SERVING : DRAW_POLICY;
    if (s->program != NULL)
        TRY(draw_program(&out->policy, s, samples, how, part, context, err));
    else if (s->config->best_of > 1)
        TRY(draw_best(&out->policy, s, samples, (size_t)s->config->best_of, how,
                      part, context, err));
    else
        TRY(draw_replies(&out->policy, s, &s->policy, &s->reference, samples,
                         how, part, context, err));
    say(context, 2, NULL);
    return stopped(context, err);
}

/* The policy's unit of reward; one that brought none is measured in the
 * reference's.  Weak gold always is. */
static void find_scales(struct setup *s, const struct draw *reference)
{
    if (!s->is_run_scale)
        s->scale = scorer_scale(reference->r.score_raw, reference->r.n);
    if (s->has_gold)
        s->gold_scale = scorer_scale(reference->weak_raw, reference->r.n);
}

static void both_scale(struct both *b, const struct setup *s)
{
    draw_scale(&b->policy, s);
    draw_scale(&b->reference, s);
}

static void both_free(struct both *b)
{
    draw_free(&b->policy);
    draw_free(&b->reference);
}

static bool has_serving(const struct heldout_config *c)
{
    return c->temperature != 1 || c->top_p != 1;
}

/* D/eval without an earlier evaluation.  settings.json says what samples.jsonl
 * holds; it goes first and comes back last, so that a kill in between leaves
 * no evaluation rather than a mixed one. */
static enum status make_place(const char *project, struct err *err)
{
    static const char *const name[] = {"settings.json", "heldout.json",
                                       "curve.json",    HELDOUT_CHECKPOINTS,
                                       "serving.jsonl", "samples.jsonl"};
    char path[FILE_PATH_MAX];
    TRY(heldout_files_path(path, project, NULL, err));
    TRY(file_make_dir(path, err));
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        TRY(heldout_files_path(path, project, name[i], err));
        TRY(file_remove(path, err));
    }
    return OK;
}

/* Everything was drawn before anything on the disk is touched: an evaluation
 * that is stopped leaves the earlier one as it was. */
static enum status write_all(const struct setup *s, const struct both *training,
                             const struct both *serving, struct err *err)
{
    if (s->config->is_followed)
        return OK;
    TRY(make_place(s->config->project, err));
    TRY(heldout_files_write_samples("samples.jsonl", s, &training->policy,
                                    &training->reference, err));
    if (has_serving(s->config))
        TRY(heldout_files_write_samples("serving.jsonl", s, &serving->policy,
                                        &serving->reference, err));
    return heldout_files_write_settings(s, err);
}

enum status heldout_sample(const struct heldout_config *c,
                           const struct context *context, struct err *err)
{
    enum status status = OK;
    struct setup s;
    struct both training = {.policy = {.samples = 0}};
    struct both serving = {.policy = {.samples = 0}};
    const struct sampling at_one = {
        .temperature = 1, .top_p = 1, .max_new = (size_t)c->max_new};
    const struct sampling at_serving = {.temperature = c->temperature,
                                        .top_p = c->top_p,
                                        .max_new = (size_t)c->max_new};
    TRY(setup_open(&s, c, context, true, err));
    TRY_DONE(draw_both(&training, &s, &at_one, false, context, err));
    if (has_serving(c))
        TRY_DONE(draw_both(&serving, &s, &at_serving, true, context, err));
    find_scales(&s, &training.reference);
    both_scale(&training, &s);
    both_scale(&serving, &s);
    TRY_DONE(write_all(&s, &training, &serving, err));
    /* The others read what the first rank has written. */
    status = comm_agree(context->comm, OK, err);
done:
    both_free(&training);
    both_free(&serving);
    setup_close(&s);
    return status;
}
