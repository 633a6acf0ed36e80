#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/terminal.h"
#include "cli/whatif_arm.h"
#include "eval/whatif.h"
#include "report/whatif_page.h"

#define TEXT_MAX ((size_t)64 << 20)

/* One change on all seeds, beside its base. */
struct trial {
    struct whatif_change change;
    struct whatif_place *base, *arm; // [seeds]
};

struct trying {
    struct options *o;
    struct whatif_project p;
    struct trial *trial; // [n]
    size_t n, seeds;
};

/* ---- what was asked for -------------------------------------------------- */

static bool is_change(const struct option_given *g)
{
    return g->text != NULL && strcmp(g->row->key, "whatif.change") == 0;
}

/* Every --change, in the order given. */
static enum status read_changes(struct trying *t, struct err *err)
{
    const struct options *o = t->o;
    size_t room = 0;
    for (size_t i = 0; i < o->n_given; i++)
        room += is_change(&o->given[i]);
    if (room == 0)
        return err_set(err, ERR_ARG,
                       "nothing to change: --change beta=0.2, say; --change "
                       "list shows the named changes");
    TRY(MEM_NEW(t->trial, room, err));
    for (size_t i = 0; i < o->n_given; i++) {
        struct whatif_change *c = &t->trial[t->n].change;
        if (!is_change(&o->given[i]))
            continue;
        TRY(whatif_change_read(c, o->given[i].text, err));
        for (size_t k = 0; k < t->n; k++)
            if (strcmp(t->trial[k].change.name, c->name) == 0)
                return err_set(err, ERR_ARG, "%s is asked for twice", c->name);
        t->n++;
    }
    return OK;
}

/* The last arm's seed is still one. */
static enum status check_seeds(const struct trying *t, struct err *err)
{
    bool is_hash;
    int64_t first = t->p.ppo.v.common.seed, more = (int64_t)t->seeds - 1;
    int64_t most = (int64_t)options_find("seed", 4, &is_hash)->high;
    if (first <= most - more)
        return OK;
    return err_set(err, ERR_ARG,
                   "--seeds %zu needs %" PRId64 " seeds after the run's own, "
                   "%" PRId64 ", and the last one there is is %" PRId64,
                   t->seeds, more, first, most);
}

static enum status find_arms(struct trying *t, struct err *err)
{
    t->seeds = (size_t)t->o->v.whatif.seeds;
    TRY(check_seeds(t, err));
    for (size_t i = 0; i < t->n; i++) {
        struct trial *trial = &t->trial[i];
        bool has_reward = (trial->change.stages & FOR_REWARD) != 0;
        TRY(MEM_NEW(trial->base, t->seeds, err));
        TRY(MEM_NEW(trial->arm, t->seeds, err));
        for (size_t k = 0; k < t->seeds; k++) {
            int64_t seed = t->p.ppo.v.common.seed + (int64_t)k;
            TRY(whatif_arm_find(&trial->base[k], &t->p, NULL, has_reward, seed,
                                err));
            TRY(whatif_arm_find(&trial->arm[k], &t->p, &trial->change,
                                has_reward, seed, err));
            TRY(whatif_arm_check(&t->p, &trial->arm[k], err));
        }
    }
    return OK;
}

static void close_trying(struct trying *t)
{
    for (size_t i = 0; t->trial != NULL && i < t->n; i++) {
        mem_free(t->trial[i].base);
        mem_free(t->trial[i].arm);
    }
    mem_free(t->trial);
    whatif_project_close(&t->p);
}

static enum status open_trying(struct trying *t, struct options *o,
                               struct err *err)
{
    *t = (struct trying){.o = o};
    enum status status = read_changes(t, err);
    if (status == OK)
        status = whatif_project_open(&t->p, o, err);
    if (status == OK)
        status = find_arms(t, err);
    if (status != OK)
        close_trying(t);
    return status;
}

static enum status remove_arm(const struct trying *t, struct whatif_place *a,
                              struct err *err)
{
    char path[FILE_PATH_MAX];
    TRY(file_join(path, t->p.at.project, a->home, err));
    TRY(file_remove(path, err));
    a->is_done = false;
    return OK;
}

/* What earlier calls left of these arms.  A base arm is other changes' base as
 * well: it is kept where it is complete, and made from what is there now. */
static enum status remove_arms(struct trying *t, struct err *err)
{
    for (size_t i = 0; i < t->n; i++) {
        for (size_t k = 0; k < t->seeds; k++) {
            TRY(remove_arm(t, &t->trial[i].arm[k], err));
            if (!t->trial[i].base[k].is_done)
                TRY(remove_arm(t, &t->trial[i].base[k], err));
        }
    }
    return OK;
}

/* ---- the plan ------------------------------------------------------------ */

/* As long as the recorded stages took. */
static double expected_seconds(const struct trying *t,
                               const struct whatif_place *a)
{
    if (a->is_done || a->is_project)
        return 0;
    double seconds = a->has_ppo ? whatif_seconds(t->p.at.run) : 0;
    size_t models = a->members + (a->has_reward ? 1 : 0);
    return models > 0
               ? seconds + (double)models * whatif_seconds(t->p.reward_dir)
               : seconds;
}

static const char *stages_text(const struct whatif_place *a)
{
    return a->is_done                        ? "done"
           : a->is_project                   ? "votes"
           : !a->has_ppo                     ? "eval"
           : a->has_reward || a->members > 0 ? "reward, ppo, eval"
                                             : "ppo, eval";
}

static void plan_arm(struct buf *out, const struct trying *t,
                     const struct whatif_place *a)
{
    buf_printf(out, "  %-40s %-18s", a->home, stages_text(a));
    if (expected_seconds(t, a) > 0)
        buf_printf(out, " about %.0f s", expected_seconds(t, a));
    buf_putc(out, '\n');
}

static enum status plan_settings(struct buf *out, const struct trying *t,
                                 const struct trial *trial, struct err *err)
{
    struct buf from, to;
    for (size_t k = 0; k < trial->change.n_set; k++) {
        buf_init(&from, TEXT_MAX);
        buf_init(&to, TEXT_MAX);
        enum status status =
            whatif_arm_setting(&from, &to, &t->p, &trial->arm[0], k, err);
        if (status == OK)
            buf_printf(out, "  %s: %s -> %s\n", trial->change.set[k].key,
                       buf_text(&from), buf_text(&to));
        buf_free(&from);
        buf_free(&to);
        TRY(status);
    }
    return OK;
}

/* Base arms of one directory are one. */
static bool is_listed(const struct trying *t, size_t trial, size_t seed)
{
    for (size_t i = 0; i < trial; i++)
        if (strcmp(t->trial[i].base[seed].home,
                   t->trial[trial].base[seed].home) == 0)
            return true;
    return false;
}

static enum status plan_text(struct buf *out, const struct trying *t,
                             struct err *err)
{
    double seconds = 0;
    for (size_t i = 0; i < t->n; i++) {
        const struct trial *trial = &t->trial[i];
        buf_printf(out, "%s: %s\n", trial->change.name, trial->change.what);
        TRY(plan_settings(out, t, trial, err));
        for (size_t k = 0; k < t->seeds; k++) {
            if (!is_listed(t, i, k)) {
                plan_arm(out, t, &trial->base[k]);
                seconds += expected_seconds(t, &trial->base[k]);
            }
            plan_arm(out, t, &trial->arm[k]);
            seconds += expected_seconds(t, &trial->arm[k]);
        }
    }
    if (seconds > 0)
        buf_printf(out,
                   "about %.0f s of training, as long as the recorded "
                   "stages took\n",
                   seconds);
    return OK;
}

static void plan_arm_json(struct json_writer *w, const struct trying *t,
                          const char *name, const struct whatif_place *a)
{
    json_open(w, '{');
    json_field_text(w, "name", name);
    json_field_int(w, "seed", a->seed);
    json_field_text(w, "dir", a->home);
    json_field_bool(w, "is_done", a->is_done);
    json_field_text(w, "stages", stages_text(a));
    json_field_number(w, "seconds", expected_seconds(t, a));
    json_close(w, '}');
}

static void plan_json(struct buf *out, const struct trying *t)
{
    struct json_writer w;
    json_writer_init(&w, out, true);
    json_open(&w, '{');
    json_field_text(&w, "schema", "plumb.whatif_plan/1");
    json_put_key(&w, "arms");
    json_open(&w, '[');
    for (size_t i = 0; i < t->n; i++) {
        for (size_t k = 0; k < t->seeds; k++) {
            const struct trial *trial = &t->trial[i];
            if (!is_listed(t, i, k))
                plan_arm_json(&w, t, "base", &trial->base[k]);
            plan_arm_json(&w, t, trial->change.name, &trial->arm[k]);
        }
    }
    json_close(&w, ']');
    json_close(&w, '}');
    buf_putc(out, '\n');
}

static enum status show_plan(const struct trying *t, struct err *err)
{
    struct buf out;
    buf_init(&out, TEXT_MAX);
    enum status status = OK;
    if (t->o->v.common.json)
        plan_json(&out, t);
    else
        status = plan_text(&out, t, err);
    if (status == OK)
        status = terminal_print(&out, err);
    buf_free(&out);
    return status;
}

/* ---- running ------------------------------------------------------------- */

/* An arm whose numbers go bad is a finding about its change; the others are
 * tried all the same. */
static enum status run_arm(struct trying *t, struct whatif_place *a,
                           struct session *s, struct err *err)
{
    enum status status = whatif_arm_run(&t->p, a, s, err);
    if (status != ERR_NUMERIC)
        return status;
    a->failed = *err;
    context_warn(&s->context, "%s: %s", a->home, err->text);
    *err = (struct err){OK, ""};
    return OK;
}

static enum status run_arms(struct trying *t, struct session *s,
                            struct err *err)
{
    for (size_t i = 0; i < t->n; i++) {
        for (size_t k = 0; k < t->seeds; k++) {
            struct whatif_place *base = &t->trial[i].base[k];
            for (size_t j = 0; j < i; j++) {
                const struct whatif_place *other = &t->trial[j].base[k];
                if (strcmp(other->home, base->home) == 0)
                    *base = *other; // run, or failed, already
            }
            if (base->failed.code == OK)
                TRY(run_arm(t, base, s, err));
            TRY(run_arm(t, &t->trial[i].arm[k], s, err));
        }
    }
    return OK;
}

static enum status copy(struct trying *t, const char **out, const char *text,
                        struct err *err)
{
    return options_copy(t->o, out, text, strlen(text), err);
}

static struct whatif_arm describe(const struct trying *t,
                                  const struct whatif_place *a)
{
    bool has_own = a->has_reward;
    for (size_t k = 0; a->change != NULL && k < a->change->n_set; k++)
        has_own =
            has_own || strcmp(a->change->set[k].key, "ppo.reward_model") == 0;
    return (struct whatif_arm){
        .seed = a->seed,
        .dir = a->dir,
        .votes = t->p.is_desk ? a->votes : NULL,
        .run = a->best_of > 1 ? NULL : a->run,
        .has_own_reward = has_own,
        .inference = a->best_of,
        .error = a->failed.code != OK ? a->failed.text : NULL,
    };
}

static enum status describe_settings(struct trying *t,
                                     const struct trial *trial,
                                     struct whatif_setting *out,
                                     struct err *err)
{
    struct buf from, to;
    enum status status = OK;
    for (size_t k = 0; status == OK && k < trial->change.n_set; k++) {
        buf_init(&from, TEXT_MAX);
        buf_init(&to, TEXT_MAX);
        out[k].key = trial->change.set[k].key;
        status = whatif_arm_setting(&from, &to, &t->p, &trial->arm[0], k, err);
        if (status == OK)
            status = copy(t, &out[k].from, buf_text(&from), err);
        if (status == OK)
            status = copy(t, &out[k].to, buf_text(&to), err);
        buf_free(&from);
        buf_free(&to);
    }
    return status;
}

/* What the comparison is told of the arms: [n] trials, and behind them the
 * arms and settings that they point to. */
struct described {
    struct whatif_trial *trial;
    struct whatif_arm *arm;         // [n * 2 * seeds]
    struct whatif_setting *setting; // [n * WHATIF_SET_MAX]
};

static enum status describe_all(struct described *d, struct trying *t,
                                struct err *err)
{
    static const char *const stages[] = {"reward", "ppo"};
    TRY(MEM_NEW(d->trial, t->n, err));
    TRY(MEM_NEW(d->arm, t->n * 2 * t->seeds, err));
    TRY(MEM_NEW(d->setting, t->n * WHATIF_SET_MAX, err));
    for (size_t i = 0; i < t->n; i++) {
        const struct trial *trial = &t->trial[i];
        struct whatif_arm *base = d->arm + i * 2 * t->seeds;
        struct whatif_arm *changed = base + t->seeds;
        struct whatif_setting *setting = d->setting + i * WHATIF_SET_MAX;
        for (size_t k = 0; k < t->seeds; k++) {
            base[k] = describe(t, &trial->base[k]);
            changed[k] = describe(t, &trial->arm[k]);
        }
        TRY(describe_settings(t, trial, setting, err));
        bool has_reward = (trial->change.stages & FOR_REWARD) != 0 ||
                          trial->arm[0].members > 0;
        size_t first = has_reward ? 0 : trial->arm[0].has_ppo ? 1 : 2;
        d->trial[i] = (struct whatif_trial){
            .name = trial->change.name,
            .what = trial->change.what,
            .stages = stages + first,
            .n_stages = 2 - first,
            .setting = setting,
            .n_settings = trial->change.n_set,
            .base = base,
            .changed = changed,
            .n = t->seeds,
        };
    }
    return OK;
}

static enum status compare(struct trying *t, struct err *err)
{
    struct described d = {NULL, NULL, NULL};
    enum status status = describe_all(&d, t, err);
    const struct whatif_config c = {
        .project = t->p.at.project, .trial = d.trial, .n = t->n};
    if (status == OK)
        status = whatif_compare(&c, err);
    if (status == OK)
        status = whatif_page_write(t->p.at.project, err);
    mem_free(d.trial);
    mem_free(d.arm);
    mem_free(d.setting);
    return status;
}

/* ---- printing ------------------------------------------------------------ */

/* Wall time of the arm's training, from the runs' own clocks. */
static double seconds_of(const struct trying *t, const struct whatif_place *a)
{
    char path[FILE_PATH_MAX], name[32];
    double seconds = 0;
    size_t first = a->has_reward ? 1 : 2;
    if (a->best_of > 1)
        return 0;
    if (whatif_project_join(path, &t->p, a->run, NULL, NULL) != OK)
        return (double)NAN;
    seconds += whatif_seconds(path);
    for (size_t k = first; k < 2 + a->members; k++) {
        (void)snprintf(name, sizeof name, k > 1 ? "reward-%zu" : "reward", k);
        if (whatif_project_join(path, &t->p, a->dir, name, NULL) != OK)
            return (double)NAN;
        seconds += whatif_seconds(path);
    }
    return seconds;
}

static void put_timing(struct json_writer *w, const struct trying *t)
{
    json_put_key(w, "timing");
    json_open(w, '[');
    for (size_t i = 0; i < t->n; i++) {
        for (size_t k = 0; k < t->seeds; k++) {
            const struct trial *trial = &t->trial[i];
            json_open(w, '{');
            json_field_text(w, "name", trial->change.name);
            json_field_int(w, "seed", trial->arm[k].seed);
            json_field_number(w, "seconds", seconds_of(t, &trial->arm[k]));
            json_field_number(w, "base_seconds",
                              seconds_of(t, &trial->base[k]));
            json_close(w, '}');
        }
    }
    json_close(w, ']');
}

static void put_json(struct buf *out, const struct trying *t,
                     const struct json *result)
{
    struct json_writer w;
    json_writer_init(&w, out, true);
    json_open(&w, '{');
    for (const void *it = json_first(result); it != NULL;
         it = json_next(result, it)) {
        json_put_key(&w, json_key(it));
        json_put_node(&w, json_value(it));
    }
    put_timing(&w, t);
    json_close(&w, '}');
    buf_putc(out, '\n');
}

static void put_seconds(struct buf *out, const struct trying *t)
{
    for (size_t i = 0; i < t->n; i++) {
        double sum = 0;
        for (size_t k = 0; k < t->seeds; k++)
            sum += seconds_of(t, &t->trial[i].arm[k]);
        if (isfinite(sum))
            buf_printf(out, "%s took %.0f s of training a seed\n",
                       t->trial[i].change.name, sum / (double)t->seeds);
    }
}

static enum status print(const struct trying *t, struct err *err)
{
    enum status status = OK;
    char path[FILE_PATH_MAX];
    struct json *result;
    struct buf out;
    TRY(file_join(path, t->p.at.project, "whatif/result.json", err));
    TRY(json_read(&result, path, TEXT_MAX, err));
    buf_init(&out, TEXT_MAX);
    if (t->o->v.common.json) {
        put_json(&out, t, result);
    } else {
        whatif_table(&out, result);
        put_seconds(&out, t);
        buf_printf(&out, "\nThe page: %s/whatif/report.html\n",
                   t->p.at.project);
    }
    status = terminal_print(&out, err);
    buf_free(&out);
    json_free(result);
    return status;
}

/* The first arm that failed fails the command, once all is told. */
static enum status tell_failure(const struct trying *t, struct err *err)
{
    for (size_t i = 0; i < t->n; i++) {
        for (size_t k = 0; k < t->seeds; k++) {
            const struct whatif_place *pair[] = {&t->trial[i].base[k],
                                                 &t->trial[i].arm[k]};
            for (size_t a = 0; a < 2; a++)
                if (pair[a]->failed.code != OK)
                    return err_set(err, pair[a]->failed.code, "%s: %s",
                                   pair[a]->home, pair[a]->failed.text);
        }
    }
    return OK;
}

static enum status try_all(struct trying *t, struct err *err)
{
    struct session s;
    if (t->o->v.common.overwrite)
        TRY(remove_arms(t, err));
    TRY(session_open(&s, t->o, "whatif", err));
    enum status status = run_arms(t, &s, err);
    if (status == OK)
        status = compare(t, err);
    if (status == OK)
        session_tell_cost(&s);
    session_close(&s);
    TRY(status);
    TRY(print(t, err));
    return tell_failure(t, err);
}

static enum status print_list(struct err *err)
{
    struct buf out;
    buf_init(&out, TEXT_MAX);
    whatif_change_list(&out);
    enum status status = terminal_print(&out, err);
    buf_free(&out);
    return status;
}

enum status cmd_whatif(struct options *o, struct err *err)
{
    struct trying t;
    int lock;
    if (o->v.whatif.change != NULL && strcmp(o->v.whatif.change, "list") == 0)
        return print_list(err);
    TRY(open_trying(&t, o, err));
    enum status status;
    if (o->v.common.dry_run) {
        status = show_plan(&t, err);
    } else {
        status = run_lock(&lock, t.p.at.project, err);
        if (status == OK) {
            status = try_all(&t, err);
            run_unlock(lock);
        }
    }
    close_trying(&t);
    return status;
}
