/*
 * options.h - every setting of every command, in one table.
 *
 * A row of the table (option_table*.c) gives a setting's YAML key, its flag,
 * type, default, range, help text and the commands it belongs to.  The
 * command line, YAML files, --set, --help, the man pages and the recorded
 * config.yaml are all read from that row.
 *
 * Order of precedence: defaults, then a preset (ppo.preset) or scenario
 * (demo.scenario), then -c files in the order given, then flags and --set in
 * the order given.
 */
#ifndef PLUMB_CLI_OPTIONS_H
#define PLUMB_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/comm.h"
#include "cli/option_values.h"

enum option_type {
    OPTION_BOOL,   // bool: true or false
    OPTION_INT,    // int64_t
    OPTION_REAL,   // double
    OPTION_TEXT,   // const char *, may be NULL
    OPTION_PATH,   // const char *, may be NULL
    OPTION_CHOICE, // int: index into `choices`
};

/* What else a row says, or-ed together. */
enum option_mark {
    OPTION_RECORDED = 1, // changes the result: goes into config.yaml
    OPTION_INFINITE = 2, // takes "inf"
    OPTION_NEEDED = 4,   // the command does not start without it
};

/* What a path names: how it is resolved and hashed in config.yaml. */
enum option_parent {
    PARENT_NONE,
    PARENT_WRITTEN,   // a file that the command writes: nothing to hash
    PARENT_FILE,      // a data file
    PARENT_TOKENIZER, // a folder with tokenizer.json, or that file
    PARENT_MODEL,     // a model folder or run; in a project, its ppo stage
    PARENT_SFT,       // the same; in a project, its sft stage
    PARENT_REWARD,    // the same; in a project, its reward stage
};

/* Commands as bits, for the `commands` of a row. */
enum option_command {
    FOR_DEMO = 1,
    FOR_WORLD = 2,
    FOR_SFT = 4,
    FOR_REWARD = 8,
    FOR_PPO = 16,
    FOR_EVAL = 32,
    FOR_GENERATE = 64,
    FOR_INSPECT = 128,
    FOR_PLAIN = 256, // version, help: --json only
    FOR_TOKENIZE = 512,
    FOR_SCORE = 1024,
    FOR_IMPORT = 2048,
    FOR_EXPORT = 4096,
    FOR_PROBE = 8192,
    FOR_DIAGNOSE = 16384,
    FOR_WHATIF = 32768,
    FOR_LABEL = 65536,
    FOR_WATCH = 131072,
    FOR_LINT = 262144,
};

/* The commands that read records. */
#define FOR_READING                                                            \
    (FOR_SFT | FOR_REWARD | FOR_PPO | FOR_EVAL | FOR_GENERATE | FOR_SCORE |    \
     FOR_IMPORT | FOR_PROBE | FOR_WHATIF)

/* The commands whose work ranks share (docs/cluster.md). */
#define FOR_RANKS (FOR_SFT | FOR_REWARD | FOR_PPO | FOR_EVAL | FOR_IMPORT)

struct option {
    const char *key; // "ppo.beta"; "seed" for settings of all commands
    char letter;     // "-o", or 0
    enum option_type type;
    size_t offset;        // into struct options
    const char *fallback; // default as text; NULL: absent
    double low, high;     // inclusive; both 0: unbounded
    const char *choices;  // "clip|pg"
    const char *help;
    unsigned commands; // enum option_command bits
    unsigned marks;    // enum option_mark bits
    enum option_parent parent;
};

/* The table: rows 0..option_count()-1, static. */
size_t option_count(void);
const struct option *option_row(size_t i);

/* A setting somebody made, not yet looked at. */
struct option_given {
    const struct option *row;
    const char *text;   // NULL: null
    const char *origin; // "config.yaml:14" or "command line"
    const char *dir;    // what a relative path is relative to
    bool is_hash;       // KEY_sha256: the parent's expected hash
};

#define OPTION_OPERANDS 66 // plumb label load takes many files

struct options {
    struct option_values v;
    const char *operand[OPTION_OPERANDS]; // words that are not flags
    size_t n_operands;
    bool help;         // --help was there
    bool is_demo;      // the demo's bundles apply
    struct comm *comm; // the ranks, main()'s; NULL: one process
    struct arena text; // owns every string above
    struct option_given *given;
    size_t n_given, room;
};

/* Every value at its default. */
enum status options_init(struct options *o, struct err *err) MUST_CHECK;
void options_free(struct options *o);

/* The row of a key, or NULL.  The key may be followed by _sha256 when the row
 * has a parent: *is_hash tells. */
const struct option *options_find(const char *key, size_t len, bool *is_hash);

/* The row a flag means in a command: its whole key, or its key without a
 * section that belongs to the command.  '-' and '_' are the same. */
const struct option *options_find_flag(const char *name, size_t len,
                                       unsigned command);

/* Is it the first part of some row's key: "ppo"? */
bool options_is_section(const char *name);

/* The last part of a key: "beta" of "ppo.beta". */
const char *options_short_key(const struct option *row);

/* Can the command's flag leave the section out? */
bool options_is_own(const struct option *row, unsigned command);

/* "max-new", "sft.lr": the shortest flag of a row in a command, without its
 * dashes. */
#define OPTION_FLAG_MAX 64
void options_flag(char out[OPTION_FLAG_MAX], const struct option *row,
                  unsigned command);

/* The key (or flag, for a command) most like `name`, or NULL when none is
 * near.  Damerau-Levenshtein distance of at most a third of the length. */
const char *options_nearest(const char *name, size_t len, unsigned command,
                            bool flags);

/* Edits between two words; SIZE_MAX when one of them is very long. */
size_t options_distance(const char *a, const char *b);

/*
 * Remember a setting: ERR_ARG "ORIGIN: unknown key 'ppo.bta'; did you mean
 * 'ppo.beta'?".  Strings are copied.
 */
enum status options_give(struct options *o, const char *key, const char *text,
                         const char *origin, const char *dir,
                         struct err *err) MUST_CHECK;

/*
 * Work out the values from all settings given, in order of precedence.  Out
 * of range: ERR_ARG "ORIGIN: ppo.beta = -1 is outside [0, 10]".
 */
enum status options_apply(struct options *o, struct err *err) MUST_CHECK;

/* How models are read: enum model_precision of `precision` and `compute`, on
 * this processor. */
int options_precision(const struct options *o);

/* Put what it is on this processor in the place of `compute` = auto; and is it
 * still auto?  A run that was recorded before records settled it does not say
 * what it was. */
void options_settle_compute(struct options *o);
bool options_is_compute_open(const struct options *o);

/* ERR_ARG naming the first OPTION_NEEDED path or text of a command that is
 * absent. */
enum status options_check_needed(const struct options *o, unsigned command,
                                 struct err *err) MUST_CHECK;

/* Set one value from its text, checked against its row. */
enum status options_set(struct options *o, const struct option *row,
                        const char *text, const char *origin, const char *dir,
                        struct err *err) MUST_CHECK;

/* A value as YAML text: null, true, 0.05, .inf, "a string". */
void options_print_value(struct buf *out, const struct options *o,
                         const struct option *row);

/* A path or text value, NULL when absent; asserts the type. */
const char *options_text(const struct options *o, const struct option *row);
enum status options_set_text(struct options *o, const struct option *row,
                             const char *text, struct err *err) MUST_CHECK;

/* A copy of a string that lives as long as the options. */
enum status options_copy(struct options *o, const char **out, const char *text,
                         size_t len, struct err *err) MUST_CHECK;

#endif
