#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "serve/http_internal.h"
#include "serve/watch_internal.h"
#include "store/human.h"
#include "store/slices.h"

#define POINTS 1024 // of a series that alarms look at
#define SHARE 20    // of the time that judging may take: one part in so many

/* What alarms read of the log, and which of it must be finite. */
static const char *const series_name[] = {"kl/sequence", "policy/entropy_avg",
                                          "value/explained_variance",
                                          "response/length", "world/gold"};
enum {
    SERIES = sizeof series_name / sizeof *series_name
};
static const char *const must_be_finite[] = {
    "objective/scores", "objective/kl",       "loss/policy_avg",
    "loss/value_avg",   "policy/entropy_avg", "loss"};

struct judged {
    struct alarm_series series;
    struct curve_view view;
    double *value; // [SERIES, n]
};

/* What is not finite in the last row, of what is in it at all: a member that
 * is there as null. */
static const char *find_not_finite(const struct watch_run *r)
{
    for (size_t i = 0; i < sizeof must_be_finite / sizeof *must_be_finite;
         i++) {
        size_t m = curve_find(r->metrics, must_be_finite[i]);
        if (m != SIZE_MAX && !isfinite(curve_now(r->metrics, m)))
            return must_be_finite[i];
    }
    return NULL;
}

static void judged_free(struct judged *g)
{
    curve_view_free(&g->view);
    mem_free(g->value);
}

/* A copy of what alarms look at; under the lock. */
static enum status copy_series(struct judged *g, const struct watch_run *r,
                               struct err *err)
{
    size_t metric[SERIES];
    for (size_t i = 0; i < SERIES; i++)
        metric[i] = curve_find(r->metrics, series_name[i]);
    /* TRL's name, where there is no exact one. */
    if (metric[0] == SIZE_MAX)
        metric[0] = curve_find(r->metrics, "objective/kl");
    const struct curve_ask ask = {0, CURVE_STEP_MAX, POINTS, metric, SERIES};
    *g = (struct judged){.value = NULL};
    TRY(curve_view(&g->view, r->metrics, &ask, err));
    size_t n = g->view.n;
    if (MEM_NEW(g->value, n * SERIES, err) != OK) {
        judged_free(g);
        return ERR_MEMORY;
    }
    const double *column[SERIES];
    for (size_t i = 0; i < SERIES; i++) {
        column[i] = metric[i] == SIZE_MAX ? NULL : g->value + i * n;
        for (size_t k = 0; k < n; k++)
            g->value[i * n + k] = (double)g->view.last[i * n + k];
    }
    g->series = (struct alarm_series){
        n,         g->view.step, column[0],    column[1],         column[2],
        column[3], column[4],    r->kl_target, find_not_finite(r)};
    return OK;
}

/* ---- what people say ---------------------------------------------------- */

enum status watch_judgements(char out[FILE_PATH_MAX], const struct watch *w,
                             const struct watch_run *r, struct err *err)
{
    if (w->judgements[0] != '\0')
        return file_join(out, "", w->judgements, err);
    if (r->project[0] == '\0')
        return err_set(err, ERR_MISSING,
                       "%s is no stage of a project: --judgements PROJECT.db "
                       "says where people's judgements are kept",
                       r->path);
    return human_database(out, r->project, err);
}

/* Votes on what was queued of a run; ids of prompts live in the arena. */
struct queued {
    const char *run; // the absolute path
    struct alarm_votes votes;
    struct alarm_vote *vote;
    size_t room;
    struct slice_counts counts;
    struct arena arena;
};

static void queued_free(struct queued *q)
{
    mem_free(q->vote);
    arena_free(&q->arena);
}

static enum status add_vote(void *ctx, const struct slice_vote *v,
                            struct err *err)
{
    struct queued *q = ctx;
    char *prompt;
    size_t len = strlen(v->prompt_id) + 1;
    if (q->votes.n == q->room) {
        size_t room = q->room > 0 ? 2 * q->room : 64;
        struct alarm_vote *grown =
            mem_grow(q->vote, q->votes.n, room, sizeof *grown);
        if (grown == NULL)
            return err_set(err, ERR_MEMORY, "out of memory: %zu votes", room);
        q->votes.vote = q->vote = grown;
        q->room = room;
    }
    /* Queued in two databases: the first one's. */
    for (size_t i = 0; i < q->votes.n; i++)
        if (q->vote[i].step == v->step &&
            strcmp(q->vote[i].prompt, v->prompt_id) == 0)
            return OK;
    TRY(ARENA_NEW(&q->arena, prompt, len, err));
    memcpy(prompt, v->prompt_id, len);
    q->vote[q->votes.n++] = (struct alarm_vote){v->step, prompt, v->win};
    return OK;
}

/* Those in one database. */
static enum status read_database(void *ctx, const char *path, struct err *err)
{
    struct queued *q = ctx;
    struct slice_counts counts;
    struct db *db = NULL;
    if (!file_exists(path))
        return OK;
    TRY(project_open(&db, path, DB_READ, NULL, err));
    enum status status = slices_read(&counts, db, q->run, add_vote, q, err);
    db_close(db);
    if (status != OK || counts.step < q->counts.step)
        return status;
    if (counts.step > q->counts.step)
        q->counts = (struct slice_counts){.step = counts.step};
    q->counts.items += counts.items;
    q->counts.voted += counts.voted;
    return OK;
}

static int by_step(const void *a, const void *b)
{
    const struct alarm_vote *x = a, *y = b;
    return (x->step > y->step) - (x->step < y->step);
}

/* The votes on what was queued of a run, in the database that was named or in
 * all of its project's. */
static enum status read_votes(struct queued *q, const struct watch *w,
                              const struct watch_run *r, struct err *err)
{
    enum status status = OK;
    q->run = r->whole;
    q->counts.step = -1;
    if (w->judgements[0] != '\0')
        status = read_database(q, w->judgements, err);
    else if (r->project[0] != '\0')
        status = human_walk(r->project, read_database, q, err);
    if (q->votes.n > 0)
        qsort(q->vote, q->votes.n, sizeof *q->vote, by_step);
    q->votes.is_damaged = status != OK;
    q->votes.is_asked = q->counts.items > 0;
    q->votes.step = q->counts.step;
    return status;
}

/* ---- a run -------------------------------------------------------------- */

/* What people said, iteration by iteration. */
struct said {
    struct alarm_point point[WATCH_PEOPLE];
    size_t n;
    struct err trouble; // why some of it cannot be read
};

/* The paradox alarm rests on every response of the run, which takes its time:
 * without the lock. */
static enum status judge_paradox(struct alarm *out, struct said *said,
                                 const char *path, bool has_rollouts,
                                 const struct alarm_series *s,
                                 const struct alarm_votes *votes,
                                 struct err *err)
{
    static const struct bootstrap plan = {.seed = 1, .resamples = 100};
    struct evidence e;
    struct err reason = {OK, ""};
    *out = (struct alarm){ALARM_UNKNOWN, -1, "needs rollouts"};
    if (!has_rollouts)
        return OK;
    enum status status = evidence_read(&e, path, &plan, &reason);
    if (status == ERR_MEMORY)
        return err_set(err, status, "%s", reason.text);
    if (status != OK) {
        (void)snprintf(out->text, sizeof out->text, "%.300s", reason.text);
        return OK;
    }
    status = alarm_judge_paradox(out, NULL, &e, s, votes, err);
    if (e.votes_damage != NULL)
        (void)err_set(&said->trouble, ERR_FORMAT, "%s", e.votes_damage);
    said->n = alarm_people(said->point, WATCH_PEOPLE, &e, votes);
    evidence_free(&e);
    return status;
}

static enum status judge_run(struct watch *w, struct watch_run *r,
                             struct err *err)
{
    struct judged g;
    struct alarm alarm[ALARMS];
    struct queued queued = {.room = 0};
    struct said said = {.n = 0};
    struct err reason = {OK, ""};
    (void)pthread_mutex_lock(&w->lock);
    int64_t step = watch_run_step(r), files = r->files;
    bool has_rollouts = r->iterations > 0;
    enum status status = copy_series(&g, r, err);
    (void)pthread_mutex_unlock(&w->lock);
    TRY(status);
    alarm_judge_series(alarm, &g.series);
    if (read_votes(&queued, w, r, &reason) != OK)
        said.trouble = reason;
    status = judge_paradox(&alarm[ALARM_OF_PARADOX], &said, r->path,
                           has_rollouts, &g.series, &queued.votes, err);
    const struct slice_counts counts = queued.counts;
    judged_free(&g);
    queued_free(&queued);
    TRY(status);
    (void)pthread_mutex_lock(&w->lock);
    bool is_new = counts.items != r->asked || counts.voted != r->voted;
    for (int k = 0; k < ALARMS; k++)
        is_new = is_new || alarm[k].state != r->alarm[k].state ||
                 strcmp(alarm[k].text, r->alarm[k].text) != 0;
    memcpy(r->alarm, alarm, sizeof alarm);
    memcpy(r->people, said.point, sizeof r->people);
    r->n_people = said.n;
    r->asked = counts.items;
    r->voted = counts.voted;
    r->judged = step;
    r->judged_files = files;
    bool is_told = strcmp(r->trouble, said.trouble.text) == 0;
    memcpy(r->trouble, said.trouble.text, sizeof r->trouble);
    is_new = is_new || !is_told;
    if (is_new)
        watch_publish(w, "alarm", r);
    (void)pthread_mutex_unlock(&w->lock);
    if (!is_told && said.trouble.text[0] != '\0' && w->context != NULL)
        context_warn(w->context, "what people said cannot be read: %s",
                     said.trouble.text);
    return OK;
}

/* Is there something to be judged? */
static bool is_due(const struct watch_run *r)
{
    return r->stage == WATCH_PPO && watch_run_step(r) >= 0 &&
           (watch_run_step(r) != r->judged || r->files != r->judged_files);
}

/* The next run that is due, from where the last look ended, so that all have
 * their turn; NULL when none is, or judging has to rest. */
static struct watch_run *next_due(struct watch *w, bool all)
{
    struct watch_run *r = NULL;
    (void)pthread_mutex_lock(&w->lock);
    bool may = all || http_tick() >= w->judge_after;
    for (size_t i = 0; may && i < w->n && r == NULL; i++) {
        struct watch_run *x = w->run[(w->judge_next + i) % w->n];
        if (is_due(x)) {
            w->judge_next = (w->judge_next + i + 1) % w->n;
            r = x;
        }
    }
    (void)pthread_mutex_unlock(&w->lock);
    return r;
}

/* While anything trains, what was used is rested for. */
static void rest(struct watch *w, int64_t took)
{
    bool trains = false;
    (void)pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < w->n; i++)
        trains = trains || w->run[i]->state == WATCH_RUNNING;
    if (trains)
        w->judge_after = http_tick() + SHARE * took;
    (void)pthread_mutex_unlock(&w->lock);
}

enum status watch_judge(struct watch *w, bool all, struct err *err)
{
    struct watch_run *r;
    size_t n = watch_count(w);
    for (size_t i = 0; i < n && !w->is_stopping; i++) {
        if ((r = next_due(w, all)) == NULL)
            break;
        int64_t began = http_tick();
        TRY(judge_run(w, r, err));
        rest(w, http_tick() - began);
    }
    return OK;
}

void watch_write_alarms(struct json_writer *j, const struct watch_run *r)
{
    json_put_key(j, "alarms");
    json_open(j, '[');
    for (int k = 0; r->stage == WATCH_PPO && k < ALARMS; k++) {
        json_open(j, '{');
        json_field_text(j, "alarm", alarm_kind_name((enum alarm_kind)k));
        json_field_text(j, "state", alarm_state_name(r->alarm[k].state));
        json_field_bool(j, "raised", alarm_is_raised(&r->alarm[k]));
        json_field_int(j, "since", r->alarm[k].since);
        json_field_text(j, "text", r->alarm[k].text);
        json_close(j, '}');
    }
    json_close(j, ']');
    json_put_key(j, "people");
    json_open(j, '[');
    for (size_t i = 0; i < r->n_people; i++) {
        const struct estimate *e = &r->people[i].win;
        json_open(j, '{');
        json_field_int(j, "iteration", r->people[i].iteration);
        json_field_number(j, "estimate", e->estimate);
        json_field_number(j, "low", e->low);
        json_field_number(j, "high", e->high);
        json_field_int(j, "n", (int64_t)e->n);
        json_close(j, '}');
    }
    json_close(j, ']');
    if (r->trouble[0] != '\0')
        json_field_text(j, "people_error", r->trouble);
    json_field_int(j, "judged", r->judged);
    json_field_int(j, "asked", (int64_t)r->asked);
    json_field_int(j, "voted", (int64_t)r->voted);
}
