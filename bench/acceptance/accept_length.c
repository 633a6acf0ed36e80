/*
 * accept_length.c - how far a reward of length alone gets (G10).
 *
 *     accept_length taste JUDGED SHARE
 *         what a token is worth to annotators of whom the longer reply wins
 *         SHARE of the pairs: utility = gold + taste * tokens, noise RATER_TAU
 *         (Bradley-Terry); JUDGED is what `plumb world judge` writes
 *     accept_length report DIR
 *         DIR/sSEED-{56,60,63,only}/heldout/eval/samples.jsonl,
 *         DIR/taste-{56,60,63}
 *
 * Win rates are exact probabilities of that noise, paired by prompt and sample,
 * under a judge who has the annotators' taste and under one who has none.
 * Asked for, three seeds together:
 *
 *     biased judge: the policy of length alone gains, above one half, 75 % of
 *     what the reward model's policy gains, at each taste
 *     no taste: the reward model's policy wins more, the interval of the
 *     difference above 0, at each taste
 *     the share of the reward gain that is not length (stat/decompose.h, bins
 *     of 20 tokens) falls as the taste rises
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accept.h"
#include "base/file.h"
#include "io/jsonl.h"
#include "stat/decompose.h"

#define RATER_TAU 0.4

enum {
    SEEDS = 3,
    TASTES = 3,
    SAMPLES = 4,
    PAIRS = SEEDS * ACCEPT_PROMPTS,
    GROUPS_MAX = 8192
};

static double sigma(double x)
{
    return 1 / (1 + exp(-x));
}

/* ---- a taste ---- */

static struct {
    size_t n;
    double gold[GROUPS_MAX][SAMPLES], tokens[GROUPS_MAX][SAMPLES];
} judged;

static enum status take_judged(void *ctx, const struct json *row, size_t line,
                               struct err *err)
{
    const struct json *list = json_get(row, "judgements");
    (void)ctx;
    if (judged.n == GROUPS_MAX || json_size(list) != SAMPLES)
        return err_set(err, ERR_FORMAT, "line %zu: want %d judgements", line,
                       (int)SAMPLES);
    for (size_t k = 0; k < SAMPLES; k++) {
        const struct json *j = json_at(list, k);
        TRY(json_need_number(&judged.gold[judged.n][k], j, "gold", "a reply",
                             err));
        TRY(json_need_number(&judged.tokens[judged.n][k], j, "tokens",
                             "a reply", err));
    }
    judged.n++;
    return OK;
}

/* How often the longer of two replies to a prompt wins. */
static double longer_wins(double taste)
{
    double wins = 0, pairs = 0;
    for (size_t i = 0; i < judged.n; i++)
        for (size_t a = 0; a < SAMPLES; a++)
            for (size_t b = 0; b < SAMPLES; b++) {
                double longer = judged.tokens[i][a] - judged.tokens[i][b];
                if (!(longer > 0))
                    continue;
                double better = judged.gold[i][a] - judged.gold[i][b];
                wins += sigma((better + taste * longer) / RATER_TAU);
                pairs++;
            }
    return wins / pairs;
}

static int find_taste(const char *path, double share)
{
    double low = -1, high = 1;
    struct err err;
    accept_must(jsonl_read(path, take_judged, NULL, &err), &err);
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        *(longer_wins(middle) < share ? &low : &high) = middle;
    }
    printf("%.6f\n", high);
    return 0;
}

/* ---- the report ---- */

static const char *const tastes[TASTES] = {"56", "60", "63"};

/* One policy over all seeds: win probabilities against the reference by pairs
 * of prompt and seed, and all its scored replies. */
struct policy {
    double win[PAIRS], win_gold[PAIRS];
    double tokens[PAIRS], tokens_ref[PAIRS], gold[PAIRS], gold_ref[PAIRS];
};

static struct accept_replies replies;

/* Mean over the samples of a prompt of the probability that a judge with this
 * taste prefers the policy's to the reference's. */
static void win_rates(double *out, const struct accept_replies *r, double taste)
{
    static double worth[2][ACCEPT_PROMPTS][SAMPLES];
    for (size_t i = 0; i < r->n; i++)
        if (r->sample[i] < SAMPLES)
            worth[r->is_policy[i]][r->prompt[i]][r->sample[i]] =
                r->gold[i] + taste * r->tokens[i];
    for (size_t p = 0; p < ACCEPT_PROMPTS; p++) {
        out[p] = 0;
        for (size_t s = 0; s < SAMPLES; s++)
            out[p] +=
                sigma((worth[true][p][s] - worth[false][p][s]) / RATER_TAU) /
                SAMPLES;
    }
}

static void read_policy(struct policy *p, const char *dir, const char *what,
                        double taste)
{
    for (int s = 0; s < SEEDS; s++) {
        char name[64];
        size_t at = (size_t)s * ACCEPT_PROMPTS;
        (void)snprintf(name, sizeof name, "s%d-%s/heldout/eval", s + 1, what);
        accept_read(&replies, accept_path(dir, name, "samples.jsonl"));
        win_rates(p->win + at, &replies, taste);
        win_rates(p->win_gold + at, &replies, 0);
        accept_means(p->tokens + at, &replies, replies.tokens, true);
        accept_means(p->tokens_ref + at, &replies, replies.tokens, false);
        accept_means(p->gold + at, &replies, replies.gold, true);
        accept_means(p->gold_ref + at, &replies, replies.gold, false);
    }
}

/* Of the gain in score by the run's own reward model, the share that is not
 * length: mean over seeds; each seed's into `each`. */
static double not_length(double each[SEEDS], const char *dir, const char *what)
{
    double sum = 0;
    for (int s = 0; s < SEEDS; s++) {
        char name[64];
        struct decompose_length d;
        struct bootstrap plan = {.seed = 1};
        struct err err;
        (void)snprintf(name, sizeof name, "s%d-%s/heldout/eval", s + 1, what);
        accept_read(&replies, accept_path(dir, name, "samples.jsonl"));
        struct decompose_replies r = {.n = replies.n,
                                      .n_prompts = replies.n_prompts,
                                      .prompt = replies.prompt,
                                      .is_policy = replies.is_policy,
                                      .score = replies.score,
                                      .length = replies.tokens};
        accept_must(decompose_length(&d, &r, 0, &plan, &err), &err);
        each[s] = d.nrg_share.estimate;
        sum += each[s] / SEEDS;
    }
    return sum;
}

static double read_taste(const char *dir, const char *what)
{
    char name[64];
    struct buf text;
    struct err err;
    (void)snprintf(name, sizeof name, "taste-%s", what);
    buf_init(&text, 64);
    accept_must(file_read(&text, accept_path(dir, ".", name), &err), &err);
    double taste = strtod(buf_text(&text), NULL);
    buf_free(&text);
    return taste;
}

static void say_policy(const char *name, const struct policy *p)
{
    printf("  %-13s tokens %.1f -> %.1f, gold %.2f -> %.2f, wins %.1f %% by "
           "the biased judge, %.1f %% by gold\n",
           name, summary_mean(p->tokens_ref, PAIRS),
           summary_mean(p->tokens, PAIRS), summary_mean(p->gold_ref, PAIRS),
           summary_mean(p->gold, PAIRS), 100 * summary_mean(p->win, PAIRS),
           100 * summary_mean(p->win_gold, PAIRS));
}

/* Of the length-only policy over the reward model's.  The seeds were asked the
 * same prompts, which are the units: they count once, by their means. */
static void compare(const struct policy *model, const struct policy *only,
                    const char *share)
{
    double a[ACCEPT_PROMPTS] = {0}, b[ACCEPT_PROMPTS] = {0};
    double by_gold[2][ACCEPT_PROMPTS] = {{0}};
    struct estimate part, better;
    struct bootstrap plan = {.seed = 1};
    struct err err;
    for (size_t i = 0; i < PAIRS; i++) {
        size_t p = i % ACCEPT_PROMPTS;
        a[p] += (only->win[i] - 0.5) / SEEDS;
        b[p] += (model->win[i] - 0.5) / SEEDS;
        by_gold[0][p] += model->win_gold[i] / SEEDS;
        by_gold[1][p] += only->win_gold[i] / SEEDS;
    }
    accept_must(
        summary_estimate_ratio(&part, a, b, ACCEPT_PROMPTS, &plan, &err), &err);
    accept_must(summary_estimate_difference(&better, by_gold[0], by_gold[1],
                                            ACCEPT_PROMPTS, &plan, &err),
                &err);
    accept_say("G10",
               summary_mean(b, ACCEPT_PROMPTS) > 0 && part.estimate >= 0.75,
               "longer wins %s %%, biased judge: length alone gains %.0f %% "
               "[%.0f, %.0f] of the reward model's gain (75 %%)",
               share, 100 * part.estimate, 100 * part.low, 100 * part.high);
    accept_say("G10", better.low > 0,
               "longer wins %s %%, gold: the reward model's policy wins %.1f "
               "points [%.1f, %.1f] more than length alone (above 0)",
               share, 100 * better.estimate, 100 * better.low,
               100 * better.high);
}

static int report(const char *dir)
{
    static struct policy model, only;
    double share[TASTES];
    for (size_t k = 0; k < TASTES; k++) {
        double each[SEEDS];
        double taste = read_taste(dir, tastes[k]);
        read_policy(&model, dir, tastes[k], taste);
        read_policy(&only, dir, "only", taste);
        share[k] = not_length(each, dir, tastes[k]);
        printf("longer wins %s %%: a token is worth %.4f of gold\n", tastes[k],
               taste);
        say_policy("reward model", &model);
        say_policy("length alone", &only);
        printf("  not length: %.0f %% of the reward gain (seeds %.0f, %.0f, "
               "%.0f)\n",
               100 * share[k], 100 * each[0], 100 * each[1], 100 * each[2]);
        compare(&model, &only, tastes[k]);
    }
    accept_say("G10", share[0] > share[1] && share[1] > share[2],
               "reward gain that is not length %.0f, %.0f, %.0f %% as the "
               "taste rises (falling)",
               100 * share[0], 100 * share[1], 100 * share[2]);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "taste") == 0)
        return find_taste(argv[2], strtod(argv[3], NULL));
    if (argc == 3 && strcmp(argv[1], "report") == 0)
        return report(argv[2]);
    fprintf(stderr, "usage: accept_length taste JUDGED SHARE\n"
                    "       accept_length report DIR\n");
    return 2;
}
