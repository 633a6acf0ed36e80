/*
 * dataset.h - prompts, demonstrations and rankings, from the formats people
 * have them in.
 *
 * A record is a JSON object: a line of JSON Lines, or an item of one JSON
 * array; the file may be compressed (io/jsonl.h, io/stream.h).  Its keys say
 * which format it is in:
 *
 *     prompt       {"prompt"}, ours and TRL's prompt-only
 *     response     {"prompt","response"}, ours
 *     responses    {"prompt","responses":[...],"ranking":[...]}, ours; ranks
 *                  from 1, the best, equal ones tie; "ranking" may be absent
 *                  from candidate sets
 *     answers      {"prompt","answers":[{"answer","rank"}]}, ranked as ours
 *     completion   {"prompt","completion"}
 *     unpaired     {"prompt","completion","label":true|false}
 *     pair         {"prompt","chosen","rejected"}; UltraFeedback's, where
 *                  chosen and rejected repeat the prompt, too
 *     implicit     {"chosen","rejected"}, which share their beginning
 *     hh           the same as Anthropic's texts "\n\nHuman: ..."
 *     messages     {"messages":[...]}
 *     text         {"text"}
 *
 * All records of a file are in one format, that of the first; another is a
 * bad record.  (The first three count as one.)  Prompt, response, chosen,
 * rejected and completion are texts or lists of messages {"role","content"};
 * a response as a list has one message, the assistant's.  A prompt that is a
 * text is one user message, unless it begins with "\n\nHuman:": then it is a
 * dialogue as in hh.
 *
 * Where a prompt ends.  Of lists and of hh, the last message is the response;
 * what stands before must be the same on both sides.  Of texts (implicit) it
 * is TRL's rule: the longest common beginning, less a blank at its end, and
 * at least one character short of either text.  In messages the last message
 * is the response when it is the assistant's.  A text is a response without a
 * prompt and without a template (is_raw).
 *
 * Unpaired rows with the same prompt become one ranking, liked above not
 * liked; rows whose prompt has only one sort are of no use for rankings, nor
 * are rows not liked for demonstrations: they are left out and counted.  So
 * are, for rankings, those whose responses are all one text, of which people's
 * files have some (Anthropic's HH test sets 34): they compare nothing.
 *
 * All other members (annotator, margin, time, agreement, source, scores) are
 * kept in `extra` so that a stage can pass them on; but for those whose names
 * mean something in our format or, in a file of another, in that.
 *
 * A bad record ends the reading, ERR_FORMAT "file:line: what is wrong", unless
 * some may be skipped (struct dataset_config).  Bounds: JSONL_LINE_MAX bytes a
 * record, 64 responses, DIALOGUE_TURNS_MAX messages.  An absent "id" becomes
 * the line number, that of a later one on the same line "LINE.2" and so on.
 */
#ifndef PLUMB_IO_DATASET_H
#define PLUMB_IO_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/context.h"
#include "base/err.h"
#include "base/json.h"
#include "io/dialogue.h"
#include "io/jsonl.h"

#define DATASET_RESPONSES_MAX 64

struct record {
    char *id;
    /* A text, or a dialogue as dialogue_print() shows it. */
    char *prompt;
    struct dialogue dialogue; // the prompt's messages; n is 0 for a text
    bool is_raw;              // `response` is a whole text, the prompt ""
    char *response;           // demonstrations, else NULL
    char **responses;         // rankings and candidate sets, else NULL
    int32_t *ranking;         // rankings, else NULL
    size_t n_responses;
    char *extra; // one JSON object with the members not named above
};

enum dataset_format {
    FORMAT_UNKNOWN, // no record was read
    FORMAT_OURS,
    FORMAT_ANSWERS,
    FORMAT_COMPLETION,
    FORMAT_UNPAIRED,
    FORMAT_PAIR,
    FORMAT_IMPLICIT,
    FORMAT_HH,
    FORMAT_MESSAGES,
    FORMAT_TEXT,
};

/* What became of a file's rows: read = n + bad + unused, unless unpaired rows
 * were put together. */
struct dataset_counts {
    size_t read;
    size_t bad;    // skipped
    size_t unused; // rows that the kind asked for has no use for
};

struct dataset {
    struct record *record;
    size_t n;
    char *path;
    enum dataset_format format;
    struct dataset_counts count;
};

enum dataset_kind {
    DATASET_PROMPTS,    // our responses are kept, those of others left out
    DATASET_DEMOS,      // response required; the chosen one of a pair
    DATASET_CANDIDATES, // responses required, ranking optional
    DATASET_RANKINGS,   // responses and ranking required
    DATASET_ANY,        // whatever a record has
};

struct dataset_config {
    int64_t skip_bad; // bad records that are skipped, each with a warning
    /* Keys that stand for ours, as OpenRLHF's input_key and so on; NULL: the
     * key of that name.  A record without one that is named is bad. */
    const char *prompt_key, *response_key, *chosen_key, *rejected_key;
    const char *label_key;
};

/* Read a whole file, "-" for standard input.  ERR_MISSING when absent. */
enum status dataset_read(struct dataset *out, const char *path,
                         enum dataset_kind kind, struct err *err) MUST_CHECK;
/* The same with a configuration; warnings go to the context, which may be
 * NULL. */
enum status dataset_load(struct dataset *out, const char *path,
                         enum dataset_kind kind, const struct dataset_config *c,
                         const struct context *context,
                         struct err *err) MUST_CHECK;
/* From memory (tests, fuzzing); `name` stands for the file. */
enum status dataset_parse(struct dataset *out, const char *text, size_t len,
                          const char *name, enum dataset_kind kind,
                          struct err *err) MUST_CHECK;
void dataset_free(struct dataset *d);

/* Move the records of `from` behind those of `to`, and add up the counts;
 * `from` is empty then.  The path stays that of `to`. */
enum status dataset_append(struct dataset *to, struct dataset *from,
                           struct err *err) MUST_CHECK;

/* Keep only the records i with keep[i], in their order. */
void dataset_filter(struct dataset *d, const bool *keep);

/*
 * Records with one prompt, as several people's rankings of the same responses
 * are: number[i - from] counts the prompts of records from..to-1 in the order
 * of their first appearance, *count of them.
 */
enum status dataset_number_prompts(size_t *number, size_t *count,
                                   const struct dataset *d, size_t from,
                                   size_t to, struct err *err) MUST_CHECK;

/* Put the records of a prompt behind its first one, all else in its order;
 * where every prompt is asked once nothing moves. */
enum status dataset_gather(struct dataset *d, struct err *err) MUST_CHECK;

/* "pair", "hh", ... */
const char *dataset_format_name(enum dataset_format format);

/* One record as a line of JSON (with its newline) in our format, appended; a
 * raw text as {"id","text"}. */
void dataset_write_record(struct buf *out, const struct record *r);

#endif
