#include "report/replies.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/measure.h"

static const double shade_limit[] = {0.02, 0.1, 0.3, 1, 3};
enum {
    SHADES = 6
};

int replies_shade(double kl)
{
    int shade = 0;
    while (shade < SHADES - 1 && kl >= shade_limit[shade])
        shade++;
    return shade;
}

struct pair {
    double gain;
    size_t policy, reference;
};

/* Smallest gain first; equal gains in file order, so that sorting is not a
 * matter of the C library. */
static int by_gain(const void *a, const void *b)
{
    const struct pair *x = a;
    const struct pair *y = b;
    if (x->gain != y->gain)
        return x->gain < y->gain ? -1 : 1;
    return (x->policy > y->policy) - (x->policy < y->policy);
}

/* A first sample of a prompt. */
struct first {
    const struct inputs_sample *sample;
};

/* By the prompt's name, policy before reference. */
static int by_prompt(const void *a, const void *b)
{
    const struct inputs_sample *x = ((const struct first *)a)->sample;
    const struct inputs_sample *y = ((const struct first *)b)->sample;
    int order = strcmp(x->prompt_id, y->prompt_id);
    if (order != 0)
        return order;
    if (x->is_policy != y->is_policy)
        return x->is_policy ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* All pairs of first samples, unordered; pair has room for n_first. */
static size_t find_pairs(struct pair *pair, struct first *first, size_t n_first)
{
    size_t n = 0;
    if (n_first > 1)
        qsort(first, n_first, sizeof *first, by_prompt);
    for (size_t i = 0; i + 1 < n_first; i++) {
        const struct inputs_sample *p = first[i].sample;
        const struct inputs_sample *r = first[i + 1].sample;
        if (!p->is_policy || r->is_policy ||
            strcmp(p->prompt_id, r->prompt_id) != 0 ||
            !isfinite(p->score - r->score))
            continue;
        pair[n++] = (struct pair){p->score - r->score, p->row, r->row};
    }
    return n;
}

enum status replies_choose(size_t *policy, size_t *reference, size_t *n,
                           const struct inputs *in, struct err *err)
{
    enum status status = OK;
    struct first *first = NULL;
    struct pair *pair = NULL;
    size_t n_first = 0;
    TRY_DONE(MEM_NEW(first, in->n_sample, err));
    TRY_DONE(MEM_NEW(pair, in->n_sample, err));
    for (size_t i = 0; i < in->n_sample; i++)
        if (in->sample[i].sample == 0)
            first[n_first++].sample = &in->sample[i];
    size_t n_pair = find_pairs(pair, first, n_first);
    if (n_pair > 1)
        qsort(pair, n_pair, sizeof *pair, by_gain);
    *n = n_pair < REPLIES_SHOWN ? n_pair : REPLIES_SHOWN;
    for (size_t k = 0; k < *n; k++) {
        size_t at = n_pair <= REPLIES_SHOWN
                        ? k
                        : (2 * k + 1) * n_pair / (2 * REPLIES_SHOWN);
        policy[k] = pair[at].policy;
        reference[k] = pair[at].reference;
    }
done:
    mem_free(pair);
    mem_free(first);
    return status;
}

static void key(struct html *h)
{
    html_open(h, "p", "class", "key", NULL);
    html_text(h, "KL at the token, in nats: ");
    for (int k = 0; k < SHADES; k++) {
        char kind[16];
        (void)snprintf(kind, sizeof kind, "t k%d", k);
        html_open(h, "span", "class", kind, NULL);
        if (k == 0)
            html_printf(h, "below %g", shade_limit[0]);
        else if (k == SHADES - 1)
            html_printf(h, "%g and more", shade_limit[k - 1]);
        else
            html_printf(h, "%g to %g", shade_limit[k - 1], shade_limit[k]);
        html_close(h, "span");
        html_text(h, " ");
    }
    html_close(h, "p");
}

/* One token with its numbers in the title, for a pointer to rest on. */
static void token(struct html *h, const struct json *row, size_t t)
{
    double kl = json_number(json_at(json_get(row, "kl"), t), (double)NAN);
    double logp = json_number(json_at(json_get(row, "logp"), t), (double)NAN);
    double ref =
        json_number(json_at(json_get(row, "logp_ref"), t), (double)NAN);
    const char *piece = json_text(json_at(json_get(row, "pieces"), t), "");
    bool is_last = t + 1 == json_size(json_get(row, "pieces"));
    bool is_eos = is_last && json_bool(json_get(row, "is_eos"), false);
    char kind[16];
    char title[160];
    (void)snprintf(kind, sizeof kind, "t k%d%s", replies_shade(kl),
                   is_eos ? " eos" : "");
    (void)snprintf(title, sizeof title,
                   "KL %.3f nats; log-prob %.2f, reference %.2f", kl, logp,
                   ref);
    /* A space at the front of a token would carry its underline across the
     * gap; it stands outside. */
    if (piece[0] == ' ') {
        html_text(h, " ");
        piece++;
    }
    html_open(h, "span", "class", kind, "title", title, NULL);
    html_text(h, piece[0] != '\0' ? piece : "\xE2\x90\xA3");
    html_close(h, "span");
}

static void side(struct html *h, const struct json *row, bool is_policy)
{
    double score = json_number(json_get(row, "score"), (double)NAN);
    size_t n = json_size(json_get(row, "kl"));
    html_open(h, "div", "class", is_policy ? "side policy" : "side reference",
              NULL);
    html_element(h, "h3", NULL, is_policy ? "Policy" : "Reference");
    html_open(h, "p", "class", "facts", NULL);
    html_printf(h, "reward %s", measure_format(score, MEASURE_SIGNED).text);
    double gold = json_number(json_get(row, "gold"), (double)NAN);
    if (isfinite(gold))
        html_printf(h, ", gold %s", measure_format(gold, MEASURE_SIGNED).text);
    double weak = json_number(json_get(row, "weak_gold"), (double)NAN);
    if (isfinite(weak))
        html_printf(h, ", weak gold %s",
                    measure_format(weak, MEASURE_SIGNED).text);
    html_printf(h, ", %lld tokens",
                (long long)json_int(json_get(row, "len"), 0));
    if (is_policy && n > 0) {
        double sum = 0;
        for (size_t t = 0; t < n; t++)
            sum += json_number(json_at(json_get(row, "kl"), t), (double)NAN);
        html_printf(h, ", KL %s nats", measure_format(sum, MEASURE_PLAIN).text);
    }
    if (!json_bool(json_get(row, "is_eos"), true))
        html_text(h, ", cut at the limit");
    html_close(h, "p");
    html_open(h, "p", "class", "said", NULL);
    size_t pieces = json_size(json_get(row, "pieces"));
    if (is_policy && pieces > 0 && pieces == n)
        for (size_t t = 0; t < n; t++)
            token(h, row, t);
    else
        html_text(h, json_text(json_get(row, "response"), ""));
    html_close(h, "p");
    html_close(h, "div");
}

static void pair_write(struct html *h, const struct json *policy,
                       const struct json *reference)
{
    html_open(h, "article", "class", "pair", NULL);
    html_open(h, "p", "class", "ask", NULL);
    html_open(h, "span", NULL);
    html_printf(h, "Prompt %s", json_text(json_get(policy, "prompt_id"), ""));
    html_close(h, "span");
    html_text(h, json_text(json_get(policy, "prompt"), ""));
    html_close(h, "p");
    html_open(h, "div", "class", "sides", NULL);
    side(h, policy, true);
    side(h, reference, false);
    html_close(h, "div");
    html_close(h, "article");
}

static int ascending(const void *a, const void *b)
{
    size_t x = *(const size_t *)a;
    size_t y = *(const size_t *)b;
    return (x > y) - (x < y);
}

/* The whole record of a row, out of those read in ascending order. */
static const struct json *lookup(const size_t *row, struct json *const *reply,
                                 size_t n, size_t wanted)
{
    for (size_t i = 0; i < n; i++)
        if (row[i] == wanted)
            return reply[i];
    return NULL;
}

enum status replies_write(struct html *h, const struct inputs *in,
                          struct err *err)
{
    size_t policy[REPLIES_SHOWN];
    size_t reference[REPLIES_SHOWN];
    size_t row[2 * REPLIES_SHOWN];
    struct json *reply[2 * REPLIES_SHOWN];
    size_t n = 0;
    html_open(h, "section", NULL);
    TRY(replies_choose(policy, reference, &n, in, err));
    html_element(h, "h2", NULL,
                 n == REPLIES_SHOWN ? "Six pairs of replies"
                                    : "Pairs of replies");
    if (n == 0) {
        html_element(h, "p", NULL,
                     "eval/samples.jsonl holds no pair of replies.");
        html_close(h, "section");
        return OK;
    }
    html_element(h, "p", NULL,
                 "Chosen by rule: the first replies of policy and reference "
                 "to each prompt, ordered by how much more reward the policy "
                 "got, and the middle one of each sixth. They run from the "
                 "smallest gain to the largest.");
    html_element(h, "p", NULL,
                 "The policy's tokens are shaded and underlined by the exact "
                 "KL between the two models' next-token distributions at the "
                 "moment the token was drawn: where the shade is dark, the "
                 "reference would have gone on differently.");
    key(h);
    for (size_t k = 0; k < n; k++) {
        row[2 * k] = policy[k];
        row[2 * k + 1] = reference[k];
    }
    qsort(row, 2 * n, sizeof *row, ascending);
    TRY(inputs_replies(reply, row, 2 * n, in, err));
    for (size_t k = 0; k < n; k++)
        pair_write(h, lookup(row, reply, 2 * n, policy[k]),
                   lookup(row, reply, 2 * n, reference[k]));
    for (size_t i = 0; i < 2 * n; i++)
        json_free(reply[i]);
    html_close(h, "section");
    return OK;
}
