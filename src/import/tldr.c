#include <math.h>
#include <stdio.h>
#include <string.h>

#include "import/readers.h"
#include "import/textlog.h"

/*
 * summarize_from_feedback_details: the arguments as Python prints them, then
 * lines of PPO's epochs, or of a reward model, SFT or DPO.
 */
struct log {
    int64_t update;    // of PPO: from 1, one more at each ppo_epoch_idx 0
    char prefix[128];  // of settings within a part of the arguments: "ppo."
    bool is_arguments; // between "Args(" and ")"
    bool is_told;      // that the first epoch's ratio is not 1
    double last[4];    // of the update at hand
    bool is_open;
};

static const char *const metrics[4] = {"approxkl", "pg_loss", "pg_clipfrac",
                                       "ratio"};

/* The last epoch's values are the update's. */
static enum status close_update(struct log *l, struct reader *r,
                                struct err *err)
{
    for (size_t i = 0; i < 4 && l->is_open; i++)
        TRY(sink_put_metric(r->sink, l->update, metrics[i], l->last[i], err));
    l->is_open = false;
    return OK;
}

/* On the first pass nothing has changed yet: KL 0 and ratio 1, exactly. */
static enum status check_first(struct log *l, struct reader *r, struct err *err)
{
    TRY(sink_put_metric(r->sink, l->update, "first_epoch/approxkl", l->last[0],
                        err));
    TRY(sink_put_metric(r->sink, l->update, "first_epoch/ratio", l->last[3],
                        err));
    if (!(fabs(l->last[3] - 1) > 1e-4) || l->is_told)
        return OK;
    l->is_told = true;
    return notes_warn(&r->sink->notes, "first_ratio", 1, err,
                      "the ratio of the first epoch is %.6g and not 1: the "
                      "log-probabilities of sampling and of training differ",
                      l->last[3]);
}

/* "ppo_epoch_idx 0 approxkl 0.0 pg_loss -1e-08 pg_clipfrac 0.0 ratio 1.0" */
static enum status take_epoch(struct log *l, struct reader *r, const char *at,
                              struct err *err)
{
    char mark[32];
    const char *end;
    int64_t epoch = textlog_step(at, &end);
    if (epoch < 0)
        return err_set(err, ERR_FORMAT, "ppo_epoch_idx is no number");
    if (epoch == 0) {
        TRY(close_update(l, r, err));
        l->update++;
    }
    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(mark, sizeof mark, " %s ", metrics[i]);
        if (!textlog_find(&l->last[i], end, mark))
            l->last[i] = (double)NAN;
    }
    l->is_open = true;
    return epoch == 0 ? check_first(l, r, err) : OK;
}

/* "train_accuracy=0.46, ..., update=9": of the other stages. */
static enum status take_update(struct reader *r, const char *text,
                               struct err *err)
{
    static const struct {
        const char *mark, *name;
    } all[] = {{"train_accuracy=", "train/accuracy"},
               {"loss.item()=", "train/loss"},
               {"optimizer.param_groups[0]['lr']=", "train/lr"}};
    double x, update;
    if (!textlog_find(&update, text, "update=") || !(update >= 0) ||
        update > SINK_STEP_MAX)
        return OK;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (textlog_find(&x, text, all[i].mark))
            TRY(sink_put_metric(r->sink, (int64_t)update, all[i].name, x, err));
    return OK;
}

/* A line of the arguments: "kl_coef=0.05," within "reward=RewardHParams(". */
static enum status take_argument(struct log *l, struct reader *r, char *text,
                                 struct err *err)
{
    static const char bar[] = "\xE2\x94\x82"; // rich's indent guide
    char key[256];
    for (;;) {
        text += strspn(text, " \t");
        if (strncmp(text, bar, 3) != 0)
            break;
        text += 3;
    }
    char *equals = strchr(text, '=');
    if (text[0] == ')') {
        l->is_arguments = l->prefix[0] != '\0';
        l->prefix[0] = '\0';
        return OK;
    }
    if (equals == NULL)
        return OK;
    *equals = '\0';
    char *value = equals + 1, *open = strchr(value, '(');
    size_t n = strlen(value);
    if (open != NULL && open[1] == '\0') {
        (void)snprintf(l->prefix, sizeof l->prefix, "%.100s.", text);
        return OK;
    }
    if (n > 0 && value[n - 1] == ',')
        value[--n] = '\0';
    if (n > 1 && value[0] == '\'' && value[n - 1] == '\'') {
        value[n - 1] = '\0';
        value++;
    }
    if (strcmp(value, "[") == 0)
        return OK;
    (void)snprintf(key, sizeof key, "%s%.100s", l->prefix, text);
    return sink_put_setting(r->sink, key, value, err);
}

static enum status take_line(struct reader *r, void *ctx, const char *text,
                             size_t line, struct err *err)
{
    struct log *l = ctx;
    const char *at = textlog_after(text, "ppo_epoch_idx ");
    (void)line;
    if (at != NULL)
        return take_epoch(l, r, at, err);
    if (strncmp(text, "Args(", 5) == 0) {
        l->is_arguments = true;
        return OK;
    }
    if (l->is_arguments)
        return take_argument(l, r, r->text.data, err);
    return strstr(text, "update=") != NULL ? take_update(r, text, err) : OK;
}

double tldr_sniff(const struct head *h)
{
    if (h->n_rows > 0 || !sniff_is_text(h))
        return 0;
    if (sniff_says(h, "ppo_epoch_idx ") && sniff_says(h, "approxkl "))
        return 0.95;
    return sniff_says(h, "Args(") && sniff_says(h, "update=") ? 0.7 : 0;
}

enum status tldr_read(struct reader *r, struct err *err)
{
    struct log l = {.update = 0};
    TRY(reader_lines(r, take_line, &l, err));
    return close_update(&l, r, err);
}
