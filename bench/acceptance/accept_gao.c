/*
 * accept_gao.c - over-optimisation by PPO on a language model (G9).
 *
 *     accept_gao DIR       DIR/sSEED-nPROMPTS/bBETA/heldout/eval/curve.json
 *
 * Held-out score, gold and KL at every fifth iteration; each point is the mean
 * over three seeds, its deviation that of the prompts' bootstrap.  Asked for:
 *
 *     the proxy rises throughout: no point of any curve lies below an earlier
 *     one by more than 1.96 deviations of their difference, and the last is
 *     above the first by more
 *     at the smallest reward data and no penalty gold has its peak between the
 *     ends, and is lower at the end by more than 1.96 deviations
 *     a penalty is early stopping: at equal KL the gold of a penalised policy
 *     is that of the unpenalised one; 95 % intervals overlap at 95 % of the
 *     points that lie within the latter's KL (between its points: linear)
 *     the peak d* of R(d) = d (alpha - beta ln d), fitted to the seeds'
 *     unpenalised curves (stat/overopt.h), moves out with the reward data
 */
#include <math.h>
#include <stdio.h>

#include "accept.h"
#include "base/json.h"
#include "stat/overopt.h"

enum {
    SEEDS = 3,
    SIZES = 3,
    BETAS = 3,
    POINTS = 13,
    FILE_MAX = 1 << 24
};

static const int prompts[SIZES] = {84, 334, 1334};
static const int pairs[SIZES] = {500, 2000, 8000};
static const char *const betas[BETAS] = {"0", "0.05", "0.2"};

struct value {
    double x, sd;
};

struct point {
    int iteration;
    struct value score, gold, kl;
    double seed_kl[SEEDS], seed_gain[SEEDS]; // gold since iteration 0
};

struct curve {
    size_t n;
    struct point at[POINTS];
};

static struct curve curves[SIZES][BETAS];

/* Adds a seed's share of the mean. */
static double add(struct value *v, const struct json *estimate)
{
    double x = json_number(json_get(estimate, "estimate"), (double)NAN);
    double sd = (json_number(json_get(estimate, "high"), (double)NAN) -
                 json_number(json_get(estimate, "low"), (double)NAN)) /
                (2 * 1.96);
    v->x += x / SEEDS;
    v->sd = sqrt(v->sd * v->sd + sd * sd / (SEEDS * SEEDS));
    return x;
}

static void read_curve(struct curve *c, const char *dir, int n, int seed,
                       const char *beta)
{
    char name[64];
    struct json *root;
    struct err err;
    double first = 0;
    (void)snprintf(name, sizeof name, "s%d-n%d/b%s/heldout/eval", seed + 1, n,
                   beta);
    accept_must(
        json_read(&root, accept_path(dir, name, "curve.json"), FILE_MAX, &err),
        &err);
    const struct json *points = json_get(root, "checkpoints");
    c->n = json_size(points) < POINTS ? json_size(points) : POINTS;
    for (size_t i = 0; i < c->n; i++) {
        const struct json *from = json_at(points, i);
        struct point *p = &c->at[i];
        p->iteration = (int)json_int(json_get(from, "iteration"), -1);
        (void)add(&p->score, json_get(from, "score"));
        double gold = add(&p->gold, json_get(from, "gold"));
        p->seed_kl[seed] = add(&p->kl, json_get(from, "kl_sequence"));
        first = i == 0 ? gold : first;
        p->seed_gain[seed] = gold - first;
    }
    json_free(root);
}

static double apart(const struct value *a, const struct value *b)
{
    return (b->x - a->x) / sqrt(a->sd * a->sd + b->sd * b->sd);
}

/* Within the noise of every point and the highest before it. */
static bool rises(const struct curve *c)
{
    const struct value *top = &c->at[0].score;
    for (size_t i = 1; i < c->n; i++) {
        if (apart(top, &c->at[i].score) < -1.96)
            return false;
        if (c->at[i].score.x > top->x)
            top = &c->at[i].score;
    }
    return apart(&c->at[0].score, &c->at[c->n - 1].score) > 1.96;
}

static size_t top_of(const struct curve *c)
{
    size_t top = 0;
    for (size_t i = 1; i < c->n; i++)
        top = c->at[i].gold.x > c->at[top].gold.x ? i : top;
    return top;
}

static void print_curve(const struct curve *c, int n, const char *beta)
{
    printf("%d pairs, beta %s\n  iteration", n, beta);
    for (size_t i = 0; i < c->n; i++)
        printf(" %6d", c->at[i].iteration);
    printf("\n  KL       ");
    for (size_t i = 0; i < c->n; i++)
        printf(" %6.2f", c->at[i].kl.x);
    printf("\n  proxy    ");
    for (size_t i = 0; i < c->n; i++)
        printf(" %6.2f", c->at[i].score.x);
    printf("\n  gold     ");
    for (size_t i = 0; i < c->n; i++)
        printf(" %6.2f", c->at[i].gold.x);
    printf("   (deviation %.2f)\n", c->at[0].gold.sd);
}

/* At the points of a penalised curve, against the unpenalised one. */
struct agreement {
    size_t compared, apart; // 95 % intervals that do not overlap
    size_t differ;          // differences beyond 1.96 of their deviations
    double sum;             // of differences, penalised less unpenalised
};

static void agree(struct agreement *out, const struct curve *a,
                  const struct curve *b)
{
    for (size_t i = 1; i < b->n; i++) {
        double kl = b->at[i].kl.x;
        size_t k = 1;
        while (k < a->n && a->at[k].kl.x < kl)
            k++;
        if (k == a->n)
            continue; // beyond what was reached without a penalty
        const struct point *low = &a->at[k - 1], *high = &a->at[k];
        double part = (kl - low->kl.x) / (high->kl.x - low->kl.x);
        double x = low->gold.x + part * (high->gold.x - low->gold.x);
        double sd = low->gold.sd + part * (high->gold.sd - low->gold.sd);
        double more = b->at[i].gold.x - x, other = b->at[i].gold.sd;
        out->compared++;
        out->apart += !(fabs(more) <= 1.96 * (sd + other));
        out->differ += !(fabs(more) <= 1.96 * sqrt(sd * sd + other * other));
        out->sum += more;
    }
}

/* The seeds are the units of resampling: three of them tell little, and the
 * interval is printed for that. */
static struct overopt fit(const struct curve *c)
{
    double kl[POINTS * SEEDS], gain[POINTS * SEEDS];
    struct overopt_points x = {c->n, SEEDS, kl, gain};
    struct bootstrap plan = {.seed = 1};
    struct overopt o;
    struct err err;
    for (size_t i = 0; i < c->n; i++)
        for (size_t s = 0; s < SEEDS; s++) {
            kl[i * SEEDS + s] = c->at[i].seed_kl[s];
            gain[i * SEEDS + s] = c->at[i].seed_gain[s];
        }
    accept_must(overopt_fit(&o, OVEROPT_RL, &x, &plan, &err), &err);
    return o;
}

static void judge_proxy(void)
{
    size_t rising = 0;
    for (size_t n = 0; n < SIZES; n++)
        for (size_t b = 0; b < BETAS; b++)
            rising += rises(&curves[n][b]);
    accept_say("G9", rising == SIZES * BETAS,
               "the proxy rises throughout in %zu of %d curves (all)", rising,
               SIZES * BETAS);
}

static void judge_turn(void)
{
    const struct curve *c = &curves[0][0];
    size_t top = top_of(c);
    double fall = apart(&c->at[c->n - 1].gold, &c->at[top].gold);
    accept_say("G9", top > 0 && top + 1 < c->n && fall > 1.96,
               "%d pairs, no penalty: gold %.2f at first, at most %.2f at "
               "iteration %d, %.2f at last, %.1f deviations below (between "
               "the ends, above 1.96)",
               pairs[0], c->at[0].gold.x, c->at[top].gold.x,
               c->at[top].iteration, c->at[c->n - 1].gold.x, fall);
}

static void judge_penalty(void)
{
    struct agreement x = {0};
    for (size_t n = 0; n < SIZES; n++)
        for (size_t b = 1; b < BETAS; b++)
            agree(&x, &curves[n][0], &curves[n][b]);
    accept_say("G9",
               x.compared > 0 && (double)x.apart <= 0.05 * (double)x.compared,
               "at equal KL penalised and unpenalised gold agree at %zu of "
               "%zu points (95 %%); by the deviation of their difference at "
               "%zu, on average %+.2f",
               x.compared - x.apart, x.compared, x.compared - x.differ,
               x.sum / (double)x.compared);
}

static void judge_peaks(void)
{
    double peak[SIZES];
    for (size_t n = 0; n < SIZES; n++) {
        struct overopt o = fit(&curves[n][0]);
        peak[n] = o.peak.estimate;
        printf("%d pairs: R(d) = d (%.2f - %.2f ln d), d* %.2f [%.2f, %.2f] "
               "over seeds, last d %.2f, rmse %.2f\n",
               pairs[n], o.alpha.estimate, o.beta.estimate, o.peak.estimate,
               o.peak.low, o.peak.high, o.last, o.rmse);
    }
    accept_say("G9", peak[0] < peak[1] && peak[1] < peak[2],
               "the peak moves out with the reward data: d* %.2f, %.2f, %.2f "
               "(ascending)",
               peak[0], peak[1], peak[2]);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: accept_gao DIR\n");
        return 2;
    }
    for (size_t n = 0; n < SIZES; n++)
        for (size_t b = 0; b < BETAS; b++) {
            for (int s = 0; s < SEEDS; s++)
                read_curve(&curves[n][b], argv[1], prompts[n], s, betas[b]);
            print_curve(&curves[n][b], pairs[n], betas[b]);
        }
    judge_proxy();
    judge_turn();
    judge_penalty();
    judge_peaks();
    return 0;
}
