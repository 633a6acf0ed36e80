#include <stdio.h>
#include <string.h>

#include "import/readers.h"
#include "import/textlog.h"
#include "io/flat.h"

/* What is known so far of a DeepSpeed-Chat log. */
struct log {
    int64_t epoch, step; // of the last line of losses; -1: none
    int64_t batches;     // in an epoch, as the log announces them; 0: not said
    int64_t at;          // the step over all epochs; -1
    int64_t stage_epoch; // of the line "Evaluating ..., Epoch 1/16"
    size_t overflows;
};

/* "epoch: 0|step: 3|ppo_ep: 1|act_loss: 0.3|cri_loss: 0.2|unsuper_loss: 0.0",
 * in newer versions "Epoch: 0 | Step: 3 | PPO Epoch: 1 | Actor Loss: ..." */
static enum status take_losses(struct log *l, struct reader *r,
                               const char *text, struct err *err)
{
    static const struct {
        const char *mark, *name;
    } losses[] = {{"act_loss:", "actor_loss"},
                  {"cri_loss:", "critic_loss"},
                  {"unsuper_loss:", "unsupervised_loss"},
                  {"Actor Loss:", "actor_loss"},
                  {"Critic Loss:", "critic_loss"},
                  {"Unsupervised Loss:", "unsupervised_loss"}};
    double epoch, step, x;
    bool is_new = strstr(text, "Epoch: ") == text;
    if (!textlog_find(&epoch, text, is_new ? "Epoch: " : "epoch: ") ||
        !textlog_find(&step, text, is_new ? "Step: " : "step: ") ||
        !(epoch >= 0 && epoch < 1e6 && step >= 0 && step < 1e9))
        return OK;
    l->epoch = (int64_t)epoch;
    l->step = (int64_t)step;
    l->at = l->epoch * l->batches + l->step;
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++)
        if (textlog_find(&x, text, losses[i].mark))
            TRY(sink_put_metric(r->sink, l->at, losses[i].name, x, err));
    return OK;
}

/* The program's own command, in the log's first line. */
static enum status take_command(struct reader *r, const char *text,
                                struct err *err)
{
    struct flat f;
    struct err ignored;
    if (flat_parse(&f, text, strlen(text), r->name, &ignored) != OK)
        return OK;
    enum status status = sink_put_settings(r->sink, &f, err);
    flat_free(&f);
    return status;
}

/* Steps before PPO: what is measured once an epoch. */
static enum status take_evaluation(struct log *l, struct reader *r,
                                   const char *text, struct err *err)
{
    static const struct {
        const char *mark, *name;
    } all[] = {
        {"acc (higher is better) : ", "eval/accuracy"},
        {"chosen_last_scores (higher is better) : ", "eval/chosen_score"},
        {"ppl: ", "eval/perplexity"}};
    const char *at = textlog_after(text, "***** Evaluating "), *end;
    double x;
    if (at != NULL && (at = textlog_after(at, "Epoch ")) != NULL)
        l->stage_epoch = textlog_step(at, &end);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (l->stage_epoch >= 0 && l->at < 0 &&
            textlog_find(&x, text, all[i].mark))
            TRY(sink_put_metric(r->sink, l->stage_epoch, all[i].name, x, err));
    return OK;
}

static enum status take_line(struct reader *r, void *ctx, const char *text,
                             size_t line, struct err *err)
{
    struct log *l = ctx;
    double x;
    (void)line;
    if (strncmp(text, "cmd = ", 6) == 0)
        return take_command(r, text + 6, err);
    if (textlog_find(&x, text, "Total Generation Batches ") && x >= 0 &&
        x < 1e9)
        l->batches = (int64_t)x;
    l->overflows += strstr(text, "OVERFLOW!") != NULL;
    if (strstr(text, "act_loss:") != NULL ||
        strstr(text, "Actor Loss:") != NULL)
        return take_losses(l, r, text, err);
    if (l->at >= 0 && (textlog_find(&x, text, "average reward score: ") ||
                       textlog_find(&x, text, "Average reward score: ")))
        return sink_put_metric(r->sink, l->at, "reward", x, err);
    return take_evaluation(l, r, text, err);
}

double deepspeed_sniff(const struct head *h)
{
    if (h->n_rows > 0 || !sniff_is_text(h))
        return 0;
    if (sniff_says(h, "act_loss:") || sniff_says(h, "Actor Loss:"))
        return 0.9;
    if (!sniff_says(h, "deepspeed"))
        return 0;
    return sniff_says(h, "(higher is better)") || sniff_says(h, "\nppl: ") ? 0.7
                                                                           : 0;
}

enum status deepspeed_read(struct reader *r, struct err *err)
{
    struct log l = {.epoch = -1, .step = -1, .at = -1, .stage_epoch = -1};
    TRY(reader_lines(r, take_line, &l, err));
    if (l.overflows > 0)
        TRY(notes_warn(&r->sink->notes, "fp16_overflow", l.overflows, err,
                       "steps whose gradients overflowed in half precision "
                       "and were skipped"));
    return OK;
}
