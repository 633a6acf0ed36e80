/*
 * sink.h - where the reader of a format puts what it reads: one folder for each
 * source file, until all are read and put together (import/gather.h).
 *
 *     D/import.state/0003/rows.000123   responses of step 123, in the order of
 *                                       the file; compressed frames
 *                         metrics       "STEP NAME VALUE" a line
 *                         replies votes verdicts settings
 *                         done.json     written last: this file is read
 *
 * A line of rows is "PASS SAMPLE ID CONTENT {json}": how often the steps had
 * gone back before it, the number of the sample or -1, hashes of the prompt's
 * id and of what the row says; the JSON (io/trace.h) lacks "sample".
 *
 * What a reader does not know it leaves at NULL, NaN, -1 or unknown: nothing is
 * made up for it, but for prompt_id (a hash of the prompt) and, where there are
 * no tokens, a length in words that says so.
 *
 * Failures: ERR_FORMAT for what cannot be (a step of -5), without a place; the
 * walk over the file puts that before it; ERR_IO, ERR_MEMORY, ERR_LIMIT.
 */
#ifndef PLUMB_IMPORT_SINK_H
#define PLUMB_IMPORT_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "import/notes.h"

#define SINK_STEP_MAX 1000000000

enum import_finish {
    FINISH_UNKNOWN,
    FINISH_EOS,
    FINISH_LENGTH,
};

/* A response that was trained on. */
struct import_row {
    int64_t step;                  // -1: the file does not say
    const char *prompt_id;         // NULL: a hash of the prompt
    int64_t sample;                // -1: not said
    const char *prompt, *response; // NULL: not there
    double score, score_raw;       // NaN
    enum import_finish finish;
    int64_t n_tokens;   // of the response; -1: not known
    double kl_sequence; // policy to reference, nats; NaN
    const char *tags;   // a JSON object, or NULL
    const char *extra;  // JSON members, "\"acc\":1", or NULL
    size_t len;         // of the arrays, each [len] or NULL
    const int32_t *token;
    const float *logp_sample, *logp, *logp_ref, *kl, *entropy;
    const float *value, *reward, *reward_kl, *advantage;
};

/* Everything unknown. */
void sink_row_init(struct import_row *row);

/* A held-out reply of the policy or of the reference. */
struct import_reply {
    bool is_policy;
    const char *prompt_id, *prompt, *response; // as above
    int64_t step;   // of the policy: its last one counts; -1: not said
    int64_t sample; // -1: 0
    double score, gold, weak_gold; // NaN
    enum import_finish finish;
    int64_t n_tokens;
    double kl_sequence;
    const char *extra;
    bool is_once; // the same text of the same prompt, side and sample may come
                  // again, in this file or another: once is enough
};
void sink_reply_init(struct import_reply *reply);

enum import_judge {
    JUDGE_HUMAN,
    JUDGE_MODEL,
    JUDGE_SCRIPT,
};

/* One reply of a pair. */
struct import_side {
    const char *response;                      // or NULL
    int64_t sample;                            // -1: 0
    double direct, helpful, correct, too_long; // io/vote.h; NaN: not asked
};

/* What a judge said of the policy's reply beside the reference's. */
struct import_vote {
    const char *pair_id;            // NULL: the prompt's id
    const char *prompt_id, *prompt; // as above
    enum import_judge kind;
    const char *judge; // a name, or NULL
    bool is_placebo;   // the tested reply is another of the reference's
    bool is_left;      // the tested reply was shown on the left
    bool side_unknown; // which side it was on is not said
    double win;        // tested preferred 1, the other 0, a tie 1/2
    bool both_bad;     // a tie that was said to be of two bad replies
    int64_t visit;     // 1, or 2 when the pair was judged again
    struct import_side tested, other;
    const char *rationale; // or NULL
    /* That the tested reply is better, of a judge that says so; NaN. */
    double probability;
};
void sink_vote_init(struct import_vote *vote);

/* Whether one answer of a model to a held-out question was right, by a
 * script. */
struct import_verdict {
    const char *model;
    int64_t step;    // of the checkpoint; -1: it is none
    const char *set; // of questions
    const char *prompt_id;
    bool is_correct, is_truncated;
};

struct sink_series; // of a metric: its range, its order

struct sink {
    char dir[FILE_PATH_MAX];
    const char *trainer; // of the format: names in quantities.h
    size_t number;       // of the source file
    struct notes notes;
    struct buf row, line, id; // scratch
    struct buf rows;          // of rows_step, not on the disk yet
    int64_t rows_step;
    int64_t step;    // of the last row that said it; -1
    size_t stepless; // rows that did not
    struct buf metrics, replies, votes, settings, verdicts;
    struct names series_name;
    struct sink_series *series;
    size_t room_series;
};

/* Make the folder of source file `number` in `state`, empty. */
enum status sink_open(struct sink *s, const char *state, size_t number,
                      const char *trainer, struct err *err) MUST_CHECK;

/* Write what is held and done.json; `head` are JSON members that it begins
 * with.  Then sink_free(). */
enum status sink_finish(struct sink *s, const char *head,
                        struct err *err) MUST_CHECK;
void sink_free(struct sink *s);

enum status sink_put_row(struct sink *s, const struct import_row *row,
                         struct err *err) MUST_CHECK;
enum status sink_put_reply(struct sink *s, const struct import_reply *reply,
                           struct err *err) MUST_CHECK;
enum status sink_put_vote(struct sink *s, const struct import_vote *vote,
                          struct err *err) MUST_CHECK;

enum status sink_put_verdict(struct sink *s, const struct import_verdict *v,
                             struct err *err) MUST_CHECK;

/* A value of one step; the name is the source's.  NaN counts and is not
 * written. */
enum status sink_put_metric(struct sink *s, int64_t step, const char *name,
                            double value, struct err *err) MUST_CHECK;

/* A setting of the trainer, by its own key. */
enum status sink_put_setting(struct sink *s, const char *key, const char *text,
                             struct err *err) MUST_CHECK;

/* All settings that have a text. */
struct flat;
enum status sink_put_settings(struct sink *s, const struct flat *settings,
                              struct err *err) MUST_CHECK;

/* A row that is none of ours, and why. */
enum status sink_skip(struct sink *s, const char *why,
                      struct err *err) MUST_CHECK;

#endif
