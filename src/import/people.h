/*
 * people.h - replies of named models and what was said of them, for the readers
 * of formats that compare models: which model is the policy, which the
 * reference, what goes where.
 *
 *     static enum status take(struct people *p, const struct value *row,
 *                             struct err *err)
 *     {
 *         struct people_pair pair;
 *         struct people_verdict verdict;
 *         people_pair_init(&pair); ... fill what the row says ...
 *         return people_put(p, &pair, &verdict, err);
 *     }
 *     enum status arena_read_battles(struct reader *r, struct err *err)
 *     {
 *         struct people p = {.take = take};
 *         return people_read(&p, r, err);
 *     }
 *
 * Unless the user named both models, a file is walked twice: first for the
 * names of the models alone, when what is put is dropped.  Which is which:
 *
 *   1. what --policy and --reference (or --map) say; "*" as the reference is
 *      every other model;
 *   2. of two models one was named: the other is the other;
 *   3. the format's rule (AlpacaEval: output_1 is the baseline's);
 *   4. one of two is called reference, baseline, sft, ...;
 *   5. else ERR_ARG, which lists the names.
 *
 * Pairs of other models are skipped, and counted.  A model's replies to one
 * prompt are numbered by their texts, from 0, so that each is there once and
 * votes say which they are about.
 */
#ifndef PLUMB_IMPORT_PEOPLE_H
#define PLUMB_IMPORT_PEOPLE_H

#include "base/names.h"
#include "import/reader.h"
#include "import/seen.h"
#include "import/sniff.h"

#define PEOPLE_MODELS_MAX ((size_t)4096)

struct people_side {
    const char *model;    // NULL: the format does not say
    const char *response; // NULL: only the verdict is there
    int64_t n_tokens;     // of it; -1
    double direct, helpful, correct, too_long; // import_side; NaN
    const char *extra; // JSON members of the reply, or NULL
};

struct people_pair {
    const char *prompt_id, *prompt, *pair_id; // NULL, as in sink.h
    struct people_side side[2];
};

enum {
    PEOPLE_KIND_UNKNOWN = -1
};

struct people_verdict {
    double win;         // side[0] preferred 1, side[1] 0, a tie 1/2
    double probability; // that side[0] is better; NaN
    bool both_bad;
    int left;      // which side was shown on the left; -1: not said
    int kind;      // enum import_judge, or PEOPLE_KIND_UNKNOWN
    int64_t visit; // 1
    const char *judge, *rationale; // or NULL
};

struct people;
typedef enum status (*people_row_fn)(struct people *p, const struct value *row,
                                     struct err *err);
typedef enum status (*people_walk_fn)(struct people *p, struct err *err);

struct people {
    people_row_fn take;  // a row of JSON Lines, of an array, of a table
    people_walk_fn walk; // NULL: all rows of the file
    people_walk_fn end;  // behind the last row; may be NULL
    void *ctx;
    bool first_is_reference; // side[0] is, where each side is of one model
    struct reader *r;        // from here on people.c's
    bool is_naming;          // the first walk
    const char *policy, *reference;
    struct names model, on_side[2];
    struct seen seen;
    struct buf id;
    size_t matched;
};

void people_pair_init(struct people_pair *pair);
void people_verdict_init(struct people_verdict *v);

enum status people_read(struct people *p, struct reader *r,
                        struct err *err) MUST_CHECK;

/* Both replies, unless they came before, and the verdict: NULL or a win of NaN
 * for none.  ERR_ARG: nobody said whether people judged (--judge-kind). */
enum status people_put(struct people *p, const struct people_pair *pair,
                       const struct people_verdict *v,
                       struct err *err) MUST_CHECK;

/* One reply alone, side[0] of the pair. */
enum status people_put_reply(struct people *p, const struct people_pair *pair,
                             struct err *err) MUST_CHECK;

/*
 * A field of the row as a text (reader_text()), noted as `ours` when it is
 * there: the one that --map says is ours, else the first of `names` (ended by
 * NULL); *out is NULL where there is none.
 */
enum status people_text(const char **out, struct people *p,
                        const struct value *row, const char *ours,
                        const char *const *names, struct err *err) MUST_CHECK;

/* The same field as it stands, or NULL; *name is what it is called. */
const struct value *people_field(const char **name, const struct people *p,
                                 const struct value *row, const char *ours,
                                 const char *const *names);

/* The prompt of a row that has instruction and input: one behind the other. */
enum status people_prompt(const char **out, struct people *p,
                          const struct value *row, struct err *err) MUST_CHECK;

/*
 * The prompt, the replies and the models of a row whose fields are called as is
 * usual, or as --map says.  field[k] is what a reply is called (NULL: there is
 * none), and its model's name where nothing names it.  ERR_ARG: nothing is
 * found.
 */
enum status people_sides(struct people_pair *pair, const char *field[2],
                         struct people *p, const struct value *row,
                         struct err *err) MUST_CHECK;

/* As sink_skip() and notes_field(), once for both walks. */
enum status people_skip(struct people *p, const char *why,
                        struct err *err) MUST_CHECK;
enum status people_note(struct people *p, const char *from, const char *to,
                        const char *unit, const char *note,
                        struct err *err) MUST_CHECK;

/* The name that stands for `part` in the user's words: the option, else the
 * --map of it, else NULL.  part: "policy" or "reference". */
const char *people_named(const struct reader *r, const char *part);

/*
 * What a word says of a pair: a side ("model_a", "left", "A"), a tie, two
 * bad replies, or the row's own `name` of a side (may be NULL).  false: none of
 * these.
 */
bool people_word(struct people_verdict *v, const char *word,
                 const char *const name[2]);

#endif
