/* A story in one sentence, and as an object of diagnosis.json. */
#include <math.h>
#include <string.h>

#include "diagnose/partial.h"

enum {
    BESIDE_MAX = 4,
    DIGITS_MIN = 2,
    DIGITS_MAX = 6
};

/* ---- numbers ------------------------------------------------------------ */

/* So many decimals that the interval shows two digits of its width. */
static int decimals_of(const struct estimate *e)
{
    double width = e->high - e->low;
    double digits = width > 0 ? ceil(-log10(width)) + 1 : DIGITS_MIN;
    return (int)fmin(fmax(digits, DIGITS_MIN), DIGITS_MAX);
}

/* "trend_kl 0.501 [0.491, 0.512] nats a response and iteration"; of a fall the
 * slope behind it, which its verdict rests on. */
static void put_row(struct buf *out, const struct finding *f)
{
    struct estimate late = measures_find(&f->detail, "late_slope");
    char text[64];
    buf_puts(out, f->id);
    if (finding_has_interval(&f->e))
        buf_printf(out, " %s %s",
                   finding_number(text, &f->e, decimals_of(&f->e)), f->unit);
    else if (finding_has_interval(&late))
        buf_printf(out, " %.3g, slope of the second half %s", f->e.estimate,
                   finding_number(text, &late, decimals_of(&late)));
    else if (isfinite(f->e.estimate))
        buf_printf(out, " %.3g %s", f->e.estimate, f->unit);
}

/* ---- the sentence ------------------------------------------------------- */

static bool is_of_settings(const struct finding *f)
{
    return strncmp(f->id, "settings", 8) == 0;
}

/* "the score goes with length"; of a family what it is that grew, which is
 * before the colon of its numbers; of what is denied that it is not so. */
static void put_reason(struct buf *out, const struct finding *f)
{
    size_t name = strcspn(f->text, ":");
    if (strncmp(f->id, "pattern_", 8) == 0)
        buf_printf(out,
                   "%.*s grew beyond length, and the score goes with "
                   "them",
                   (int)name, f->text);
    else if (strncmp(f->id, "style_", 6) == 0)
        buf_printf(out, "the policy's replies have more %.*s", (int)name,
                   f->text);
    else if (is_of_settings(f))
        buf_puts(out, f->text);
    else if (f->verdict == VERDICT_NOT_SUPPORTED)
        buf_printf(out, "it is not so that %s", f->claim);
    else
        buf_puts(out, f->claim);
    if (is_of_settings(f))
        return; // whose numbers were just told
    buf_puts(out, " (");
    put_row(out, f);
    buf_putc(out, ')');
}

/* The ids of what else is supported. */
static void put_beside(struct buf *out, const struct partial_story *s,
                       const struct leads *l)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n && n < BESIDE_MAX; i++) {
        const struct finding *f = &l->row[i];
        bool is_put = f->verdict == VERDICT_SUPPORTED && partial_is_told(f) &&
                      strcmp(f->id, "trend_reward") != 0 && // it is the aim
                      !partial_is_sign(s, f);
        if (is_put)
            buf_printf(out, "%s%s", n++ == 0 ? " (beside it: " : ", ", f->id);
    }
    buf_puts(out, n > 0 ? ")" : "");
}

/* A change and the row it answers, with its numbers unless they were told. */
static void put_advice(struct buf *out, const struct partial_story *s)
{
    for (size_t i = 0; i < s->n_advice; i++) {
        const struct partial_advice *a = &s->advice[i];
        buf_printf(out, "%s%s", i == 0 ? "; to try: " : ", or ", a->text);
        if (a->row == NULL)
            continue;
        buf_puts(out, " (");
        if (partial_is_sign(s, a->row))
            buf_puts(out, a->row->id);
        else
            put_row(out, a->row);
        buf_putc(out, ')');
    }
}

static void put_sure(struct buf *out, const struct partial_story *s)
{
    buf_printf(out,
               "; how sure: %zu of the %zu leads that have an interval are "
               "shown at 95 %%, where chance alone would show %.1f, and one "
               "run tells what goes together, not what causes it",
               s->shown, s->looked, s->by_chance);
}

static bool has_votes(const struct leads *l)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->row[i].id, "worse") == 0)
            return finding_has_interval(&l->row[i].e);
    return false;
}

/* What is supported, none of which is a fault by itself, and what is not. */
static void put_nothing(struct buf *out, const struct leads *l)
{
    size_t seen = 0, unseen = 0;
    buf_puts(out, "nothing that was imported points to a fault");
    for (size_t i = 0; i < l->n; i++) {
        const struct finding *f = &l->row[i];
        if (f->verdict != VERDICT_SUPPORTED || !partial_is_told(f))
            continue;
        buf_printf(out, "%s%s (", seen++ == 0 ? ": " : ", ", f->claim);
        put_row(out, f);
        buf_putc(out, ')');
    }
    if (seen > 0)
        buf_puts(out, ", as in a run that goes well");
    for (size_t i = 0; i < l->n; i++)
        if (l->row[i].verdict != VERDICT_SUPPORTED &&
            partial_is_told(&l->row[i]) && isfinite(l->row[i].e.estimate))
            buf_printf(out, "%s%s",
                       unseen++ == 0 ? "; looked for and not "
                                       "shown: "
                                     : ", ",
                       l->row[i].id);
    if (!has_votes(l))
        buf_puts(out, "; whether the answers got better is another question");
}

void partial_say(struct buf *out, const struct partial_story *s,
                 const struct leads *l)
{
    if (s->cause == NULL) {
        put_nothing(out, l);
        return;
    }
    buf_printf(out, "%s %s, because ", s->is_firm ? "probably" : "perhaps",
               s->cause);
    for (size_t k = 0; k < PARTIAL_SIGNS && s->sign[k] != NULL; k++) {
        buf_puts(out, k > 0 ? " and " : "");
        put_reason(out, s->sign[k]);
    }
    put_beside(out, s, l);
    put_advice(out, s);
    put_sure(out, s);
}

/* ---- diagnosis.json ----------------------------------------------------- */

static void write_advice(struct json_writer *w, const struct partial_advice *a)
{
    json_open(w, '{');
    json_field_text(w, "change", a->text);
    json_field_text(w, "row", a->row != NULL ? a->row->id : NULL);
    if (a->row != NULL) {
        struct estimate late = measures_find(&a->row->detail, "late_slope");
        bool is_late =
            !finding_has_interval(&a->row->e) && finding_has_interval(&late);
        const struct estimate *e = is_late ? &late : &a->row->e;
        json_field_number(w, "estimate", e->estimate);
        json_field_number(w, "low", e->low);
        json_field_number(w, "high", e->high);
        json_field_text(w, "unit",
                        is_late ? "slope of the second half" : a->row->unit);
    }
    json_close(w, '}');
}

void partial_write(struct json_writer *w, const struct partial_story *s)
{
    json_open(w, '{');
    json_field_text(w, "cause", s->cause);
    json_put_key(w, "signs");
    json_open(w, '[');
    for (size_t k = 0; k < PARTIAL_SIGNS && s->sign[k] != NULL; k++)
        json_put_text(w, s->sign[k]->id);
    json_close(w, ']');
    json_put_key(w, "to_try");
    json_open(w, '[');
    for (size_t i = 0; i < s->n_advice; i++)
        write_advice(w, &s->advice[i]);
    json_close(w, ']');
    json_field_int(w, "looked", (int64_t)s->looked);
    json_field_int(w, "shown", (int64_t)s->shown);
    json_field_number(w, "by_chance", s->by_chance);
    json_field_bool(w, "firm", s->is_firm);
    json_close(w, '}');
}
