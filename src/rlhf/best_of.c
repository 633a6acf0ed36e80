#include "rlhf/best_of.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

enum status best_of_open(struct best_of *out, const struct speaker *s,
                         const char *reward_model,
                         const struct outside_config *command, size_t n,
                         int precision, const struct context *context,
                         struct err *err)
{
    const struct reward_policy policy = {s->tokenizer, s->chat,
                                         s->model.config.eos};
    *out = (struct best_of){.n = n};
    return reward_model != NULL
               ? reward_reader_open(&out->reader, reward_model, &policy,
                                    precision, err)
               : reward_reader_open_command(&out->reader, command, &policy,
                                            context, err);
}

void best_of_close(struct best_of *b)
{
    reward_reader_close(&b->reader);
}

/* The replies as the reward model is given them. */
struct given {
    size_t *prompt;
    struct sequence *seq;
    bool *is_eos;
    const char **text;
    double *score;
};

static void given_free(struct given *g)
{
    mem_free(g->prompt);
    mem_free(g->seq);
    mem_free(g->is_eos);
    mem_free(g->text);
    mem_free(g->score);
}

static enum status given_make(struct given *g,
                              const struct speaker_reply *reply,
                              const struct ids *ids, size_t all,
                              size_t per_prompt, struct err *err)
{
    TRY(MEM_NEW(g->prompt, all, err));
    TRY(MEM_NEW(g->seq, all, err));
    TRY(MEM_NEW(g->is_eos, all, err));
    TRY(MEM_NEW(g->text, all, err));
    TRY(MEM_NEW(g->score, all, err));
    for (size_t i = 0; i < all; i++) {
        g->prompt[i] = i / per_prompt;
        g->is_eos[i] = reply[i].is_eos;
        g->text[i] = buf_text(&reply[i].text);
        if (ids == NULL)
            continue;
        const struct ids *prompt = &ids[i / per_prompt];
        g->seq[i] = (struct sequence){prompt->id, prompt->n, reply[i].ids.id,
                                      reply[i].ids.n};
    }
    return OK;
}

/* Keep the best of every n, in their order. */
static void keep_best(struct speaker_reply *reply, size_t all, size_t n)
{
    assert(n > 0);
    for (size_t first = 0; first < all; first += n) {
        size_t best = first;
        for (size_t k = first + 1; k < first + n; k++)
            if (reply[k].score > reply[best].score)
                best = k;
        struct speaker_reply kept = reply[best];
        reply[best] = (struct speaker_reply){0};
        for (size_t k = first; k < first + n; k++)
            speaker_free_reply(&reply[k]);
        reply[first / n] = kept;
    }
}

enum status best_of_choose(struct speaker_reply *reply, const struct best_of *b,
                           const struct record *record, const struct ids *ids,
                           size_t n, size_t keep, const struct context *context,
                           struct err *err)
{
    enum status status = OK;
    size_t all = n * keep * b->n;
    struct given g = {0};
    TRY_DONE(given_make(&g, reply, ids, all, keep * b->n, err));
    const struct reward_replies given = {.records = record,
                                         .prompt = g.prompt,
                                         .seq = g.seq,
                                         .is_eos = g.is_eos,
                                         .text = ids == NULL ? g.text : NULL,
                                         .n = all};
    TRY_DONE(reward_reader_score(g.score, &b->reader, &given, context, err));
    for (size_t i = 0; i < all; i++)
        reply[i].score = g.score[i];
    keep_best(reply, all, b->n);
done:
    given_free(&g);
    return status;
}
