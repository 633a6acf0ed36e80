/*
 * imported.h - what is known of a run that another trainer made: D/import.json,
 * as src/import writes it beside the files that it made of the trainer's own.
 *
 *     {"format":"verl_rollouts","trainer":"verl","version":"0.4.1"|null,
 *      "fields":[{"from":"scores","to":"score"|null,"unit":..,"note":..}],
 *      "kl":[{"name":"actor/kl_loss",
 *             "kind":"reference"|"update"|"engine",
 *             "estimator":"k1"|"k2"|"k3"|"exact"|"unknown",
 *             "aggregate":"sequence_sum"|"token_mean"|"unknown",
 *             "where":"reward"|"loss"|"metric",
 *             "sign":"log policy - log reference"|..,"unit":..,"note":..}],
 *      "warnings":[{"text":"steps 40 to 60 are there twice"}|"..."],
 *      "missing":[{"id":"lengths","what":"response lengths in tokens",
 *                  "for":"whether KL grew with length alone",
 *                  "flag":"--logging_steps 1"|null,"note":..}]}
 *
 * `name` is a column of ppo/metrics.jsonl or a source field that became one, or
 * "kl_sequence" of the rollouts.  `missing` is in order of cost, the cheapest
 * first; what an entry is about is told by its id, one of
 * imported_item_name().
 *
 * What plumb lint finds in the trainer's settings, which an import keeps under
 * "imported" in ppo/config.yaml, is read with it: errors and warnings follow
 * the import's own warnings.
 *
 * The file comes from outside.  Members of another type or that are too long
 * are damage: the run is still known to be another trainer's, and nothing of
 * the file is believed.  Of each list the first IMPORTED_MAX items are kept.
 */
#ifndef PLUMB_DIAGNOSE_IMPORTED_H
#define PLUMB_DIAGNOSE_IMPORTED_H

#include "diagnose/evidence.h"
#include "diagnose/lint.h"

enum imported_kind {
    KL_KIND_UNKNOWN,
    KL_REFERENCE, // policy to frozen reference
    KL_UPDATE,    // policy to the one before
    KL_ENGINE,    // sampler to trainer
};

enum imported_estimator {
    KL_ESTIMATOR_UNKNOWN,
    KL_K1,
    KL_K2,
    KL_K3,
    KL_EXACT,
};

enum imported_aggregate {
    KL_AGGREGATE_UNKNOWN,
    KL_SEQUENCE_SUM,
    KL_TOKEN_MEAN,
};

struct imported_kl {
    const char *name;
    enum imported_kind kind;
    enum imported_estimator estimator;
    enum imported_aggregate aggregate;
    double sign; // 1; -1: what is written is the negative; NaN: it is another
                 // quantity than the KL of policy to reference
    const char *where, *unit, *note; // "" when not said
};

struct imported_field {
    const char *from, *to; // to NULL: could not be mapped
    const char *unit, *note;
};

/* What an import may lack. */
enum imported_item {
    ITEM_METRICS,
    ITEM_KL, // to the reference, some way
    ITEM_SETTINGS,
    ITEM_TEXTS,
    ITEM_SCORES,
    ITEM_LENGTHS, // in tokens
    ITEM_FINISH,  // how responses ended
    ITEM_TOKENS,
    ITEM_REFERENCE, // log-probabilities under the reference
    ITEM_LOGPROBS,  // under the policy
    ITEM_VALUES,    // and advantages
    ITEM_HELDOUT,   // replies of the policy
    ITEM_ORIGINALS, // of the reference to the same prompts
    ITEM_EVALUATIONS,
    ITEM_VOTES, // of people
    ITEMS
};

struct imported_missing {
    enum imported_item item; // ITEMS: none of them
    const char *what, *use;
    const char *wish; // "import the step-level log too"
    const char *flag; // NULL: no flag of the trainer's writes it, and then
    const char *note; // this may say what would; "" when it does not
};

enum {
    IMPORTED_MAX = 128 // of each list
};

struct imported {
    const char *format, *trainer; // never NULL
    const char *version;          // NULL: not known
    bool is_damaged;
    bool is_unfinished; // it was stopped: what is there is a part
    struct imported_field field[IMPORTED_MAX];
    struct imported_kl kl[IMPORTED_MAX];
    const char *warning[IMPORTED_MAX];
    struct imported_missing missing[IMPORTED_MAX];
    size_t n_field, n_kl, n_warning, n_missing;
    bool is_linted; // the settings are those of a trainer that lint knows
    struct lint lint;
};

/* How to go on with an import that was stopped. */
#define IMPORTED_RESUME "plumb import FORMAT FILES -o RUN --resume"

/* Is there an import.state in D, which an import removes at its end? */
bool imported_is_unfinished(const struct evidence *e);

/* Read D/import.json into e->import, NULL where there is neither it nor an
 * import.state: what is damaged or was stopped is a loss.  ERR_MEMORY is the
 * only failure. */
enum status imported_read(struct evidence *e, struct err *err) MUST_CHECK;
/* Look at the trainer's settings, once those of the run were read; settings of
 * a trainer that lint does not know are passed over.  ERR_MEMORY is the only
 * failure. */
enum status imported_read_settings(struct evidence *e,
                                   struct err *err) MUST_CHECK;
/* NULL is fine. */
void imported_free(struct imported *x);

/* "logp_ref", "lengths"; and in words: "response lengths in tokens". */
const char *imported_item_name(enum imported_item item);
const char *imported_item_words(enum imported_item item);

/* "the reference". */
const char *imported_kind_words(enum imported_kind kind);

/* "k3, averaged over tokens"; "an unknown estimator, summed over a response".
 */
#define IMPORTED_KL_TEXT 96
const char *imported_kl_words(char out[IMPORTED_KL_TEXT],
                              const struct imported_kl *kl);

/* The cheapest entry about one of n items; NULL: the import knows no way. */
const struct imported_missing *imported_find(const struct imported *x,
                                             const enum imported_item *item,
                                             size_t n);

/* How to get what is missing: the flag, else the note, else "". */
const char *imported_how(const struct imported_missing *m);

/* The name under which ppo/metrics.jsonl has what a source field or a canonical
 * name stands for: itself where it is a column, else that of the field which
 * became it, else NULL. */
const char *imported_column(const struct evidence *e, const char *name);

/* "source", as a member of diagnosis.json. */
void imported_write(struct json_writer *w, const struct evidence *e);

/* Lines for a terminal, appended: whose run it is and what was understood; what
 * is missing, with how to get it, but for the wishes that were told. */
void imported_summary(struct buf *out, const struct evidence *e);
void imported_summary_missing(struct buf *out, const struct evidence *e,
                              const char *const *told, size_t n);

#endif
