/*
 * test_alpaca.c - the length-controlled win rate against AlpacaEval's
 * leaderboard, where its judgements lie beside the project.  Skipped when they
 * are absent.  Prints what it found.
 *
 * Published and recomputed here from the judgements: win rate and its standard
 * error.  Published weights give the published length-controlled rate.  Our own
 * regression on the same judgements is not theirs (lcwin.h says how it
 * differs), and comes close.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "io/csv.h"
#include "stat/lcwin.h"

#define SHARED TEST_DATA "/../../../shared/data/alpaca_eval/"

enum {
    ITEMS = 805,
    MODELS_MAX = 300,
    PAIRS_MAX = 40 * ITEMS
};

/* What was published of a model; NaN: nothing. */
struct model {
    char name[80];
    double win_rate, win_se, lc, lc_se;     // percent
    double w_length, w_difficulty, w_model; // weights
    size_t items;                           // judged
    size_t first, n;                        // its pairs here
};

static struct {
    double difficulty[ITEMS];
    struct model model[MODELS_MAX];
    size_t n_models;
    size_t item[PAIRS_MAX];
    double win[PAIRS_MAX], length[PAIRS_MAX];
    size_t n_pairs;
} world;

static struct err err;

static double number(const char *text)
{
    char *end;
    double x = strtod(text, &end);
    return end != text && *end == '\0' ? x : (double)NAN;
}

static struct model *find(const char *name)
{
    for (size_t m = 0; m < world.n_models; m++)
        if (strcmp(world.model[m].name, name) == 0)
            return &world.model[m];
    return NULL;
}

static enum status take_item(void *ctx, const struct csv_row *row,
                             struct err *e)
{
    (void)ctx;
    (void)e;
    if (row->line > 1 && row->n == 4) {
        size_t item = (size_t)number(row->field[0]);
        assert_true(item < ITEMS);
        world.difficulty[item] = number(row->field[3]);
    }
    return OK;
}

static enum status take_published(void *ctx, const struct csv_row *row,
                                  struct err *e)
{
    (void)ctx;
    (void)e;
    if (row->line == 1)
        return OK;
    assert_int_equal(row->n, 12);
    assert_true(world.n_models < MODELS_MAX);
    struct model *m = &world.model[world.n_models++];
    assert_true((size_t)snprintf(m->name, sizeof m->name, "%s", row->field[0]) <
                sizeof m->name);
    m->win_rate = number(row->field[1]);
    m->win_se = number(row->field[2]);
    m->items = (size_t)number(row->field[6]);
    assert_true(m->items <= ITEMS);
    m->lc = number(row->field[10]);
    m->lc_se = number(row->field[11]);
    m->w_length = m->w_difficulty = m->w_model = (double)NAN;
    return OK;
}

static enum status take_weights(void *ctx, const struct csv_row *row,
                                struct err *e)
{
    (void)ctx;
    (void)e;
    struct model *m = row->line > 1 ? find(row->field[0]) : NULL;
    if (m == NULL)
        return OK;
    m->w_length = number(row->field[1]);
    m->w_difficulty = number(row->field[2]);
    m->w_model = number(row->field[3]);
    return OK;
}

static enum status take_pair(void *ctx, const struct csv_row *row,
                             struct err *e)
{
    (void)ctx;
    (void)e;
    if (row->line == 1)
        return OK;
    assert_int_equal(row->n, 6);
    struct model *m = find(row->field[0]);
    size_t k = world.n_pairs;
    assert_non_null(m);
    assert_true(k < PAIRS_MAX && (m->n == 0 || m->first + m->n == k));
    world.item[k] = (size_t)number(row->field[2]);
    world.length[k] = number(row->field[4]) - number(row->field[3]);
    world.win[k] = number(row->field[5]) - 1;
    assert_true(world.item[k] < ITEMS);
    if (m->n++ == 0)
        m->first = k;
    world.n_pairs++;
    return OK;
}

static int load(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        char separator;
        csv_fn take;
    } file[] = {
        {SHARED "instructions.tsv", '\t', take_item},
        {SHARED "leaderboard_published.csv", ',', take_published},
        {SHARED "lc_glm_weights_published.csv", ',', take_weights},
        {SHARED "preferences.tsv.gz", '\t', take_pair},
    };
    for (size_t i = 0; i < sizeof file / sizeof *file; i++)
        if (csv_read(file[i].path, file[i].separator, file[i].take, NULL,
                     &err) != OK) {
            printf("%s\n", err.text);
            return -1;
        }
    return 0;
}

static struct lcwin_fit fit_model(const struct model *m)
{
    double d[ITEMS];
    for (size_t i = 0; i < m->n; i++)
        d[i] = world.difficulty[world.item[m->first + i]];
    struct lcwin_pairs pairs = {.n = m->n,
                                .n_prompts = ITEMS,
                                .prompt = world.item + m->first,
                                .win = world.win + m->first,
                                .length_difference = world.length + m->first,
                                .difficulty = d};
    struct lcwin_fit fit;
    if (lcwin_fit(&fit, &pairs, &err) != OK)
        fail_msg("%s: %s", m->name, err.text);
    return fit;
}

/* Preferences are printed with ten decimals, so a rate in percent may be off
 * by 5e-9 at worst and by 100 * 3e-11 / sqrt(805) = 1e-10 typically. */
static void test_win_rate(void **state)
{
    (void)state;
    size_t compared = 0;
    double worst = 0;
    double worst_se = 0;
    for (size_t m = 0; m < world.n_models; m++) {
        const struct model *model = &world.model[m];
        if (model->n == 0)
            continue;
        struct lcwin_fit fit = fit_model(model);
        assert_int_equal(fit.n, model->n);
        worst = fmax(worst, fabs(100 * fit.win_rate - model->win_rate));
        worst_se = fmax(worst_se, fabs(100 * fit.win_se - model->win_se));
        compared++;
    }
    printf("%zu models: win rate within %.1e points of the published one, its "
           "standard error within %.1e\n",
           compared, worst, worst_se);
    assert_int_equal(compared, 30);
    assert_true(worst < 1e-9 && worst_se < 1e-9);
}

/* Rate of published weights over the first n items: distance from the
 * published one, and of its standard error. */
static double weights_away(double *se_away, const struct model *m, size_t n)
{
    double rate =
        lcwin_rate(se_away, m->w_model, m->w_difficulty, world.difficulty, n);
    *se_away = fabs(100 * *se_away - m->lc_se);
    return fabs(100 * rate - m->lc);
}

/*
 * The rate that published weights give.  Difficulties are known to nine
 * decimals: 100 * psi / 4 * 5e-10 points, psi below 4.  Of models without all
 * 805 items some were published over the first n difficulties, n being what was
 * judged (a row number was taken for an item), others over all 805; nothing
 * tells which, so the nearer one counts.  Two models were judged anew after
 * their weights were made.
 */
static void test_published_weights(void **state)
{
    (void)state;
    size_t compared = 0;
    size_t errors = 0;
    double worst = 0;
    double worst_se = 0;
    for (size_t m = 0; m < world.n_models; m++) {
        const struct model *model = &world.model[m];
        if (isnan(model->w_model) || isnan(model->lc))
            continue;
        double se_away;
        double away = weights_away(&se_away, model, model->items);
        if (away > 1e-6)
            away = weights_away(&se_away, model, ITEMS);
        if (strcmp(model->name, "dbrx-instruct") == 0 ||
            strcmp(model->name, "NullModel") == 0) {
            printf("%s: %.4f points off (judged anew)\n", model->name, away);
            continue;
        }
        worst = fmax(worst, away);
        compared++;
        if (!isnan(model->lc_se)) {
            errors++;
            worst_se = fmax(worst_se, se_away);
        }
    }
    printf("%zu models: rate of the published weights within %.1e points; %zu "
           "standard errors within %.1e\n",
           compared, worst, errors, worst_se);
    assert_true(compared > 150 && worst < 1e-6);
    assert_true(errors > 30 && worst_se < 1e-6);
}

/* Ranks of x [n], ties sharing their mean. */
static void ranks(double *rank, const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double below = 0;
        double equal = 0;
        for (size_t j = 0; j < n; j++) {
            below += x[j] < x[i];
            equal += x[j] == x[i];
        }
        rank[i] = below + (equal + 1) / 2;
    }
}

static double spearman(const double *a, const double *b, size_t n)
{
    double ra[MODELS_MAX];
    double rb[MODELS_MAX];
    struct bootstrap plan = {.seed = 1, .resamples = 1};
    struct estimate e;
    ranks(ra, a, n);
    ranks(rb, b, n);
    assert_int_equal(summary_estimate_correlation(&e, ra, rb, n, &plan, &err),
                     OK);
    return e.estimate;
}

/*
 * Our own fit.  It lacks AlpacaEval's penalty and its invented baselines, and
 * the data's README tells what another plain maximum of the likelihood came to
 * on these rows: 2.5 points from the published rates at most, 13.2 for
 * gpt4_gamed, which was made to game the judge, and Spearman 0.978.  A rate
 * that strayed further would be a mistake of ours.
 */
static void test_own_fit(void **state)
{
    (void)state;
    double ours[MODELS_MAX];
    double theirs[MODELS_MAX];
    double raw[MODELS_MAX];
    double away[MODELS_MAX];
    size_t n = 0;
    double worst = 0;
    printf("%-42s %6s %8s %6s %6s %6s\n", "model", "win", "LC", "ours", "diff",
           "phi");
    for (size_t m = 0; m < world.n_models; m++) {
        const struct model *model = &world.model[m];
        if (model->n == 0 || isnan(model->lc))
            continue;
        struct lcwin_fit fit = fit_model(model);
        raw[n] = model->win_rate;
        theirs[n] = model->lc;
        ours[n] = 100 * fit.rate;
        away[n] = fabs(ours[n] - theirs[n]);
        printf("%-42s %6.2f %8.2f %6.2f %6.2f %6.2f\n", model->name, raw[n],
               theirs[n], ours[n], ours[n] - theirs[n], fit.phi);
        if (strcmp(model->name, "gpt4_gamed") != 0) {
            assert_true(away[n] < 3);
            worst = fmax(worst, away[n]);
        }
        n++;
    }
    double rho = spearman(ours, theirs, n);
    double rho_raw = spearman(raw, theirs, n);
    printf("%zu models: distance %.2f points at most but for gpt4_gamed, "
           "median %.2f, Spearman %.3f (of the "
           "plain win rate: %.3f)\n",
           n, worst, summary_median(away, n), rho, rho_raw);
    assert_true(rho >= 0.97 && rho > rho_raw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_win_rate),
        cmocka_unit_test(test_published_weights),
        cmocka_unit_test(test_own_fit),
    };
    if (!file_exists(SHARED "preferences.tsv.gz")) {
        printf("skipped: there is no %s\n", SHARED);
        return 77;
    }
    return cmocka_run_group_tests_name("alpaca", tests, load, NULL);
}
