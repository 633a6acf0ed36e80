#include "diagnose/remedies.h"

#include <math.h>
#include <string.h>

#include "diagnose/measurements.h"
#include "diagnose/remedy_value.h"
#include "diagnose/remedy_verified.h"

const char *remedies_measure_name(enum remedy_measure m)
{
    static const char *const names[REMEDY_MEASURES] = {
        [REMEDY_RM] = "rm",         [REMEDY_HUMAN] = "human",
        [REMEDY_LENGTH] = "length", [REMEDY_KL] = "kl",
        [REMEDY_COST] = "cost",
    };
    return names[m];
}

const char *remedies_purpose_name(enum remedy_purpose p)
{
    static const char *const names[] = {
        [REMEDY_REPAIR] = "repair",
        [REMEDY_CHECK] = "check",
        [REMEDY_MEASURE] = "measure",
    };
    return names[p];
}

/* ---- choosing ----------------------------------------------------------- */

struct pick {
    const struct remedy_row *row;
    const struct rival *rival;
    bool is_beside; // not against the rival itself
    double value;
    char text[32];
    const char *because; // of a measurement
};

struct choosing {
    const struct remedy_sources *s;
    const struct rival *rivals;
    struct pick pick[REMEDIES];
    size_t n;
};

enum side {
    SIDE_ANY,
    SIDE_OTHER
};

static bool is_chosen(const struct choosing *c, const struct remedy_row *row)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->pick[i].row == row)
            return true;
    return false;
}

/* The first of a list that applies, unless all is chosen. */
static enum status take(struct choosing *c, const struct rival *rival,
                        const char *const list[REMEDY_CHOICES], enum side side,
                        bool is_beside, struct err *err)
{
    for (size_t i = 0; i < REMEDY_CHOICES && list[i] != NULL; i++) {
        const struct remedy_row *row = remedy_table_find(list[i]);
        struct pick p = {.row = row, .rival = rival, .is_beside = is_beside};
        bool applies;
        if (c->n == REMEDIES)
            return OK;
        if (row == NULL || is_chosen(c, row) ||
            (side == SIDE_OTHER && c->n > 0 &&
             row->is_reward_side == c->pick[0].row->is_reward_side))
            continue;
        TRY(remedy_value_find(&applies, &p.value, p.text, row, c->s, err));
        if (!applies)
            continue;
        c->pick[c->n++] = p;
        return OK;
    }
    return OK;
}

/* What can always be tried. */
static enum status take_any(struct choosing *c, struct err *err)
{
    static const char *const last[][REMEDY_CHOICES] = {
        {"kl-stop"}, {"interpolate"}, {"best-of"}};
    for (size_t i = 0; i < sizeof last / sizeof *last; i++)
        TRY(take(c, &c->rivals[0], last[i], SIDE_ANY, true, err));
    return OK;
}

static enum status take_repairs(struct choosing *c, struct err *err)
{
    const struct rival *top = &c->rivals[0];
    const struct remedy_answer *answer = remedy_table_answer(top->id);
    if (answer == NULL)
        return OK;
    TRY(take(c, top, answer->first, SIDE_ANY, false, err));
    /* A bug spoils what speaks for the others. */
    for (size_t i = 1; i < RIVALS && !top->is_bug; i++) {
        const struct rival *r = &c->rivals[i];
        const struct remedy_answer *other = remedy_table_answer(r->id);
        if (r->verdict == VERDICT_SUPPORTED && other != NULL &&
            strcmp(r->id, "R0") != 0)
            TRY(take(c, r, other->first, SIDE_OTHER, false, err));
    }
    return take(c, top, answer->second, SIDE_ANY, true, err);
}

static const struct rival *find_rival(const struct choosing *c, const char *id)
{
    for (size_t i = 0; i < RIVALS; i++)
        if (strcmp(c->rivals[i].id, id) == 0)
            return &c->rivals[i];
    return &c->rivals[0];
}

static enum status take_checks(struct choosing *c, struct err *err)
{
    const struct rival *healthy = find_rival(c, "R0");
    const struct remedy_answer *answer = remedy_table_answer("R0");
    TRY(take(c, healthy, answer->first, SIDE_ANY, false, err));
    return take(c, healthy, answer->second, SIDE_ANY, false, err);
}

/* ---- measurements ------------------------------------------------------- */

static enum status take_measurement(struct choosing *c, enum measurement m,
                                    struct err *err)
{
    const char *const list[REMEDY_CHOICES] = {measurements_id(m)};
    return take(c, &c->rivals[0], list, SIDE_ANY, false, err);
}

static enum measurement measurement_of(const struct remedy_row *row)
{
    size_t m = 0;
    while (m < MEASUREMENTS &&
           strcmp(measurements_id((enum measurement)m), row->id) != 0)
        m++;
    return (enum measurement)m;
}

/* What would decide most of the signs of the three explanations that stand
 * first, the one that makes the other's inputs before it. */
static enum status take_measurements(struct choosing *c, struct err *err)
{
    enum measurement list[MEASUREMENTS];
    char what[FILE_PATH_MAX];
    const struct evidence *e = c->s->e;
    size_t n = measurements_wanted(list, e, c->s->rows, c->rivals);
    /* Little to ask for: try what the first explanation would say, where that
     * can be tried. */
    bool is_tried = n < REMEDIES && !measurements_lack_whatif(what, e);
    if (!is_tried)
        n = measurements_add(list, n, MEASUREMENT_EVAL, e);
    if (!is_tried)
        n = measurements_add(list, n, MEASUREMENT_PROBE, e);
    for (size_t i = 0; i < n; i++)
        TRY(take_measurement(c, list[i], err));
    if (c->n < REMEDIES)
        return take_repairs(c, err);
    struct pick first = c->pick[0];
    if (measurement_of(c->pick[1].row) < measurement_of(first.row)) {
        c->pick[0] = c->pick[1];
        c->pick[1] = first;
    }
    return OK;
}

/* A measurement whose inputs are not there says so in its title, and names the
 * first of them. */
static void say_later(struct remedy *r, const struct remedy_row *row,
                      const struct evidence *e)
{
    char what[FILE_PATH_MAX];
    enum measurement m = measurement_of(row);
    if (m == MEASUREMENTS || !measurements_lack(what, m, e))
        return;
    r->title = measurements_title_later(m);
    remedy_value_append(r->why, sizeof r->why,
                        "; not there yet is %.200s, which it reads", what);
}

/* ---- in words ----------------------------------------------------------- */

/* The rival, and the supported statements of the side that it changes. */
static void say_against(struct remedy *r, const struct pick *p,
                        const struct rows *rows)
{
    static const char *const reward[] = {"a1", "a2", "a3", NULL};
    static const char *const penalty[] = {"c1", "c2", "c3", NULL};
    const char *const *list = p->row->is_reward_side ? reward : penalty;
    bool is_about_them = p->row->is_reward_side ||
                         p->row->model == REMEDY_MODEL_PRICE ||
                         p->row->model == REMEDY_MODEL_TARGET ||
                         p->row->model == REMEDY_MODEL_STOP;
    r->against[0] = '\0';
    if (!p->is_beside)
        remedy_value_append(r->against, sizeof r->against, "%s", p->rival->id);
    for (size_t i = 0; is_about_them && list[i] != NULL; i++) {
        const struct finding *f = rivals_row(rows, list[i]);
        if (f != NULL && f->verdict == VERDICT_SUPPORTED)
            remedy_value_append(r->against, sizeof r->against, "%s%s",
                                r->against[0] != '\0' ? " " : "", list[i]);
    }
    if (r->against[0] == '\0')
        remedy_value_append(r->against, sizeof r->against, "%s", p->rival->id);
}

static void say_why(struct remedy *r, const struct pick *p,
                    const struct remedy_sources *s)
{
    const struct rival *v = p->rival;
    r->why[0] = '\0';
    if (r->purpose == REMEDY_MEASURE)
        remedy_value_append(
            r->why, sizeof r->why,
            "%s (%s) stands first and is not decided: %zu of its signs "
            "are for it, %zu against, %zu cannot be measured",
            v->id, v->name, v->supported, v->contradicted, v->not_measurable);
    else if (r->purpose == REMEDY_CHECK)
        remedy_value_append(
            r->why, sizeof r->why,
            "nothing is found wrong; this tells, without another training "
            "run, what is left to gain");
    else
        remedy_value_append(
            r->why, sizeof r->why,
            "%s%s (%s): %zu of its signs are for it, %zu against",
            p->is_beside ? "beside the remedy of " : "", v->id, v->name,
            v->supported, v->contradicted);
    remedy_value_say(r, p->row, p->value, s);
    say_later(r, p->row, s->e);
}

static enum status write_remedy(struct remedy *r, const struct pick *p,
                                enum remedy_purpose purpose,
                                const struct remedy_sources *s, struct err *err)
{
    const struct remedy_row *row = p->row;
    *r = (struct remedy){.id = row->id,
                         .title = row->title,
                         .is_reward_side = row->is_reward_side};
    r->purpose = row->command != NULL      ? REMEDY_MEASURE
                 : purpose == REMEDY_CHECK ? REMEDY_CHECK
                                           : REMEDY_REPAIR;
    for (int m = 0; m < REMEDY_MEASURES; m++)
        r->effect[m].predicted = r->effect[m].observed = summary_nothing();
    say_against(r, p, s->rows);
    say_why(r, p, s);
    remedy_value_append(r->tradeoff, sizeof r->tradeoff, "%s", row->tradeoff);
    remedy_value_write(r, row, p->text, s->e);
    if (r->purpose == REMEDY_MEASURE) {
        remedy_value_append(
            r->missing, sizeof r->missing,
            "a measurement changes nothing; there is nothing to predict");
        return OK;
    }
    TRY(remedy_predict_effects(r, row, p->value, s, err));
    remedy_verified_read(r, row, s->e->whatif);
    return OK;
}

/* One call for both, since result.json is of the changes of the last one. */
static void write_verify(struct remedy out[REMEDIES], const struct evidence *e)
{
    char project[FILE_PATH_MAX], changes[2 * REMEDY_NAME_MAX + 64] = "";
    remedy_value_quote(project, e->project);
    for (size_t i = 0; i < REMEDIES; i++)
        if (out[i].name[0] != '\0')
            remedy_value_append(changes, sizeof changes, " --change %s",
                                out[i].name);
    for (size_t i = 0; i < REMEDIES && changes[0] != '\0'; i++)
        if (out[i].name[0] != '\0')
            remedy_value_append(out[i].verify, sizeof out[i].verify,
                                "plumb whatif %s%s --seeds 3", project,
                                changes);
}

enum status remedies_choose(struct remedy out[REMEDIES], size_t *n,
                            const struct evidence *e, const struct rows *rows,
                            const struct rival *rivals,
                            enum remedy_purpose purpose, struct err *err)
{
    enum status status = OK;
    struct remedy_sources s;
    struct choosing c = {.s = &s, .rivals = rivals};
    *n = 0;
    TRY_DONE(remedy_predict_open(&s, e, rows, err));
    if (purpose == REMEDY_REPAIR)
        TRY_DONE(take_repairs(&c, err));
    else if (purpose == REMEDY_CHECK)
        TRY_DONE(take_checks(&c, err));
    else
        TRY_DONE(take_measurements(&c, err));
    TRY_DONE(take_any(&c, err));
    for (size_t i = 0; i < c.n; i++)
        TRY_DONE(write_remedy(&out[i], &c.pick[i], purpose, &s, err));
    write_verify(out, e);
    *n = c.n;
done:
    remedy_predict_close(&s);
    return status;
}
