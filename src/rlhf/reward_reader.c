#include "rlhf/reward_reader.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "io/chat.h"
#include "io/run.h"
#include "model/checkpoint.h"

/* A response is at most T_max tokens; no token's text is long. */
#define TEXT_MAX ((size_t)16 << 20)

static bool same_file(const struct tokenizer *a, const struct tokenizer *b)
{
    size_t len_a = 0;
    size_t len_b = 0;
    const char *text_a = tokenizer_json(a, &len_a);
    const char *text_b = tokenizer_json(b, &len_b);
    return text_a != NULL && text_b != NULL && len_a == len_b &&
           memcmp(text_a, text_b, len_a) == 0;
}

/* Are the policy's ids what the reward model was trained to read? */
static enum status find_way(struct reward_reader *r, struct err *err)
{
    const struct reward_policy *p = &r->policy;
    struct chat own;
    if (p->tokenizer == NULL || !same_file(p->tokenizer, r->tokenizer))
        return OK;
    TRY(chat_open(&own, r->tokenizer, NULL, NULL, err));
    r->reads_ids = own.template == p->chat.template &&
                   chat_end(&own, r->tokenizer, r->model.config.eos) == p->end;
    return OK;
}

enum status reward_reader_open(struct reward_reader *out, const char *path,
                               const struct reward_policy *policy,
                               int precision, struct err *err)
{
    enum status status = OK;
    struct reward_reader r = {.reads_ids = false};
    if (policy != NULL)
        r.policy = *policy;
    TRY(run_find_model(r.path, path, "reward", err));
    TRY(checkpoint_read_as(&r.model, r.path, HEAD_SCORE,
                           (enum model_precision)precision, err));
    TRY_DONE(checkpoint_tokenizer(&r.tokenizer, r.path, err));
    TRY_DONE(checkpoint_check_tokenizer(&r.model, r.tokenizer, r.path, err));
    TRY_DONE(find_way(&r, err));
    *out = r;
done:
    if (status != OK)
        reward_reader_close(&r);
    return status;
}

enum status reward_reader_open_command(struct reward_reader *out,
                                       const struct outside_config *command,
                                       const struct reward_policy *policy,
                                       const struct context *context,
                                       struct err *err)
{
    struct reward_reader r = {.reads_ids = false};
    if (policy != NULL)
        r.policy = *policy;
    TRY(outside_open(&r.outside, OUTSIDE_REWARD, command, context, err));
    *out = r;
    return OK;
}

void reward_reader_close(struct reward_reader *r)
{
    outside_close(r->outside);
    model_free(&r->model);
    tokenizer_free(r->tokenizer);
    memset(r, 0, sizeof *r);
}

/* The replies as a data set: the prompts' records with the replies' texts. */
static enum status make_records(struct record *record,
                                const struct reward_reader *r,
                                const struct reward_replies *replies,
                                struct err *err)
{
    static char cut[] = "{\"finish\":\"length\"}";
    for (size_t i = 0; i < replies->n; i++) {
        const struct record *prompt = &replies->records[replies->prompt[i]];
        record[i] = *prompt;
        record[i].responses = NULL;
        record[i].ranking = NULL;
        record[i].n_responses = 0;
        record[i].extra = replies->is_eos[i] ? NULL : cut;
        record[i].response = NULL;
        if (replies->text != NULL) {
            record[i].response = mem_strdup(replies->text[i]);
            if (record[i].response == NULL)
                return err_set(err, ERR_MEMORY, "out of memory: a response");
            continue;
        }
        TRY(chat_decode(&record[i].response, &r->policy.chat,
                        r->policy.tokenizer, replies->seq[i].response,
                        replies->seq[i].len_response, TEXT_MAX, err));
    }
    return OK;
}

enum status reward_reader_encode(struct corpus *out,
                                 const struct reward_reader *r,
                                 const struct dataset *data, struct err *err)
{
    return corpus_encode(out, data, r->tokenizer, r->model.config.eos,
                         r->model.config.T_max, err);
}

/* ---- a program ----------------------------------------------------------- */

size_t reward_reader_count(const struct record *record, size_t n)
{
    size_t all = 0;
    for (size_t i = 0; i < n; i++)
        all += record[i].n_responses > 0 ? record[i].n_responses
                                         : record[i].response != NULL;
    return all;
}

/* The responses of a record as requests; returns how many. */
static enum status put_requests(struct outside_request *out, size_t *n,
                                const struct record *r, struct err *err)
{
    bool cut[DATASET_RESPONSES_MAX];
    TRY(corpus_find_cut(cut, r, err));
    *n = reward_reader_count(r, 1);
    for (size_t k = 0; k < *n; k++)
        out[k] = (struct outside_request){
            .prompt = r->prompt,
            .dialogue = &r->dialogue,
            .response = r->n_responses > 0 ? r->responses[k] : r->response,
            .is_cut = cut[k],
        };
    return OK;
}

enum status reward_reader_ask(double *score, const struct reward_reader *r,
                              const struct record *record, size_t n,
                              struct err *err)
{
    enum status status = OK;
    size_t all = reward_reader_count(record, n), some;
    struct outside_request *request = NULL;
    struct outside_answer *answer = NULL;
    TRY_DONE(MEM_NEW(request, all, err));
    TRY_DONE(MEM_NEW(answer, all, err));
    for (size_t i = 0, at = 0; i < n; i++, at += some)
        TRY_DONE(put_requests(request + at, &some, &record[i], err));
    TRY_DONE(outside_ask(answer, r->outside, request, all, err));
    for (size_t i = 0; i < all; i++)
        score[i] = answer[i].score;
done:
    mem_free(request);
    mem_free(answer);
    return status;
}

/* ---- texts --------------------------------------------------------------- */

/* Encode anew, score. */
static enum status score_texts(double *score, const struct reward_reader *r,
                               const struct dataset *data,
                               const struct context *context, struct err *err)
{
    struct corpus corpus;
    TRY(reward_reader_encode(&corpus, r, data, err));
    assert(corpus.n_seq == data->n);
    enum status status =
        scorer_score(score, &r->model, corpus.seq, corpus.n_seq, context, err);
    corpus_free(&corpus);
    return status;
}

/* Decode, and let it read the texts. */
static enum status read_texts(double *score, const struct reward_reader *r,
                              const struct reward_replies *replies,
                              const struct context *context, struct err *err)
{
    static char name[] = "for the reward model";
    enum status status = OK;
    struct dataset data = {.n = replies->n, .path = name};
    TRY(MEM_NEW(data.record, replies->n, err));
    TRY_DONE(make_records(data.record, r, replies, err));
    status = r->outside != NULL
                 ? reward_reader_ask(score, r, data.record, data.n, err)
                 : score_texts(score, r, &data, context, err);
done:
    for (size_t i = 0; i < replies->n; i++)
        mem_free(data.record[i].response);
    mem_free(data.record);
    return status;
}

enum status reward_reader_score(double *score, const struct reward_reader *r,
                                const struct reward_replies *replies,
                                const struct context *context, struct err *err)
{
    assert(r->policy.tokenizer != NULL || replies->text != NULL);
    if (!r->reads_ids)
        return read_texts(score, r, replies, context, err);
    for (size_t i = 0; i < replies->n; i++) {
        const struct sequence *seq = &replies->seq[i];
        size_t n = seq->len_prompt + seq->len_response;
        if (n > r->model.config.T_max)
            return err_set(err, ERR_LIMIT,
                           "record '%s': %zu tokens are more than the %zu "
                           "positions of the reward model %s",
                           replies->records[replies->prompt[i]].id, n,
                           r->model.config.T_max, r->path);
    }
    return scorer_score(score, &r->model, replies->seq, replies->n, context,
                        err);
}
