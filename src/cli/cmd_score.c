#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/outside_given.h"
#include "cli/session.h"
#include "rlhf/reward_reader.h"

#define TEXT_MAX ((size_t)1 << 32)
#define PREVIEW 41 // columns of a reply in the table
#define CHUNK 256  // replies between two reports of progress

/* A reward model, the records it judges and what it says of them. */
struct judging {
    struct reward_reader reader;
    struct dataset data;
    struct corpus corpus; // not of a program
    size_t *first;        // [data.n + 1] of the record's scores
    double *score;
};

static void judging_free(struct judging *j)
{
    mem_free(j->first);
    mem_free(j->score);
    corpus_free(&j->corpus);
    dataset_free(&j->data);
    reward_reader_close(&j->reader);
}

/* A score is one of a reply: a record must have one. */
static enum status check_replies(const struct dataset *d, struct err *err)
{
    for (size_t i = 0; i < d->n; i++) {
        if (!d->record[i].response && d->record[i].n_responses == 0)
            return err_set(err, ERR_FORMAT, "%s: record '%s' has no response",
                           d->path, d->record[i].id);
    }
    return d->n ? OK : err_set(err, ERR_FORMAT, "%s: no records", d->path);
}

/* A model, and the records as its tokens. */
static enum status open_model(struct judging *j, const struct options *o,
                              const struct context *context, struct err *err)
{
    const struct score_values *v = &o->v.score;
    const struct corpus_files files = {.path = v->data, .kind = DATASET_ANY};
    const struct model_config *c = &j->reader.model.config;
    struct data_config how = o->v.data;
    how.template = NULL; // the reward model's own, which it was trained with
    TRY(reward_reader_open(&j->reader, v->model, NULL, options_precision(o),
                           err));
    return corpus_load(&j->corpus, &j->data, &files, &how, j->reader.tokenizer,
                       c->eos, c->T_max, context, err);
}

/* A program, and the records as texts. */
static enum status open_program(struct judging *j, const struct options *o,
                                const struct context *context, struct err *err)
{
    TRY(reward_reader_open_command(&j->reader, &o->v.outside.reward, NULL,
                                   context, err));
    return dataset_load(&j->data, o->v.score.data, DATASET_ANY,
                        &o->v.data.dataset, context, err);
}

static enum status judging_open(struct judging *j, const struct options *o,
                                const struct context *context, struct err *err)
{
    TRY(o->v.score.model != NULL ? open_model(j, o, context, err)
                                 : open_program(j, o, context, err));
    TRY(check_replies(&j->data, err));
    TRY(MEM_NEW(j->first, j->data.n + 1, err));
    for (size_t i = 0; i < j->data.n; i++)
        j->first[i + 1] =
            j->first[i] + reward_reader_count(&j->data.record[i], 1);
    return MEM_NEW(j->score, j->first[j->data.n], err);
}

/* Records from i on that have about CHUNK replies. */
static size_t chunk_of(const struct judging *j, size_t i)
{
    size_t n = 1;
    while (i + n < j->data.n && j->first[i + n] - j->first[i] < CHUNK)
        n++;
    return n;
}

/* `done` replies have their scores. */
static enum status go_on(const struct judging *j, size_t done,
                         const struct context *context, struct err *err)
{
    context_progress(context, (double)done, (double)j->first[j->data.n],
                     "reply", NULL);
    return context_stopped(context)
               ? err_set(err, ERR_STOPPED, "stopped; nothing is written")
               : OK;
}

static enum status run_model(struct judging *j, const struct context *context,
                             struct err *err)
{
    size_t n = j->corpus.n_seq;
    for (size_t i = 0; i < n; i += CHUNK) {
        size_t some = n - i < CHUNK ? n - i : CHUNK;
        TRY(scorer_score(j->score + i, &j->reader.model, j->corpus.seq + i,
                         some, context, err));
        TRY(go_on(j, i + some, context, err));
    }
    return OK;
}

static enum status run_program(struct judging *j, const struct context *context,
                               struct err *err)
{
    for (size_t i = 0, some; i < j->data.n; i += some) {
        some = chunk_of(j, i);
        TRY(reward_reader_ask(j->score + j->first[i], &j->reader,
                              j->data.record + i, some, err));
        TRY(go_on(j, j->first[i + some], context, err));
    }
    return OK;
}

/* ---- what is written ---------------------------------------------------- */

static void put_row(struct buf *out, const struct judging *j, size_t i)
{
    const struct record *r = &j->data.record[i];
    size_t first = j->first[i], end = j->first[i + 1];
    struct json_writer w;
    json_writer_init(&w, out, false);
    json_open(&w, '{');
    json_field_text(&w, "id", r->id);
    json_put_key(&w, "score");
    if (r->n_responses)
        json_open(&w, '[');
    for (size_t k = first; k < end; k++)
        if (j->reader.outside != NULL)
            json_put_number(&w, j->score[k]); // as the program said it
        else
            json_put_float(&w, (float)j->score[k]); // what the head computed
    if (r->n_responses)
        json_close(&w, ']');
    json_close(&w, '}');
    buf_putc(out, '\n');
}

/* The beginning of a reply, on one line, characters whole. */
static void put_preview(struct buf *out, const char *text)
{
    size_t columns = 0;
    for (; *text && columns < PREVIEW; text++) {
        unsigned char c = (unsigned char)*text;
        bool is_first = (c & 0xc0) != 0x80;
        columns += is_first;
        bool is_control = c < 32 || c == 127;
        buf_append(out, is_control ? " " : text, 1);
    }
    while ((*text & 0xc0) == 0x80)
        buf_putc(out, *text++);
    buf_puts(out, *text ? "...\n" : "\n");
}

static void put_lines(struct buf *out, const struct judging *j, size_t i)
{
    const struct record *r = &j->data.record[i];
    size_t first = j->first[i];
    for (size_t k = first; k < j->first[i + 1]; k++) {
        buf_printf(out, "%-18.18s %3zu %10.4f  ", r->id, k - first + 1,
                   j->score[k]);
        put_preview(out,
                    r->n_responses ? r->responses[k - first] : r->response);
    }
}

static enum status deliver(const struct judging *j, const struct options *o,
                           struct err *err)
{
    struct buf out;
    bool json = o->v.common.json || o->v.common.out;
    buf_init(&out, TEXT_MAX);
    if (!json)
        buf_printf(&out, "%-18s %3s %10s  %s\n", "id", "no", "score",
                   "response");
    for (size_t i = 0; i < j->data.n; i++) {
        if (json)
            put_row(&out, j, i);
        else
            put_lines(&out, j, i);
    }
    enum status status = buf_status(&out, err);
    if (status == OK && o->v.common.out)
        status = file_write(o->v.common.out, buf_text(&out), out.len, err);
    else if (status == OK)
        status = terminal_print(&out, err);
    buf_free(&out);
    return status;
}

enum status cmd_score(struct options *o, struct err *err)
{
    struct session s;
    struct judging j = {.score = NULL};
    TRY(options_check_needed(o, FOR_SCORE, err));
    TRY(outside_given_one(o->v.score.model, "score.model", &o->v.outside.reward,
                          "reward", err));
    TRY(session_check_file(o, err));
    TRY(session_open(&s, o, "score", err));
    enum status status = judging_open(&j, o, &s.context, err);
    if (status == OK)
        status = j.reader.outside != NULL ? run_program(&j, &s.context, err)
                                          : run_model(&j, &s.context, err);
    if (status == OK)
        status = deliver(&j, o, err);
    judging_free(&j);
    session_close(&s);
    return status;
}
