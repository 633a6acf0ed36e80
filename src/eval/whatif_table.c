#include <math.h>
#include <string.h>

#include "eval/whatif.h"
#include "stat/measures.h"

static void cell(struct buf *out, double x, bool is_share, bool is_signed)
{
    if (!isfinite(x))
        buf_printf(out, "%10s", "-");
    else if (is_share)
        buf_printf(out, is_signed ? "%+9.1f%%" : "%9.1f%%", 100 * x);
    else
        buf_printf(out, is_signed ? "%+10.3f" : "%10.3f", x);
}

static double number(const struct json *node, const char *key)
{
    return json_number(json_get(node, key), (double)NAN);
}

/* Mean over the seeds that were measured of one level of a measure. */
static double level(const struct json *change, const char *measure,
                    const char *which)
{
    const struct json *seeds = json_get(change, "seeds");
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < json_size(seeds); i++) {
        const struct json *m =
            json_get(json_get(json_at(seeds, i), "measures"), measure);
        double x = number(json_get(m, which), "estimate");
        if (isnan(x))
            continue;
        sum += x;
        n++;
    }
    return n > 0 ? sum / (double)n : (double)NAN;
}

/* The interval over seeds; of one seed, its own over prompts. */
static void find_interval(double *low, double *high, const struct json *change,
                          const char *measure)
{
    const struct json *pooled =
        json_get(json_get(change, "over_seeds"), measure);
    *low = number(pooled, "low");
    *high = number(pooled, "high");
    if (json_int(json_get(pooled, "seeds"), 0) != 1)
        return;
    const struct json *seeds = json_get(change, "seeds");
    for (size_t i = 0; i < json_size(seeds); i++) {
        const struct json *m =
            json_get(json_get(json_at(seeds, i), "measures"), measure);
        const struct json *effect = json_get(m, "effect");
        if (!json_is_number(json_get(effect, "estimate")))
            continue;
        *low = number(effect, "low");
        *high = number(effect, "high");
    }
}

static void put_measure(struct buf *out, const struct json *change,
                        const struct whatif_measure_row *row)
{
    const struct json *pooled =
        json_get(json_get(change, "over_seeds"), row->name);
    double effect = number(pooled, "mean");
    double low, high;
    if (!isfinite(effect))
        return;
    find_interval(&low, &high, change, row->name);
    buf_printf(out, "  %-26s", row->text);
    cell(out, level(change, row->name, "base"), row->is_share, false);
    cell(out, level(change, row->name, "changed"), row->is_share, false);
    cell(out, effect, row->is_share, !row->is_ratio);
    cell(out, low, row->is_share, !row->is_ratio);
    cell(out, high, row->is_share, !row->is_ratio);
    buf_printf(out, "\n");
}

static void put_settings(struct buf *out, const struct json *change)
{
    const struct json *list = json_get(change, "settings");
    for (size_t i = 0; i < json_size(list); i++) {
        const struct json *s = json_at(list, i);
        buf_printf(out, "  %s: %s -> %s\n", json_text(json_get(s, "key"), "?"),
                   json_text(json_get(s, "from"), "?"),
                   json_text(json_get(s, "to"), "?"));
    }
}

static size_t put_errors(struct buf *out, const struct json *change)
{
    const struct json *seeds = json_get(change, "seeds");
    size_t n = 0;
    for (size_t i = 0; i < json_size(seeds); i++) {
        const struct json *seed = json_at(seeds, i);
        const char *error = json_text(json_get(seed, "error"), NULL);
        if (error == NULL)
            n++;
        else
            buf_printf(out, "  seed %lld failed: %s\n",
                       (long long)json_int(json_get(seed, "seed"), 0), error);
    }
    return n;
}

static void put_change(struct buf *out, const struct json *change)
{
    buf_printf(out, "%s: %s\n", json_text(json_get(change, "name"), "?"),
               json_text(json_get(change, "what"), ""));
    put_settings(out, change);
    size_t n = put_errors(out, change);
    if (n == 0) {
        buf_putc(out, '\n');
        return;
    }
    buf_printf(out, "  %zu seed%s, intervals over %s\n", n, n > 1 ? "s" : "",
               n > 1 ? "seeds" : "prompts");
    buf_printf(out, "  %-26s%10s%10s%10s%10s%10s\n", "", "base", "changed",
               "effect", "low", "high");
    for (int m = 0; m < WHATIF_MEASURES; m++)
        put_measure(out, change, &whatif_measure_table[m]);
    buf_putc(out, '\n');
}

/* ---- all changes beside each other --------------------------------------- */

static const struct {
    enum whatif_measure measure;
    const char *title;
} columns[] = {
    {WHATIF_RM, "reward"},      {WHATIF_GOLD, "gold"},
    {WHATIF_WEAK_GOLD, "weak"}, {WHATIF_HUMAN, "preferred"},
    {WHATIF_LENGTH, "length"},  {WHATIF_KL, "KL"},
};

static const struct json *pooled_of(const struct json *change,
                                    enum whatif_measure m)
{
    return json_get(json_get(change, "over_seeds"),
                    whatif_measure_table[m].name);
}

static bool is_measured(const struct json *changes, enum whatif_measure m)
{
    for (size_t i = 0; i < json_size(changes); i++)
        if (isfinite(number(pooled_of(json_at(changes, i), m), "mean")))
            return true;
    return false;
}

static void put_effect(struct buf *out, const struct json *change,
                       enum whatif_measure m)
{
    const struct whatif_measure_row *row = &whatif_measure_table[m];
    const struct json *pooled = pooled_of(change, m);
    const char *claim = json_text(json_get(pooled, "claim"), "not shown");
    cell(out, number(pooled, "mean"), row->is_share, !row->is_ratio);
    buf_puts(out, strcmp(claim, "caused by") == 0         ? "*"
                  : strcmp(claim, "consistent with") == 0 ? "+"
                                                          : " ");
}

static void put_trade_offs(struct buf *out, const struct json *changes)
{
    size_t n = sizeof columns / sizeof *columns;
    buf_printf(out, "%-24s", "changed - base");
    for (size_t k = 0; k < n; k++)
        if (is_measured(changes, columns[k].measure))
            buf_printf(out, "%10s ", columns[k].title);
    buf_putc(out, '\n');
    for (size_t i = 0; i < json_size(changes); i++) {
        const struct json *change = json_at(changes, i);
        buf_printf(out, "%-24.24s", json_text(json_get(change, "name"), "?"));
        for (size_t k = 0; k < n; k++)
            if (is_measured(changes, columns[k].measure))
                put_effect(out, change, columns[k].measure);
        buf_putc(out, '\n');
    }
    buf_puts(out, "length is changed / base.  * caused by the change (three "
                  "seeds or more, interval\nover seeds); + consistent with it "
                  "(fewer seeds: this run's, not yet a cause)\n");
}

void whatif_table(struct buf *out, const struct json *result)
{
    const struct json *changes = json_get(result, "changes");
    const struct json *evaluation = json_get(result, "evaluation");
    const char *weak = json_text(json_get(result, "weak_gold"), NULL);
    buf_printf(out,
               "%lld held-out prompts x %lld replies, paired by prompt "
               "and sample\n",
               (long long)json_int(json_get(evaluation, "prompts"), 0),
               (long long)json_int(json_get(evaluation, "samples"), 0));
    if (weak != NULL)
        buf_printf(out, "%s\n", weak);
    buf_putc(out, '\n');
    for (size_t i = 0; i < json_size(changes); i++)
        put_change(out, json_at(changes, i));
    put_trade_offs(out, changes);
}
