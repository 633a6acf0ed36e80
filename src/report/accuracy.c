#include "report/accuracy.h"

#include "report/measure.h"

static const struct json *find(const struct inputs *in)
{
    return json_get(in->heldout, "reward_heldout");
}

static void table(struct html *h, const struct json *node)
{
    static const struct measure_row rows[] = {
        {"accuracy", "Pairs the reward model orders right", MEASURE_PERCENT},
        {"accuracy_chosen_longer",
         "Of those where the better reply has more tokens", MEASURE_PERCENT},
        {"accuracy_chosen_shorter",
         "Of those where the better reply has fewer tokens", MEASURE_PERCENT},
        {"length_rule_accuracy", "Pairs the length rule orders right, tokens",
         MEASURE_PERCENT},
        {"accuracy_over_length_rule",
         "Reward model minus length rule, pair by pair", MEASURE_POINTS},
        {"length_rule_accuracy_characters",
         "Pairs the length rule orders right, characters", MEASURE_PERCENT},
        {"accuracy_over_length_rule_characters",
         "Reward model minus that, pair by pair", MEASURE_POINTS},
    };
    measure_table(h, node, rows, sizeof rows / sizeof *rows);
}

void accuracy_sentence(struct html *h, const struct inputs *in)
{
    const struct json *node = find(in);
    const struct json *settings = json_get(node, "settings");
    struct estimate e = measure_get(node, "accuracy");
    const char *verdict = json_text(json_get(node, "verdict"), NULL);
    if (verdict == NULL)
        return;
    if (settings != NULL && e.n > 0)
        html_printf(
            h, "On %lld pairs of %lld prompts that it was not trained on, ",
            (long long)json_int(json_get(settings, "pairs"), 0),
            (long long)json_int(json_get(settings, "prompts"), 0));
    else
        html_text(h, "As for its own accuracy, ");
    html_text(h, verdict);
    if (e.n > 0) {
        html_text(h, " (");
        measure_inline(h, &e, MEASURE_PERCENT, NULL);
        html_text(h, " ordered right)");
    }
    html_text(h, ".");
}

void accuracy_write(struct html *h, const struct inputs *in)
{
    const struct json *node = find(in);
    html_open(h, "section", NULL);
    html_element(h, "h2", NULL, "The reward model on held-out pairs");
    html_open(h, "p", NULL);
    if (json_is_object(node)) {
        accuracy_sentence(h, in);
        html_printf(h, " The length rule: %s. Equal scores count one half.",
                    json_text(json_get(node, "length_rule"),
                              "the longer reply is the better one"));
    } else {
        html_text(h, "How well the reward model orders pairs it was not "
                     "trained on is not known here: the checkpoint evaluated "
                     "comes without the eval/heldout.json that plumb reward "
                     "writes.");
    }
    html_close(h, "p");
    if (measure_get(node, "accuracy").n > 0)
        table(h, node);
    html_close(h, "section");
}
