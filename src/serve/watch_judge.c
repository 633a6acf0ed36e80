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

/* What was queued of a run, in whichever databases, and the votes on it. */
struct queued {
    const char *run;         // the absolute path
    struct names pair;       // "STEP/PROMPT", which votes point into
    struct slice_vote *said; // [pair.n]
    struct alarm_vote *vote; // [votes.n]
    size_t room_said, room_vote;
    size_t asked, voted; // of the newest step
    struct alarm_votes votes;
    bool is_open; // people are judging what tells of the run
};

static void queued_free(struct queued *q)
{
    names_free(&q->pair);
    mem_free(q->said);
    mem_free(q->vote);
}

/* A pair that is queued in two databases is one; its vote is that of the first
 * of them that has one. */
static enum status add_pair(void *ctx, const struct slice_vote *v,
                            struct err *err)
{
    struct queued *q = ctx;
    char key[PROJECT_NAME_MAX * 4 + 32];
    size_t i, before = q->pair.n;
    (void)snprintf(key, sizeof key, "%lld/%s", (long long)v->step,
                   v->prompt_id);
    TRY(MEM_ROOM(q->said, before, q->room_said, err));
    TRY(names_add(&q->pair, &i, key, err));
    if (i < before && (q->said[i].is_voted || !v->is_voted))
        return OK;
    q->said[i] = *v;
    q->said[i].prompt_id = strchr(q->pair.text[i], '/') + 1;
    return OK;
}

/* Those in one database. */
static enum status read_database(void *ctx, const char *path, struct err *err)
{
    struct queued *q = ctx;
    struct db *db = NULL;
    if (!file_exists(path))
        return OK;
    TRY(project_open(&db, path, DB_READ, NULL, err));
    enum status status = slices_read(db, q->run, add_pair, q, err);
    db_close(db);
    return status;
}

static int by_step(const void *a, const void *b)
{
    const struct alarm_vote *x = a, *y = b;
    return (x->step > y->step) - (x->step < y->step);
}

/* The votes among the pairs, and how many there are of the newest step. */
static enum status sort_votes(struct queued *q, struct err *err)
{
    size_t n = 0;
    q->votes.step = -1;
    for (size_t i = 0; i < q->pair.n; i++)
        if (q->said[i].step > q->votes.step)
            q->votes.step = q->said[i].step;
    for (size_t i = 0; i < q->pair.n; i++) {
        const struct slice_vote *v = &q->said[i];
        q->asked += v->step == q->votes.step;
        q->voted += v->step == q->votes.step && v->is_voted;
        if (!v->is_voted)
            continue;
        TRY(MEM_ROOM(q->vote, n, q->room_vote, err));
        q->vote[n++] = (struct alarm_vote){v->step, v->prompt_id, v->win};
    }
    if (n > 0)
        qsort(q->vote, n, sizeof *q->vote, by_step);
    q->votes.vote = q->vote;
    q->votes.n = n;
    q->votes.is_asked = q->asked > 0;
    return OK;
}

/* The votes on what was queued of a run, in the database that was named or in
 * all of its project's. */
static enum status read_votes(struct queued *q, const struct watch *w,
                              const struct watch_run *r, struct err *err)
{
    enum status status = OK;
    q->run = r->whole;
    if (w->judgements[0] != '\0')
        status = read_database(q, w->judgements, err);
    else if (r->project[0] != '\0')
        status = human_walk(r->project, read_database, q, err);
    q->votes.is_damaged = status != OK;
    struct err reason = {OK, ""};
    enum status sorted = sort_votes(q, &reason);
    return status != OK   ? status
           : sorted != OK ? err_set(err, sorted, "%s", reason.text)
                          : OK;
}

/* ---- who is judging ----------------------------------------------------- */

struct opening {
    const char *pool; // NULL: any
    bool is_open;
};

static enum status look_into(void *ctx, const char *path, struct err *err)
{
    struct opening *o = ctx;
    struct db *db = NULL;
    bool is_open = false;
    if (!file_exists(path))
        return OK;
    TRY(project_open(&db, path, DB_READ, NULL, err));
    enum status status = slices_is_open(&is_open, db, o->pool, err);
    db_close(db);
    o->is_open = o->is_open || is_open;
    return status;
}

/* Do people judge what votes on this run are read from?  Of a database that was
 * named that is the run's own pool; of a project's own ones it is all.  What
 * cannot be read may be open.  Looked at behind the votes: had one of them come
 * while a pool was open, it is open now or complete. */
static bool is_judged_now(const struct watch *w, const struct watch_run *r)
{
    char pool[SLICES_POOL];
    struct opening own = {.pool = pool}, any = {.pool = NULL};
    struct err ignored;
    slices_pool(pool, r->whole);
    if (w->judgements[0] != '\0' &&
        look_into(&own, w->judgements, &ignored) != OK)
        return true;
    if (r->project[0] != '\0' &&
        human_walk(r->project, look_into, &any, &ignored) != OK)
        return true;
    return own.is_open || any.is_open;
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
static enum status
judge_paradox(struct alarm *out, struct alarm *blind, struct said *said,
              const char *path, bool has_rollouts, const struct alarm_series *s,
              const struct alarm_votes *votes, struct err *err)
{
    static const struct bootstrap plan = {.seed = 1, .resamples = 100};
    struct evidence e;
    struct err reason = {OK, ""};
    *out = *blind = (struct alarm){ALARM_UNKNOWN, -1, "needs rollouts"};
    if (!has_rollouts)
        return OK;
    enum status status = evidence_read(&e, path, &plan, &reason);
    if (status == ERR_MEMORY)
        return err_set(err, status, "%s", reason.text);
    if (status != OK) {
        (void)snprintf(out->text, sizeof out->text, "%.300s", reason.text);
        *blind = *out;
        return OK;
    }
    status = alarm_judge_paradox(out, blind, &e, s, votes, err);
    if (e.votes_damage != NULL)
        (void)err_set(&said->trouble, ERR_FORMAT, "%s", e.votes_damage);
    said->n = alarm_people(said->point, WATCH_PEOPLE, &e, votes);
    evidence_free(&e);
    return status;
}

/* What was found of a run. */
struct found {
    struct alarm alarm[ALARMS], blind;
    struct said said;
    size_t asked, voted;
    bool is_open;
};

/* Is what may be told of a paradox alarm something else now? */
static bool is_other(const struct alarm *a, const struct alarm *b)
{
    return a->state != b->state || strcmp(a->text, b->text) != 0;
}

/* Keep it, and tell of it; under the lock.  As long as people judge, no vote
 * makes an event that another vote would not make: the files' change alone. */
static void keep_found(struct watch *w, struct watch_run *r,
                       const struct found *f, int64_t step, int64_t files)
{
    bool is_new = f->is_open != r->is_open || f->asked != r->asked ||
                  is_other(&f->blind, &r->blind) ||
                  strcmp(r->trouble, f->said.trouble.text) != 0;
    bool is_told = !f->is_open && f->voted != r->voted;
    for (int k = 0; k < ALARMS; k++) {
        bool is = is_other(&f->alarm[k], &r->alarm[k]);
        is_new = is_new || (is && k != ALARM_OF_PARADOX);
        is_told = is_told || (is && !f->is_open);
    }
    bool is_moved = f->is_open && files != r->judged_files;
    memcpy(r->alarm, f->alarm, sizeof r->alarm);
    r->blind = f->blind;
    memcpy(r->people, f->said.point, sizeof r->people);
    r->n_people = f->said.n;
    r->asked = f->asked;
    r->voted = f->voted;
    r->is_open = f->is_open;
    r->judged = step;
    r->judged_files = files;
    memcpy(r->trouble, f->said.trouble.text, sizeof r->trouble);
    if (is_new || is_told)
        watch_publish(w, "alarm", r);
    else if (is_moved)
        watch_publish(w, "run", r);
}

static enum status judge_run(struct watch *w, struct watch_run *r,
                             struct err *err)
{
    struct judged g;
    struct found f = {.asked = 0};
    struct queued queued = {.run = NULL};
    struct err reason = {OK, ""};
    (void)pthread_mutex_lock(&w->lock);
    int64_t step = watch_run_step(r), files = r->files;
    bool has_rollouts = r->iterations > 0;
    enum status status = copy_series(&g, r, err);
    (void)pthread_mutex_unlock(&w->lock);
    TRY(status);
    alarm_judge_series(f.alarm, &g.series);
    if (read_votes(&queued, w, r, &reason) != OK)
        f.said.trouble = reason;
    status =
        judge_paradox(&f.alarm[ALARM_OF_PARADOX], &f.blind, &f.said, r->path,
                      has_rollouts, &g.series, &queued.votes, err);
    f.asked = queued.asked;
    f.voted = queued.voted;
    judged_free(&g);
    queued_free(&queued);
    TRY(status);
    f.is_open = is_judged_now(w, r);
    (void)pthread_mutex_lock(&w->lock);
    bool is_told = strcmp(r->trouble, f.said.trouble.text) == 0;
    keep_found(w, r, &f, step, files);
    (void)pthread_mutex_unlock(&w->lock);
    if (!is_told && f.said.trouble.text[0] != '\0' && w->context != NULL)
        context_warn(w->context, "what people said cannot be read: %s",
                     f.said.trouble.text);
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

static void write_people(struct json_writer *j, const struct watch_run *r)
{
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
    json_field_int(j, "voted", (int64_t)r->voted);
}

void watch_write_alarms(struct json_writer *j, const struct watch_run *r,
                        bool is_owner)
{
    bool is_blind = r->is_open && !is_owner;
    json_put_key(j, "alarms");
    json_open(j, '[');
    for (int k = 0; r->stage == WATCH_PPO && k < ALARMS; k++) {
        const struct alarm *a =
            is_blind && k == ALARM_OF_PARADOX ? &r->blind : &r->alarm[k];
        json_open(j, '{');
        json_field_text(j, "alarm", alarm_kind_name((enum alarm_kind)k));
        json_field_text(j, "state", alarm_state_name(a->state));
        json_field_bool(j, "raised", alarm_is_raised(a));
        json_field_int(j, "since", a->since);
        json_field_text(j, "text", a->text);
        json_close(j, '}');
    }
    json_close(j, ']');
    if (!is_blind)
        write_people(j, r);
    if (r->trouble[0] != '\0')
        json_field_text(j, "people_error", r->trouble);
    json_field_int(j, "judged", r->judged);
    json_field_int(j, "asked", (int64_t)r->asked);
}
