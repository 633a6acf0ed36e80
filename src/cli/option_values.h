/*
 * option_values.h - the values that the option table fills in: every stage's
 * own configuration, plus what only commands need.
 */
#ifndef PLUMB_CLI_OPTION_VALUES_H
#define PLUMB_CLI_OPTION_VALUES_H

#include <stdbool.h>
#include <stdint.h>

#include "eval/probe.h"
#include "io/import_csv.h"
#include "io/outside.h"
#include "rlhf/corpus.h"
#include "rlhf/ppo.h"
#include "rlhf/reward_model.h"
#include "rlhf/sft.h"
#include "world/raters.h"

struct common_values {
    int64_t seed;
    int64_t shards;
    int64_t threads; // 0: one per processor
    int precision;   // enum model_precision, of what is kept
    int compute;     // f32, bf16, auto
    int reduce;      // enum reduce_format
    const char *out;
    bool resume, overwrite, json, quiet, dry_run;
};

/* plumb world, and the demo's own data. */
struct world_values {
    int split; // enum ticket_split
    int64_t tickets, demos, rank_prompts, candidates;
    const char *data, *reference;
    int panel; // enum world_panel
    struct rater_config rater;
    int64_t pairs, placebo_pairs, twice, first, judges;
    bool skip_same;
    double judge_tau, judge_tau_axis, judge_tie_margin;
    double judge_side_bias, judge_length_bias;
    const char *intents; // with commas between, or NULL: all
    double mix_shift;
    int as; // 0: the desk's own files; else a simulated person over HTTP
    const char *link, *pool;
    int64_t votes;
    double pace;
};

enum world_panel {
    WORLD_GOLD,   // the rubric
    WORLD_CAREFUL // simulated spot-checkers
};

struct eval_values {
    const char *model, *reference, *reward_model, *gold_model, *prompts;
    int64_t n_prompts, samples, best_of, max_new;
    double temperature, top_p;
    bool curve, curve_samples;
};

struct probe_values {
    const char *probes, *prompts, *fillers, *rankings;
    struct probe_sizes sizes;
};

enum diagnose_fail_on {
    FAIL_ON_NOTHING,
    FAIL_ON_BUG,
    FAIL_ON_PARADOX,
    FAIL_ON_ANY,
};

struct diagnose_values {
    int fail_on; // enum diagnose_fail_on
    int64_t resamples;
    const char *essay;  // Markdown file, or NULL
    const char *human;  // votes; NULL: the project's own
    const char *import; // a format of other trainers, or NULL
};

struct whatif_values {
    const char *change; // the last one; cmd_whatif.c reads all that were given
    int64_t seeds, fresh_prompts, fresh_samples;
};

struct generate_values {
    const char *model, *prompt, *prompt_ids, *prompts, *chat, *reward_model;
    int64_t samples, best_of, max_new, top_k;
    double temperature, top_p;
    bool greedy;
};

struct tokenize_values {
    const char *model;
    bool decode, special, raw;
};

struct score_values {
    const char *model, *data;
};

struct inspect_values {
    bool logits;
    const char *prompt, *prompt_ids, *chat;
    int64_t top;
};

enum import_format {
    IMPORT_AUTO, // told from the first character
    IMPORT_JSON,
    IMPORT_CSV,
    IMPORT_TSV
};

struct import_values {
    int format; // enum import_format
    struct import_columns columns;
    int64_t skip, take, shuffle_seed;
    bool unique;
    const char *id_prefix;
    const char *map; // the last one; importing.c reads all
    bool sniff;
    const char *policy, *reference; // names of models, or NULL
    int judge_kind;                 // import_people's
};

struct export_values {
    bool gguf, merge;
    double interpolate;
    const char *with;
    int type; // index into the choices of export.type
};

enum demo_scenario {
    DEMO_PARADOX,
    DEMO_HEALTHY,
    DEMO_WEAK_RM
};

struct demo_values {
    int scenario; // enum demo_scenario
    bool quick;
};

/* plumb lint */
struct lint_values {
    int trainer; // 0: told from the settings; else enum lint_trainer + 1
};

/* plumb watch */
struct watch_values {
    int64_t port, pairs;
    const char *listen, *judgements, *ui;
    const char *host; // the last one; cmd_watch.c reads all
    bool tls, index, tty, once, queue;
};

/* plumb label */
struct label_values {
    int format; // enum export_format
    bool redact;
    int64_t port;
    const char *listen, *ui;
    const char *host; // the last one; reach.c reads all
    bool tls;
    const char *name, *url;
    int role; // index into the choices of label.role
    bool once, force;
    const char *pool, *guide, *gold;
    int task; // index into the choices of label.task
    int64_t overlap, gap, pairs;
    double lease, random_share, placebo, repeats, identical;
    /* load: replies drawn here; choose. */
    const char *policy, *reference, *prompts;
    const char *reward_model; // several with commas between
    int64_t samples, max_new;
    double temperature, top_p;
    bool adaptive;
};

/* Programs in place of models. */
struct outside_values {
    struct outside_config reward, policy; // each with what follows
    int64_t batch;
    double timeout;
};

struct option_values {
    struct common_values common;
    struct data_config data;
    struct world_values world;
    struct sft_config sft;
    struct reward_config reward;
    const char *reward_pool;
    struct ppo_config ppo;
    int ppo_preset; // index into the choices of ppo.preset
    struct eval_values eval;
    struct probe_values probe;
    struct diagnose_values diagnose;
    struct whatif_values whatif;
    struct generate_values generate;
    struct tokenize_values tokenize;
    struct score_values score;
    struct inspect_values inspect;
    struct export_values export_to;
    struct demo_values demo;
    struct import_values import;
    struct label_values label;
    struct watch_values watch;
    struct lint_values lint;
    struct outside_values outside;
};

#endif
