#include "import/formats.h"

#include <string.h>

#include "import/people_readers.h"
#include "import/readers.h"

const struct format formats_table[] = {
    {"verl", "rollouts", "verl",
     "rollout dump (trainer.rollout_data_dir), one {step}.jsonl a step",
     YIELDS_ROWS, verl_sniff_rollouts, verl_read_rollouts},
    {"verl", "validation", "verl",
     "the same of trainer.validation_data_dir: held-out replies",
     YIELDS_REPLIES, verl_sniff_validation, verl_read_validation},
    {"verl", "config", "verl", "Hydra's config.yaml (.hydra/config.yaml)",
     YIELDS_SETTINGS, verl_sniff_config, arguments_read},
    {"verl", "settings", "verl", "the command or script that started it",
     YIELDS_SETTINGS, arguments_sniff_verl, arguments_read},
    {"verl", "file logger", "verl",
     "metrics of the file logger (trainer.logger)", YIELDS_METRICS,
     verl_sniff_logger, verl_read_logger},
    {"verl", "console", "verl", "console text, lines of step:N - key:value",
     YIELDS_METRICS | OF_LINES, verl_sniff_console, verl_read_console},
    {"trl", "state", "trl", "trainer_state.json (log_history)",
     YIELDS_METRICS | YIELDS_SETTINGS, trl_sniff_state, trl_read_state},
    {"trl", "completions", "trl",
     "completions of GRPO as JSON Lines (log_completions=True)", YIELDS_ROWS,
     trl_sniff_completions, trl_read_completions},
    {"trl", "table", "trl",
     "a table exported from Weights & Biases: query, model response, score",
     YIELDS_ROWS, trl_sniff_table, trl_read_table},
    {"trl", "table (CSV)", "trl", "the same as CSV", YIELDS_ROWS, trl_sniff_csv,
     generic_read_csv},
    {"trl", "settings", "trl", "its arguments, as JSON, YAML or a script",
     YIELDS_SETTINGS, arguments_sniff_trl, arguments_read},
    {"openrlhf", "rows", "openrlhf",
     "old batch_inference JSON Lines: input, output, reward", YIELDS_ROWS,
     openrlhf_sniff_rows, openrlhf_read_rows},
    {"openrlhf", "pairs", "openrlhf",
     "iterative DPO: prompt, chosen, rejected and their rewards", YIELDS_ROWS,
     openrlhf_sniff_pairs, openrlhf_read_pairs},
    {"openrlhf", "log", "openrlhf", "log text, lines of Global step N: {...}",
     YIELDS_METRICS | OF_LINES, openrlhf_sniff_log, openrlhf_read_log},
    {"openrlhf", "settings", "openrlhf",
     "its arguments, as JSON, YAML or a script", YIELDS_SETTINGS,
     arguments_sniff_openrlhf, arguments_read},
    {"nemo-rl", "train", "nemo-rl", "train_data_step{N}.jsonl", YIELDS_ROWS,
     nemo_sniff_train, nemo_read_train},
    {"nemo-rl", "validation", "nemo-rl", "val_data_step{N}.jsonl",
     YIELDS_REPLIES, nemo_sniff_val, nemo_read_val},
    {"open-instruct", "rollouts", "open-instruct",
     "{run}_rollouts_{shard}.jsonl (--save_traces)", YIELDS_ROWS,
     open_instruct_sniff_rollouts, open_instruct_read_rollouts},
    {"open-instruct", "metadata", "open-instruct", "{run}_metadata.jsonl",
     YIELDS_SETTINGS, open_instruct_sniff_metadata,
     open_instruct_read_metadata},
    {"trlx", "rollouts", "trlx", "epoch-{time}.json of rollout_logging_dir",
     YIELDS_ROWS, trlx_sniff_rollouts, trlx_read_rollouts},
    {"trlx", "config", "trlx", "config.json beside them", YIELDS_SETTINGS,
     trlx_sniff_config, trlx_read_config},
    {"rewardspy", "records", "rewardspy",
     "JSON Lines of the watched reward function", YIELDS_ROWS, rewardspy_sniff,
     rewardspy_read},
    {"deepspeed-chat", "log", "deepspeed-chat", "training log text",
     YIELDS_METRICS | YIELDS_SETTINGS | OF_LINES, deepspeed_sniff,
     deepspeed_read},
    {"torchtune", "log", "torchtune",
     "text of the disk logger, lines of Step N | key:value",
     YIELDS_METRICS | OF_LINES, torchtune_sniff, torchtune_read},
    {"tldr", "log", "tldr", "text of summarize_from_feedback_details",
     YIELDS_METRICS | YIELDS_SETTINGS | OF_LINES, tldr_sniff, tldr_read},
    {"grpo-log", "training", "grpo-log", "text log of groups and their rewards",
     YIELDS_ROWS | YIELDS_METRICS | OF_LINES, grpo_log_sniff, grpo_log_read},
    {"grpo-log", "statistics", "grpo-log", "training statistics as JSON",
     YIELDS_ROWS | YIELDS_METRICS, grpo_log_sniff_statistics,
     grpo_log_read_statistics},
    {"grpo-log", "evaluation", "grpo-log",
     "text log of an evaluation on questions with answers",
     YIELDS_METRICS | YIELDS_VERDICTS | OF_LINES, grpo_log_sniff_evaluation,
     grpo_log_read_evaluation},
    {"samples", "replies", "samples",
     "replies of several policies to the same prompts", YIELDS_REPLIES,
     samples_sniff, samples_read},
    {"samples", "verdicts", "samples", "verdicts of an LLM on them",
     YIELDS_VOTES, samples_sniff_verdicts, samples_read_verdicts},
    {"tensorboard", "events", "", "event files, of any trainer", YIELDS_METRICS,
     tensorboard_sniff, tensorboard_read},
    {"alpaca-eval", "annotations", "",
     "what an annotator said of a baseline's and a model's output",
     YIELDS_REPLIES | YIELDS_VOTES, alpaca_sniff_annotations,
     alpaca_read_annotations},
    {"alpaca-eval", "outputs", "", "what a model answered, by its generator",
     YIELDS_REPLIES, alpaca_sniff_outputs, alpaca_read_outputs},
    {"alpaca-eval", "preferences", "",
     "a table of model, index and preference, without texts", YIELDS_VOTES,
     alpaca_sniff_preferences, alpaca_read_preferences},
    {"alpaca-farm", "outputs", "",
     "instruction, input and output; the model is the file's name",
     YIELDS_REPLIES, alpaca_sniff_farm, alpaca_read_outputs},
    {"arena", "battles", "", "battles of Chatbot Arena or MT-bench",
     YIELDS_REPLIES | YIELDS_VOTES, arena_sniff_battles, arena_read_battles},
    {"arena", "judgments", "", "judgments of a model in MT-bench, both orders",
     YIELDS_VOTES, arena_sniff_judgments, arena_read_judgments},
    {"llmfao", "comparisons", "", "LLMFAO's comparisons by a crowd or a model",
     YIELDS_VOTES, pairs_sniff_crowd, pairs_read_crowd},
    {"pandalm", "test set", "", "PandaLM's test set with its annotators",
     YIELDS_REPLIES | YIELDS_VOTES, pairs_sniff_pandalm, pairs_read_pandalm},
    {"helpsteer", "ratings", "", "ratings of two responses to each prompt",
     YIELDS_REPLIES | YIELDS_VOTES, helpsteer_sniff, helpsteer_read},
    {"llm-comparator", "comparison", "", "LLM Comparator's document",
     YIELDS_REPLIES | YIELDS_VOTES, comparator_sniff, comparator_read},
    {"label-studio", "tasks", "", "Label Studio's JSON export of pairs",
     YIELDS_REPLIES | YIELDS_VOTES, label_studio_sniff, label_studio_read},
    {"argilla", "records", "", "Argilla's flat export of pairs",
     YIELDS_REPLIES | YIELDS_VOTES, argilla_sniff, argilla_read},
    {"pairs", "comparisons", "",
     "any comparisons of two replies, named by --map",
     YIELDS_REPLIES | YIELDS_VOTES, pairs_sniff_any, pairs_read_any},
    {"jsonl", "rows", "",
     "any JSON Lines or array of responses, named by --map", YIELDS_ROWS,
     generic_sniff_jsonl, generic_read_jsonl},
    {"jsonl", "metrics", "", "any step-level values, as a history exported",
     YIELDS_METRICS, metrics_sniff_jsonl, metrics_read_jsonl},
    {"csv", "rows", "", "any table of responses, named by --map", YIELDS_ROWS,
     generic_sniff_csv, generic_read_csv},
    {"csv", "metrics", "", "a table of step-level values", YIELDS_METRICS,
     metrics_sniff_csv, metrics_read_csv},
};

const size_t formats_count = sizeof formats_table / sizeof *formats_table;

const struct format *formats_find(const char *name)
{
    for (size_t i = 0; i < formats_count; i++)
        if (strcmp(formats_table[i].name, name) == 0)
            return &formats_table[i];
    return NULL;
}

enum status formats_need(const char *name, struct err *err)
{
    struct buf list;
    if (formats_find(name) != NULL || strcmp(name, "auto") == 0)
        return OK;
    buf_init(&list, 4096);
    formats_list(&list);
    (void)err_set(err, ERR_ARG, "unknown format '%.40s'; there are %s", name,
                  buf_text(&list));
    buf_free(&list);
    return ERR_ARG;
}

bool formats_is_generic(const struct format *f)
{
    return strcmp(f->name, "jsonl") == 0 || strcmp(f->name, "csv") == 0;
}

const struct format *formats_text(const char *name)
{
    for (size_t i = 0; i < formats_count; i++)
        if (strcmp(formats_table[i].name, name) == 0 &&
            (formats_table[i].yields & OF_LINES) != 0)
            return &formats_table[i];
    return NULL;
}

/* What a tracker of metrics leaves, of whatever trainer. */
static bool is_anyones(const struct format *f)
{
    return strcmp(f->name, "tensorboard") == 0 ||
           (formats_is_generic(f) && f->yields == YIELDS_METRICS);
}

const struct format *formats_best(double *confidence, const char *name,
                                  const struct head *h)
{
    const struct format *best = NULL;
    *confidence = 0;
    for (size_t i = 0; i < formats_count; i++) {
        const struct format *f = &formats_table[i];
        bool is_asked =
            name == NULL || strcmp(f->name, name) == 0 || is_anyones(f);
        double sure = is_asked ? f->sniff(h) : 0;
        if (sure > *confidence) {
            *confidence = sure;
            best = f;
        }
    }
    return best;
}

enum status formats_look(const struct format **out, double *confidence,
                         const char *name, const struct head *h,
                         struct err *err)
{
    struct head tail;
    *out = formats_best(confidence, name, h);
    if (*out != NULL || h->is_whole || h->n_rows > 0 || !sniff_is_text(h))
        return OK;
    TRY(sniff_open_tail(&tail, h->path, err));
    *out = formats_best(confidence, name, &tail);
    if (*out != NULL && ((*out)->yields & OF_LINES) == 0) {
        *out = NULL;
        *confidence = 0;
    }
    sniff_close(&tail);
    return OK;
}

void formats_list(struct buf *out)
{
    for (size_t i = 0; i < formats_count; i++)
        if (formats_find(formats_table[i].name) == &formats_table[i])
            buf_printf(out, "%s%s", i > 0 ? ", " : "", formats_table[i].name);
}
