#include "eval/texts.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/names.h"
#include "io/jsonl.h"
#include "stat/features.h"

#define ASKED 256 // texts between two looks at whether to stop

struct reading {
    struct texts *out;
    struct setup *s;
    struct names prompts;
    size_t room; // of records
    const char *path;
};

static enum status copy(char **out, const char *text, struct err *err)
{
    *out = mem_strdup(text);
    return *out != NULL ? OK : err_set(err, ERR_MEMORY, "out of memory: texts");
}

/* ---- the file ----------------------------------------------------------- */

/* The record of a prompt, made when it is new. */
static enum status find_prompt(size_t *out, struct reading *r, const char *id,
                               const char *prompt, struct err *err)
{
    struct dataset *d = &r->s->prompts;
    size_t before = r->prompts.n;
    TRY(names_add(&r->prompts, out, id, err));
    if (*out < before)
        return OK;
    TRY(MEM_ROOM(d->record, d->n, r->room, err));
    d->record[d->n] = (struct record){.id = NULL};
    struct record *record = &d->record[d->n++];
    TRY(copy(&record->id, id, err));
    return copy(&record->prompt, prompt, err);
}

static enum status grow(struct texts *t, struct err *err)
{
    size_t room = t->room;
    TRY(MEM_ROOM(t->reply, t->n, room, err));
    room = t->room;
    TRY(MEM_ROOM(t->text, t->n, room, err));
    t->room = room;
    return OK;
}

static enum status add_row(void *ctx, const struct json *row, size_t line,
                           struct err *err)
{
    struct reading *r = ctx;
    struct texts *t = r->out;
    const char *id;
    bool is_policy;
    size_t prompt;
    const char *asked = json_text(json_get(row, "prompt"), "");
    const char *text = json_text(json_get(row, "response"), "");
    int64_t sample = json_int(json_get(row, "sample"), 0);
    TRY(json_need_text(&id, row, "prompt_id", r->path, err));
    TRY(drawn_whose(&is_policy, row, r->path, line, err));
    t->unasked += asked[0] == '\0' || text[0] == '\0';
    if (asked[0] == '\0' || text[0] == '\0' || sample < 0)
        return OK;
    TRY(find_prompt(&prompt, r, id, asked, err));
    TRY(grow(t, err));
    TRY(copy(&t->text[t->n], text, err));
    t->reply[t->n++] = (struct drawn_reply){
        .prompt = prompt,
        .sample = sample,
        .is_policy = is_policy,
        .is_eos = strcmp(json_text(json_get(row, "finish"), ""), "length") != 0,
        .score = json_number(json_get(row, "score"), (double)NAN)};
    return OK;
}

static enum status read_rows(struct texts *t, struct setup *s, const char *path,
                             struct err *err)
{
    struct reading r = {.out = t, .s = s, .path = path};
    enum status status = jsonl_read(path, add_row, &r, err);
    names_free(&r.prompts);
    t->n_prompts = s->prompts.n;
    if (status == OK && t->n == 0)
        status = err_set(err, ERR_MISSING,
                         "%s: no row has the texts of a prompt and of a reply",
                         path);
    /* No prompt of it is a ticket of the desk. */
    if (status == OK)
        status = MEM_NEW(s->has_ticket, t->n_prompts, err);
    return status;
}

/* ---- scores ------------------------------------------------------------- */

enum status texts_score(double *score, const struct setup *s,
                        const size_t *prompt, const char *const *text,
                        const bool *is_eos, size_t n,
                        const struct context *context, struct err *err)
{
    for (size_t i = 0; i < n; i += ASKED) {
        const struct reward_replies replies = {
            .records = s->prompts.record,
            .prompt = prompt + i,
            .is_eos = is_eos + i,
            .text = text + i,
            .n = n - i < ASKED ? n - i : ASKED,
        };
        if (context_stopped(context))
            return err_set(err, ERR_STOPPED, "stopped; run it again");
        TRY(reward_reader_score(score + i, &s->reward, &replies, context, err));
    }
    return OK;
}

static enum status score_all(struct texts *t, const struct setup *s,
                             const struct context *context, struct err *err)
{
    enum status status = OK;
    size_t *prompt = NULL;
    bool *is_eos = NULL;
    TRY_DONE(MEM_NEW(t->score, t->n, err));
    TRY_DONE(MEM_NEW(prompt, t->n, err));
    TRY_DONE(MEM_NEW(is_eos, t->n, err));
    for (size_t i = 0; i < t->n; i++) {
        prompt[i] = t->reply[i].prompt;
        is_eos[i] = t->reply[i].is_eos;
    }
    status = texts_score(t->score, s, prompt, (const char *const *)t->text,
                         is_eos, t->n, context, err);
done:
    mem_free(prompt);
    mem_free(is_eos);
    return status;
}

/* Mean and deviation of the reference's replies, else of the policy's. */
static enum status find_scale(struct score_scale *out, const struct texts *t,
                              const char *path, struct err *err)
{
    double n[2] = {0}, sum[2] = {0}, square = 0;
    for (size_t i = 0; i < t->n; i++) {
        n[t->reply[i].is_policy]++;
        sum[t->reply[i].is_policy] += t->score[i];
    }
    bool is_policy = n[0] == 0;
    double mean = sum[is_policy] / n[is_policy];
    for (size_t i = 0; i < t->n; i++)
        if (t->reply[i].is_policy == is_policy)
            square += (t->score[i] - mean) * (t->score[i] - mean);
    *out =
        (struct score_scale){.mean = mean, .sd = sqrt(square / n[is_policy])};
    if (out->sd > 0)
        return OK;
    return err_set(err, ERR_FORMAT,
                   "%s: the program gives all replies of the %s one score",
                   path, is_policy ? "policy" : "reference");
}

/* Pearson's, over the replies whose score was recorded. */
static double agreement_of(const struct texts *t)
{
    double n = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < t->n; i++) {
            double a = t->score[i], b = t->reply[i].score;
            if (!isfinite(b))
                continue;
            n += pass == 0;
            x += pass == 0 ? a : 0;
            y += pass == 0 ? b : 0;
            if (pass == 0)
                continue;
            a -= x / n;
            b -= y / n;
            xx += a * a;
            yy += b * b;
            xy += a * b;
        }
    return xy / sqrt(xx * yy);
}

enum status texts_open(struct texts *out, struct setup *s, const char *path,
                       const struct outside_config *program,
                       const struct context *context, struct err *err)
{
    *out = (struct texts){.agreement = (double)NAN};
    enum status status = read_rows(out, s, path, err);
    if (status == OK)
        status =
            reward_reader_open_command(&s->reward, program, NULL, context, err);
    if (status == OK)
        status = score_all(out, s, context, err);
    if (status == OK)
        status = find_scale(&s->scale, out, path, err);
    if (status == OK)
        out->agreement = agreement_of(out);
    else
        texts_close(out);
    return status;
}

void texts_close(struct texts *t)
{
    for (size_t i = 0; t->text != NULL && i < t->n; i++)
        mem_free(t->text[i]);
    mem_free(t->text);
    mem_free(t->reply);
    mem_free(t->score);
    *t = (struct texts){.n = 0};
}

enum status texts_words(int64_t *out, const char *text, struct err *err)
{
    double feature[FEATURES];
    TRY(features_of(feature, "", 0, text, strlen(text), err));
    *out = (int64_t)feature[FEATURE_WORDS];
    return OK;
}
