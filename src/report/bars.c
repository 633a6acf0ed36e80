#include "report/bars.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "report/chart.h"
#include "report/svg.h"

enum {
    WIDTH = 460,
    LEFT = 150,
    RIGHT = 436,
    TOP = 30,
    BAR = 14, // thickness of a bar
    GAP = 12, // between rows
};

/* Where values stand. */
struct scale {
    double tick[CHART_TICKS_MAX];
    size_t n;
    int decimals;
};

static double place(const struct scale *s, double v)
{
    double low = s->tick[0], high = s->tick[s->n - 1];
    return LEFT + (RIGHT - LEFT) * (v - low) / (high - low);
}

static struct scale make_scale(const struct bars *b)
{
    struct scale s;
    double low = 0, high = 0;
    for (size_t i = 0; i < b->n; i++)
        for (size_t k = 0; k < b->series; k++) {
            const struct estimate *e = &b->row[i].e[k];
            const double v[] = {e->estimate, e->low, e->high};
            for (size_t j = 0; j < 3; j++) {
                low = isfinite(v[j]) ? fmin(low, v[j]) : low;
                high = isfinite(v[j]) ? fmax(high, v[j]) : high;
            }
        }
    s.n = chart_ticks(s.tick, &s.decimals, low, high, 4);
    return s;
}

static void draw_axis(struct html *h, const struct scale *s,
                      const struct bars *b, double bottom)
{
    for (size_t i = 0; i < s->n; i++) {
        char text[32];
        double at = place(s, s->tick[i]);
        svg_line(h, s->tick[i] == 0 ? "axis" : "grid", at, TOP - 4, at, bottom);
        svg_tick(text, s->tick[i], s->decimals);
        svg_words(h, "tick", at, bottom + 16, "middle", text);
    }
    svg_words(h, "label", (LEFT + RIGHT) / 2.0, bottom + 36, "middle",
              b->x_label);
}

static void draw_bar(struct html *h, const struct scale *s,
                     const struct estimate *e, int color, double y)
{
    char kind[32];
    if (!isfinite(e->estimate))
        return;
    double a = place(s, fmin(e->estimate, 0));
    double z = place(s, fmax(e->estimate, 0));
    (void)snprintf(kind, sizeof kind, "bar s%d", color);
    html_void(h, "rect", "class", kind, "x", svg_number(a).text, "y",
              svg_number(y).text, "width", svg_number(z - a).text, "height",
              svg_number(BAR).text, "rx", "2", NULL);
    if (!isfinite(e->low) || !isfinite(e->high) || e->low == e->high)
        return;
    svg_line(h, "whisker", place(s, e->low), y + BAR / 2.0, place(s, e->high),
             y + BAR / 2.0);
}

static void draw_legend(struct html *h, const struct bars *b)
{
    double x = LEFT;
    for (size_t k = 0; k < b->series; k++) {
        char kind[32];
        if (b->name[k] == NULL)
            continue;
        (void)snprintf(kind, sizeof kind, "bar s%d", b->color[k]);
        html_void(h, "rect", "class", kind, "x", svg_number(x).text, "y", "6",
                  "width", "16", "height", "10", "rx", "2", NULL);
        svg_words(h, "legend", x + 22, 15, "start", b->name[k]);
        double letters = 0;
        for (const char *c = b->name[k]; *c != '\0'; c++)
            letters++;
        x += 46 + 6.8 * letters;
    }
}

void bars_plot(struct html *h, const struct bars *b)
{
    char box[48];
    assert(b->n <= BARS_MAX && b->series >= 1 && b->series <= 2);
    struct scale s = make_scale(b);
    double step = GAP + (double)b->series * BAR;
    double bottom = TOP + (double)b->n * step;
    (void)snprintf(box, sizeof box, "0 0 %d %.0f", WIDTH, bottom + 44);
    html_open(h, "svg", "class", "chart", "viewBox", box, "role", "img",
              "aria-label", b->title, NULL);
    if (b->describe != NULL)
        html_element(h, "desc", NULL, b->describe);
    draw_axis(h, &s, b, bottom);
    for (size_t i = 0; i < b->n; i++) {
        double y = TOP + (double)i * step;
        svg_words(h, "name", LEFT - 8, y + (double)b->series * BAR / 2.0 + 4,
                  "end", b->row[i].label);
        for (size_t k = 0; k < b->series; k++)
            draw_bar(h, &s, &b->row[i].e[k], b->color[k], y + (double)k * BAR);
    }
    draw_legend(h, b);
    html_close(h, "svg");
}
