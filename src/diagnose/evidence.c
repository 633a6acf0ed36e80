#include "diagnose/evidence.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "diagnose/evidence_internal.h"
#include "diagnose/imported.h"
#include "io/settings.h"

#define CURVE "eval/curve.json"
#define DOCUMENT_MAX ((size_t)64 << 20)

static const char *const probe_file[PROBES] = {
    [PROBE_EDITS] = "probes/edits.json",
    [PROBE_PAIRS] = "probes/pairs.json",
    [PROBE_PREFIXES] = "probes/prefixes.json",
    [PROBE_REFERENCE] = "probes/reference.json",
    [PROBE_PUSH] = "probes/push.json",
    [PROBE_GRADIENT] = "probes/gradient.json",
    [PROBE_RELAXATION] = "probes/relaxation.json",
};

enum status evidence_keep(const char **out, struct evidence *e,
                          const char *text, struct err *err)
{
    size_t len = strlen(text) + 1;
    char *copy = arena_alloc(&e->arena, len, 1);
    if (copy == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: %zu bytes of text",
                       len);
    memcpy(copy, text, len);
    *out = copy;
    return OK;
}

enum status evidence_tag(size_t *out, struct evidence *e,
                         const struct json *tags, struct err *err)
{
    const char *tag = json_text(json_get(tags, "intent"), NULL);
    for (const void *it = json_first(tags); it != NULL && tag == NULL;
         it = json_next(tags, it))
        tag = json_text(json_value(it), NULL);
    *out = SIZE_MAX;
    return tag != NULL ? names_add(&e->tag, out, tag, err) : OK;
}

/* ---- what is lost ------------------------------------------------------- */

static enum status add_loss(struct evidence *e, struct evidence_loss loss,
                            struct err *err)
{
    if (e->n_loss == EVIDENCE_LOSSES_MAX)
        return OK;
    if (e->import != NULL && strcmp(loss.command, IMPORTED_RESUME) != 0)
        loss.command = "plumb import, of whole files";
    TRY(evidence_keep(&loss.why, e, loss.why, err));
    e->loss[e->n_loss++] = loss;
    return OK;
}

/* Messages begin with their file's path, and a line of it: "path:12: why".
 * What is lost is named already, so that "line 12: why" is left. */
static struct err without_path(const struct err *reason,
                               const struct evidence *e, const char *what)
{
    char path[FILE_PATH_MAX];
    struct err out = *reason;
    if (file_join(path, e->project, what, NULL) != OK)
        return out;
    size_t len = strlen(path);
    const char *rest = reason->text + len;
    if (strncmp(reason->text, path, len) != 0 || rest[0] != ':')
        return out;
    if (rest[1] == ' ')
        (void)err_set(&out, reason->code, "%s", rest + 2);
    else
        (void)err_set(&out, reason->code, "line %s", rest + 1);
    return out;
}

enum status evidence_lose(struct evidence *e, const char *what,
                          const char *command, enum status why,
                          const struct err *reason, struct err *err)
{
    /* Of what another trainer does not write, its import says what is missing.
     */
    if (why == OK || (why == ERR_MISSING && e->import != NULL))
        return OK;
    if (why == ERR_MEMORY) {
        *err = *reason;
        return why;
    }
    struct err text = without_path(reason, e, what);
    struct evidence_loss loss = {.what = what,
                                 .why = why == ERR_MISSING ? "not there"
                                                           : text.text,
                                 .command = command};
    return add_loss(e, loss, err);
}

enum status evidence_lose_part(struct evidence *e, const char *what,
                               const char *command, const struct err *reason,
                               struct err *err)
{
    struct evidence_loss loss = {
        .what = what, .why = reason->text, .command = command, .is_part = true};
    return add_loss(e, loss, err);
}

static const struct evidence_loss *find_loss(const struct evidence *e,
                                             const char *what, bool is_part)
{
    for (size_t i = 0; i < e->n_loss; i++)
        if (e->loss[i].is_part == is_part && strcmp(e->loss[i].what, what) == 0)
            return &e->loss[i];
    return NULL;
}

const struct evidence_loss *evidence_lost(const struct evidence *e,
                                          const char *what)
{
    return find_loss(e, what, false);
}

const struct evidence_loss *evidence_damaged(const struct evidence *e,
                                             const char *what)
{
    return find_loss(e, what, true);
}

const char *evidence_judges(const struct evidence *e)
{
    char path[FILE_PATH_MAX];
    bool is_desk =
        file_join(path, e->project, "world", NULL) == OK && file_is_dir(path);
    return is_desk ? "plumb world judge --panel careful --data "
                     "RUN/eval/samples.jsonl --out RUN/human/spotcheck.jsonl"
                   : "people, who vote blind";
}

/* ---- settings ----------------------------------------------------------- */

struct stage_reading {
    struct evidence *e;
    const char *stage;
};

static enum status add_setting(void *ctx, const char *key, const char *text,
                               const char *origin, struct err *err)
{
    struct stage_reading *r = ctx;
    struct evidence *e = r->e;
    (void)origin;
    if (text == NULL)
        return OK;
    if (e->n_setting == e->room_setting) {
        size_t room = e->room_setting > 0 ? 2 * e->room_setting : 256;
        struct evidence_setting *grown =
            mem_grow(e->setting, e->n_setting, room, sizeof *grown);
        if (grown == NULL)
            return err_set(err, ERR_MEMORY, "out of memory: %zu settings",
                           room);
        e->setting = grown;
        e->room_setting = room;
    }
    struct evidence_setting *s = &e->setting[e->n_setting];
    s->stage = r->stage;
    TRY(evidence_keep(&s->key, e, key, err));
    TRY(evidence_keep(&s->text, e, text, err));
    e->n_setting++;
    return OK;
}

/* PPO's are the run's, wherever that lies. */
static enum status read_settings(struct evidence *e, const char *stage,
                                 const char *what, const char *command,
                                 struct err *err)
{
    char path[FILE_PATH_MAX];
    struct err reason;
    struct stage_reading reading = {e, stage};
    size_t before = e->n_setting;
    if (strcmp(stage, "ppo") == 0)
        TRY(file_join(path, e->run, "config.yaml", err));
    else
        TRY(file_join(path, e->project, what, err));
    enum status status = file_need(path, &reason);
    if (status == OK)
        status = settings_read(path, add_setting, &reading, &reason);
    if (status == OK && e->n_setting == before)
        status = err_set(&reason, ERR_FORMAT, "it holds no settings");
    return evidence_lose(e, what, command, status, &reason, err);
}

const char *evidence_text(const struct evidence *e, const char *stage,
                          const char *key)
{
    for (size_t i = 0; i < e->n_setting; i++)
        if (strcmp(e->setting[i].stage, stage) == 0 &&
            strcmp(e->setting[i].key, key) == 0)
            return e->setting[i].text;
    return NULL;
}

double evidence_number(const struct evidence *e, const char *stage,
                       const char *key)
{
    const char *text = evidence_text(e, stage, key);
    char *end;
    if (text == NULL || text[0] == '\0')
        return (double)NAN;
    double x = strtod(text, &end);
    return *end == '\0' ? x : (double)NAN;
}

/* ---- files -------------------------------------------------------------- */

static enum status read_document(struct json **out, struct evidence *e,
                                 const char *what, const char *command,
                                 struct err *err)
{
    char path[FILE_PATH_MAX];
    struct err reason;
    TRY(file_join(path, e->project, what, err));
    enum status status = file_need(path, &reason);
    if (status == OK)
        status = json_read(out, path, DOCUMENT_MAX, &reason);
    if (status == OK && !json_is_object(*out))
        status = err_set(&reason, ERR_FORMAT, "it is not a JSON object");
    if (status == OK)
        status = evidence_check_numbers(*out, &reason);
    if (status != OK) {
        json_free(*out);
        *out = NULL;
    }
    return evidence_lose(e, what, command, status, &reason, err);
}

/* A list of checkpoints, whatever is said of each. */
static enum status check_curve(struct evidence *e, struct err *err)
{
    const struct json *list = json_get(e->curve, "checkpoints");
    bool is_list = e->curve == NULL || json_is_array(list);
    struct err reason;
    for (size_t i = 0; i < json_size(list); i++)
        is_list = is_list && json_is_object(json_at(list, i));
    if (is_list)
        return OK;
    json_free(e->curve);
    e->curve = NULL;
    enum status status = err_set(&reason, ERR_FORMAT,
                                 "its checkpoints are not a list of objects");
    return evidence_lose(e, CURVE, EVIDENCE_EVAL, status, &reason, err);
}

static enum status read_documents(struct evidence *e, struct err *err)
{
    TRY(read_document(&e->settings, e, "eval/settings.json", EVIDENCE_EVAL,
                      err));
    TRY(read_document(&e->curve, e, CURVE, EVIDENCE_EVAL, err));
    TRY(check_curve(e, err));
    return read_document(&e->reward_heldout, e, "reward/eval/heldout.json",
                         "plumb reward", err);
}

/* Re-runs are made after a diagnosis: without them nothing is lost. */
static enum status read_whatif(struct evidence *e, struct err *err)
{
    static const char what[] = "whatif/result.json";
    char path[FILE_PATH_MAX];
    TRY(file_join(path, e->project, what, err));
    if (!file_exists(path))
        return OK;
    return read_document(&e->whatif, e, what, "plumb whatif RUN", err);
}

/* Each step once and in order: a log that goes back, or stands still, is of two
 * runs, or there twice. */
static enum status check_steps(const struct run_table *t, struct err *err)
{
    if (t->n == 0)
        return err_set(err, ERR_FORMAT, "it holds no rows");
    for (size_t i = 0; i < t->n; i++) {
        if (i > 0 && t->step[i] <= t->step[i - 1])
            return err_set(err, ERR_FORMAT,
                           "row %zu is of step %lld, and one of step %lld "
                           "comes before it",
                           i + 1, (long long)t->step[i],
                           (long long)t->step[i - 1]);
        if (t->step[i] > EVIDENCE_STEP_MAX)
            return err_set(err, ERR_FORMAT, "row %zu is of step %lld", i + 1,
                           (long long)t->step[i]);
    }
    return OK;
}

static enum status read_metrics(struct evidence *e, struct err *err)
{
    char path[FILE_PATH_MAX];
    struct err reason;
    TRY(file_join(path, e->run, "metrics.jsonl", err));
    enum status status = run_table_read(&e->metrics, path, &reason);
    if (status == OK)
        status = check_steps(&e->metrics, &reason);
    if (status != OK)
        run_table_free(&e->metrics);
    return evidence_lose(e, "ppo/metrics.jsonl", "plumb ppo", status, &reason,
                         err);
}

static enum status check_probe(const struct table *t, struct err *err)
{
    static const char *const numbers[] = {
        "after",    "before", "k1",    "kl",   "position", "rank",
        "response", "sample", "score", "step", "tokens"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (table_texts(t, numbers[i]) != NULL)
            return err_set(err, ERR_FORMAT, "columns.%s is text", numbers[i]);
    return evidence_check_numbers(t->json, err);
}

static enum status read_probes(struct evidence *e, struct err *err)
{
    char path[FILE_PATH_MAX];
    struct err reason;
    for (size_t i = 0; i < PROBES; i++) {
        TRY(file_join(path, e->project, probe_file[i], err));
        enum status status = table_read(&e->probe[i], path, &reason);
        if (status == OK)
            status = check_probe(&e->probe[i], &reason);
        if (status != OK)
            table_free(&e->probe[i]);
        TRY(evidence_lose(e, probe_file[i], "plumb probe RUN", status, &reason,
                          err));
        const char *const *id = table_texts(&e->probe[i], "prompt_id");
        for (size_t k = 0; id != NULL && k < e->probe[i].n; k++) {
            size_t index;
            if (id[k] != NULL)
                TRY(names_add(&e->prompt, &index, id[k], err));
        }
    }
    return OK;
}

static enum status read_replies(struct evidence *e, struct err *err)
{
    char path[FILE_PATH_MAX];
    struct err reason;
    TRY(file_join(path, e->project, "eval/samples.jsonl", err));
    enum status status = evidence_read_replies(e, path, &reason);
    if (status == OK && e->n_reply == 0)
        status = err_set(&reason, ERR_FORMAT, "it holds no replies");
    if (status != OK)
        e->n_reply = e->n_token = 0;
    return evidence_lose(e, "eval/samples.jsonl", EVIDENCE_EVAL, status,
                         &reason, err);
}

static enum status read_checkpoints(struct evidence *e, struct err *err)
{
    struct err reason;
    enum status status = evidence_read_checkpoints(e, &reason);
    if (status != OK)
        e->n_spot = 0;
    return evidence_lose(e, "human/checkpoints", "people, who vote blind",
                         status, &reason, err);
}

static enum status read_rollouts(struct evidence *e, struct team *team,
                                 struct err *err)
{
    struct err reason;
    enum status status = evidence_read_rollouts(e, e->run, team, &reason);
    if (status != OK)
        e->n_rollout = e->n_step = 0;
    return evidence_lose(e, "ppo/rollouts", EVIDENCE_TRACE, status, &reason,
                         err);
}

enum status evidence_number_prompts(struct evidence *e, struct err *err)
{
    e->n_prompts = e->prompt.n;
    TRY(MEM_NEW(e->place, e->n_prompts, err));
    TRY(names_places(e->place, &e->prompt, err));
    for (size_t i = 0; i < e->n_reply; i++)
        e->reply[i].prompt = e->place[e->reply[i].prompt];
    for (size_t i = 0; i < e->n_vote; i++)
        e->vote[i].prompt = e->place[e->vote[i].prompt];
    for (size_t i = 0; i < e->n_judged; i++)
        e->judged[i].prompt = e->place[e->judged[i].prompt];
    for (size_t i = 0; i < e->n_token; i++)
        e->token_prompt[i] = e->place[e->token_prompt[i]];
    return OK;
}

/* A run of PPO has rollouts, or metrics without an evaluation beside them: a
 * reward run has one. */
static enum status find_is_run(bool *out, const char *path, struct err *err)
{
    char rollouts[FILE_PATH_MAX], metrics[FILE_PATH_MAX], eval[FILE_PATH_MAX];
    TRY(file_join(rollouts, path, "rollouts", err));
    TRY(file_join(metrics, path, "metrics.jsonl", err));
    TRY(file_join(eval, path, "eval", err));
    *out =
        file_is_dir(rollouts) || (file_exists(metrics) && !file_is_dir(eval));
    return OK;
}

/* The directory above a run, in the words of who named it: "D" for "D/ppo". */
static enum status find_above(struct evidence *e, const char *path,
                              struct err *err)
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    size_t name = len;
    while (name > 0 && path[name - 1] != '/')
        name--;
    bool is_dots =
        len - name <= 2 && strncmp(path + name, "..", len - name) == 0;
    if (len == name || is_dots || len >= FILE_PATH_MAX)
        return file_join(e->project, path, "..", err);
    if (name == 0)
        return file_join(e->project, ".", "", err);
    memcpy(e->project, path, name);
    e->project[name > 1 ? name - 1 : 1] = '\0';
    return OK;
}

/* D and D/ppo: what was given is one or the other.  Any other part of a
 * project is none of both, and nothing is found there. */
static enum status find_project(struct evidence *e, const char *path,
                                struct err *err)
{
    bool is_run;
    TRY(file_join(e->run, path, "ppo", err));
    TRY(find_is_run(&is_run, path, err));
    if (file_is_dir(e->run) || !is_run)
        return file_join(e->project, path, "", err);
    TRY(file_join(e->run, path, "", err));
    return find_above(e, path, err);
}

static enum status read_all(struct evidence *e, const char *human,
                            struct team *team, struct err *err)
{
    TRY(imported_read(e, err));
    TRY(read_settings(e, "ppo", "ppo/config.yaml", "plumb ppo", err));
    TRY(imported_read_settings(e, err));
    TRY(read_settings(e, "reward", "reward/config.yaml", "plumb reward", err));
    TRY(read_settings(e, "sft", "sft/config.yaml", "plumb sft", err));
    TRY(read_documents(e, err));
    TRY(read_whatif(e, err));
    TRY(read_metrics(e, err));
    TRY(read_replies(e, err));
    TRY(evidence_read_people(e, human, err));
    TRY(evidence_read_judges(e, err));
    TRY(read_checkpoints(e, err));
    TRY(read_rollouts(e, team, err));
    TRY(read_probes(e, err));
    evidence_settle_lengths(e);
    return evidence_number_prompts(e, err);
}

enum status evidence_read(struct evidence *out, const char *path,
                          const struct bootstrap *plan, struct err *err)
{
    return evidence_read_with(out, path, NULL, NULL, plan, err);
}

enum status evidence_read_with(struct evidence *out, const char *path,
                               const char *human, struct team *team,
                               const struct bootstrap *plan, struct err *err)
{
    enum status status = OK;
    struct evidence *e = out;
    *e = (struct evidence){.plan = summary_plan(plan)};
    TRY_DONE(file_need(path, err));
    TRY_DONE(find_project(e, path, err));
    TRY_DONE(read_all(e, human, team, err));
    if (e->n_reply == 0 && e->n_rollout == 0 && e->n_vote == 0 &&
        e->n_judged == 0 && e->metrics.n == 0 && e->import != NULL &&
        e->import->is_unfinished)
        status = err_set(err, ERR_MISSING,
                         "%s: an import into it was stopped before its end, "
                         "and nothing can be diagnosed yet; it goes on with "
                         "%s",
                         path, IMPORTED_RESUME);
    else if (e->n_reply == 0 && e->n_rollout == 0 && e->n_vote == 0 &&
             e->n_judged == 0 && e->metrics.n == 0)
        status = err_set(err, ERR_MISSING,
                         "%s: no metrics, rollouts, held-out replies or votes "
                         "to diagnose; it wants a project, with ppo/ and eval/ "
                         "in it, or its ppo/; plumb demo makes one",
                         path);
done:
    if (status != OK)
        evidence_free(e);
    return status;
}

void evidence_free(struct evidence *e)
{
    mem_free(e->setting);
    mem_free(e->place);
    mem_free(e->reply);
    mem_free(e->vote);
    mem_free(e->judged);
    imported_free(e->import);
    mem_free(e->spot);
    mem_free(e->rollout);
    mem_free(e->step);
    mem_free(e->ends_sentence);
    mem_free(e->token_kl);
    mem_free(e->token_prompt);
    mem_free(e->token_class);
    names_free(&e->prompt);
    names_free(&e->tag);
    names_free(&e->judge);
    names_free(&e->pair);
    names_free(&e->rollout_prompt);
    run_table_free(&e->metrics);
    json_free(e->settings);
    json_free(e->curve);
    json_free(e->reward_heldout);
    json_free(e->whatif);
    for (size_t i = 0; i < PROBES; i++)
        table_free(&e->probe[i]);
    arena_free(&e->arena);
    *e = (struct evidence){.n_prompts = 0};
}

static double beta_at(const struct evidence *e, size_t step)
{
    if (e->n_step > 0 && isfinite(e->step[step].beta_low))
        return e->step[step].beta_low;
    return evidence_number(e, "ppo", "ppo.beta");
}

double evidence_beta_first(const struct evidence *e)
{
    return beta_at(e, 0);
}

double evidence_beta(const struct evidence *e)
{
    return beta_at(e, e->n_step > 0 ? e->n_step - 1 : 0);
}

int64_t evidence_policy_step(const struct evidence *e)
{
    const char *policy = json_text(json_get(e->settings, "policy"), "");
    char run[FILE_PATH_MAX];
    int64_t step;
    return run_of_model(run, &step, policy) ? step : -1;
}

size_t evidence_prompt(const struct evidence *e, const char *id)
{
    size_t index = names_find(&e->prompt, id);
    return index != SIZE_MAX ? e->place[index] : SIZE_MAX;
}

enum status evidence_prompt_means(double *out, const struct evidence *e,
                                  bool is_policy, size_t member,
                                  struct err *err)
{
    size_t *count = NULL;
    TRY(MEM_NEW(count, e->n_prompts, err));
    for (size_t p = 0; p < e->n_prompts; p++)
        out[p] = 0;
    for (size_t i = 0; i < e->n_reply; i++) {
        const struct evidence_reply *r = &e->reply[i];
        const void *at = (const char *)r + member;
        double x = *(const double *)at;
        if (r->is_policy != is_policy || isnan(x))
            continue;
        out[r->prompt] += x;
        count[r->prompt]++;
    }
    for (size_t p = 0; p < e->n_prompts; p++)
        out[p] = count[p] > 0 ? out[p] / (double)count[p] : (double)NAN;
    mem_free(count);
    return OK;
}
