/*
 * export.h - judgements in the forms of other tools, each a view of the lines
 * of records.h: of the votes that stand.
 *
 *     canonical, spotcheck, rankings   records.h itself
 *     trl         {"prompt","chosen","rejected"}, a line for every two
 *                 candidates that a ranking puts one above the other, and for
 *                 a spot-check of the policy that chose a side; besides them
 *                 "id","rater","margin" (the strength, where one was given)
 *     openrlhf    the same without "id" and "rater"; margin 1 when not given
 *     alpacaeval  {"instruction","output_1","generator_1","output_2",
 *                 "generator_2","annotator","preference"}: of spot-checks of
 *                 the policy, the reference's answer first; 2 is the policy's
 *                 better, 1 the reference's, 1.5 neither
 *     arena       {"question_id","model_a","model_b","winner",...}: of
 *                 spot-checks of the policy, a being what was on the left;
 *                 "tie" and "tie (bothbad)"; with conv_metadata for style
 *                 control
 *     comparator  one JSON document for LLM Comparator: an example for each
 *                 pair, A the policy, its judges in individual_rater_scores
 *     helpsteer   {"prompt","response","helpfulness","correctness",
 *                 "verbosity"}: of every answer that was marked
 *
 * LOST, where the other form has no place for it: second visits (all but the
 * first three); placebo pairs (all but the first three and helpsteer); ties in
 * trl and openrlhf; the difference between both good and both bad in
 * alpacaeval and comparator; marks and reasons everywhere but in comparator
 * (reasons) and helpsteer (marks).  helpsteer's numbers: helpful as it is;
 * correct yes 4, unsure 2, no 0; its verbosity is an amount of words and ours a
 * fault, so too short is 1, right 2, too long 4, and "length" and "direct" have
 * what was said.  coherence and complexity were not asked and are null.
 *
 * Same database, same bytes.
 */
#ifndef PLUMB_STORE_EXPORT_H
#define PLUMB_STORE_EXPORT_H

#include <stdbool.h>

#include "store/items.h"
#include "store/records.h"

enum export_format {
    EXPORT_CANONICAL,
    EXPORT_SPOTCHECK,
    EXPORT_RANKINGS,
    EXPORT_TRL,
    EXPORT_OPENRLHF,
    EXPORT_ALPACAEVAL,
    EXPORT_ARENA,
    EXPORT_COMPARATOR,
    EXPORT_HELPSTEER,
    EXPORT_FORMATS
};

/* "trl"; -1 when a word is none of them. */
const char *export_name(enum export_format format);
int export_find(const char *name);

struct export_config {
    enum export_format format;
    int64_t pool;   // 0: all pools
    bool is_redact; // as records.h has it
};

/* Is there a place in the format for what people said in such a pool? */
bool export_takes(enum export_format format, enum pool_task task);

/* Called with each line, without its end; of comparator, with pieces of one
 * document. */
enum status export_walk(struct db *db, const struct export_config *c,
                        records_fn fn, void *ctx, struct err *err) MUST_CHECK;

/* Note in the audit log that somebody was given this export. */
enum status export_note(struct db *db, const struct export_config *c,
                        int64_t actor, int64_t now, struct err *err) MUST_CHECK;

/* The same into a file, written whole or not at all; how many lines.  Notes
 * the export in the audit log, but of a database that is only read. */
enum status export_save(int64_t *lines, struct db *db,
                        const struct export_config *c, const char *path,
                        int64_t actor, int64_t now, struct err *err) MUST_CHECK;

#endif
