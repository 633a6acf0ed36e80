/*
 * trace.h - writing rollouts: one JSON object per response, one zstd file per
 * PPO iteration (rollouts/000123.jsonl.zst).
 *
 * Per response: run, step, prompt_id, sample, prompt, response, tokens, tags,
 * finish ("eos" or "length"), score_raw, score_sd (with several reward models:
 * how far they disagree), score, beta, temperature, template_hash, extra.
 * Rows of other trainers (src/import) may lack finish, which is then unknown,
 * and tokens; they may have instead
 *
 *     n_tokens       the response's length
 *     len_unit       what n_tokens counts: "tokens" or "words"
 *     kl_sequence    policy to reference, nats, summed over the response
 *
 * Per token of the response, index t for the state before token t and the
 * token itself:
 *
 *     logp_sample    as the sampler recorded it
 *     logp           training forward, before the update
 *     logp_ref       reference
 *     kl             exact, full vocabulary, policy to reference, nats
 *     entropy  p_eos  p_eos_ref
 *     value          value model's estimate
 *     reward         what the token was paid, score and KL part together
 *                    (a score paid behind the last token, as after_eos and
 *                    last_slot do, is in `score` alone)
 *     reward_kl      its KL part, -beta * estimator
 *     advantage      GAE, before whitening
 *     advantage_white  after whitening
 *
 * io/trace_read.h gives the rows back.
 */
#ifndef PLUMB_IO_TRACE_H
#define PLUMB_IO_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct trace_row {
    const char *run;
    int64_t step;
    const char *prompt_id;
    int64_t sample; // less than 0: not said yet, left out
    const char *prompt, *response;
    const char *tags;  // JSON text, or NULL
    const char *extra; // JSON members ("gold": ...) to end the row, or NULL
    bool is_eos;
    bool finish_unknown;  // is_eos means nothing
    int64_t n_tokens;     // in len_unit; only there when that is
    const char *len_unit; // "tokens", "words" or NULL
    const double *kl_sequence;
    double score_raw; // reward model's output; of several models, combined
    const double *score_sd; // their deviation, or NULL: there is one model
    double score;           // normalised, after penalties: what PPO was paid
    double beta, temperature;
    const char *template_hash;
    size_t len; // tokens; every array below has this many
    const int32_t *token;
    const float *logp_sample, *logp, *logp_ref;
    const float *kl, *entropy, *p_eos, *p_eos_ref;
    const float *value, *reward, *reward_kl, *advantage, *advantage_white;
};

/* One row as a line of JSON, appended.  A NULL array is left out. */
void trace_write_row(struct buf *out, const struct trace_row *row);

/* Append the text, compressed, as a frame of its own: frames one behind the
 * other are a file.  ERR_MEMORY. */
enum status trace_pack(struct buf *out, const struct buf *text,
                       struct err *err) MUST_CHECK;

/* Compress the text of one iteration and write it atomically; the bytes
 * depend on the text only, and a checksum tells when they are damaged. */
enum status trace_write_file(const char *path, const struct buf *text,
                             struct err *err) MUST_CHECK;

/* The text of a file of rollouts, plain or compressed (io/stream.h), appended;
 * ERR_LIMIT when `out` may not hold it. */
enum status trace_read_file(struct buf *out, const char *path,
                            struct err *err) MUST_CHECK;

#endif
