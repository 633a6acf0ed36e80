#include <math.h>
#include <string.h>

#include "eval/heldout.h"

/* Rows of the table, in the order of the story; a share is shown in percent.
 * `parent` is the member that holds the measure, NULL for the document. */
static const struct line {
    const char *parent, *key, *text;
    bool is_share;
} lines[] = {
    {NULL, "rm_delta", "reward, policy - reference (sd)", false},
    {NULL, "rm_win_rate", "reward model prefers the policy", true},
    {"reward_heldout", "accuracy", "reward model right on its pairs", true},
    {"reward_heldout", "length_rule_accuracy", "the longer one is right", true},
    {"reward_heldout", "accuracy_over_length_rule", "the difference", true},
    {NULL, "gold_delta", "gold, policy - reference", false},
    {NULL, "gold_win_rate", "gold prefers the policy", true},
    {"weak_gold", "delta", "weak gold, policy - reference (sd)", false},
    {"weak_gold", "win_rate", "weak gold prefers the policy", true},
    {"weak_gold", "correlation", "its change and the reward's", false},
    {"panel", "win_rate", "spot-checks prefer the policy", true},
    {"panel", "less_direct_excess", "less direct, beyond placebo", true},
    {"panel", "too_long_excess", "too long, beyond the reference", true},
    {NULL, "length_ratio", "length, policy / reference", false},
    {NULL, "filler_delta", "filler sentences, difference", false},
    {NULL, "repetition_delta", "repeated sentences, difference", true},
    {NULL, "eos_rate_policy", "policy replies that end", true},
    {NULL, "kl_sequence_final", "exact KL, nats per reply", false},
    {NULL, "kl_per_token", "exact KL, nats per token", false},
    {NULL, "kl_trend", "KL trend, nats per iteration", false},
};

static void cell(struct buf *out, double x, bool is_share)
{
    if (!isfinite(x))
        buf_printf(out, "%10s", "-");
    else if (is_share)
        buf_printf(out, "%9.1f%%", 100 * x);
    else
        buf_printf(out, "%10.3f", x);
}

static void put_line(struct buf *out, const struct line *l,
                     const struct json *node)
{
    static const char *const part[] = {"estimate", "low", "high"};
    buf_printf(out, "  %-34s", l->text);
    for (size_t i = 0; i < 3; i++)
        cell(out, json_number(json_get(node, part[i]), (double)NAN),
             l->is_share);
    buf_printf(out, "%8lld\n", (long long)json_int(json_get(node, "n"), 0));
}

/* The lines that a document, or its "serving" member, has numbers for. */
static void put_lines(struct buf *out, const struct json *document)
{
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const struct json *parent = lines[i].parent == NULL
                                        ? document
                                        : json_get(document, lines[i].parent);
        const struct json *node = json_get(parent, lines[i].key);
        if (json_is_number(json_get(node, "estimate")))
            put_line(out, &lines[i], node);
    }
}

static void put_observation(struct buf *out, const char *text,
                            const struct json *node)
{
    const char *word = !json_is_bool(node)      ? "undecided"
                       : json_bool(node, false) ? "yes"
                                                : "no";
    buf_printf(out, "  %-34s%10s\n", text, word);
}

void heldout_table(struct buf *out, const struct json *heldout)
{
    static const char *const seen[][2] = {
        {"reward_up", "reward up"},
        {"human_down", "judged worse"},
        {"verbosity_up", "longer"},
        {"kl_up", "KL rising"},
    };
    const struct json *settings = json_get(heldout, "settings");
    const struct json *observations = json_get(heldout, "observations");
    buf_printf(out, "%lld held-out prompts x %lld replies\n\n",
               (long long)json_int(json_get(settings, "prompts"), 0),
               (long long)json_int(json_get(settings, "samples"), 0));
    for (size_t i = 0; i < sizeof seen / sizeof *seen; i++)
        put_observation(out, seen[i][1], json_get(observations, seen[i][0]));
    buf_printf(out, "  %-32s%12s\n", "who judged",
               json_text(json_get(heldout, "human_down_from"), "nobody"));
    const char *label =
        json_text(json_get(json_get(heldout, "weak_gold"), "label"), NULL);
    if (label != NULL)
        buf_printf(out, "\n  %s\n", label);
    const char *verdict = json_text(
        json_get(json_get(heldout, "reward_heldout"), "verdict"), NULL);
    if (verdict != NULL)
        buf_printf(out, "\n  %s\n", verdict);
    buf_printf(out, "\n  %-34s%10s%10s%10s%8s\n", "", "estimate", "low", "high",
               "n");
    put_lines(out, heldout);
    const struct json *serving = json_get(heldout, "serving");
    settings = json_get(serving, "settings");
    if (!json_is_object(serving))
        return;
    buf_printf(out, "\n  at temperature %g, top-p %g\n",
               json_number(json_get(settings, "temperature"), 1),
               json_number(json_get(settings, "top_p"), 1));
    put_lines(out, serving);
}
