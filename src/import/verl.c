#include "import/readers.h"
#include "import/rowmap.h"

/* ---- rollouts ----------------------------------------------------------- */

/*
 * {"input","output","gts","score","step", every key of reward_extra_info,
 * "request_id"?, "uid"?} (ray_trainer.py, _write_generations).  Texts are
 * decoded without special tokens: whether a response ended cannot be told.
 */
static const struct rule rollouts[] = {
    {"input", TO_PROMPT, "text", NULL},
    {"output", TO_RESPONSE, "text",
     "decoded without special tokens: whether it ended cannot be told"},
    {"score", TO_SCORE, "score", "sum over tokens, before the KL penalty"},
    {"step", TO_STEP, "step", NULL},
    {"gts", TO_NOTHING, NULL, "the ground truth, which is no number"},
    {"uid", TO_NOTHING, NULL,
     "new in every step: prompts are told by their text instead"},
    {"request_id", TO_NOTHING, NULL, "the engine's name for the request"},
};

static enum status take_rollout(struct reader *r, void *ctx,
                                const struct value *row, size_t line,
                                struct err *err)
{
    struct import_row out;
    (void)ctx;
    (void)line;
    TRY(rowmap_read(&out, r, row, rollouts, sizeof rollouts / sizeof *rollouts,
                    err));
    if (out.step < 0)
        out.step = reader_number(r->name, "");
    return sink_put_row(r->sink, &out, err);
}

double verl_sniff_rollouts(const struct head *h)
{
    static const char *const names[] = {"input", "output", "score"};
    static const char *const more[] = {"gts", "step"};
    if (h->n_columns > 0 || sniff_count(h, names, 3) < 3)
        return 0;
    return sniff_count(h, more, 2) == 2 ? 0.95
           : sniff_member(h, "step")    ? 0.8
                                        : 0.4;
}

enum status verl_read_rollouts(struct reader *r, struct err *err)
{
    return reader_rows(r, take_rollout, NULL, err);
}
