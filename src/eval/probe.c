#include "eval/probe.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "eval/heldout_files.h"
#include "eval/probe_file.h"
#include "io/run.h"

#define KEY_MAX ((size_t)1 << 20)
#define SAME_MODEL 0.99 // correlation: below, another model said the scores

/* ---- which probes ------------------------------------------------------- */

static const struct probe_kind *find(const char *name, size_t len)
{
    for (size_t i = 0; i < probe_count; i++)
        if (strlen(probe_table[i].name) == len &&
            strncmp(probe_table[i].name, name, len) == 0)
            return &probe_table[i];
    return NULL;
}

static enum status refuse(const char *name, size_t len, struct err *err)
{
    struct buf names;
    buf_init(&names, KEY_MAX);
    for (size_t i = 0; i < probe_count; i++)
        buf_printf(&names, "%s%s", i > 0 ? ", " : "", probe_table[i].name);
    enum status status = err_set(err, ERR_ARG, "no probe '%.*s'; there are: %s",
                                 (int)len, name, buf_text(&names));
    buf_free(&names);
    return status;
}

/* The length of the first name of a list, and where the next one begins. */
static size_t first_name(const char **rest, const char *list)
{
    size_t len = strcspn(list, ",");
    *rest = list + len + (list[len] == ',');
    return len;
}

static enum status check_only(const char *only, struct err *err)
{
    for (const char *at = only, *rest; at != NULL && *at != '\0'; at = rest) {
        size_t len = first_name(&rest, at);
        if (find(at, len) == NULL)
            return refuse(at, len, err);
    }
    return OK;
}

static bool is_asked(const char *only, const struct probe_kind *kind)
{
    if (only == NULL || *only == '\0')
        return true;
    for (const char *at = only, *rest; *at != '\0'; at = rest) {
        size_t len = first_name(&rest, at);
        if (find(at, len) == kind)
            return true;
    }
    return false;
}

/* ---- open and close ----------------------------------------------------- */

static void put(struct buf *out, const char *key, const char *text)
{
    buf_printf(out, "%s %s\n", key, text != NULL ? text : "");
}

static enum status put_model(struct buf *out, const char *key, const char *path,
                             struct err *err)
{
    char hash[65];
    TRY(run_hash_model(hash, path, err));
    put(out, key, hash);
    return OK;
}

static enum status put_file(struct buf *out, const char *key, const char *path,
                            struct err *err)
{
    char hash[65];
    TRY(file_hash(hash, path, err));
    put(out, key, hash);
    return OK;
}

static enum status put_key(struct buf *out, const struct probe *p,
                           struct err *err)
{
    const struct probe_config *c = p->config;
    const struct setup *s = &p->setup;
    put(out, "plumb", PLUMB_VERSION);
    if (p->is_of_texts) {
        put(out, "reward_command", outside_command(s->reward.outside));
        put(out, "samples", p->samples_hash);
        buf_printf(out, "seed %llu scale %.17g %.17g\n",
                   (unsigned long long)c->seed, s->scale.mean, s->scale.sd);
        return buf_status(out, err);
    }
    TRY(put_model(out, "policy", s->policy_path, err));
    TRY(put_model(out, "reference", s->reference_path, err));
    if (s->reward.outside != NULL)
        put(out, "reward_command", outside_command(s->reward.outside));
    else
        TRY(put_model(out, "reward_model", s->reward.path, err));
    put(out, "policy_command", c->policy_command);
    put(out, "samples", p->samples_hash);
    TRY(put_file(out, "prompts", c->heldout.prompts, err));
    put(out, "run", c->config_hash);
    put(out, "chat", c->heldout.data.template);
    put(out, "date", c->heldout.data.date);
    buf_printf(out, "n %lld max_new %lld precision %d seed %llu\n",
               (long long)c->heldout.n_prompts, (long long)c->heldout.max_new,
               c->heldout.precision, (unsigned long long)c->seed);
    buf_printf(out, "scale %.17g %.17g\n", c->scale.mean, c->scale.sd);
    return buf_status(out, err);
}

/* p->key: everything that all probes follow from. */
static enum status make_key(struct probe *p, struct err *err)
{
    struct buf text;
    buf_init(&text, KEY_MAX);
    enum status status = put_key(&text, p, err);
    if (status == OK)
        file_hash_bytes(p->key, text.data, text.len);
    buf_free(&text);
    return status;
}

/* Where everything is. */
static enum status find_files(struct probe *out,
                              const struct probe_config *config,
                              const struct context *context, const char *who,
                              struct err *err)
{
    const char *project = config->heldout.project;
    memset(out, 0, sizeof *out);
    out->config = config;
    out->context = context;
    TRY(check_only(config->only, err));
    TRY(file_join(out->dir, project, "probes", err));
    TRY(heldout_files_path(out->samples, project, "samples.jsonl", err));
    if (!file_exists(out->samples))
        return err_set(err, ERR_MISSING, "%s: no such file; %s", out->samples,
                       who);
    return OK;
}

/* What both kinds of runs end with: the key of what is asked, and a folder. */
static enum status begin(struct probe *p, struct err *err)
{
    TRY(file_hash(p->samples_hash, p->samples, err));
    TRY(make_key(p, err));
    return file_make_dir(p->dir, err);
}

enum status probe_open(struct probe *out, const struct probe_config *config,
                       const struct context *context, struct err *err)
{
    enum status status = OK;
    TRY(find_files(out, config, context, "`plumb eval` draws the samples",
                   err));
    TRY(setup_open(&out->setup, &config->heldout, context, false, err));
    out->setup.scale = config->scale;
    TRY_DONE(begin(out, err));
done:
    if (status != OK)
        probe_close(out);
    return status;
}

/* A program that scores otherwise than the run's reward model did is told. */
static void compare(const struct probe *p)
{
    double r = p->texts.agreement;
    if (isfinite(r) && r < SAME_MODEL)
        context_warn(p->context,
                     "the program's scores and those that were imported "
                     "correlate by %.2f: it is not the reward model of this "
                     "run, and what follows is about the program",
                     r);
}

enum status probe_open_texts(struct probe *out, struct probe_config *config,
                             const struct context *context, struct err *err)
{
    enum status status = OK;
    TRY(find_files(out, config, context, "the import found no held-out replies",
                   err));
    out->is_of_texts = true;
    out->setup.config = &config->heldout;
    TRY_DONE(texts_open(&out->texts, &out->setup, out->samples,
                        &config->heldout.reward_command, context, err));
    config->heldout.n_prompts = (int64_t)out->texts.n_prompts;
    config->scale = out->setup.scale;
    compare(out);
    TRY_DONE(begin(out, err));
done:
    if (status != OK)
        probe_close(out);
    return status;
}

void probe_close(struct probe *p)
{
    texts_close(&p->texts);
    setup_close(&p->setup);
}

/* ---- run ---------------------------------------------------------------- */

static bool is_skip(enum status status)
{
    return status == ERR_MISSING || status == ERR_MISMATCH;
}

static enum status check_needs(const struct probe *p,
                               const struct probe_kind *kind, struct err *err)
{
    if (p->is_of_texts && kind->models != NULL)
        return err_set(err, ERR_MISSING,
                       "not measurable: an import has replies as texts, and "
                       "texts do not tell %s",
                       kind->models);
    if (kind->needs == NULL || p->config->policy_command == NULL)
        return OK;
    return err_set(err, ERR_MISSING,
                   "not measurable: the policy is the program '%s', which "
                   "tells its replies and not %s",
                   p->config->policy_command, kind->needs);
}

static enum status run_one(struct probe_result *out, const struct probe *p,
                           const struct probe_kind *kind, struct err *err)
{
    char inputs[65];
    double began = context_time(p->context);
    out->why = (struct err){.code = OK};
    enum status status = check_needs(p, kind, &out->why);
    if (status == OK)
        status = probe_file_inputs(inputs, p, kind, &out->why);
    if (status == OK && !p->config->overwrite &&
        probe_file_is_there(p, kind, inputs)) {
        out->state = PROBE_KEPT;
        return OK;
    }
    if (status == OK)
        status = probe_file_write(p, kind, inputs, &out->why);
    out->seconds = context_time(p->context) - began;
    if (status == ERR_STOPPED || status == ERR_MEMORY) {
        *err = out->why;
        return status;
    }
    out->state = status == OK      ? PROBE_WRITTEN
                 : is_skip(status) ? PROBE_SKIPPED
                                   : PROBE_FAILED;
    if (status == OK)
        return OK;
    context_warn(p->context, "%s: %s: %s", kind->name,
                 is_skip(status) ? "skipped" : "failed", out->why.text);
    return probe_file_remove(p, kind, err);
}

enum status probe_run(struct probe_result *result, const struct probe *p,
                      struct err *err)
{
    const struct probe_result *failed = NULL;
    for (size_t i = 0; i < probe_count; i++)
        result[i] = (struct probe_result){.state = PROBE_UNASKED};
    for (size_t i = 0; i < probe_count; i++) {
        if (!is_asked(p->config->only, &probe_table[i]))
            continue;
        if (context_stopped(p->context))
            return err_set(err, ERR_STOPPED,
                           "stopped; what was written is whole, run the "
                           "command again to go on");
        context_progress(p->context, (double)i, (double)probe_count, "probe",
                         probe_table[i].name);
        TRY(run_one(&result[i], p, &probe_table[i], err));
        if (failed == NULL && result[i].state == PROBE_FAILED)
            failed = &result[i];
    }
    context_progress(p->context, (double)probe_count, (double)probe_count,
                     "probe", NULL);
    TRY(probe_file_summary(p, result, err));
    if (failed != NULL) {
        *err = failed->why;
        return failed->why.code;
    }
    return OK;
}
