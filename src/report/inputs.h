/*
 * inputs.h - what a report is made of: the files of a project directory.
 *
 *     eval/heldout.json        needed: the measures and their intervals
 *     eval/curve.json          the same measures at each checkpoint
 *     eval/samples.jsonl       replies, scores, per-token KL
 *     ppo/metrics.jsonl        every iteration's training batch
 *     {sft,reward,ppo}/config.yaml
 *
 * All but the first may be absent: the report then says what it lacks.
 * Nothing here opens a model.
 */
#ifndef PLUMB_REPORT_INPUTS_H
#define PLUMB_REPORT_INPUTS_H

#include <stdbool.h>

#include "base/json.h"
#include "io/run.h"

/* Whose judgement the page tells of, the best that is there. */
enum inputs_judge {
    INPUTS_PANEL,     // blind spot-checks
    INPUTS_RUBRIC,    // the support desk's gold
    INPUTS_WEAK_GOLD, // a second reward model
    INPUTS_NOBODY,
    INPUTS_JUDGES
};

/* One row of samples.jsonl without its texts. */
struct inputs_sample {
    char *prompt_id;
    bool is_policy; // else the reference's
    int64_t sample;
    double score, gold, weak_gold, len;
    size_t row; // which row of the file, from 0
};

struct inputs {
    const char *dir; // the project
    struct json *heldout;
    struct json *curve; // NULL: absent
    struct inputs_sample *sample;
    size_t n_sample, room_sample;
    struct run_table metrics; // n == 0: absent
    struct buf config[3];     // sft, reward, ppo; empty: absent
};

/* The stages whose config.yaml is shown, in the order of inputs.config. */
extern const char *const inputs_stage[3];

/* ERR_MISSING when the project was never evaluated, naming the command that
 * would do it; ERR_FORMAT naming the file or record. */
enum status inputs_read(struct inputs *out, const char *project_dir,
                        struct err *err) MUST_CHECK;
void inputs_free(struct inputs *in);

enum inputs_judge inputs_judged_by(const struct inputs *in);
bool inputs_has_rubric(const struct inputs *in);

/* "weak gold: ..." as the document has it; NULL without one. */
const char *inputs_weak_gold(const struct inputs *in);

/*
 * Read rows of samples.jsonl again, whole: reply[i] becomes row number row[i]
 * (ascending, distinct).  The caller frees each with json_free().
 */
enum status inputs_replies(struct json **reply, const size_t *row, size_t n,
                           const struct inputs *in, struct err *err) MUST_CHECK;

#endif
