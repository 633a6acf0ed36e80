#include "report/chart.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "report/svg.h"

/* The drawing and the rectangle the axes enclose. */
enum {
    WIDTH = 460,
    HEIGHT = 280,
    LEFT = 56,
    RIGHT = 444,
    TOP = 34,
    BOTTOM = 236,
};

struct axis {
    double tick[CHART_TICKS_MAX];
    size_t n;
    int decimals;
    double from, to; // in the drawing
};

size_t chart_ticks(double tick[CHART_TICKS_MAX], int *decimals, double low,
                   double high, size_t about)
{
    if (!isfinite(low) || !isfinite(high) || fabs(low) > 1e300 ||
        fabs(high) > 1e300)
        low = high = 0;
    if (high < low) {
        double swap = low;
        low = high;
        high = swap;
    }
    /* A range of rounding errors is a point. */
    double size = fmax(fabs(low), fabs(high));
    if (high - low <= size * 1e-9 || high - low < 1e-300) {
        double pad = size > 0 ? size * 0.1 : 0.5;
        low -= pad;
        high += pad;
    }
    double raw = (high - low) / (double)(about > 1 ? about : 2);
    double power = pow(10, floor(log10(raw)));
    double step = 10 * power;
    for (int i = 0; i < 3; i++) {
        static const double nice[] = {1, 2, 5};
        if (nice[i] * power >= raw * 0.999) {
            step = nice[i] * power;
            break;
        }
    }
    double first = floor(low / step + 1e-6);
    double last = ceil(high / step - 1e-6);
    size_t n = 0;
    for (double k = first; k <= last && n < CHART_TICKS_MAX; k++)
        tick[n++] = k == 0 ? 0 : k * step;
    double digits = -floor(log10(step) + 1e-9);
    *decimals = digits > 0 ? (int)fmin(digits, 12) : 0;
    return n;
}

static struct axis make_axis(double low, double high, size_t about, double from,
                             double to)
{
    struct axis a = {.from = from, .to = to};
    a.n = chart_ticks(a.tick, &a.decimals, low, high, about);
    return a;
}

static double place(const struct axis *a, double v)
{
    double low = a->tick[0];
    double high = a->tick[a->n - 1];
    return a->from + (a->to - a->from) * (v - low) / (high - low);
}

static void draw_axes(struct html *h, const struct axis *x,
                      const struct axis *y, const char *x_label,
                      const char *y_label)
{
    char label[32];
    for (size_t i = 0; i < y->n; i++) {
        double at = place(y, y->tick[i]);
        svg_line(h, y->tick[i] == 0 ? "axis" : "grid", LEFT, at, RIGHT, at);
        svg_tick(label, y->tick[i], y->decimals);
        svg_words(h, "tick", LEFT - 7, at + 4, "end", label);
    }
    for (size_t i = 0; i < x->n; i++) {
        double at = place(x, x->tick[i]);
        svg_line(h, "axis", at, BOTTOM, at, BOTTOM + 4);
        svg_tick(label, x->tick[i], x->decimals);
        svg_words(h, "tick", at, BOTTOM + 18, "middle", label);
    }
    svg_line(h, "axis", LEFT, BOTTOM, RIGHT, BOTTOM);
    svg_words(h, "label", (LEFT + RIGHT) / 2.0, HEIGHT - 6, "middle", x_label);
    svg_words(h, "label", LEFT - 44, TOP - 18, "start", y_label);
}

static void open_svg(struct html *h, const char *title, const char *describe)
{
    char box[48];
    (void)snprintf(box, sizeof box, "0 0 %d %d", WIDTH, HEIGHT);
    html_open(h, "svg", "class", "chart", "viewBox", box, "role", "img",
              "aria-label", title, NULL);
    if (describe != NULL)
        html_element(h, "desc", NULL, describe);
}

/* One sample of each series' look, from the right edge to the left. */
static void legend_entry(struct html *h, double *right, const char *name,
                         const char *swatch, int color)
{
    char kind[48];
    (void)snprintf(kind, sizeof kind, "%s s%d", swatch, color);
    /* Names are our own ASCII words; seven units a letter is enough. */
    double width = 0;
    for (const char *c = name; *c != '\0'; c++)
        width += 6.8;
    double x = *right - width;
    svg_words(h, "legend", x, TOP - 18, "start", name);
    svg_line(h, kind, x - 22, TOP - 22, x - 6, TOP - 22);
    *right = x - 36;
}

/* A path through points first..last-1, then back along `back` if given. */
static void path(struct html *h, const char *kind, const struct axis *ax,
                 const struct axis *ay, const double *x, const double *y,
                 const double *back, size_t first, size_t last)
{
    struct buf d;
    buf_init(&d, (size_t)1 << 24);
    for (size_t i = first; i < last; i++)
        buf_printf(&d, "%s%.1f %.1f", i == first ? "M" : "L", place(ax, x[i]),
                   place(ay, y[i]));
    for (size_t i = last; back != NULL && i > first; i--)
        buf_printf(&d, "L%.1f %.1f", place(ax, x[i - 1]),
                   place(ay, back[i - 1]));
    if (back != NULL)
        buf_puts(&d, "Z");
    if (d.code != OK && h->out->code == OK)
        h->out->code = d.code;
    html_void(h, "path", "class", kind, "d", buf_text(&d), NULL);
    buf_free(&d);
}

static bool drawable(const struct chart_series *s, size_t i, bool band)
{
    bool is_point = isfinite(s->x[i]) && isfinite(s->y[i]);
    if (!band)
        return is_point;
    return is_point && isfinite(s->low[i]) && isfinite(s->high[i]);
}

/* Every unbroken stretch of the series as one path. */
static void stretches(struct html *h, const char *kind, const struct axis *ax,
                      const struct axis *ay, const struct chart_series *s,
                      bool band)
{
    for (size_t i = 0; i < s->n;) {
        size_t first = i;
        while (i < s->n && drawable(s, i, band))
            i++;
        if (i > first)
            path(h, kind, ax, ay, s->x, band ? s->low : s->y,
                 band ? s->high : NULL, first, i);
        while (i < s->n && !drawable(s, i, band))
            i++;
    }
}

static void dots(struct html *h, const struct axis *ax, const struct axis *ay,
                 const struct chart_series *s)
{
    char kind[32];
    (void)snprintf(kind, sizeof kind, "dot s%d", s->color);
    for (size_t i = 0; i < s->n; i++) {
        if (!drawable(s, i, false))
            continue;
        double x = place(ax, s->x[i]);
        double y = place(ay, s->y[i]);
        if (s->color % 2 == 0)
            html_void(h, "circle", "class", kind, "cx", svg_number(x).text,
                      "cy", svg_number(y).text, "r", "3.2", NULL);
        else
            html_void(h, "rect", "class", kind, "x", svg_number(x - 2.8).text,
                      "y", svg_number(y - 2.8).text, "width", "5.6", "height",
                      "5.6", NULL);
        if (s->label != NULL && s->label[i] != NULL)
            svg_words(h, "point", x + 6, y - 5, "start", s->label[i]);
    }
}

static void draw_series(struct html *h, const struct axis *ax,
                        const struct axis *ay, const struct chart_series *s)
{
    char kind[32];
    if (s->low != NULL) {
        (void)snprintf(kind, sizeof kind, "band s%d", s->color);
        stretches(h, kind, ax, ay, s, true);
    }
    if (s->mark != CHART_DOTS) {
        (void)snprintf(kind, sizeof kind, "%s s%d",
                       s->mark == CHART_THIN ? "hair" : "line", s->color);
        stretches(h, kind, ax, ay, s, false);
    }
    if (s->mark != CHART_THIN)
        dots(h, ax, ay, s);
}

/* Range of all finite values; false when there are none. */
struct range {
    double low, high;
};

static void widen(struct range *r, double v)
{
    if (!isfinite(v))
        return;
    r->low = fmin(r->low, v);
    r->high = fmax(r->high, v);
}

static bool ranges(struct range *x, struct range *y, const struct chart *c)
{
    *x = *y = (struct range){(double)INFINITY, -(double)INFINITY};
    for (size_t k = 0; k < c->n; k++) {
        const struct chart_series *s = &c->series[k];
        for (size_t i = 0; i < s->n; i++) {
            if (!drawable(s, i, false))
                continue;
            widen(x, s->x[i]);
            widen(y, s->y[i]);
            if (s->low == NULL)
                continue;
            widen(y, s->low[i]);
            widen(y, s->high[i]);
        }
    }
    if (c->zero && y->low <= y->high)
        widen(y, 0);
    return x->low <= x->high;
}

void chart_plot(struct html *h, const struct chart *c)
{
    static const char *const swatch[] = {"line", "hair", "line"};
    struct range rx;
    struct range ry;
    open_svg(h, c->title, c->describe);
    if (!ranges(&rx, &ry, c)) {
        svg_words(h, "label", WIDTH / 2.0, HEIGHT / 2.0, "middle",
                  "nothing was measured here");
        html_close(h, "svg");
        return;
    }
    struct axis ax = make_axis(rx.low, rx.high, 6, LEFT, RIGHT);
    struct axis ay = make_axis(ry.low, ry.high, 5, BOTTOM, TOP);
    draw_axes(h, &ax, &ay, c->x_label, c->y_label);
    for (size_t k = 0; k < c->n; k++)
        draw_series(h, &ax, &ay, &c->series[k]);
    double right = RIGHT;
    for (size_t k = c->n; k-- > 0;)
        if (c->series[k].name != NULL)
            legend_entry(h, &right, c->series[k].name,
                         swatch[c->series[k].mark], c->series[k].color);
    html_close(h, "svg");
}

/* Share of the sample in each bin. */
static double fill_bins(double *share, size_t bins, double low, double width,
                        const struct chart_sample *s)
{
    double most = 0;
    size_t counted = 0;
    for (size_t i = 0; i < s->n; i++) {
        double at = floor((s->value[i] - low) / width);
        if (!isfinite(at))
            continue;
        size_t bin = at < 0 ? 0 : (size_t)at;
        share[bin < bins ? bin : bins - 1] += 1;
        counted++;
    }
    for (size_t b = 0; b < bins && counted > 0; b++) {
        share[b] = 100 * share[b] / (double)counted;
        most = fmax(most, share[b]);
    }
    return most;
}

static void outline(struct html *h, const struct axis *ax,
                    const struct axis *ay, const double *share, size_t bins,
                    double low, double width, int color)
{
    char kind[32];
    struct buf d;
    buf_init(&d, (size_t)1 << 16);
    buf_printf(&d, "M%.1f %.1f", place(ax, low), place(ay, 0));
    for (size_t b = 0; b < bins; b++)
        buf_printf(&d, "V%.1fH%.1f", place(ay, share[b]),
                   place(ax, low + (double)(b + 1) * width));
    buf_printf(&d, "V%.1fZ", place(ay, 0));
    if (d.code != OK && h->out->code == OK)
        h->out->code = d.code;
    (void)snprintf(kind, sizeof kind, "bars s%d", color);
    html_void(h, "path", "class", kind, "d", buf_text(&d), NULL);
    buf_free(&d);
}

enum status chart_histogram(struct html *h, const char *title,
                            const char *x_label,
                            const struct chart_sample *sample, size_t n,
                            struct err *err)
{
    enum {
        BINS = 24
    };
    assert(n <= CHART_SERIES_MAX);
    struct range r = {(double)INFINITY, -(double)INFINITY};
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < sample[k].n; i++)
            widen(&r, sample[k].value[i]);
    open_svg(h, title, NULL);
    if (r.low > r.high) {
        svg_words(h, "label", WIDTH / 2.0, HEIGHT / 2.0, "middle",
                  "nothing was measured here");
        html_close(h, "svg");
        return OK;
    }
    double *share = NULL; // [n, BINS]
    TRY(MEM_NEW(share, n * BINS, err));
    struct axis ax = make_axis(r.low, r.high, 6, LEFT, RIGHT);
    double low = ax.tick[0];
    double width = (ax.tick[ax.n - 1] - low) / BINS;
    double most = 0;
    for (size_t k = 0; k < n; k++)
        most = fmax(most,
                    fill_bins(share + k * BINS, BINS, low, width, &sample[k]));
    struct axis ay = make_axis(0, most, 5, BOTTOM, TOP);
    draw_axes(h, &ax, &ay, x_label, "% of replies");
    double right = RIGHT;
    for (size_t k = 0; k < n; k++)
        outline(h, &ax, &ay, share + k * BINS, BINS, low, width,
                sample[k].color);
    for (size_t k = n; k-- > 0;)
        legend_entry(h, &right, sample[k].name, "edge", sample[k].color);
    mem_free(share);
    html_close(h, "svg");
    return OK;
}
