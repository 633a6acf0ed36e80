#include "versus.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "measure.h"

#define LIST_MAX ((size_t)1 << 24)

struct spread spread_of(const double *x, int n)
{
    double sorted[TRIES_MAX];

    memcpy(sorted, x, (size_t)n * sizeof *x);
    measure_sort(sorted, (size_t)n);
    return (struct spread){
        sorted[0], 0.5 * (sorted[(n - 1) / 2] + sorted[n / 2]), sorted[n - 1]};
}

/* A word as a shell takes it. */
static void put_word(struct buf *text, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_./=,:+@%";

    if (*word != '\0' && word[strspn(word, plain)] == '\0') {
        buf_puts(text, word);
        return;
    }
    buf_putc(text, '\'');
    for (; *word != '\0'; word++)
        buf_printf(text, *word == '\'' ? "'\\''" : "%c", *word);
    buf_putc(text, '\'');
}

/* What measures this row again, in the same folder; the file of rows is left
 * out. */
static void put_command(struct json_writer *w, const struct options *o)
{
    struct buf text;

    buf_init(&text, 65536);
    for (int i = 0; i < o->argc; i++) {
        if (strcmp(o->argv[i], "--json") == 0) {
            i++;
            continue;
        }
        if (i > 0)
            buf_putc(&text, ' ');
        put_word(&text, o->argv[i]);
    }
    json_field_text(w, "command", buf_text(&text));
    buf_free(&text);
}

static void put_spread(struct json_writer *w, const char *key,
                       const struct program *p, int row, int n)
{
    struct spread s = spread_of(p->figure[row], n);

    json_put_key(w, key);
    json_open(w, '{');
    json_field_number(w, "median", s.median);
    json_field_number(w, "min", s.min);
    json_field_number(w, "max", s.max);
    json_field_text(w, "formats", p->formats);
    json_close(w, '}');
}

static bool is_met(double ratio, const struct row *row, bool absolute)
{
    return row->less || absolute ? ratio <= row->target : ratio >= row->target;
}

/* A row's ratio in every pair; and over them. */
static struct spread find_ratios(double ratio[TRIES_MAX],
                                 const struct options *o, int row,
                                 const struct program side[2], int pairs)
{
    if (pairs == 0)
        return (struct spread){NAN, NAN, NAN};
    for (int i = 0; i < pairs; i++) {
        double ours = side[0].figure[row][i], theirs = side[1].figure[row][i];

        ratio[i] = o->absolute        ? ours
                   : o->row[row].less ? ours / theirs
                                      : theirs / ours;
    }
    return spread_of(ratio, pairs);
}

/* Why a row has no ratio; "" when it has one. */
static const char *why_none(char out[128], const struct options *o, int row,
                            const struct trial *t)
{
    out[0] = '\0';
    if (o->absent != NULL)
        (void)snprintf(out, 128, "%.120s", o->absent);
    else if (t->is_noisy && strcmp(o->row[row].key, PEAK) != 0)
        (void)snprintf(out, 128,
                       "the machine's own speed varied by %.0f %% meanwhile",
                       100 * (t->noise - 1));
    return out;
}

/* Median and range over the pairs, and what it was in each; null when there
 * is none that may be told. */
static void put_ratios(struct json_writer *w, struct spread ratio,
                       const double *each, int n)
{
    json_field_number(w, "ratio_median", ratio.median);
    json_field_number(w, "ratio_min", ratio.min);
    json_field_number(w, "ratio_max", ratio.max);
    json_put_key(w, "ratios");
    json_open(w, '[');
    for (int i = 0; i < n; i++)
        json_put_number(w, each[i]);
    json_close(w, ']');
}

static void put_row(struct json_writer *w, const struct options *o, int i,
                    const struct program side[2], const struct trial *t)
{
    char why[128];
    double each[TRIES_MAX];
    const struct row *row = &o->row[i];
    bool is_told = why_none(why, o, i, t)[0] == '\0';
    int n = is_told ? t->pairs : 0;
    struct spread ratio = find_ratios(each, o, i, side, n);

    json_open(w, '{');
    json_field_text(w, "name", row->name);
    put_ratios(w, ratio, each, n);
    json_field_number(w, "target", row->target);
    json_put_key(w, "met");
    if (is_told && !isnan(row->target))
        json_put_bool(w, is_met(ratio.median, row, o->absolute));
    else
        json_put_null(w);
    json_field_text(w, "against", o->against);
    put_command(w, o);
    json_field_text(w, "ratio",
                    o->absolute ? "ours"
                    : row->less ? "ours / theirs"
                                : "theirs / ours");
    json_field_text(w, "figure", row->key);
    if (!is_told)
        json_field_text(w, "why", why);
    if (o->absent == NULL) {
        put_spread(w, "ours", &side[0], i, t->pairs);
        if (!o->absolute)
            put_spread(w, "theirs", &side[1], i, t->pairs);
        json_field_int(w, "pairs", t->pairs);
        json_field_int(w, "discarded", t->discarded);
        json_field_number(w, "noise", t->noise);
        json_field_number(w, "noise_all", t->noise_all);
    }
    json_close(w, '}');
}

/* Which of the rows that of the file is an older one of; -1: none. */
static int find_newer(const struct options *o, const struct json *old)
{
    if (strcmp(json_text(json_get(old, "against"), ""), o->against) != 0)
        return -1;
    for (int r = 0; r < o->rows; r++)
        if (strcmp(json_text(json_get(old, "name"), ""), o->row[r].name) == 0)
            return r;
    return -1;
}

enum status store_rows(const struct options *o, const struct program side[2],
                       const struct trial *t, struct err *err)
{
    enum status status = OK;
    bool is_put[ROWS_MAX] = {false};
    struct json *old = NULL;
    struct json_writer w;
    struct buf text;

    buf_init(&text, LIST_MAX);
    if (access(o->json, F_OK) == 0)
        TRY_DONE(json_read(&old, o->json, LIST_MAX, err));
    json_writer_init(&w, &text, true);
    json_open(&w, '[');
    for (size_t i = 0; i < json_size(old); i++) {
        int r = find_newer(o, json_at(old, i));
        if (r < 0)
            json_put_node(&w, json_at(old, i));
        else if (!is_put[r])
            put_row(&w, o, r, side, t);
        if (r >= 0)
            is_put[r] = true;
    }
    for (int r = 0; r < o->rows; r++)
        if (!is_put[r])
            put_row(&w, o, r, side, t);
    json_close(&w, ']');
    TRY_DONE(buf_status(&text, err));
    TRY_DONE(file_write(o->json, buf_text(&text), text.len, err));
done:
    json_free(old);
    buf_free(&text);
    return status;
}

void print_row(const struct options *o, int i, const struct program side[2],
               const struct trial *t)
{
    char why[128];
    double each[TRIES_MAX];
    const struct row *row = &o->row[i];

    (void)printf("%s: ", row->name);
    if (o->absent == NULL)
        (void)printf("%s %.4g (%s)", row->key,
                     spread_of(side[0].figure[i], t->pairs).median,
                     side[0].formats);
    if (o->absent == NULL && !o->absolute)
        (void)printf(", %s %.4g (%s)", o->against,
                     spread_of(side[1].figure[i], t->pairs).median,
                     side[1].formats);
    if (why_none(why, o, i, t)[0] != '\0') {
        (void)printf("; no ratio: %s\n", why);
        return;
    }
    struct spread ratio = find_ratios(each, o, i, side, t->pairs);
    (void)printf("; %.2f [%.2f, %.2f]", ratio.median, ratio.min, ratio.max);
    if (!isnan(row->target))
        (void)printf(", target %s %.2f: %s",
                     row->less || o->absolute ? "<=" : ">=", row->target,
                     is_met(ratio.median, row, o->absolute) ? "met" : "missed");
    (void)printf("\n    in each pair:");
    for (int k = 0; k < t->pairs; k++)
        (void)printf(" %.3f", each[k]);
    (void)printf("; noise %.2f, of all %.2f, pairs discarded %d\n", t->noise,
                 t->noise_all, t->discarded);
}

/* ---- the table ---------------------------------------------------------- */

/* "5 + 2  1.12 / 1.45": pairs that count and those discarded, and the noise of
 * the former and of all. */
static void print_noise(const struct json *row)
{
    const struct json *noise = json_get(row, "noise");
    const struct json *all = json_get(row, "noise_all");

    if (!json_is_number(noise) || !json_is_number(all)) {
        (void)printf("  %7s  %11s", "-", "-");
        return;
    }
    (void)printf("  %3.0f + %.0f  %4.2f / %4.2f",
                 json_number(json_get(row, "pairs"), 0),
                 json_number(json_get(row, "discarded"), 0),
                 json_number(noise, 0), json_number(all, 0));
}

static void print_cells(const struct json *row)
{
    const struct json *ratio = json_get(row, "ratio_median");
    const struct json *met = json_get(row, "met");
    const char *kind = json_text(json_get(row, "ratio"), "");
    bool is_most = strcmp(kind, "theirs / ours") != 0;

    (void)printf("%-36.36s  %-34.34s", json_text(json_get(row, "name"), ""),
                 json_text(json_get(row, "against"), ""));
    if (json_is_number(ratio))
        (void)printf("  %7.2f [%7.2f, %7.2f]", json_number(ratio, 0),
                     json_number(json_get(row, "ratio_min"), 0),
                     json_number(json_get(row, "ratio_max"), 0));
    else
        (void)printf("  %7s %18s", "-", "");
    if (json_is_number(json_get(row, "target")))
        (void)printf("  %s %6.2f", is_most ? "<=" : ">=",
                     json_number(json_get(row, "target"), 0));
    else
        (void)printf("  %9s", "");
    (void)printf("  %-6s", json_is_bool(met)
                               ? json_bool(met, false) ? "met" : "missed"
                               : "-");
    print_noise(row);
    (void)printf("  %s/%s",
                 json_text(json_get(json_get(row, "ours"), "formats"), "-"),
                 json_text(json_get(json_get(row, "theirs"), "formats"), "-"));
    if (json_get(row, "why") != NULL)
        (void)printf("  %s", json_text(json_get(row, "why"), ""));
    (void)printf("\n");
}

int print_table(const char *path)
{
    struct json *list;
    struct err err;

    if (json_read(&list, path, LIST_MAX, &err) != OK) {
        (void)fprintf(stderr, "versus: %s\n", err.text);
        return 1;
    }
    (void)printf("%-36s  %-34s  %7s [%7s, %7s]  %9s  %-6s  %7s  %11s  %s\n",
                 "work", "against", "ratio", "min", "max", "target", "",
                 "pairs", "noise", "formats");
    for (size_t i = 0; i < json_size(list); i++)
        print_cells(json_at(list, i));
    json_free(list);
    return 0;
}
