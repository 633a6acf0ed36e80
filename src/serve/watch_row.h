/*
 * watch_row.h - one line of a file of replies: a rollout (io/trace.h) or a
 * held-out reply (eval/samples.jsonl, eval/checkpoints/).
 *
 * Both have prompt_id, sample, response and, of these, what was measured.
 * Everything is checked as io/scan.h does, so texts may be passed on as the
 * JSON they are; numbers are read.
 */
#ifndef PLUMB_SERVE_WATCH_ROW_H
#define PLUMB_SERVE_WATCH_ROW_H

#include "base/json.h"
#include "io/scan.h"

/* Arrays with a number a token. */
enum watch_lane {
    LANE_LOGP,
    LANE_LOGP_REF,
    LANE_KL,
    LANE_ENTROPY,
    LANE_P_EOS,
    LANE_P_EOS_REF,
    LANE_VALUE,
    LANE_REWARD,
    LANE_REWARD_KL,
    LANE_ADVANTAGE,
    LANE_ADVANTAGE_WHITE,
    LANE_LOGP_SAMPLE,
    LANES
};
const char *watch_lane_name(enum watch_lane lane);

/* Texts as the JSON values they are, NULL when absent; into the line. */
struct watch_row {
    struct scan_slice prompt_id, prompt, response, tags, which, finish;
    struct scan_slice pieces; // an array of texts
    int64_t step, sample;     // -1: not said
    double score, score_raw, gold;
    double tokens, kl, k1; // sums over tokens; NaN: not measured
    size_t len;            // of the arrays below
    float *lane[LANES];    // [len] or NULL; the reader's
    int32_t *token;        // [len] or NULL
};

/* Room for the arrays of a row; given back by watch_row_reader_free(). */
struct watch_row_reader {
    float *number;
    int32_t *token;
    size_t room; // of each lane
};
void watch_row_reader_free(struct watch_row_reader *g);

/* Read a line; false when it is no such row, *err_memory aside.  All of `out`
 * lasts as long as the line and until the reader's next row. */
enum status watch_row_read(struct watch_row *out, bool *is_row,
                           struct watch_row_reader *g, const char *line,
                           size_t len, struct err *err) MUST_CHECK;

/* Is a slice the JSON text of this string? */
bool watch_row_text_is(const struct scan_slice *raw, const char *text);

/* The members of a row but its arrays and pieces, in an object that is open. */
void watch_row_write(struct json_writer *j, const struct watch_row *r);
void watch_row_write_lanes(struct json_writer *j, const struct watch_row *r);

#endif
