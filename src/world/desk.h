/*
 * desk.h - the support desk as files: its tokenizer, and the steps of the
 * data line, each from a file to a file.
 *
 *     prompts        {"id","prompt","ticket","tags"}
 *     demonstrations {"id","prompt","response","ticket","tags"}
 *     rankings       candidates + "ranking" and "rater"
 *     judged         records + "judgement" (or "judgements")
 *
 * "ticket" is the hidden truth (world/tickets.h): models and raters of flesh
 * and blood never see it.  Every file is written whole or not at all, and the
 * same arguments give the same bytes.
 */
#ifndef PLUMB_WORLD_DESK_H
#define PLUMB_WORLD_DESK_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "world/panel.h"
#include "world/raters.h"
#include "world/tickets.h"

enum {
    DESK_VOCABULARY = 413
};

/* Ids of the special tokens. */
enum desk_token {
    DESK_PAD,
    DESK_EOS,
    DESK_CUST,
    DESK_AGENT
};

/*
 * tokenizer.json and tokenizer_config.json (chat template: CHAT_SUPPORT),
 * appended to two buffers.
 *
 * Entries: the special tokens, order letters, order digits, amounts, then
 * the words of the tables where they first appear: resolutions (their
 * sentences, their next steps), intents (wordings, then numbers or statuses),
 * fillers, openings, tails, greetings, closings, products.
 */
enum status desk_tokenizer(struct buf *json, struct buf *config_json,
                           struct err *err) MUST_CHECK;

/* Both files into a directory, which is made when absent. */
enum status desk_write_tokenizer(const char *dir, struct err *err) MUST_CHECK;

/* n prompts of a split, all different (world/world.h); ids "heldout-000017".
 */
enum status desk_write_prompts(const char *path, enum ticket_split split,
                               size_t n, uint64_t seed,
                               struct err *err) MUST_CHECK;

/* The same of a mix (world/mix.h). */
enum status desk_write_mix(const char *path, enum ticket_split split, size_t n,
                           const struct mix *mix, uint64_t seed,
                           struct err *err) MUST_CHECK;

/* n demonstrations: the prompts of TICKET_SFT, each with the reply drawn from
 * (RNG_REPLY, 0, number of the prompt). */
enum status desk_write_demos(const char *path, size_t n, uint64_t seed,
                             struct err *err) MUST_CHECK;

/*
 * Rank candidates: records with "responses" and "ticket" become rankings.
 * `rater_rank` numbers prompts by their place in the file.  A reply that hit
 * the length limit is known by "finish", a list of "eos" or "length" as long
 * as the responses (absent: all "eos").
 */
enum status desk_rank_file(const char *candidates_path, const char *path,
                           const struct rater_config *c, uint64_t seed,
                           struct err *err) MUST_CHECK;

/* Judge "response" ("judgement") or "responses" ("judgements") of each
 * record; "finish" as above, a plain text beside a single response. */
enum status desk_judge_file(const char *in_path, const char *path,
                            struct err *err) MUST_CHECK;

/*
 * Spot-check: files of the policy's and the reference's samples of the same
 * prompts in the same order, each record with "responses" (or "response"),
 * become human spot-checks (world/panel.h).  ERR_MISMATCH when the prompts
 * differ.
 */
enum status desk_spotcheck_file(const char *policy_path,
                                const char *reference_path, const char *path,
                                const struct panel_config *c, uint64_t seed,
                                struct err *err) MUST_CHECK;

/* The same from the one file that `plumb eval` writes (eval/samples.jsonl):
 * a row per response with "prompt_id", "prompt", "which" ("policy" or
 * "reference"), "response", "is_eos", "ticket"; a prompt's rows together. */
enum status desk_spotcheck_samples(const char *samples_path, const char *path,
                                   const struct panel_config *c, uint64_t seed,
                                   struct err *err) MUST_CHECK;

#endif
