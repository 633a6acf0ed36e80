/*
 * heldout_files.h - where an evaluation's files are, and settings.json: what
 * was evaluated, how, and in which unit of reward.
 *
 *     {"schema":"plumb.evaluation/1","plumb_version":...,"seed":1,
 *      "scenario":"paradox","policy":"ppo/checkpoints/000060",
 *      "reference":"sft/checkpoints/001875","reward_model":...,
 *      "prompts":"world/heldout.jsonl",
 *      "settings":{"prompts":256,"samples":4,"max_new":96,"temperature":1,
 *                  "top_p":1},
 *      "serving_settings":null,
 *      "data":{"read":256,"skipped_bad":0,...} (rlhf/corpus.h),
 *      "score_scale":{"mean":0.1,"sd":0.7,"from":"policy's training run"}}
 *
 * with best_of above 1 the policy is the reference, and "best_of" and
 * "best_of_kl_bound" (draw_best_kl(), nats per reply) stand behind it,
 * and with a gold model "gold_model" and "weak_gold_scale".  Where a program
 * said the scores "reward_command" stands in place of "reward_model"; where one
 * said the policy's replies, "policy" is the reference and "policy_command"
 * stands behind it.
 */
#ifndef PLUMB_EVAL_HELDOUT_FILES_H
#define PLUMB_EVAL_HELDOUT_FILES_H

#include "base/file.h"
#include "eval/draw.h"
#include "eval/setup.h"

/* The folder of a curve's samples, in project/eval. */
#define HELDOUT_CHECKPOINTS "checkpoints"

/* project/eval/name, or project/eval when name is NULL. */
enum status heldout_files_path(char out[FILE_PATH_MAX], const char *project,
                               const char *name, struct err *err) MUST_CHECK;

/* The members above. */
enum status heldout_files_write_settings(const struct setup *s,
                                         struct err *err) MUST_CHECK;

/* ERR_MISSING when nothing was sampled yet.  Free with json_free(). */
enum status heldout_files_read_settings(struct json **out, const char *project,
                                        struct err *err) MUST_CHECK;

/* Write both models' samples, prompt by prompt, as rows of samples.jsonl. */
enum status heldout_files_write_samples(const char *name, const struct setup *s,
                                        const struct draw *policy,
                                        const struct draw *reference,
                                        struct err *err) MUST_CHECK;

/* Write a document whole; `text` is what a json_writer made. */
enum status heldout_files_write(const char *project, const char *name,
                                struct buf *text, struct err *err) MUST_CHECK;

#endif
