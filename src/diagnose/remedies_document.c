#include <math.h>
#include <stdio.h>

#include "diagnose/remedies.h"

static void write_effects(struct json_writer *w, const struct remedy *r,
                          bool is_observed)
{
    for (int m = 0; m < REMEDY_MEASURES; m++) {
        const struct remedy_effect *x = &r->effect[m];
        const struct estimate *e = is_observed ? &x->observed : &x->predicted;
        json_put_key(w, remedies_measure_name((enum remedy_measure)m));
        json_open(w, '{');
        json_field_number(w, "estimate", e->estimate);
        json_field_number(w, "low", e->low);
        json_field_number(w, "high", e->high);
        json_field_int(w, "n", (int64_t)e->n);
        if (is_observed && isfinite(x->predicted.estimate + e->estimate))
            json_field_bool(w, "inside", x->is_inside);
        json_close(w, '}');
    }
}

static void write_verified(struct json_writer *w, const struct remedy *r)
{
    json_put_key(w, "verified");
    if (r->seeds == 0) {
        json_put_null(w);
        return;
    }
    json_open(w, '{');
    json_field_int(w, "seeds", (int64_t)r->seeds);
    json_field_text(w, "claim", r->claim);
    write_effects(w, r, true);
    json_close(w, '}');
}

static void put_text(struct json_writer *w, const char *key, const char *text)
{
    json_field_text(w, key, text[0] != '\0' ? text : NULL);
}

static void write_remedy(struct json_writer *w, const struct remedy *r)
{
    json_open(w, '{');
    json_field_text(w, "id", r->id);
    put_text(w, "name", r->name);
    json_field_text(w, "title", r->title);
    json_field_text(w, "against", r->against);
    json_field_text(w, "purpose", remedies_purpose_name(r->purpose));
    json_field_text(w, "side", r->is_reward_side ? "reward" : "optimiser");
    put_text(w, "change", r->change);
    json_field_text(w, "command", r->command);
    put_text(w, "verify", r->verify);
    json_field_text(w, "why", r->why);
    json_field_text(w, "tradeoff", r->tradeoff);
    json_put_key(w, "predicted");
    json_open(w, '{');
    json_field_number(w, "level", REMEDY_LEVEL);
    write_effects(w, r, false);
    json_close(w, '}');
    put_text(w, "missing", r->missing);
    write_verified(w, r);
    json_close(w, '}');
}

void remedies_write(struct json_writer *w, const struct remedy *r, size_t n)
{
    json_put_key(w, "remedies");
    json_open(w, '[');
    for (size_t i = 0; i < n; i++)
        write_remedy(w, &r[i]);
    json_close(w, ']');
}

/* ---- for a terminal ----------------------------------------------------- */

/* "rm -0.6 [-1.0, -0.3]", and what was observed after an arrow. */
static void put_effect(struct buf *out, const struct remedy *r,
                       enum remedy_measure m, const char *what, bool is_ratio,
                       double unit)
{
    const struct remedy_effect *x = &r->effect[m];
    const struct estimate *e = &x->predicted;
    if (!isfinite(e->estimate))
        return;
    int digits = unit > 1 ? 0 : is_ratio ? 2 : 1;
    buf_printf(
        out, is_ratio ? "  %s x%.*f [%.*f, %.*f]" : "  %s %+.*f [%+.*f, %+.*f]",
        what, digits, unit * e->estimate, digits, unit * e->low, digits,
        unit * e->high);
    if (isfinite(x->observed.estimate))
        buf_printf(out, is_ratio ? " -> x%.*f%s" : " -> %+.*f%s", digits,
                   unit * x->observed.estimate, x->is_inside ? "" : "!");
}

void remedies_summary(struct buf *out, const struct remedy *r, size_t n)
{
    static const char *const title[] = {
        [REMEDY_REPAIR] = "what to change (predicted -> observed, ! outside)",
        [REMEDY_CHECK] = "what would be left to gain",
        [REMEDY_MEASURE] = "what would decide it",
    };
    if (n == 0)
        return;
    buf_printf(out, "%s\n", title[r[0].purpose]);
    for (size_t i = 0; i < n; i++) {
        buf_printf(out, "  %s: %s (%s)\n   ",
                   r[i].name[0] ? r[i].name : r[i].id, r[i].title,
                   r[i].against);
        put_effect(out, &r[i], REMEDY_RM, "rm", false, 1);
        put_effect(out, &r[i], REMEDY_HUMAN, "preferred %", false, 100);
        put_effect(out, &r[i], REMEDY_LENGTH, "length", true, 1);
        put_effect(out, &r[i], REMEDY_KL, "KL", false, 1);
        if (!isfinite(r[i].effect[REMEDY_RM].predicted.estimate))
            buf_printf(out, "  %s",
                       r[i].purpose == REMEDY_MEASURE ? r[i].command
                                                      : r[i].missing);
        buf_putc(out, '\n');
    }
    if (r[0].verify[0] != '\0' || (n > 1 && r[1].verify[0] != '\0'))
        buf_printf(out, "  %s\n",
                   r[0].verify[0] != '\0' ? r[0].verify : r[1].verify);
}
