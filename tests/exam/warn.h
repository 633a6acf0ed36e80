/*
 * warn.h - the alarm of diagnose/warning.h over the exam's runs, as if live.
 *
 * The alarm sees the blind directory of a run, votes on checkpoints included;
 * the truth is gold by checkpoint, which it does not see.  Over the points of
 * eval/curve.json, iteration 0 (the reference) among them,
 *
 *     best     the largest mean gold, at the first point that has it
 *     loss     best - the last point's
 *     margin   sqrt((best - its low)^2 + (last's high - last)^2), of their 95 %
 *              intervals: half an interval of a difference of two estimates
 *              (Zou and Donner 2008), as if they were independent, which is
 *              wider than what the same prompts at both deserve
 *     sick     loss > margin
 *     half     the iteration, linear between points, at which gold first stands
 *              loss/2 below best, after best
 *
 * An alarm is in time when it is raised before `half`; its lead is the
 * iterations in between.  It is false when the run is a healthy one and not
 * sick.  A planted fault that has not cost gold yet is neither: alarms there
 * are counted on their own.
 *
 * Reads of OUT what exam_read() does, and
 *     blind/NAME/                     evidence
 *     stages/PPO/eval/curve.json      the truth
 */
#ifndef PLUMB_TESTS_EXAM_WARN_H
#define PLUMB_TESTS_EXAM_WARN_H

#include "diagnose/warning.h"
#include "exam/grade_internal.h"

enum {
    WARN_BUDGETS = 6,
    WARN_MAIN = 3 // the budget that the exam's figures are told at
};
/* Votes a checkpoint: 0, 2, 4, 8, 16, 32. */
extern const size_t warn_budget[WARN_BUDGETS];

struct warn_truth {
    double best, last, loss, margin;
    int64_t best_at, last_at;
    bool is_sick;
    double half_at; // NaN unless sick
};

struct warn_run {
    const struct exam_run *run;
    bool is_healthy; // of a case that is counted so
    struct warn_truth truth;
    double alarm_at[WARN_BUDGETS]; // INFINITY: none
    double level[WARN_BUDGETS]; // the highest while an alarm would do: before
                                // half_at of a sick run, else at all
    size_t votes[WARN_BUDGETS]; // read by the end
    /* At the main budget, every iteration's signals, and the level behind them;
     * the sign is turned where low values alarm. */
    double (*series)[WARNING_SIGNALS + 1]; // [n]
    double *t;                             // [n]
    size_t n;
};

/* From curve.json.  ERR_FORMAT: fewer than two points, or no gold. */
enum status warn_read_truth(struct warn_truth *out, const struct json *curve,
                            const char *path, struct err *err) MUST_CHECK;

/* A run's alarms at every budget; warn_run_free() what it made. */
enum status warn_watch(struct warn_run *out, const struct evidence *e,
                       struct err *err) MUST_CHECK;
void warn_run_free(struct warn_run *r);

struct warn {
    struct warn_run *run;
    size_t n;
};

/* Every run that was made; `runs` stay those of `e`. */
enum status warn_read(struct warn *out, const struct exam *e, const char *dir,
                      struct err *err) MUST_CHECK;
void warn_free(struct warn *w);

struct warn_counts {
    struct exam_share in_time;     // of sick runs
    struct exam_share late;        // of sick runs, an alarm after half
    struct exam_share false_alarm; // of healthy runs
    struct exam_share planted;     // of other runs: gold has not fallen
    /* Median over sick runs; no alarm in time is a lead of -INFINITY. */
    double lead;
    double auc; // of level: sick against healthy
    /* Levels, NaN of no run: an alarm from any level between the two would
     * have caught all and alarmed nobody, where they are in this order. */
    double highest_healthy, lowest_sick;
    double votes; // mean number read by the end of a run
};
enum status warn_count(struct warn_counts *out, const struct warn *w,
                       const char *set, size_t budget,
                       struct err *err) MUST_CHECK;

/*
 * One signal alone, or the level (WARNING_SIGNALS), with the threshold at its
 * most alarming value in any healthy run of the set: no false alarm by choice,
 * and chosen in hindsight, which flatters it.
 */
struct warn_alone {
    double auc; // of its most alarming value while an alarm would do
    struct exam_share in_time;
    double lead; // median, as above
};
enum status warn_alone(struct warn_alone *out, const struct warn *w,
                       const char *set, size_t signal,
                       struct err *err) MUST_CHECK;

/* early_warning.json, and what is printed. */
enum status warn_write(struct json_writer *w, const struct warn *all,
                       struct err *err) MUST_CHECK;
enum status warn_print(struct buf *out, const struct warn *all,
                       struct err *err) MUST_CHECK;

#endif
