/*
 * accept_price.c - reward is bought at beta a nat, on a language model (G6).
 *
 *     accept_price DIR BETA...      DIR/bBETA/heldout/eval/samples.jsonl,
 *                                   prices ascending
 *
 * Policies that rest at their optimum lie on one curve of mean score R and KL,
 * whose slope dR/dKL is beta: at rest the gradient of R is beta times that of
 * KL, whatever the policy can express.  Between neighbouring prices the slope
 * is measured as a secant, with the same prompts for both.  A secant is the
 * mean of beta over the KL between the two; of the curve of normal scores, KL =
 * sd^2 / (2 beta^2), that is the harmonic mean 2 / (1/beta1 + 1/beta2), to
 * which it is compared.  Asked for: within 25 %.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "accept.h"
#include "base/file.h"
#include "base/json.h"
#include "stat/summary.h"

enum {
    BETAS_MAX = 16
};

struct policy {
    double beta;
    double score[ACCEPT_PROMPTS], kl[ACCEPT_PROMPTS];
    double mean_score, mean_kl;
    double kl_before; // at the checkpoint before the last
    int before;       // its iteration
};

static struct accept_replies replies;

/* The KL at the checkpoint before the last: near it when the policy rests. */
static void read_before(struct policy *p, const char *path)
{
    struct json *root;
    struct err err;
    accept_must(json_read(&root, path, (size_t)1 << 24, &err), &err);
    const struct json *points = json_get(root, "checkpoints");
    size_t m = json_size(points);
    const struct json *from = json_at(points, m > 1 ? m - 2 : 0);
    p->kl_before = json_number(
        json_get(json_get(from, "kl_sequence"), "estimate"), (double)NAN);
    p->before = (int)json_int(json_get(from, "iteration"), -1);
    json_free(root);
}

static void read_policy(struct policy *p, const char *dir, const char *beta)
{
    double reference[ACCEPT_PROMPTS];
    char name[64];
    p->beta = strtod(beta, NULL);
    (void)snprintf(name, sizeof name, "b%s/heldout/eval", beta);
    accept_read(&replies, accept_path(dir, name, "samples.jsonl"));
    accept_means(p->score, &replies, replies.score, true);
    accept_means(reference, &replies, replies.score, false);
    accept_means(p->kl, &replies, replies.kl, true);
    p->mean_kl = summary_mean(p->kl, ACCEPT_PROMPTS);
    p->mean_score = summary_mean(p->score, ACCEPT_PROMPTS) -
                    summary_mean(reference, ACCEPT_PROMPTS);
    read_before(p, accept_path(dir, name, "curve.json"));
}

int main(int argc, char **argv)
{
    static struct policy policy[BETAS_MAX];
    struct bootstrap plan = {.seed = 1};
    size_t n = argc > 2 ? (size_t)argc - 2 : 0;
    size_t within = 0;
    double worst = 0;
    if (n < 2 || n > BETAS_MAX) {
        fprintf(stderr, "usage: accept_price DIR BETA BETA...\n");
        return 2;
    }
    for (size_t i = 0; i < n; i++) {
        read_policy(&policy[i], argv[1], argv[2 + i]);
        printf("beta %5.2f: gain %.3f, KL %.3f nats a reply, at iteration %d "
               "%.3f\n",
               policy[i].beta, policy[i].mean_score, policy[i].mean_kl,
               policy[i].before, policy[i].kl_before);
    }
    for (size_t i = 0; i + 1 < n; i++) {
        const struct policy *a = &policy[i], *b = &policy[i + 1];
        double gain[ACCEPT_PROMPTS], kl[ACCEPT_PROMPTS];
        double want = 2 / (1 / a->beta + 1 / b->beta);
        struct estimate slope;
        struct err err;
        for (size_t p = 0; p < ACCEPT_PROMPTS; p++) {
            gain[p] = a->score[p] - b->score[p];
            kl[p] = a->kl[p] - b->kl[p];
        }
        accept_must(summary_estimate_ratio(&slope, gain, kl, ACCEPT_PROMPTS,
                                           &plan, &err),
                    &err);
        double away = slope.estimate / want - 1;
        worst = fmax(worst, fabs(away));
        within += fabs(away) <= 0.25;
        accept_say("G6", fabs(away) <= 0.25,
                   "beta %.2f to %.2f: dR/dKL %.4f [%.4f, %.4f], price %.4f: "
                   "%+.0f %% (within 25 %%)",
                   a->beta, b->beta, slope.estimate, slope.low, slope.high,
                   want, 100 * away);
    }
    accept_say("G6", within == n - 1,
               "%zu of %zu secants within 25 %% of the price, the worst %.0f "
               "%% off (all within 25 %%)",
               within, n - 1, 100 * worst);
    return 0;
}
