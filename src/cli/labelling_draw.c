/* labelling_draw.c - replies for a pool, drawn here. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cli/labelling.h"
#include "cli/place.h"
#include "cli/session.h"
#include "eval/candidates.h"
#include "io/run.h"

#define MAX_NEW 96        // where no run says how long a reply may be
#define RANKING_SAMPLES 4 // replies to be put in order
#define WANTS " when replies are drawn: "

/* The settings of the PPO run that the policy is of; none is fine. */
static enum status read_run(struct options *run, bool *has_run,
                            const char *policy, struct err *err)
{
    char model[FILE_PATH_MAX], dir[FILE_PATH_MAX];
    int64_t step;
    *has_run = false;
    TRY(run_find_model(model, policy, NULL, err));
    if (!run_of_model(dir, &step, model))
        return OK;
    struct err own = {OK, ""};
    enum status status = place_read_run(run, dir, FOR_PPO, &own);
    *has_run = status == OK;
    return status == OK || status == ERR_MISSING
               ? OK
               : err_set(err, status, "%s", own.text);
}

/* Beside the project: a name for which every pool has its own. */
static enum status name_file(char out[FILE_PATH_MAX], const struct options *o,
                             const struct db *db, struct err *err)
{
    const char *path = db_path(db);
    size_t len = strlen(path);
    struct buf name;
    if (file_ends_with(path, ".db"))
        len -= strlen(".db");
    buf_init(&name, FILE_PATH_MAX);
    buf_append(&name, path, len);
    buf_puts(&name, ".samples-");
    for (const char *s = o->v.label.pool; *s != '\0'; s++)
        if (isalnum((unsigned char)*s) || strchr("-_.", *s) != NULL)
            buf_putc(&name, *s);
        else
            buf_printf(&name, "%%%02X", (unsigned)(unsigned char)*s);
    buf_puts(&name, ".jsonl");
    enum status status = buf_status(&name, err);
    if (status == OK)
        status = file_join(out, "", buf_text(&name), err);
    buf_free(&name);
    return status;
}

/* How many samples of each model. */
static enum status count_samples(struct candidates_config *c,
                                 const struct options *o, struct err *err)
{
    const struct label_values *v = &o->v.label;
    size_t samples = (size_t)v->samples, prompts = 0;
    if (!c->is_pair) {
        samples = samples > 0 ? samples : RANKING_SAMPLES;
        c->n_reference = c->reference != NULL ? samples / 2 : 0;
        c->n_policy = samples - c->n_reference;
        return OK;
    }
    if (samples == 0 && v->pairs > 0)
        TRY(candidates_count(&prompts, c, err));
    candidates_needed(&c->n_policy, &c->n_reference,
                      samples > 0 ? samples : (size_t)v->pairs,
                      samples > 0 ? 1 : prompts, v->placebo > 0);
    return OK;
}

/* The first of the reward models, which says the scores. */
static enum status find_scorer(const char **out, struct options *copy,
                               const char *list, struct err *err)
{
    *out = NULL;
    return list != NULL ? options_copy(copy, out, list, strcspn(list, ","), err)
                        : OK;
}

static enum status draw(const struct candidates_config *c,
                        const struct options *o, const char *path,
                        struct err *err)
{
    struct session s;
    struct candidates_counts n;
    TRY(session_open(&s, o, "label", err));
    enum status status = candidates_write(&n, c, path, &s.context, err);
    if (status == OK) {
        context_info(&s.context, "%zu replies to %zu prompts are in %s",
                     n.replies, n.prompts, path);
        if (n.same > 0)
            context_warn(&s.context,
                         "%zu prompts are left out: all their replies are one "
                         "text",
                         n.same);
    }
    session_close(&s);
    return status;
}

static enum status check(const struct options *o, struct err *err)
{
    const struct label_values *v = &o->v.label;
    if (v->prompts == NULL)
        return err_set(err, ERR_ARG,
                       "label.prompts is not set" WANTS "--prompts FILE");
    if (o->n_operands > 2)
        return err_set(err, ERR_ARG,
                       "'%.80s': replies are either drawn (--policy) or read "
                       "from files",
                       o->operand[2]);
    return OK;
}

static enum status configure(struct candidates_config *c, struct options *own,
                             const struct options *o, const struct options *run,
                             struct err *err)
{
    const struct label_values *v = &o->v.label;
    const struct ppo_config *ppo = run != NULL ? &run->v.ppo : NULL;
    *c = (struct candidates_config){
        .policy = v->policy,
        .reference = v->reference,
        .prompts = v->prompts,
        .is_pair = v->task == 1, // in the order of the choices of label.task
        .how = {.temperature = v->temperature,
                .top_p = v->top_p,
                .max_new = MAX_NEW},
        .seed = (uint64_t)o->v.common.seed,
        .precision = options_precision(o),
        .data = o->v.data,
    };
    if (ppo != NULL) {
        c->how.max_new = (size_t)ppo->max_new;
        c->data.date = run->v.data.date;
    }
    if (v->max_new > 0)
        c->how.max_new = (size_t)v->max_new;
    if (c->is_pair && c->reference == NULL && ppo != NULL)
        c->reference = ppo->reference != NULL ? ppo->reference : ppo->model;
    if (c->is_pair && c->reference == NULL)
        return err_set(err, ERR_ARG,
                       "label.reference is not set" WANTS
                       "%s is of no PPO run that names one: --reference RUN",
                       v->policy);
    TRY(find_scorer(&c->reward_model, own, v->reward_model, err));
    return count_samples(c, o, err);
}

enum status labelling_draw(char out[FILE_PATH_MAX], const struct options *o,
                           const struct db *db, struct err *err)
{
    struct options run, own;
    struct candidates_config c;
    bool has_run = false;
    TRY(check(o, err));
    TRY(name_file(out, o, db, err));
    TRY(options_init(&own, err));
    enum status status = read_run(&run, &has_run, o->v.label.policy, err);
    if (status == OK)
        status = configure(&c, &own, o, has_run ? &run : NULL, err);
    if (status == OK)
        status = draw(&c, o, out, err);
    if (has_run)
        options_free(&run);
    options_free(&own);
    return status;
}
