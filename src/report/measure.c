#include "report/measure.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#include "stat/measures.h"

#define MINUS "\xE2\x88\x92"
#define TIMES "\xC3\x97"
#define GLUE "\xC2\xA0" // a space that keeps number and unit on one line

struct estimate measure_get(const struct json *object, const char *key)
{
    return measures_read_estimate(json_get(object, key));
}

/* Decimals that leave three significant digits, at most 4. */
static int decimals_of(double x)
{
    double size = fabs(x);
    if (size >= 99.95)
        return 0;
    if (size >= 9.995)
        return 1;
    if (size >= 0.0995)
        return 2;
    return size >= 0.00995 ? 3 : 4;
}

struct measure_text measure_format(double x, enum measure_kind kind)
{
    struct measure_text out;
    if (!isfinite(x)) {
        (void)snprintf(out.text, sizeof out.text, "\xE2\x80\x93");
        return out;
    }
    bool is_share = kind == MEASURE_PERCENT || kind == MEASURE_POINTS;
    double v = is_share ? 100 * x : x;
    int decimals = is_share ? 1 : decimals_of(x);
    bool is_signed = kind == MEASURE_SIGNED || kind == MEASURE_POINTS;
    const char *sign = v < 0 ? MINUS : is_signed ? "+" : "";
    const char *unit = kind == MEASURE_PERCENT  ? GLUE "%"
                       : kind == MEASURE_POINTS ? GLUE "points"
                       : kind == MEASURE_TIMES  ? TIMES
                                                : "";
    if (fabs(v) >= 1e9)
        (void)snprintf(out.text, sizeof out.text, "%s%.3g%s", sign, fabs(v),
                       unit);
    else
        (void)snprintf(out.text, sizeof out.text, "%s%.*f%s", sign, decimals,
                       fabs(v), unit);
    return out;
}

struct measure_text measure_interval(const struct estimate *e,
                                     enum measure_kind kind)
{
    struct measure_text out;
    if (!isfinite(e->low) || !isfinite(e->high)) {
        (void)snprintf(out.text, sizeof out.text, "no interval");
        return out;
    }
    /* The unit is said once, with the estimate. */
    bool is_share = kind == MEASURE_PERCENT || kind == MEASURE_POINTS;
    double scale = is_share ? 100 : 1;
    int decimals = decimals_of(fmax(fabs(e->low), fabs(e->high)));
    /* A narrow interval needs digits that its limits alone do not. */
    if (e->high > e->low && decimals_of(e->high - e->low) > decimals)
        decimals++;
    if (is_share)
        decimals = 1;
    (void)snprintf(out.text, sizeof out.text, "%s%.*f to %s%.*f",
                   e->low < 0 ? MINUS : "", decimals, fabs(scale * e->low),
                   e->high < 0 ? MINUS : "", decimals, fabs(scale * e->high));
    return out;
}

struct measure_text measure_digits(double x)
{
    struct measure_text out;
    if (!isfinite(x))
        (void)snprintf(out.text, sizeof out.text, "\xE2\x80\x93");
    else
        (void)snprintf(out.text, sizeof out.text, "%s%.4g", x < 0 ? MINUS : "",
                       fabs(x));
    return out;
}

void measure_inline(struct html *h, const struct estimate *e,
                    enum measure_kind kind, const char *unit)
{
    html_open(h, "b", NULL);
    html_text(h, measure_format(e->estimate, kind).text);
    if (unit != NULL)
        html_printf(h, "\xC2\xA0%s", unit);
    html_close(h, "b");
    html_raw(h, "\xC2\xA0<span class=\"ci\">[");
    html_text(h, measure_interval(e, kind).text);
    html_raw(h, "]</span>");
}

void measure_table(struct html *h, const struct json *object,
                   const struct measure_row *row, size_t n)
{
    html_open(h, "div", "class", "wide", NULL);
    html_open(h, "table", NULL);
    html_raw(h, "<thead><tr><th>Question</th><th class=\"n\">Share</th>"
                "<th class=\"n\">Interval</th><th class=\"n\">Prompts</th>"
                "</tr></thead>\n<tbody>");
    for (size_t i = 0; i < n; i++) {
        struct estimate e = measure_get(object, row[i].key);
        if (e.n == 0)
            continue;
        html_open(h, "tr", NULL);
        html_element(h, "td", NULL, row[i].text);
        html_element(h, "td", "n",
                     measure_format(e.estimate, row[i].kind).text);
        html_element(h, "td", "n", measure_interval(&e, row[i].kind).text);
        html_open(h, "td", "class", "n", NULL);
        html_printf(h, "%zu", e.n);
        html_close(h, "td");
        html_close(h, "tr");
    }
    html_raw(h, "</tbody>");
    html_close(h, "table");
    html_close(h, "div");
}
