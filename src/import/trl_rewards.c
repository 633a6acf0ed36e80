#include "import/trl_rewards.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "import/textlog.h"

#define LOGGED_MAX 64
#define GROUPS_MAX 256 // that are held
#define COSINE (1 - 1e-5)

/* The answers to one prompt at the beginning of a file. */
struct trl_group {
    size_t n;
    double advantage[SNIFF_ROWS];
    double value[SNIFF_ROWS][TRL_REWARDS_COLUMNS];
};

/* ---- looking ------------------------------------------------------------ */

/* "rewards/NAME/mean": of every entry of the log, so the first few do. */
static enum status look_at_state(struct trl_rewards *t, const struct head *h,
                                 struct err *err)
{
    static const char mark[] = "\"rewards/", mean[] = "/mean\"";
    size_t index;
    const char *at = h->text;
    while ((at = textlog_after(at, mark)) != NULL && t->logged.n < LOGGED_MAX) {
        char name[200];
        size_t len = strcspn(at, "\"\\");
        size_t back = sizeof mean - 1;
        if (len + 1 < back || len >= sizeof name ||
            strncmp(at + len + 1 - back, mean, back) != 0)
            continue;
        (void)snprintf(name, sizeof name, "%.*s", (int)(len + 1 - back), at);
        TRY(names_add(&t->logged, &index, name, err));
    }
    return OK;
}

static enum status add_row(struct trl_rewards *t, const struct value *row,
                           struct err *err)
{
    struct trl_group *g = &t->group[t->n - 1];
    double *x = g->value[g->n];
    g->advantage[g->n++] = value_number(value_get(row, "advantage"));
    for (const struct value *v = row->first; v != NULL; v = v->next) {
        size_t c = names_find(&t->column, v->key);
        if (!trl_is_reward(v) ||
            (c == SIZE_MAX && t->column.n == TRL_REWARDS_COLUMNS))
            continue;
        if (c == SIZE_MAX)
            TRY(names_add(&t->column, &c, v->key, err));
        /* A function that had nothing to say adds nothing. */
        x[c] = isfinite(value_number(v)) ? value_number(v) : 0;
    }
    return OK;
}

static enum status look_at_completions(struct trl_rewards *t,
                                       const struct head *h, struct err *err)
{
    const char *prompt = NULL;
    for (size_t i = 0; i < h->n_rows && t->n < GROUPS_MAX; i++) {
        const struct value *row = value_only(&h->row[i]);
        const char *text = value_text(value_get(row, "prompt"));
        if (row == NULL || row->kind != VALUE_OBJECT || text == NULL)
            return OK;
        if (prompt == NULL || strcmp(prompt, text) != 0) {
            TRY(MEM_ROOM(t->group, t->n, t->room, err));
            t->group[t->n++] = (struct trl_group){.n = 0};
        }
        prompt = text;
        TRY(add_row(t, row, err));
    }
    return OK;
}

enum status trl_rewards_look(struct trl_rewards *t, const struct format *kind,
                             const struct head *h, struct err *err)
{
    if (strcmp(kind->name, "trl") != 0)
        return OK;
    if (strcmp(kind->kind, "state") == 0)
        return look_at_state(t, h, err);
    return strcmp(kind->kind, "completions") == 0
               ? look_at_completions(t, h, err)
               : OK;
}

/* ---- deciding ----------------------------------------------------------- */

static double mean_of(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum / (double)n;
}

static double sum_of(const struct trl_group *g, size_t i, unsigned set)
{
    double sum = 0;
    for (unsigned c = 0; c < TRL_REWARDS_COLUMNS; c++)
        sum += (set >> c & 1) != 0 ? g->value[i][c] : 0;
    return sum;
}

/* Is the advantage a line in the sum, with a slope above 0?  *says: do they
 * vary at all? */
static bool fits(const struct trl_group *g, unsigned set, bool *says)
{
    double sum[SNIFF_ROWS], aa = 0, ss = 0, as = 0;
    for (size_t i = 0; i < g->n; i++)
        sum[i] = sum_of(g, i, set);
    double a0 = mean_of(g->advantage, g->n), s0 = mean_of(sum, g->n);
    for (size_t i = 0; i < g->n; i++) {
        double a = g->advantage[i] - a0, s = sum[i] - s0;
        aa += a * a;
        ss += s * s;
        as += a * s;
    }
    bool varies_a = aa > 1e-12, varies_s = ss > 1e-12 * (1 + s0 * s0);
    *says = varies_a;
    if (!isfinite(aa) || g->n < 2)
        return true; // it says nothing
    if (!varies_a || !varies_s)
        return varies_a == varies_s;
    return as >= COSINE * sqrt(aa * ss);
}

/* Columns that differ within some group. */
static unsigned varying(const struct trl_rewards *t)
{
    unsigned set = 0;
    for (size_t k = 0; k < t->n; k++)
        for (size_t i = 1; i < t->group[k].n; i++)
            for (unsigned c = 0; c < TRL_REWARDS_COLUMNS; c++)
                if (t->group[k].value[i][c] != t->group[k].value[0][c])
                    set |= 1U << c;
    return set;
}

static int bits(unsigned set)
{
    int n = 0;
    for (; set != 0; set &= set - 1)
        n++;
    return n;
}

void trl_rewards_settle(struct trl_rewards *t)
{
    unsigned all = varying(t);
    for (unsigned set = 1; set <= all; set++) {
        bool is_good = (set & ~all) == 0 && bits(set) > bits(t->set);
        size_t said = 0;
        for (size_t k = 0; k < t->n && is_good; k++) {
            bool says;
            is_good = fits(&t->group[k], set, &says);
            said += says;
        }
        if (is_good && said > 0)
            t->set = set;
    }
    mem_free(t->group);
    t->group = NULL;
    t->n = t->room = 0;
}

bool trl_rewards_known(const struct trl_rewards *t)
{
    return t != NULL && (t->logged.n > 0 || t->set != 0);
}

bool trl_rewards_has(const struct trl_rewards *t, const char *column)
{
    if (t->logged.n > 0)
        return names_find(&t->logged, column) != SIZE_MAX;
    size_t c = names_find(&t->column, column);
    return c != SIZE_MAX && (t->set >> c & 1) != 0;
}

void trl_rewards_free(struct trl_rewards *t)
{
    names_free(&t->logged);
    names_free(&t->column);
    mem_free(t->group);
    *t = (struct trl_rewards){.n = 0};
}
