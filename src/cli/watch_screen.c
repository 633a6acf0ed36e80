#include "cli/watch_screen.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LABEL 24 // columns in front of a curve
#define NARROW 60
#define BAR 16

/* What is drawn of a run, the first ones first. */
static const struct {
    const char *metric, *label;
} shown[] = {
    {"objective/scores", "reward"},
    {"kl/sequence", "KL a response"},
    {"response/length", "length"},
    {"policy/entropy_avg", "entropy a token"},
    {"world/gold", "gold"},
    {"value/explained_variance", "value: explained"},
    {"kl/per_token", "KL a token"},
    {"policy/clipfrac_avg", "clipped"},
    {"loss", "loss"},
    {"accuracy", "accuracy"},
    {"margin", "margin"},
};

/* ---- curves ------------------------------------------------------------- */

/* U+2800 and the bits of its eight dots, [row from above][column]. */
static const unsigned dot[4][2] = {
    {0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};

static void put_braille(char **at, unsigned bits)
{
    unsigned code = 0x2800 + bits;
    *(*at)++ = (char)(0xE0 | (code >> 12));
    *(*at)++ = (char)(0x80 | ((code >> 6) & 0x3F));
    *(*at)++ = (char)(0x80 | (code & 0x3F));
    **at = '\0';
}

void watch_screen_curve(char line[][WATCH_SCREEN_COLUMNS * 3 + 1], size_t rows,
                        size_t columns, const double *x, size_t n)
{
    unsigned cell[WATCH_SCREEN_ROWS][WATCH_SCREEN_COLUMNS] = {{0}};
    double low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < n; i++)
        if (isfinite(x[i])) {
            low = fmin(low, x[i]);
            high = fmax(high, x[i]);
        }
    for (size_t i = 0; i < n && low <= high; i++) {
        if (!isfinite(x[i]))
            continue;
        double share = high > low ? (x[i] - low) / (high - low) : 0.5;
        size_t up = (size_t)(share * (double)(4 * rows - 1) + 0.5);
        size_t y = 4 * rows - 1 - up;
        size_t at = n > 1 ? i * (2 * columns - 1) / (n - 1) : 0;
        cell[y / 4][at / 2] |= dot[y % 4][at % 2];
    }
    for (size_t r = 0; r < rows; r++) {
        char *at = line[r];
        *at = '\0';
        for (size_t c = 0; c < columns; c++)
            put_braille(&at, cell[r][c]);
    }
}

/* ---- words -------------------------------------------------------------- */

static void format_number(char out[16], double x)
{
    if (isnan(x))
        (void)snprintf(out, 16, "-");
    else
        (void)snprintf(out, 16, "%.4g", x);
}

static void format_seconds(char out[24], double s)
{
    if (!isfinite(s))
        (void)snprintf(out, 24, "-");
    else if (s >= 3600)
        (void)snprintf(out, 24, "%.0fh%02.0fm", floor(s / 3600),
                       fmod(s, 3600) / 60);
    else if (s >= 60)
        (void)snprintf(out, 24, "%.0fm%02.0fs", floor(s / 60), fmod(s, 60));
    else
        (void)snprintf(out, 24, "%.0fs", s);
}

/* A text of a file's, cut to so many columns, without what steers a terminal;
 * bytes of other than ASCII are a column for each first one. */
static void put_plain(struct buf *out, const char *text, size_t columns)
{
    for (size_t n = 0; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        bool is_first = (c & 0xC0) != 0x80;
        if (is_first && n++ == columns)
            break;
        buf_putc(out, (char)(c < 32 || c == 127 ? '?' : c));
    }
}

static void put_color(struct buf *out, const struct watch_screen *s,
                      const char *code)
{
    if (s->color)
        buf_printf(out, "\033[%sm", code);
}

/* ---- a run -------------------------------------------------------------- */

static void put_bar(struct buf *out, const struct watch_look *r)
{
    double share = r->total > 0 ? (double)r->step / r->total : 0;
    int full = (int)(fmin(1, fmax(0, share)) * BAR + 0.5);
    buf_putc(out, '[');
    for (int i = 0; i < BAR; i++)
        buf_putc(out, i < full ? '#' : '.');
    buf_puts(out, "] ");
}

static void put_head(struct buf *out, const struct watch_look *r,
                     const struct watch_screen *s)
{
    char eta[24], total[32] = "";
    struct buf line;
    buf_init(&line, 4096);
    if (r->total > 0)
        (void)snprintf(total, sizeof total, "/%.0f", r->total);
    if (r->total > 0 && s->width >= NARROW)
        put_bar(&line, r);
    format_seconds(eta, r->eta);
    buf_printf(&line, "%s %s  step %lld%s", r->stage, r->state,
               (long long)r->step, total);
    if (isfinite(r->tokens_per_s))
        buf_printf(&line, "  %.0f tokens/s", r->tokens_per_s);
    if (isfinite(r->eta))
        buf_printf(&line, "  eta %s", eta);
    put_color(out, s, "1");
    put_plain(out, r->name, s->width / 3);
    put_color(out, s, "0");
    buf_puts(out, "  ");
    put_plain(out, buf_text(&line), s->width - s->width / 3 - 2);
    buf_putc(out, '\n');
    buf_free(&line);
}

/* A sentence from column `at` on, in lines of the width, broken at blanks. */
static void put_wrapped(struct buf *out, const char *text, size_t at,
                        size_t width)
{
    while (*text != '\0') {
        size_t n = strcspn(text, " ");
        if (at + n + 1 > width && at > 2) {
            buf_puts(out, "\n  ");
            at = 2;
        }
        char word[ALARM_TEXT_MAX];
        (void)snprintf(word, sizeof word, "%.*s", (int)n, text);
        put_plain(out, word, width);
        at += n + 1;
        text += n + (text[n] == ' ');
        if (*text != '\0')
            buf_putc(out, ' ');
    }
    buf_putc(out, '\n');
}

static void put_alarms(struct buf *out, const struct watch_look *r,
                       const struct watch_screen *s)
{
    for (int k = 0; r->has_alarms && k < ALARMS; k++) {
        const struct alarm *a = &r->alarm[k];
        if (!alarm_is_raised(a) && a->state != ALARM_CLEARED)
            continue;
        char head[64];
        int n = snprintf(head, sizeof head, "! %s (%s since %lld): ",
                         alarm_kind_name((enum alarm_kind)k),
                         alarm_state_name(a->state), (long long)a->since);
        put_color(out, s, alarm_is_raised(a) ? "33;1" : "32");
        put_plain(out, head, s->width);
        put_color(out, s, "0");
        put_wrapped(out, a->text, n > 0 ? (size_t)n : 0, s->width);
    }
}

/* One metric: its name, value and range, and the curve behind them. */
static enum status put_metric(struct buf *out, struct watch *w, size_t i,
                              size_t k, size_t rows,
                              const struct watch_screen *s, struct err *err)
{
    static char line[WATCH_SCREEN_ROWS][WATCH_SCREEN_COLUMNS * 3 + 1];
    double x[2 * WATCH_SCREEN_COLUMNS];
    size_t n, columns = s->width > LABEL + 10 ? s->width - LABEL : 10;
    char now[16], low[16], high[16];
    double least = INFINITY, most = -INFINITY;
    if (columns > WATCH_SCREEN_COLUMNS)
        columns = WATCH_SCREEN_COLUMNS;
    TRY(watch_points(x, &n, 2 * columns, w, i, shown[k].metric, err));
    for (size_t t = 0; t < n; t++)
        if (isfinite(x[t])) {
            least = fmin(least, x[t]);
            most = fmax(most, x[t]);
        }
    if (!(least <= most))
        return OK;
    format_number(now, watch_now(w, i, shown[k].metric));
    format_number(low, least);
    format_number(high, most);
    watch_screen_curve(line, rows, columns, x, n);
    for (size_t r = 0; r < rows; r++) {
        char label[64] = "";
        if (r == 0)
            (void)snprintf(label, sizeof label, "%-16.16s", shown[k].label);
        if (rows == 1)
            (void)snprintf(label, sizeof label, "%-13.13s%9s", shown[k].label,
                           now);
        else if (r == 1)
            (void)snprintf(label, sizeof label, "  %-10s", now);
        else if (r == 2)
            (void)snprintf(label, sizeof label, "  %s..%s", low, high);
        buf_printf(out, "%-*.*s", LABEL, LABEL - 1, label);
        put_color(out, s, "36");
        buf_puts(out, line[r]);
        put_color(out, s, "0");
        buf_putc(out, '\n');
    }
    return OK;
}

static enum status put_run(struct buf *out, struct watch *w, size_t i,
                           size_t lines, const struct watch_screen *s,
                           struct err *err)
{
    struct watch_look r;
    size_t metrics = 0;
    watch_look(&r, w, i);
    put_head(out, &r, s);
    put_alarms(out, &r, s);
    for (size_t k = 0; k < sizeof shown / sizeof *shown; k++)
        metrics += isfinite(watch_now(w, i, shown[k].metric)) ? 1 : 0;
    size_t rows = metrics > 0 ? lines / metrics : 1;
    rows = s->width < NARROW || rows < 3 ? 1 : 3;
    for (size_t k = 0; k < sizeof shown / sizeof *shown; k++)
        TRY(put_metric(out, w, i, k, rows, s, err));
    return OK;
}

/* Many runs: a line each, with the curve of what they are after. */
static enum status put_line(struct buf *out, struct watch *w, size_t i,
                            const struct watch_screen *s, struct err *err)
{
    static const char *const after[] = {"objective/scores", "accuracy", "loss"};
    static const char *const name_of[] = {"", "score", "acc.", "loss"};
    static char line[1][WATCH_SCREEN_COLUMNS * 3 + 1];
    struct watch_look r;
    double x[80];
    size_t n = 0, k = 0, columns = s->width > 90 ? 30 : 10;
    char score[16], kl[16], eta[24], head[96];
    watch_look(&r, w, i);
    for (; k < 3 && n == 0; k++)
        TRY(watch_points(x, &n, 2 * columns, w, i, after[k], err));
    format_number(score, k > 0 ? watch_now(w, i, after[k - 1]) : (double)NAN);
    format_number(kl, watch_now(w, i, "kl/sequence"));
    format_seconds(eta, r.eta);
    watch_screen_curve(line, 1, columns, x, n);
    (void)snprintf(head, sizeof head, "%-8.8s%8lld %-5s%8.8s %8.8s %7.7s ",
                   r.state, (long long)r.step, name_of[n > 0 ? k : 0], score,
                   kl, eta);
    size_t used = strlen(head) + columns + 2;
    size_t name = s->width > used + 8 ? s->width - used : 8;
    buf_puts(out, head);
    buf_puts(out, line[0]);
    buf_puts(out, "  ");
    put_plain(out, r.name, name);
    buf_putc(out, '\n');
    put_alarms(out, &r, s);
    return OK;
}

enum status watch_screen_draw(struct buf *out, struct watch *w,
                              const struct watch_screen *s, struct err *err)
{
    size_t n = watch_count(w);
    if (n > 4) {
        buf_printf(out, "%-8s%8s %13s %8s %7s\n", "state", "step", "now", "KL",
                   "eta");
        for (size_t i = 0; i < n; i++)
            TRY(put_line(out, w, i, s, err));
        return OK;
    }
    for (size_t i = 0; i < n; i++) {
        TRY(put_run(out, w, i, s->height > 2 * n ? s->height / n - 2 : 1, s,
                    err));
        if (i + 1 < n)
            buf_putc(out, '\n');
    }
    return OK;
}
