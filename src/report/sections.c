#include "report/sections.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "report/accuracy.h"
#include "report/chart.h"
#include "report/measure.h"

/* A verdict as the documents have it: true, false, or null for undecided. */
enum verdict {
    VERDICT_NO,
    VERDICT_YES,
    VERDICT_OPEN
};

static enum verdict observation(const struct inputs *in, const char *key)
{
    const struct json *node =
        json_get(json_get(in->heldout, "observations"), key);
    if (!json_is_bool(node))
        return VERDICT_OPEN;
    return json_bool(node, false) ? VERDICT_YES : VERDICT_NO;
}

/* The first sentence a reader sees, one clause an observation. */
static void headline(struct html *h, const struct inputs *in, bool is_below)
{
    static const char *const reward[] = {
        "The reward did not go up",
        "The reward went up",
        "Whether the reward went up is open",
    };
    static const char *const human[INPUTS_JUDGES][2][3] = {
        [INPUTS_RUBRIC] =
            {{"the gold rubric does not find the replies worse",
              "the gold rubric finds the replies worse",
              "whether the replies got worse is open"},
             {"the replies got longer, by the gold rubric not worse",
              "the replies got longer, and worse by the gold rubric",
              "the replies got longer, and whether worse is open"}},
        [INPUTS_WEAK_GOLD] =
            {{"a second reward model does not find the replies worse",
              "a second reward model finds the replies worse",
              "a second reward model leaves open whether the replies got "
              "worse"},
             {"the replies got longer, to a second reward model not worse",
              "the replies got longer, and worse to a second reward model",
              "the replies got longer, and a second reward model leaves open "
              "whether worse"}},
        [INPUTS_NOBODY] = {{"nobody judged the replies",
                            "nobody judged the replies",
                            "nobody judged the replies"},
                           {"the replies got longer, and nobody judged them",
                            "the replies got longer, and nobody judged them",
                            "the replies got longer, and nobody judged them"}},
        [INPUTS_PANEL] =
            {{"the judges do not find the replies worse",
              "the judges find the replies worse",
              "the judges leave open whether the replies got worse"},
             {"the judges do not find the replies worse, only longer",
              "the judges find the replies longer and worse",
              "the replies got longer, and the judges leave open whether "
              "worse"}},
    };
    static const char *const drift[] = {
        "the policy has stopped drifting from its reference",
        "the policy drifted away from its reference",
        "whether the policy still drifts is open",
    };
    enum inputs_judge judge = inputs_judged_by(in);
    bool is_longer = observation(in, "verbosity_up") == VERDICT_YES;
    const char *level = is_below ? "h2" : "h1";
    html_open(h, level, NULL);
    html_printf(h, "%s; %s; %s.", reward[observation(in, "reward_up")],
                human[judge][is_longer][observation(in, "human_down")],
                drift[observation(in, "kl_up")]);
    html_close(h, level);
}

static void lede(struct html *h, const struct inputs *in)
{
    const struct json *settings = json_get(in->heldout, "settings");
    html_open(h, "p", "class", "lede", NULL);
    const char *scenario = json_text(json_get(in->heldout, "scenario"), NULL);
    if (scenario != NULL)
        html_printf(h, "Scenario %s, seed %lld. ", scenario,
                    (long long)json_int(json_get(in->heldout, "seed"), 0));
    else
        html_printf(h, "Seed %lld. ",
                    (long long)json_int(json_get(in->heldout, "seed"), 0));
    html_printf(h,
                "%lld held-out prompts%s, %lld replies each "
                "from the policy and from the frozen reference, "
                "temperature %g. Brackets hold 95 %% intervals; their "
                "unit is the prompt.",
                (long long)json_int(json_get(settings, "prompts"), 0),
                scenario != NULL ? ", never trained on" : "",
                (long long)json_int(json_get(settings, "samples"), 0),
                json_number(json_get(settings, "temperature"), 1));
    html_close(h, "p");
}

static void chip(struct html *h, enum verdict v, const char *yes,
                 const char *no, const char *open)
{
    static const char *const look[] = {"chip no", "chip yes", "chip open"};
    const char *const text[] = {no, yes, open};
    html_element(h, "span", look[v], text[v]);
}

static void card_open(struct html *h, const char *title)
{
    html_open(h, "section", "class", "card", NULL);
    html_element(h, "h2", NULL, title);
    html_open(h, "p", "class", "chips", NULL);
}

/* The card's large number; closes the chips in front of it. */
static void card_number(struct html *h, const struct estimate *e,
                        enum measure_kind kind, const char *unit)
{
    html_close(h, "p");
    html_element(h, "p", "big", measure_format(e->estimate, kind).text);
    html_open(h, "p", "class", "unit", NULL);
    html_printf(h, "%s, interval %s", unit, measure_interval(e, kind).text);
    html_close(h, "p");
}

static void card_reward(struct html *h, const struct inputs *in)
{
    struct estimate delta = measure_get(in->heldout, "rm_delta");
    struct estimate win = measure_get(in->heldout, "rm_win_rate");
    card_open(h, "1. The reward model");
    chip(h, observation(in, "reward_up"), "Reward up", "Reward not up",
         "Reward: undecided");
    card_number(h, &delta, MEASURE_SIGNED, "deviations of reference scores");
    html_open(h, "p", NULL);
    html_text(h, "The reward model scores the policy against the reference; "
                 "of paired replies it prefers the policy's in ");
    measure_inline(h, &win, MEASURE_PERCENT, NULL);
    html_text(h, ".");
    html_text(h, " ");
    accuracy_sentence(h, in);
    html_close(h, "p");
    html_close(h, "section");
}

/* What the judges' card has besides its large number. */
static void tell_panel(struct html *h, const struct inputs *in)
{
    const struct json *panel = json_get(in->heldout, "panel");
    struct estimate gold = measure_get(in->heldout, "gold_win_rate");
    struct estimate excess = measure_get(panel, "less_direct_excess");
    html_text(h, "Called less direct, beyond what a placebo is: ");
    measure_inline(h, &excess, MEASURE_POINTS, NULL);
    html_text(h, ".");
    if (gold.n > 0) {
        html_text(h, " Under the gold rubric the policy wins ");
        measure_inline(h, &gold, MEASURE_PERCENT, NULL);
        html_text(h, ".");
    }
}

/* What the second reward model says, by its name. */
static void tell_weak_gold(struct html *h, const struct inputs *in)
{
    const struct json *weak = json_get(in->heldout, "weak_gold");
    struct estimate win = measure_get(weak, "win_rate");
    struct estimate delta = measure_get(weak, "delta");
    struct estimate same = measure_get(weak, "correlation");
    if (inputs_judged_by(in) == INPUTS_WEAK_GOLD) {
        html_printf(h, "The judge is %s. By it the policy changes by ",
                    inputs_weak_gold(in));
    } else {
        html_printf(h, " By %s, the policy wins ", inputs_weak_gold(in));
        measure_inline(h, &win, MEASURE_PERCENT, NULL);
        html_text(h, " of pairs and changes by ");
    }
    measure_inline(h, &delta, MEASURE_SIGNED, "deviations");
    html_text(h, "; over prompts its change correlates with the reward's by ");
    measure_inline(h, &same, MEASURE_SIGNED, NULL);
    html_text(h, ".");
}

static void human_number(struct html *h, const struct inputs *in,
                         const struct estimate *length)
{
    const struct json *panel = json_get(in->heldout, "panel");
    const struct json *weak = json_get(in->heldout, "weak_gold");
    struct estimate win;
    switch (inputs_judged_by(in)) {
    case INPUTS_PANEL:
        win = measure_get(panel, "win_rate");
        card_number(h, &win, MEASURE_PERCENT,
                    "of blind spot-checks won by the policy");
        break;
    case INPUTS_RUBRIC:
        win = measure_get(in->heldout, "gold_win_rate");
        card_number(h, &win, MEASURE_PERCENT,
                    "of pairs won by the policy under the gold rubric");
        break;
    case INPUTS_WEAK_GOLD:
        win = measure_get(weak, "win_rate");
        card_number(h, &win, MEASURE_PERCENT,
                    "of pairs won by the policy under weak gold");
        break;
    case INPUTS_NOBODY:
    case INPUTS_JUDGES:
        card_number(h, length, MEASURE_TIMES, "as long as the reference's");
        break;
    }
}

static void card_human(struct html *h, const struct inputs *in)
{
    static const char *const title[INPUTS_JUDGES] = {
        [INPUTS_PANEL] = "2. The judges",
        [INPUTS_RUBRIC] = "2. The gold rubric",
        [INPUTS_WEAK_GOLD] = "2. The weak gold",
        [INPUTS_NOBODY] = "2. The replies; nobody judged them",
    };
    struct estimate length = measure_get(in->heldout, "length_ratio");
    enum inputs_judge judge = inputs_judged_by(in);
    card_open(h, title[judge]);
    if (judge != INPUTS_NOBODY)
        chip(h, observation(in, "human_down"), "Judged worse",
             "Not judged worse", "Judgement: undecided");
    chip(h, observation(in, "verbosity_up"), "Longer", "Not longer",
         "Length: undecided");
    human_number(h, in, &length);
    html_open(h, "p", NULL);
    html_text(h, "Replies are ");
    measure_inline(h, &length, MEASURE_TIMES, NULL);
    html_text(h, " as long. ");
    if (judge == INPUTS_PANEL)
        tell_panel(h, in);
    if (judge == INPUTS_NOBODY)
        html_text(h, "There are no spot-checks, no gold rubric and no second "
                     "reward model, so nothing here says whether they are "
                     "better or worse.");
    if (inputs_weak_gold(in) != NULL)
        tell_weak_gold(h, in);
    html_close(h, "p");
    html_close(h, "section");
}

static void card_drift(struct html *h, const struct inputs *in)
{
    struct estimate kl = measure_get(in->heldout, "kl_sequence_final");
    struct estimate trend = measure_get(in->heldout, "kl_trend");
    struct estimate token = measure_get(in->heldout, "kl_per_token");
    card_open(h, "3. The drift");
    chip(h, observation(in, "kl_up"), "KL rising", "KL not rising",
         "KL trend: undecided");
    card_number(h, &kl, MEASURE_PLAIN, "nats per reply at the end");
    html_open(h, "p", NULL);
    html_text(h, "Exact KL from policy to reference over the whole "
                 "vocabulary. It ");
    if (trend.n > 0) {
        html_text(h, "changes by ");
        measure_inline(h, &trend, MEASURE_SIGNED, "nats");
        html_text(h, " an iteration, and ");
    }
    html_text(h, "is ");
    measure_inline(h, &token, MEASURE_PLAIN, "nats");
    html_text(h, " a token.");
    if (trend.n == 0)
        html_text(h, " Whether it still rises is not known: no checkpoint was "
                     "evaluated.");
    html_close(h, "p");
    html_close(h, "section");
}

void sections_summary(struct html *h, const struct inputs *in, bool is_below)
{
    html_open(h, "header", NULL);
    headline(h, in, is_below);
    lede(h, in);
    html_close(h, "header");
    html_open(h, "div", "class", "cards", NULL);
    card_reward(h, in);
    card_human(h, in);
    card_drift(h, in);
    html_close(h, "div");
}

/* Why there is nothing to show, and what judgement rests on then. */
static void panel_absent(struct html *h, const struct inputs *in)
{
    int64_t strange =
        json_int(json_get(in->heldout, "votes_on_other_replies"), 0);
    html_open(h, "p", NULL);
    if (strange > 0)
        html_printf(h,
                    "%lld votes in human/spotcheck.jsonl are about "
                    "replies of an earlier evaluation; none is counted. ",
                    (long long)strange);
    else
        html_text(h, "Nobody was asked: there is no "
                     "human/spotcheck.jsonl. ");
    if (inputs_has_rubric(in))
        html_text(h, "What is said about judgement rests on the gold rubric "
                     "alone.");
    else if (inputs_weak_gold(in) != NULL)
        html_printf(h, "What is said about judgement rests on %s.",
                    inputs_weak_gold(in));
    else
        html_text(h, "Nothing here stands in for their judgement.");
    html_close(h, "p");
}

void sections_panel(struct html *h, const struct inputs *in)
{
    static const struct measure_row rows[] = {
        {"win_rate", "Policy preferred to the reference overall, ties a half",
         MEASURE_PERCENT},
        {"less_direct", "Policy reply called less direct", MEASURE_PERCENT},
        {"less_direct_placebo",
         "The same question about two reference replies (placebo)",
         MEASURE_PERCENT},
        {"less_direct_excess", "The difference: beyond what chance calls so",
         MEASURE_POINTS},
        {"too_long", "Policy reply called too long", MEASURE_PERCENT},
        {"too_long_reference", "Reference reply called too long",
         MEASURE_PERCENT},
        {"correct", "Policy reply called correct", MEASURE_PERCENT},
        {"correct_reference", "Reference reply called correct",
         MEASURE_PERCENT},
        {"self_consistency", "Same verdict when a judge saw a pair again",
         MEASURE_PERCENT},
    };
    const struct json *panel = json_get(in->heldout, "panel");
    html_open(h, "section", NULL);
    html_element(h, "h2", NULL, "Blind spot-checks");
    if (!json_is_object(panel)) {
        panel_absent(h, in);
        html_close(h, "section");
        return;
    }
    html_open(h, "p", NULL);
    html_printf(h,
                "%lld pairs of policy and reference, mixed with %lld placebo "
                "pairs of two reference replies.",
                (long long)json_int(json_get(panel, "pairs"), 0),
                (long long)json_int(json_get(panel, "placebo_pairs"), 0));
    html_close(h, "p");
    measure_table(h, panel, rows, sizeof rows / sizeof *rows);
    html_close(h, "section");
}

/* One measure at temperature 1 and at serving settings. */
static void serving_row(struct html *h, const struct inputs *in,
                        const char *parent, const struct measure_row *row)
{
    const struct json *serving = json_get(in->heldout, "serving");
    const struct json *const side[] = {
        parent != NULL ? json_get(in->heldout, parent) : in->heldout,
        parent != NULL ? json_get(serving, parent) : serving};
    if (measure_get(side[0], row->key).n == 0 &&
        measure_get(side[1], row->key).n == 0)
        return;
    html_open(h, "tr", NULL);
    html_element(h, "td", NULL, row->text);
    for (size_t i = 0; i < 2; i++) {
        struct estimate e = measure_get(side[i], row->key);
        html_open(h, "td", "class", "n", NULL);
        measure_inline(h, &e, row->kind, NULL);
        html_close(h, "td");
    }
    html_close(h, "tr");
}

void sections_serving(struct html *h, const struct inputs *in)
{
    static const struct measure_row rows[] = {
        {"rm_delta", "Reward, policy minus reference", MEASURE_SIGNED},
        {"rm_win_rate", "Reward model prefers the policy", MEASURE_PERCENT},
        {"gold_win_rate", "Gold rubric prefers the policy", MEASURE_PERCENT},
        {"length_ratio", "Length, policy over reference", MEASURE_TIMES},
        {"repetition_delta", "Repeated sentences, difference", MEASURE_POINTS},
        {"kl_sequence_final", "Exact KL, nats per reply", MEASURE_PLAIN},
    };
    static const struct measure_row weak = {
        "win_rate", "Weak gold (a second reward model) prefers the policy",
        MEASURE_PERCENT};
    const struct json *serving = json_get(in->heldout, "serving");
    const struct json *settings = json_get(serving, "settings");
    if (!json_is_object(serving))
        return;
    html_open(h, "section", NULL);
    html_element(h, "h2", NULL, "As it would be served");
    html_open(h, "div", "class", "wide", NULL);
    html_open(h, "table", NULL);
    html_raw(h, "<thead><tr><th>Measure</th><th class=\"n\">Temperature 1"
                "</th><th class=\"n\">");
    html_printf(h, "Temperature %g, top-p %g",
                json_number(json_get(settings, "temperature"), 1),
                json_number(json_get(settings, "top_p"), 1));
    html_raw(h, "</th></tr></thead>\n<tbody>");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        serving_row(h, in, NULL, &rows[i]);
    serving_row(h, in, "weak_gold", &weak);
    html_raw(h, "</tbody>");
    html_close(h, "table");
    html_close(h, "div");
    html_close(h, "section");
}

enum status sections_lengths(struct html *h, const struct inputs *in,
                             struct err *err)
{
    enum status status = OK;
    double *len = NULL; // policy's from the front, reference's from the back
    size_t n = in->n_sample;
    size_t n_policy = 0;
    size_t n_reference = 0;
    if (n == 0)
        return OK;
    TRY(MEM_NEW(len, n, err));
    for (size_t i = 0; i < n; i++) {
        if (in->sample[i].is_policy)
            len[n_policy++] = in->sample[i].len;
        else
            len[n - ++n_reference] = in->sample[i].len;
    }
    const struct chart_sample sample[] = {
        {"policy", 0, len, n_policy},
        {"reference", 1, len + n_policy, n_reference},
    };
    struct estimate ratio = measure_get(in->heldout, "length_ratio");
    html_open(h, "figure", NULL);
    html_element(h, "h3", NULL, "How long replies are");
    TRY_DONE(chart_histogram(h, "Histogram of reply lengths", "tokens", sample,
                             2, err));
    html_open(h, "figcaption", NULL);
    html_text(h, "Tokens of every held-out reply. Ratio of the means: ");
    measure_inline(h, &ratio, MEASURE_TIMES, NULL);
    html_text(h, ".");
    html_close(h, "figcaption");
    html_close(h, "figure");
done:
    mem_free(len);
    return status;
}

void sections_limits(struct html *h, const struct inputs *in)
{
    static const char *const limit[] = {
        "One run is one seed. The intervals say how the numbers would move "
        "with other prompts, not with another seed.",
        "It shows that these things happened together, not which caused "
        "which. Only running again with one change can show that.",
        "The checkpoints' curves rest on one reply a prompt, so their bands "
        "are wider than the intervals of the final measures.",
        "A KL divergence depends on the sampling temperature and on the "
        "reference; it does not compare across models.",
    };
    bool is_desk = json_is_string(json_get(in->heldout, "scenario"));
    html_open(h, "section", NULL);
    html_element(h, "h2", NULL, "What this does not tell");
    html_open(h, "ul", NULL);
    if (is_desk)
        html_element(h, "li", NULL,
                     "Customers, raters and judges are simulated by the "
                     "built-in support desk. What they like is known; that is "
                     "why the gold rubric can be shown beside the reward.");
    if (inputs_weak_gold(in) != NULL)
        html_element(h, "li", NULL,
                     "Weak gold is a model too. It learnt from other pairs "
                     "than the reward model but from the same kind, so what "
                     "both learnt wrongly it cannot show, and it is no "
                     "measure of what people want.");
    for (size_t i = 0; i < sizeof limit / sizeof *limit; i++)
        html_element(h, "li", NULL, limit[i]);
    html_element(h, "li", NULL,
                 is_desk ? "Held-out prompts come from the same source as the "
                           "training prompts; nothing is said about other "
                           "customers."
                         : "Nothing is said about prompts of another kind than "
                           "the held-out ones, nor checked that these were "
                           "not trained on.");
    html_close(h, "ul");
    html_close(h, "section");
}
