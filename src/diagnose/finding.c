#include "diagnose/finding.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

const char *finding_verdict(enum verdict v)
{
    switch (v) {
    case VERDICT_NOT_MEASURABLE:
        return "not_measurable";
    case VERDICT_NOT_SUPPORTED:
        return "not_supported";
    case VERDICT_SUPPORTED:
        return "supported";
    }
    return "not_measurable";
}

struct finding finding_new(const char *id, const char *claim, const char *unit,
                           const char *data)
{
    return (struct finding){
        .id = id,
        .claim = claim,
        .unit = unit,
        .data = data,
        .verdict = VERDICT_NOT_MEASURABLE,
        .e = summary_nothing(),
        .null = (double)NAN,
        .effect = (double)NAN,
        .p = (double)NAN,
        .p_holm = (double)NAN,
    };
}

bool finding_has_interval(const struct estimate *e)
{
    return isfinite(e->estimate) && isfinite(e->low) && isfinite(e->high);
}

/* Infinite where there is no difference, or where the sum overflows. */
static double enough(const struct estimate *e, double null, double effect)
{
    double half = e->high / 2 - e->low / 2;
    double ratio = (1.96 + 0.84) / 1.96 * half / fabs(effect - null);
    double n = ceil((double)e->n * ratio * ratio);
    return isnan(n) ? (double)INFINITY : fmax(n, (double)e->n + 1);
}

double finding_enough(const struct estimate *e, double null, double effect)
{
    if (!finding_has_interval(e) || isnan(null) || isnan(effect))
        return (double)NAN;
    double n = enough(e, null, effect);
    return n > FINDING_ENOUGH_MAX ? fmax(FINDING_ENOUGH_MAX, (double)e->n + 1)
                                  : n;
}

const char *finding_enough_units(char out[FINDING_ENOUGH_TEXT],
                                 const struct estimate *e, double null,
                                 double effect, const char *units)
{
    bool is_told = finding_has_interval(e) && !isnan(null) && !isnan(effect);
    double n = is_told ? enough(e, null, effect) : (double)NAN;
    if (!is_told)
        (void)snprintf(out, FINDING_ENOUGH_TEXT, "more %s", units);
    else if (effect == null)
        (void)snprintf(out, FINDING_ENOUGH_TEXT, "no number of %s", units);
    else if (n > FINDING_ENOUGH_MAX)
        (void)snprintf(out, FINDING_ENOUGH_TEXT, "more than a million %s",
                       units);
    else
        (void)snprintf(out, FINDING_ENOUGH_TEXT, "about %.0f %s", n, units);
    return out;
}

const char *finding_enough_prompts(char out[FINDING_ENOUGH_TEXT],
                                   const struct estimate *e, double null,
                                   double effect)
{
    return finding_enough_units(out, e, null, effect, "prompts");
}

double finding_p(const struct estimate *e, double null)
{
    if (!finding_has_interval(e) || isnan(null) || e->high <= e->low)
        return (double)NAN;
    double z = fabs(e->estimate - null) / ((e->high - e->low) / (2 * 1.96));
    return erfc(z / sqrt(2));
}

void finding_judge(struct finding *f, const struct estimate *e, double null,
                   double effect)
{
    bool is_less = effect < null;
    char n[64];
    f->e = *e;
    f->null = null;
    f->effect = effect;
    if (!finding_has_interval(e)) {
        finding_lack(f,
                     isfinite(e->estimate)
                         ? "too few prompts (%zu) for an interval"
                         : "no value was measured (%zu prompts)",
                     e->n);
        return;
    }
    bool excludes_null = is_less ? e->high < null : e->low > null;
    bool reaches = is_less ? e->estimate <= effect : e->estimate >= effect;
    bool excludes_effect = is_less ? e->low > effect : e->high < effect;
    if (excludes_null && reaches) {
        f->verdict = VERDICT_SUPPORTED;
    } else if (excludes_effect) {
        f->verdict = VERDICT_NOT_SUPPORTED;
    } else if (excludes_null && effect != null) {
        finding_lack(f,
                     "an effect is there, but whether it reaches %.3g is not "
                     "decided; %s would decide it (now %zu)",
                     effect, finding_enough_prompts(n, e, e->estimate, effect),
                     e->n);
    } else if (effect == null) {
        finding_lack(f,
                     "the interval covers no effect (%.3g); one of the size "
                     "seen would show with %s (now %zu)",
                     null, finding_enough_prompts(n, e, null, e->estimate),
                     e->n);
    } else {
        finding_lack(f,
                     "the interval covers both no effect (%.3g) and one worth "
                     "the name (%.3g); %s would decide it (now %zu)",
                     null, effect, finding_enough_prompts(n, e, null, effect),
                     e->n);
    }
}

void finding_judge_side(struct finding *f, const struct estimate *e,
                        enum finding_side side, double bound, const char *units,
                        const char *lack)
{
    bool is_claimed = side == FINDING_ABOVE ? e->low > bound : e->high < bound;
    bool is_other = side == FINDING_ABOVE ? e->high <= bound : e->low >= bound;
    char text[FINDING_ENOUGH_TEXT];
    f->e = *e;
    f->effect = bound;
    if (!isfinite(e->estimate))
        finding_lack(f, "%s", lack);
    else if (!finding_has_interval(e))
        finding_lack(f, "too few %s (%zu) for an interval", units, e->n);
    else if (is_claimed)
        f->verdict = VERDICT_SUPPORTED;
    else if (is_other)
        f->verdict = VERDICT_NOT_SUPPORTED;
    else
        finding_lack(
            f, "the interval covers %.3g; %s would decide it (now %zu)", bound,
            finding_enough_units(text, e, e->estimate, bound, units), e->n);
}

void finding_lack(struct finding *f, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(f->needs, sizeof f->needs, fmt, args);
    va_end(args);
    f->verdict = VERDICT_NOT_MEASURABLE;
}

void finding_say(struct finding *f, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(f->text, sizeof f->text, fmt, args);
    va_end(args);
}

/* As it is printed with so many decimals: what rounds to 0 has no sign. */
static double rounded(double x, int decimals)
{
    return fabs(x) < 0.5 * pow(10, -decimals) ? 0.0 : x;
}

const char *finding_number(char out[64], const struct estimate *e, int decimals)
{
    if (!isfinite(e->estimate))
        (void)snprintf(out, 64, "not measured");
    else if (!finding_has_interval(e))
        (void)snprintf(out, 64, "%.*f [no interval]", decimals,
                       rounded(e->estimate, decimals));
    else
        (void)snprintf(out, 64, "%.*f [%.*f, %.*f]", decimals,
                       rounded(e->estimate, decimals), decimals,
                       rounded(e->low, decimals), decimals,
                       rounded(e->high, decimals));
    return out;
}

const char *finding_percent(char out[64], const struct estimate *e)
{
    if (!isfinite(e->estimate))
        (void)snprintf(out, 64, "not measured");
    else if (!finding_has_interval(e))
        (void)snprintf(out, 64, "%.0f %% [no interval]",
                       rounded(100 * e->estimate, 0));
    else
        (void)snprintf(out, 64, "%.0f %% [%.0f, %.0f]",
                       rounded(100 * e->estimate, 0), rounded(100 * e->low, 0),
                       rounded(100 * e->high, 0));
    return out;
}

void finding_add(struct finding *f, const char *name, const struct estimate *e)
{
    if (f->detail.n < MEASURES_MAX)
        measures_add(&f->detail, name, e);
}

void finding_add_number(struct finding *f, const char *name, double x, size_t n)
{
    struct estimate e = summary_nothing();
    e.estimate = x;
    e.n = n;
    finding_add(f, name, &e);
}

static void put_text(struct json_writer *w, const char *key, const char *text)
{
    json_field_text(w, key, text[0] != '\0' ? text : NULL);
}

void finding_write(struct json_writer *w, const struct finding *f)
{
    json_open(w, '{');
    json_field_text(w, "id", f->id);
    json_field_text(w, "claim", f->claim);
    json_field_text(w, "verdict", finding_verdict(f->verdict));
    json_field_number(w, "estimate", f->e.estimate);
    json_field_number(w, "low", f->e.low);
    json_field_number(w, "high", f->e.high);
    json_field_int(w, "n", (int64_t)f->e.n);
    json_field_text(w, "unit", f->unit);
    json_field_number(w, "null", f->null);
    json_field_number(w, "effect", f->effect);
    json_field_number(w, "p", f->p);
    json_field_number(w, "p_holm", f->p_holm);
    json_field_bool(w, "lead", f->is_lead);
    json_field_text(w, "data", f->data);
    put_text(w, "text", f->text);
    put_text(w, "needs", f->needs);
    json_put_key(w, "detail");
    json_open(w, '{');
    measures_write(w, &f->detail);
    json_close(w, '}');
    json_close(w, '}');
}
