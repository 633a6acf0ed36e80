/*
 * readers.h - the sniff and read functions of all formats: one pair for each
 * row of formats.c, in a file for each family.
 */
#ifndef PLUMB_IMPORT_READERS_H
#define PLUMB_IMPORT_READERS_H

#include "import/reader.h"
#include "import/sniff.h"

/* generic.c: any JSON Lines, any table */
double generic_sniff_jsonl(const struct head *h);
enum status generic_read_jsonl(struct reader *r, struct err *err) MUST_CHECK;
double generic_sniff_csv(const struct head *h);
enum status generic_read_csv(struct reader *r, struct err *err) MUST_CHECK;

/* verl.c */
double verl_sniff_rollouts(const struct head *h);
enum status verl_read_rollouts(struct reader *r, struct err *err) MUST_CHECK;
double verl_sniff_validation(const struct head *h);
enum status verl_read_validation(struct reader *r, struct err *err) MUST_CHECK;
double verl_sniff_config(const struct head *h);
double verl_sniff_logger(const struct head *h);
enum status verl_read_logger(struct reader *r, struct err *err) MUST_CHECK;
double verl_sniff_console(const struct head *h);
enum status verl_read_console(struct reader *r, struct err *err) MUST_CHECK;

/* arguments.c: JSON, YAML, commands */
double arguments_sniff_verl(const struct head *h);
double arguments_sniff_trl(const struct head *h);
double arguments_sniff_openrlhf(const struct head *h);
enum status arguments_read(struct reader *r, struct err *err) MUST_CHECK;

/* metrics.c: any step-level values */
double metrics_sniff_jsonl(const struct head *h);
enum status metrics_read_jsonl(struct reader *r, struct err *err) MUST_CHECK;
double metrics_sniff_csv(const struct head *h);
enum status metrics_read_csv(struct reader *r, struct err *err) MUST_CHECK;

/* trl.c */
double trl_sniff_state(const struct head *h);
enum status trl_read_state(struct reader *r, struct err *err) MUST_CHECK;
double trl_sniff_completions(const struct head *h);
enum status trl_read_completions(struct reader *r, struct err *err) MUST_CHECK;
double trl_sniff_table(const struct head *h);
enum status trl_read_table(struct reader *r, struct err *err) MUST_CHECK;
double trl_sniff_csv(const struct head *h);

/* openrlhf.c */
double openrlhf_sniff_rows(const struct head *h);
enum status openrlhf_read_rows(struct reader *r, struct err *err) MUST_CHECK;
double openrlhf_sniff_pairs(const struct head *h);
enum status openrlhf_read_pairs(struct reader *r, struct err *err) MUST_CHECK;
double openrlhf_sniff_log(const struct head *h);
enum status openrlhf_read_log(struct reader *r, struct err *err) MUST_CHECK;

/* nemo.c */
double nemo_sniff_train(const struct head *h);
enum status nemo_read_train(struct reader *r, struct err *err) MUST_CHECK;
double nemo_sniff_val(const struct head *h);
enum status nemo_read_val(struct reader *r, struct err *err) MUST_CHECK;

/* open_instruct.c */
double open_instruct_sniff_rollouts(const struct head *h);
enum status open_instruct_read_rollouts(struct reader *r,
                                        struct err *err) MUST_CHECK;
double open_instruct_sniff_metadata(const struct head *h);
enum status open_instruct_read_metadata(struct reader *r,
                                        struct err *err) MUST_CHECK;

/* trlx.c */
double trlx_sniff_rollouts(const struct head *h);
enum status trlx_read_rollouts(struct reader *r, struct err *err) MUST_CHECK;
double trlx_sniff_config(const struct head *h);
enum status trlx_read_config(struct reader *r, struct err *err) MUST_CHECK;

/* rewardspy.c */
double rewardspy_sniff(const struct head *h);
enum status rewardspy_read(struct reader *r, struct err *err) MUST_CHECK;

/* deepspeed.c */
double deepspeed_sniff(const struct head *h);
enum status deepspeed_read(struct reader *r, struct err *err) MUST_CHECK;

/* torchtune.c */
double torchtune_sniff(const struct head *h);
enum status torchtune_read(struct reader *r, struct err *err) MUST_CHECK;

/* tldr.c */
double tldr_sniff(const struct head *h);
enum status tldr_read(struct reader *r, struct err *err) MUST_CHECK;

/* grpo_log.c */
double grpo_log_sniff(const struct head *h);
enum status grpo_log_read(struct reader *r, struct err *err) MUST_CHECK;
double grpo_log_sniff_statistics(const struct head *h);
enum status grpo_log_read_statistics(struct reader *r,
                                     struct err *err) MUST_CHECK;
double grpo_log_sniff_evaluation(const struct head *h);
enum status grpo_log_read_evaluation(struct reader *r,
                                     struct err *err) MUST_CHECK;

/* samples.c */
double samples_sniff(const struct head *h);
enum status samples_read(struct reader *r, struct err *err) MUST_CHECK;
double samples_sniff_verdicts(const struct head *h);
enum status samples_read_verdicts(struct reader *r, struct err *err) MUST_CHECK;

/* tensorboard.c */
double tensorboard_sniff(const struct head *h);
enum status tensorboard_read(struct reader *r, struct err *err) MUST_CHECK;

#endif
