#include <math.h>
#include <string.h>

#include "exam/cover.h"
#include "exam/grade.h"
#include "stat/measures.h"

/* ---- exam.json ---------------------------------------------------------- */

/* Members of the object being written; widths only of one measure, since units
 * differ. */
static void put_count(struct json_writer *w, const struct cover_count *n,
                      bool has_unit)
{
    struct estimate e = exam_wilson(n->inside, n->n);
    json_field_int(w, "inside", (int64_t)n->inside);
    json_field_int(w, "n", (int64_t)n->n);
    json_field_number(w, "estimate", e.estimate);
    json_field_number(w, "low", e.low);
    json_field_number(w, "high", e.high);
    if (has_unit) {
        json_field_number(w, "median_width", n->width);
        json_field_number(w, "median_error", n->error);
    }
    json_field_number(w, "median_width_over_change", n->relative);
}

static enum status put_by_measure(struct json_writer *w, const struct cover *c,
                                  const char *set, const char *id,
                                  struct err *err)
{
    struct cover_count n;
    json_put_key(w, "by_measure");
    json_open(w, '{');
    for (int m = 0; m < REMEDY_MEASURES; m++) {
        enum remedy_measure measure = (enum remedy_measure)m;
        TRY(cover_count(&n, c, set, measure, id, err));
        if (n.n == 0)
            continue;
        json_put_key(w, remedies_measure_name(measure));
        json_open(w, '{');
        put_count(w, &n, true);
        json_close(w, '}');
    }
    json_close(w, '}');
    return OK;
}

/* Is this the set's first item of its change? */
static bool is_first(const struct cover *c, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (strcmp(c->item[i].set, c->item[at].set) == 0 &&
            strcmp(c->item[i].id, c->item[at].id) == 0)
            return false;
    return true;
}

static enum status put_by_change(struct json_writer *w, const struct cover *c,
                                 const char *set, struct err *err)
{
    struct cover_count n;
    json_put_key(w, "by_change");
    json_open(w, '{');
    for (size_t i = 0; i < c->n; i++) {
        const char *id = c->item[i].id;
        if (strcmp(c->item[i].set, set) != 0 || !is_first(c, i))
            continue;
        TRY(cover_count(&n, c, set, REMEDY_MEASURES, id, err));
        if (n.n == 0)
            continue;
        json_put_key(w, id);
        json_open(w, '{');
        put_count(w, &n, false);
        TRY(put_by_measure(w, c, set, id, err));
        json_close(w, '}');
    }
    json_close(w, '}');
    return OK;
}

static size_t count_state(const struct cover *c, const char *set,
                          enum cover_state state)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++)
        n += strcmp(c->item[i].set, set) == 0 && c->item[i].state == state;
    return n;
}

static void put_effects(struct json_writer *w, const struct cover_item *i)
{
    json_put_key(w, "measures");
    json_open(w, '{');
    for (int m = 0; m < REMEDY_MEASURES; m++) {
        const struct remedy_effect *x = &i->effect[m];
        if (!isfinite(x->predicted.estimate) && !isfinite(x->observed.estimate))
            continue;
        json_put_key(w, remedies_measure_name((enum remedy_measure)m));
        json_open(w, '{');
        json_put_key(w, "predicted");
        measures_write_estimate(w, &x->predicted);
        json_put_key(w, "observed");
        measures_write_estimate(w, &x->observed);
        json_put_key(w, "inside");
        if (cover_is_counted(i, (enum remedy_measure)m))
            json_put_bool(w, x->is_inside);
        else
            json_put_null(w);
        json_close(w, '}');
    }
    json_close(w, '}');
}

static void put_items(struct json_writer *w, const struct cover *c,
                      const char *set)
{
    json_put_key(w, "changes");
    json_open(w, '[');
    for (size_t k = 0; k < c->n; k++) {
        const struct cover_item *i = &c->item[k];
        if (strcmp(i->set, set) != 0)
            continue;
        json_open(w, '{');
        json_field_text(w, "run", i->run);
        json_field_text(w, "id", i->id);
        json_field_text(w, "change", i->name[0] != '\0' ? i->name : NULL);
        json_field_text(w, "state", cover_state_name(i->state));
        if (i->state == COVER_TRIED)
            put_effects(w, i);
        else
            json_field_text(w, "reason", i->reason);
        json_close(w, '}');
    }
    json_close(w, ']');
}

enum status cover_write(struct json_writer *w, const struct cover *c,
                        const char *set, struct err *err)
{
    struct cover_count n;
    if (!cover_has(c, set)) {
        json_put_null(w);
        return OK;
    }
    TRY(cover_count(&n, c, set, REMEDY_MEASURES, NULL, err));
    json_open(w, '{');
    json_field_number(w, "level", REMEDY_LEVEL);
    put_count(w, &n, false);
    for (int s = 0; s <= COVER_UNTRIED; s++)
        json_field_int(w, cover_state_name((enum cover_state)s),
                       (int64_t)count_state(c, set, (enum cover_state)s));
    TRY(put_by_measure(w, c, set, NULL, err));
    TRY(put_by_change(w, c, set, err));
    put_items(w, c, set);
    json_close(w, '}');
    return OK;
}

/* ---- for people --------------------------------------------------------- */

static void print_effects(struct buf *out, const struct cover_item *i)
{
    for (int m = 0; m < REMEDY_MEASURES; m++) {
        const struct remedy_effect *x = &i->effect[m];
        if (!cover_is_counted(i, (enum remedy_measure)m))
            continue;
        buf_printf(out, "      %-7s%9.3f [%8.3f, %8.3f] -> %8.3f%s\n",
                   remedies_measure_name((enum remedy_measure)m),
                   x->predicted.estimate, x->predicted.low, x->predicted.high,
                   x->observed.estimate, x->is_inside ? "" : " !");
    }
}

static void print_items(struct buf *out, const struct cover *c, const char *set)
{
    buf_puts(out, "  what-ifs: predicted [90 %] -> observed, ! outside\n");
    for (size_t k = 0; k < c->n; k++) {
        const struct cover_item *i = &c->item[k];
        if (strcmp(i->set, set) != 0)
            continue;
        buf_printf(out, "    %s %s", i->run,
                   i->name[0] != '\0' ? i->name : i->id);
        if (i->state != COVER_TRIED)
            buf_printf(out, ": %s, %s", cover_state_name(i->state), i->reason);
        buf_putc(out, '\n');
        print_effects(out, i);
    }
}

static void print_line(struct buf *out, const char *what,
                       const struct cover_count *n, bool has_unit)
{
    struct estimate e = exam_wilson(n->inside, n->n);
    buf_printf(out, "  %-22s %3zu of %3zu  %5.1f %% [%.1f, %.1f]", what,
               n->inside, n->n, 100 * e.estimate, 100 * e.low, 100 * e.high);
    if (has_unit)
        buf_printf(out, "  width %.3g, observed - predicted %+.3g", n->width,
                   n->error);
    buf_printf(out, "  width / change %.3g\n", n->relative);
}

enum status cover_print(struct buf *out, const struct cover *c, const char *set,
                        struct err *err)
{
    struct cover_count n;
    if (!cover_has(c, set))
        return OK;
    print_items(out, c, set);
    TRY(cover_count(&n, c, set, REMEDY_MEASURES, NULL, err));
    buf_printf(out, "  %zu changes tried", count_state(c, set, COVER_TRIED));
    for (int s = COVER_UNPREDICTED; s <= COVER_UNTRIED; s++)
        buf_printf(out, ", %zu %s", count_state(c, set, (enum cover_state)s),
                   cover_state_name((enum cover_state)s));
    buf_puts(out,
             "\n  observed inside the predicted 90 % interval (medians)\n");
    print_line(out, "all", &n, false);
    for (int m = 0; m < REMEDY_MEASURES; m++) {
        enum remedy_measure measure = (enum remedy_measure)m;
        TRY(cover_count(&n, c, set, measure, NULL, err));
        if (n.n > 0)
            print_line(out, remedies_measure_name(measure), &n, true);
    }
    for (size_t i = 0; i < c->n; i++) {
        if (strcmp(c->item[i].set, set) != 0 || !is_first(c, i))
            continue;
        TRY(cover_count(&n, c, set, REMEDY_MEASURES, c->item[i].id, err));
        if (n.n > 0)
            print_line(out, c->item[i].id, &n, false);
    }
    return OK;
}
