/*
 * Scores of ranked replies.  Columns:
 *
 *     prompt_id  response   index within the prompt
 *     rank       1 is the best; ties are equal
 *     score      tokens     as the reward model reads the reply, end mark
 *                           included, cut at reward.max_tokens
 *     split                 "heldout" or "train"
 *     characters  ...       the features of the whole text (stat/features.h)
 *
 * Every prompt held out, and the first so many trained on.
 *
 * A program in place of the reward model has no tokens, and nobody knows what
 * it was trained on: the rankings are those of probe.rankings, all of them held
 * out, its scores are of whole texts, and tokens are the policy's; of an
 * imported run, whose tokenizer is elsewhere, they are words.
 */
#include <string.h>

#include "base/mem.h"
#include "eval/probe_file.h"
#include "eval/probe_stage.h"
#include "eval/probe_table.h"

struct row {
    const char *prompt_id, *split;
    int64_t response, rank, tokens;
    double score;
    double feature[FEATURES];
};

/* The rankings as the reward model's training read them. */
struct rankings {
    struct dataset data;
    struct corpus corpus;
    size_t n_train;
    size_t *record; // [n] the records that are scored
    size_t n;
    struct row *row; // [n_row], of the records' responses in turn
    struct sequence *seq;
    double *score;
    size_t n_row;
};

static void rankings_free(struct rankings *r)
{
    mem_free(r->record);
    mem_free(r->row);
    mem_free(r->seq);
    mem_free(r->score);
    corpus_free(&r->corpus);
    dataset_free(&r->data);
}

enum status probe_pairs_inputs(struct buf *out, const struct probe *p,
                               struct err *err)
{
    const struct probe_stage *s = &p->config->reward_stage;
    const char *rankings = p->config->rankings;
    char hash[65];
    if (p->setup.reward.outside != NULL && rankings == NULL)
        return err_set(err, ERR_MISSING,
                       "the scores are those of a program: --rankings FILE "
                       "names replies that people ranked");
    if (p->setup.reward.outside != NULL) {
        TRY(file_hash(hash, rankings, err));
        buf_printf(out, "rankings %s\n", hash);
        return OK;
    }
    if (s->missing != NULL)
        return err_set(err, ERR_MISSING, "%s", s->missing);
    buf_printf(out, "run %s train %lld\n", s->config_hash,
               (long long)p->config->sizes.training_pairs);
    return OK;
}

/* Of a program: what the policy's tokenizer makes of them, cut where it has no
 * room, since only the tokens are counted. */
static enum status load_texts(struct rankings *r, const struct probe *p,
                              struct err *err)
{
    const struct setup *s = &p->setup;
    const struct corpus_files files = {.path = p->config->rankings,
                                       .kind = DATASET_RANKINGS};
    struct data_config how = p->config->heldout.data;
    if (p->is_of_texts)
        return dataset_load(&r->data, p->config->rankings, DATASET_RANKINGS,
                            &how.dataset, p->context, err);
    how.too_long = TOO_LONG_TRUNCATE;
    return corpus_load(&r->corpus, &r->data, &files, &how, s->tokenizer,
                       s->policy.config.eos, s->policy.config.T_max, p->context,
                       err);
}

static enum status load(struct rankings *r, const struct probe *p,
                        struct err *err)
{
    if (p->setup.reward.outside != NULL)
        return load_texts(r, p, err);
    const struct probe_stage *s = &p->config->reward_stage;
    const struct reward_config *c = p->config->reward;
    const struct reward_reader *reader = &p->setup.reward;
    const struct corpus_files files = {
        .path = c->data, .heldout = c->heldout, .kind = DATASET_RANKINGS};
    struct data_config how = s->data;
    size_t most = reader->model.config.T_max;
    how.template = NULL; // the reward model's own, which it was trained with
    if ((size_t)c->max_tokens < most)
        most = (size_t)c->max_tokens;
    TRY(probe_stage_check(s, c->data, err));
    TRY(corpus_load(&r->corpus, &r->data, &files, &how, reader->tokenizer,
                    reader->model.config.eos, most, NULL, err));
    r->n_train = reward_training_prompts(c, &r->corpus, &r->data);
    return OK;
}

/* Held-out prompts first, then some of those trained on. */
static enum status choose(struct rankings *r, const struct probe *p,
                          struct err *err)
{
    size_t train = (size_t)p->config->sizes.training_pairs;
    if (train > r->n_train)
        train = r->n_train;
    TRY(MEM_NEW(r->record, r->data.n, err));
    for (size_t i = r->n_train; i < r->data.n; i++)
        r->record[r->n++] = i;
    for (size_t i = 0; i < train; i++)
        r->record[r->n++] = i;
    for (size_t i = 0; i < r->n; i++)
        r->n_row += r->data.record[r->record[i]].n_responses;
    TRY(MEM_NEW(r->row, r->n_row, err));
    TRY(MEM_NEW(r->seq, r->n_row, err));
    return MEM_NEW(r->score, r->n_row, err);
}

/* Everything but the score of a record's responses. */
static enum status describe(struct rankings *r, size_t record, size_t at,
                            struct err *err)
{
    const struct record *from = &r->data.record[record];
    for (size_t k = 0; k < from->n_responses; k++) {
        const char *text = from->responses[k];
        if (r->corpus.seq != NULL)
            r->seq[at + k] = r->corpus.seq[r->corpus.first[record] + k];
        r->row[at + k] = (struct row){
            .prompt_id = from->id,
            .split = record < r->n_train ? "train" : "heldout",
            .response = (int64_t)k,
            .rank = from->ranking[k],
            .tokens = (int64_t)r->seq[at + k].len_response,
        };
        TRY(features_of(r->row[at + k].feature, from->prompt,
                        strlen(from->prompt), text, strlen(text), err));
        if (r->corpus.seq == NULL)
            r->row[at + k].tokens =
                (int64_t)r->row[at + k].feature[FEATURE_WORDS];
    }
    return OK;
}

static void put(struct json_writer *w, const struct rankings *r)
{
    const struct row *row = r->row;
    struct probe_column column[6 + FEATURES] = {
        PROBE_COLUMN(row, prompt_id), PROBE_COLUMN(row, response),
        PROBE_COLUMN(row, rank),      PROBE_COLUMN(row, score),
        PROBE_COLUMN(row, tokens),    PROBE_COLUMN(row, split),
    };
    probe_feature_columns(column + 6, row->feature, sizeof *row);
    json_field_int(w, "heldout_prompts", (int64_t)(r->data.n - r->n_train));
    json_field_int(w, "training_prompts", (int64_t)r->n_train);
    probe_put_columns(w, column, 6 + FEATURES, r->n_row);
}

static enum status score(struct rankings *r, const struct probe *p,
                         struct err *err)
{
    const struct reward_reader *reader = &p->setup.reward;
    if (reader->outside != NULL) // all records, in their order
        return reward_reader_ask(r->score, reader, r->data.record, r->n, err);
    return scorer_score(r->score, &reader->model, r->seq, r->n_row, p->context,
                        err);
}

enum status probe_pairs(struct json_writer *w, const struct probe *p,
                        struct err *err)
{
    enum status status = OK;
    struct rankings r = {.n = 0};
    const struct score_scale *scale = &p->setup.scale;
    TRY_DONE(load(&r, p, err));
    TRY_DONE(choose(&r, p, err));
    for (size_t i = 0, at = 0; i < r.n; i++) {
        TRY_DONE(describe(&r, r.record[i], at, err));
        at += r.data.record[r.record[i]].n_responses;
    }
    TRY_DONE(score(&r, p, err));
    for (size_t i = 0; i < r.n_row; i++)
        r.row[i].score = (r.score[i] - scale->mean) / scale->sd;
    put(w, &r);
done:
    rankings_free(&r);
    return status;
}
