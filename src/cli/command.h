/*
 * command.h - the commands: one table, one function each.
 *
 * A command is a thin wrapper: it turns options into the configuration of one
 * library call and prints what came out.  Standard output carries data only;
 * progress and errors go to standard error.
 */
#ifndef PLUMB_CLI_COMMAND_H
#define PLUMB_CLI_COMMAND_H

#include "cli/options.h"
#include "rlhf/stage.h"
#include "world/panel.h"

struct command {
    const char *name; // "sft"
    enum option_command bit;
    const char *operands; // "RUN", or "" when it takes none
    size_t min, max;      // number of operands
    const char *summary;  // one line, lower case, without a full stop
    const char *text;     // a paragraph for help and man page
    const char *example;  // one command line
    enum status (*run)(struct options *o, struct err *err);
};

extern const struct command command_table[];
extern const size_t command_count;

/* By name, or NULL. */
const struct command *command_find(const char *name);

/* The same where there must be one: ERR_ARG says which name is near. */
enum status command_need(const struct command **out, const char *name,
                         struct err *err) MUST_CHECK;

/* The library calls of the training stages (session_fn); PPO's rollouts get
 * the support desk's judgement. */
enum status cmd_sft_run(const struct options *o, const struct stage *stage,
                        struct err *err) MUST_CHECK;
enum status cmd_reward_run(const struct options *o, const struct stage *stage,
                           struct err *err) MUST_CHECK;
enum status cmd_ppo_run(const struct options *o, const struct stage *stage,
                        struct err *err) MUST_CHECK;

/* The simulated spot-checkers that the panel.* options describe. */
struct panel_config cmd_world_panel(const struct world_values *w);

enum status cmd_demo(struct options *o, struct err *err) MUST_CHECK;
enum status cmd_world(struct options *o, struct err *err) MUST_CHECK;
enum status cmd_sft(struct options *o, struct err *err) MUST_CHECK;
enum status cmd_reward(struct options *o, struct err *err) MUST_CHECK;
enum status cmd_ppo(struct options *o, struct err *err) MUST_CHECK;
enum status cmd_eval(struct options *o, struct err *err) MUST_CHECK;
enum status cmd_probe(struct options *o, struct err *err) MUST_CHECK;
enum status cmd_diagnose(struct options *o, struct err *err) MUST_CHECK;
enum status cmd_whatif(struct options *o, struct err *err) MUST_CHECK;
enum status cmd_watch(struct options *o, struct err *err) MUST_CHECK;
enum status cmd_label(struct options *o, struct err *err) MUST_CHECK;
enum status cmd_generate(struct options *o, struct err *err) MUST_CHECK;
enum status cmd_score(struct options *o, struct err *err) MUST_CHECK;
enum status cmd_export(struct options *o, struct err *err) MUST_CHECK;
enum status cmd_tokenize(struct options *o, struct err *err) MUST_CHECK;
enum status cmd_inspect(struct options *o, struct err *err) MUST_CHECK;
enum status cmd_import(struct options *o, struct err *err) MUST_CHECK;
enum status cmd_lint(struct options *o, struct err *err) MUST_CHECK;
enum status cmd_help(struct options *o, struct err *err) MUST_CHECK;
enum status cmd_man(struct options *o, struct err *err) MUST_CHECK;
enum status cmd_completion(struct options *o, struct err *err) MUST_CHECK;
enum status cmd_version(struct options *o, struct err *err) MUST_CHECK;

#endif
