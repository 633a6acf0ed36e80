/*
 * growth.c - curves of cost over size: their exponents, beside what theory
 * says, as JSON and as pictures.
 *
 *     growth FOLDER < POINTS
 *
 * A point a line: "CURVE UNIT SIZE SECONDS MIB WORK MOST": `WORK` is
 * proportional to the operations that theory counts at this size, and memory
 * may grow with the power `MOST` of the size.  Writes FOLDER/growth.json and
 * FOLDER/growth-CURVE.svg, and prints a line a curve.
 *
 * The exponent b is that of y = a x^b by least squares on logarithms, its
 * spread the usual standard error, residual variance over the sum of squares
 * of log x.  Theory's own exponent is fitted in the same way to its counts at
 * the same sizes, since between a linear and a quadratic term it is neither.
 * A curve grows faster than theory when its exponent is more than SLACK and two
 * standard errors above.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "measure.h"

#define POINTS_MAX 32
#define CURVES_MAX 16
#define SLACK 0.1
#define TEXT_MAX ((size_t)1 << 20)

struct curve {
    char name[32], unit[32];
    double x[POINTS_MAX], seconds[POINTS_MAX], mib[POINTS_MAX];
    double work[POINTS_MAX], most;
    size_t n;
};

struct fit {
    double exponent, error;
};

static struct curve curves[CURVES_MAX];
static size_t n_curves;

static struct fit fit_power(const double *x, const double *y, size_t n)
{
    double mx = 0, my = 0, xx = 0, xy = 0, rest = 0;

    for (size_t i = 0; i < n; i++) {
        mx += log(x[i]) / (double)n;
        my += log(y[i]) / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        xx += (log(x[i]) - mx) * (log(x[i]) - mx);
        xy += (log(x[i]) - mx) * (log(y[i]) - my);
    }
    double b = xy / xx;
    for (size_t i = 0; i < n; i++) {
        double r = log(y[i]) - my - b * (log(x[i]) - mx);
        rest += r * r;
    }
    return (struct fit){b, n > 2 ? sqrt(rest / (double)(n - 2) / xx) : NAN};
}

static bool is_faster(struct fit f, double theory)
{
    return f.exponent - 2 * (isnan(f.error) ? 0 : f.error) > theory + SLACK;
}

static struct curve *find_curve(const char *name)
{
    for (size_t i = 0; i < n_curves; i++)
        if (strcmp(curves[i].name, name) == 0)
            return &curves[i];
    if (n_curves == CURVES_MAX)
        return NULL;
    (void)snprintf(curves[n_curves].name, sizeof curves->name, "%s", name);
    return &curves[n_curves++];
}

static int read_points(void)
{
    char line[256], name[32], unit[32];
    double v[5];

    while (fgets(line, sizeof line, stdin) != NULL) {
        if (sscanf(line, "%31s %31s %lf %lf %lf %lf %lf", name, unit, &v[0],
                   &v[1], &v[2], &v[3], &v[4]) != 7)
            return 1;
        struct curve *c = find_curve(name);
        if (c == NULL || c->n == POINTS_MAX || !(v[0] > 0) || !(v[1] > 0) ||
            !(v[2] > 0) || !(v[3] > 0))
            return 1;
        memcpy(c->unit, unit, sizeof unit);
        c->x[c->n] = v[0];
        c->seconds[c->n] = v[1];
        c->mib[c->n] = v[2];
        c->work[c->n++] = v[3];
        c->most = v[4];
    }
    return 0;
}

/* ---- growth.json -------------------------------------------------------- */

static void put_numbers(struct json_writer *w, const char *key, const double *x,
                        size_t n)
{
    json_put_key(w, key);
    json_open(w, '[');
    for (size_t i = 0; i < n; i++)
        json_put_number(w, x[i]);
    json_close(w, ']');
}

static void put_fit(struct json_writer *w, const char *key, struct fit f,
                    double theory)
{
    json_put_key(w, key);
    json_open(w, '{');
    json_field_number(w, "exponent", f.exponent);
    json_field_number(w, "error", f.error);
    json_field_number(w, "theory", theory);
    json_field_bool(w, "faster", is_faster(f, theory));
    json_close(w, '}');
}

static void put_curve(struct json_writer *w, const struct curve *c)
{
    struct fit time = fit_power(c->x, c->seconds, c->n);
    struct fit memory = fit_power(c->x, c->mib, c->n);
    double theory = fit_power(c->x, c->work, c->n).exponent;

    json_open(w, '{');
    json_field_text(w, "curve", c->name);
    json_field_text(w, "unit", c->unit);
    put_numbers(w, "size", c->x, c->n);
    put_numbers(w, "seconds", c->seconds, c->n);
    put_numbers(w, "mib", c->mib, c->n);
    put_fit(w, "time", time, theory);
    put_fit(w, "memory", memory, c->most);
    json_close(w, '}');
    (void)printf("%-14s time %5.2f +- %.2f, theory %.2f%s; memory %5.2f +- "
                 "%.2f, at most %.2f%s\n",
                 c->name, time.exponent, time.error, theory,
                 is_faster(time, theory) ? " FASTER" : "", memory.exponent,
                 memory.error, c->most,
                 is_faster(memory, c->most) ? " FASTER" : "");
}

/* ---- pictures ----------------------------------------------------------- */

#define LEFT 70.0
#define RIGHT 20.0
#define WIDTH 420.0
#define HEIGHT 300.0
#define TOP 34.0
#define BOTTOM 48.0

struct axis {
    double low, high; // logarithms to base 10, whole ones
    double from, to;  // in the picture
};

static double place(const struct axis *a, double value)
{
    return a->from +
           (log10(value) - a->low) / (a->high - a->low) * (a->to - a->from);
}

static struct axis span(const double *x, size_t n, double from, double to)
{
    double low = x[0], high = x[0];

    for (size_t i = 0; i < n; i++) {
        low = fmin(low, x[i]);
        high = fmax(high, x[i]);
    }
    struct axis a = {floor(log10(low)), ceil(log10(high)), from, to};
    if (a.high <= a.low)
        a.high = a.low + 1;
    return a;
}

static void put_line(struct buf *b, const char *style, const struct axis *h,
                     const struct axis *v, const double *x, const double *y,
                     double scale, size_t n)
{
    buf_printf(b, "<polyline fill=\"none\" %s points=\"", style);
    for (size_t i = 0; i < n; i++)
        buf_printf(b, "%.1f,%.1f ", place(h, x[i]), place(v, scale * y[i]));
    buf_puts(b, "\"/>\n");
}

/* Powers of ten on both axes. */
static void put_grid(struct buf *b, const struct axis *h, const struct axis *v)
{
    for (double e = h->low; e <= h->high; e++) {
        double x = place(h, pow(10, e));
        buf_printf(b,
                   "<path d=\"M%.1f %.1fV%.1f\" stroke=\"#ddd\"/><text "
                   "x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%g</text>\n",
                   x, v->to, v->from, x, v->from + 16, pow(10, e));
    }
    for (double e = v->low; e <= v->high; e++) {
        double y = place(v, pow(10, e));
        buf_printf(b,
                   "<path d=\"M%.1f %.1fH%.1f\" stroke=\"#ddd\"/><text "
                   "x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n",
                   h->from, y, h->to, h->from - 6, y + 4, pow(10, e));
    }
}

/* One picture at `x0`: measured with dots, and theory through its last
 * point. */
static void put_plot(struct buf *b, const struct curve *c, const double *y,
                     const double *theory, double x0, const char *title)
{
    struct axis h = span(c->x, c->n, x0 + LEFT, x0 + WIDTH - RIGHT);
    struct axis v = span(y, c->n, HEIGHT - BOTTOM, TOP);
    double scale = y[c->n - 1] / theory[c->n - 1];

    put_grid(b, &h, &v);
    buf_printf(b,
               "<text x=\"%.1f\" y=\"20\" font-weight=\"bold\">%s</text>"
               "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n",
               h.from, title, (h.from + h.to) / 2, HEIGHT - 10, c->unit);
    buf_printf(b,
               "<clipPath id=\"c%.0f\"><rect x=\"%.1f\" y=\"%.1f\" "
               "width=\"%.1f\" height=\"%.1f\"/></clipPath><g "
               "clip-path=\"url(#c%.0f)\">\n",
               x0, h.from, v.to, h.to - h.from, v.from - v.to, x0);
    put_line(b, "stroke=\"#888\" stroke-dasharray=\"6 4\"", &h, &v, c->x,
             theory, scale, c->n);
    put_line(b, "stroke=\"#06c\" stroke-width=\"2\"", &h, &v, c->x, y, 1, c->n);
    buf_puts(b, "</g>\n");
    for (size_t i = 0; i < c->n; i++)
        buf_printf(b,
                   "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" "
                   "fill=\"#06c\"/>\n",
                   place(&h, c->x[i]), place(&v, y[i]));
}

static void draw(struct buf *b, const struct curve *c)
{
    double most[POINTS_MAX];

    for (size_t i = 0; i < c->n; i++)
        most[i] = pow(c->x[i], c->most);
    buf_printf(b,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f "
               "%.0f\" font-family=\"sans-serif\" font-size=\"12\" "
               "role=\"img\"><title>%s: seconds and memory by size, measured "
               "and as theory has them (dashed)</title>\n<rect width=\"100%%\" "
               "height=\"100%%\" fill=\"#fff\"/>\n",
               2 * WIDTH, HEIGHT, c->name);
    put_plot(b, c, c->seconds, c->work, 0, "seconds");
    put_plot(b, c, c->mib, most, WIDTH, "MiB");
    buf_puts(b, "</svg>\n");
}

static void save(const char *folder, const char *name, const struct buf *text)
{
    char path[FILE_PATH_MAX];
    struct err err;

    measure_must(file_join(path, folder, name, &err), &err);
    measure_must(buf_status(text, &err), &err);
    measure_must(file_write(path, buf_text(text), text->len, &err), &err);
}

int main(int argc, char **argv)
{
    struct json_writer w;
    struct buf text;
    char name[64];

    if (argc != 2 || read_points() != 0) {
        (void)fprintf(stderr, "growth FOLDER < POINTS; see its head\n");
        return 2;
    }
    buf_init(&text, TEXT_MAX);
    json_writer_init(&w, &text, true);
    json_open(&w, '[');
    for (size_t i = 0; i < n_curves; i++)
        put_curve(&w, &curves[i]);
    json_close(&w, ']');
    save(argv[1], "growth.json", &text);
    for (size_t i = 0; i < n_curves; i++) {
        buf_clear(&text);
        draw(&text, &curves[i]);
        (void)snprintf(name, sizeof name, "growth-%.31s.svg", curves[i].name);
        save(argv[1], name, &text);
    }
    buf_free(&text);
    return 0;
}
