#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "io/dataset.h"
#include "world/desk.h"
#include "world/replies.h"
#include "world/world.h"

enum {
    WHAT_MAX = 200,
    ID_MAX = 40
};

#define FILE_MAX ((size_t)1 << 32)
#define EXTRA_MAX ((size_t)8 << 20)
#define TEXT_MAX ((size_t)4096) // a ticket or a demonstration

/* ---- from nothing: prompts and demonstrations --------------------------- */

/* One record of a set; with `r`, a demonstration. */
static enum status write_ticket_record(struct buf *out, const char *id,
                                       const struct ticket *t, struct rng *r,
                                       struct err *err)
{
    struct buf text;
    struct json_writer w;
    buf_init(&text, TEXT_MAX);
    json_writer_init(&w, out, false);
    json_open(&w, '{');
    json_field_text(&w, "id", id);
    ticket_text(&text, t);
    json_field_text(&w, "prompt", buf_text(&text));
    if (r != NULL) {
        buf_clear(&text);
        reply_draw(&text, t, r);
        json_field_text(&w, "response", buf_text(&text));
    }
    json_put_key(&w, "ticket");
    ticket_write(&w, t);
    json_put_key(&w, "tags");
    ticket_write_tags(&w, t);
    json_close(&w, '}');
    buf_putc(out, '\n');
    enum status status = buf_status(&text, err);
    buf_free(&text);
    return status;
}

static enum status write_set(const char *path, enum ticket_split split,
                             size_t n, const struct mix *mix, uint64_t seed,
                             bool has_response, struct err *err)
{
    enum status status = OK;
    struct world_set set = {0};
    struct buf out;
    buf_init(&out, FILE_MAX);
    TRY_DONE(world_prompts_of(&set, seed, split, n, mix, err));
    for (size_t i = 0; i < set.n; i++) {
        char id[ID_MAX];
        struct rng r;
        (void)snprintf(id, sizeof id, "%s-%06zu", ticket_split_name(split), i);
        rng_init(&r, seed, RNG_REPLY, 0, (uint32_t)i);
        TRY_DONE(write_ticket_record(&out, id, &set.ticket[i],
                                     has_response ? &r : NULL, err));
    }
    TRY_DONE(buf_status(&out, err));
    TRY_DONE(file_write(path, buf_text(&out), out.len, err));
done:
    buf_free(&out);
    world_set_free(&set);
    return status;
}

enum status desk_write_prompts(const char *path, enum ticket_split split,
                               size_t n, uint64_t seed, struct err *err)
{
    return write_set(path, split, n, NULL, seed, false, err);
}

enum status desk_write_mix(const char *path, enum ticket_split split, size_t n,
                           const struct mix *mix, uint64_t seed,
                           struct err *err)
{
    return write_set(path, split, n, mix, seed, false, err);
}

enum status desk_write_demos(const char *path, size_t n, uint64_t seed,
                             struct err *err)
{
    return write_set(path, TICKET_SFT, n, NULL, seed, true, err);
}

/* ---- from records to records -------------------------------------------- */

/* A record with what the desk knows about it. */
struct desk_record {
    const struct record *record;
    struct json *extra;
    struct ticket ticket;
    size_t n; // responses, a single one counted
    char what[WHAT_MAX];
};

static const char *response_at(const struct record *r, size_t i)
{
    return r->responses != NULL ? r->responses[i] : r->response;
}

static enum status desk_record_open(struct desk_record *d,
                                    const struct record *r, const char *path,
                                    struct err *err)
{
    enum status status = OK;
    *d = (struct desk_record){.record = r};
    (void)snprintf(d->what, sizeof d->what, "%.120s: record '%.60s'", path,
                   r->id);
    d->n = r->responses != NULL ? r->n_responses : r->response != NULL ? 1 : 0;
    if (d->n == 0)
        return err_set(err, ERR_FORMAT, "%s: no response to look at", d->what);
    if (r->extra == NULL)
        return err_set(err, ERR_FORMAT, "%s: no \"ticket\" object", d->what);
    TRY_DONE(json_parse(&d->extra, r->extra, strlen(r->extra), d->what, err));
    TRY_DONE(
        ticket_read(&d->ticket, json_get(d->extra, "ticket"), d->what, err));
done:
    if (status != OK) {
        json_free(d->extra);
        d->extra = NULL;
    }
    return status;
}

/* Did response i end by itself?  Told by "finish", a text or a list. */
static enum status read_finish(bool *is_eos, const struct desk_record *d,
                               size_t i, struct err *err)
{
    const struct json *finish = json_get(d->extra, "finish");
    const struct json *own =
        json_is_array(finish) ? json_at(finish, i) : finish;
    if (finish == NULL) {
        *is_eos = true;
        return OK;
    }
    const char *text = json_text(own, "");
    *is_eos = strcmp(text, "eos") == 0;
    if (!*is_eos && strcmp(text, "length") != 0)
        return err_set(err, ERR_FORMAT,
                       "%s: \"finish\" is neither \"eos\" nor \"length\" for "
                       "response %zu",
                       d->what, i + 1);
    return OK;
}

static enum status judge_record(struct judgement *out,
                                const struct desk_record *d, struct err *err)
{
    for (size_t i = 0; i < d->n; i++) {
        bool is_eos = true;
        TRY(read_finish(&is_eos, d, i, err));
        if (judge_reply(&out[i], &d->ticket, response_at(d->record, i), is_eos,
                        err) != OK)
            return err_context(err, "%s", d->what);
    }
    return OK;
}

/* Open `w` on an object that already holds the record's further members but
 * those the step writes anew. */
static void extra_begin(struct json_writer *w, struct buf *out,
                        const struct json *extra, const char *const drop[2])
{
    json_writer_init(w, out, false);
    json_open(w, '{');
    for (const void *it = json_first(extra); it != NULL;
         it = json_next(extra, it)) {
        const char *key = json_key(it);
        if (strcmp(key, drop[0]) == 0 || strcmp(key, drop[1]) == 0)
            continue;
        json_put_key(w, key);
        json_put_node(w, json_value(it));
    }
}

/* Write the record with other further members. */
static enum status write_with_extra(struct buf *out, const struct record *r,
                                    struct json_writer *w, struct buf *extra,
                                    int32_t *ranking, struct err *err)
{
    json_close(w, '}');
    TRY(buf_status(extra, err));
    struct record copy = *r;
    copy.extra = extra->data;
    if (ranking != NULL)
        copy.ranking = ranking;
    dataset_write_record(out, &copy);
    return OK;
}

/* What a step does to one record. */
struct step {
    const struct rater_config *rater; // NULL: judge only
    uint64_t seed;
    uint32_t number; // of the record
};

static enum status rank_record(struct buf *out, struct buf *extra,
                               const struct desk_record *d,
                               const struct judgement *judged,
                               const struct step *step, struct err *err)
{
    static const char *const drop[2] = {"rater", "rater"};
    struct json_writer w;
    int32_t ranking[RATER_REPLIES_MAX];
    if (d->n < 2 || d->n > RATER_REPLIES_MAX)
        return err_set(err, ERR_FORMAT,
                       "%s: %zu responses to rank, wanted 2..%d", d->what, d->n,
                       RATER_REPLIES_MAX);
    const char *rater = rater_rank(ranking, judged, d->n, step->rater,
                                   step->seed, step->number);
    extra_begin(&w, extra, d->extra, drop);
    json_field_text(&w, "rater", rater);
    return write_with_extra(out, d->record, &w, extra, ranking, err);
}

static enum status write_judged(struct buf *out, struct buf *extra,
                                const struct desk_record *d,
                                const struct judgement *judged, struct err *err)
{
    static const char *const drop[2] = {"judgement", "judgements"};
    struct json_writer w;
    extra_begin(&w, extra, d->extra, drop);
    if (d->record->responses == NULL) {
        json_put_key(&w, "judgement");
        judge_write(&w, &judged[0]);
    } else {
        json_put_key(&w, "judgements");
        json_open(&w, '[');
        for (size_t i = 0; i < d->n; i++)
            judge_write(&w, &judged[i]);
        json_close(&w, ']');
    }
    return write_with_extra(out, d->record, &w, extra, NULL, err);
}

static enum status step_record(struct buf *out, const struct record *r,
                               const char *path, const struct step *step,
                               struct err *err)
{
    enum status status = OK;
    struct desk_record d;
    struct judgement *judged = NULL;
    struct buf extra;
    buf_init(&extra, EXTRA_MAX);
    TRY_DONE(desk_record_open(&d, r, path, err));
    TRY_DONE(MEM_NEW(judged, d.n, err));
    TRY_DONE(judge_record(judged, &d, err));
    if (step->rater != NULL)
        TRY_DONE(rank_record(out, &extra, &d, judged, step, err));
    else
        TRY_DONE(write_judged(out, &extra, &d, judged, err));
done:
    mem_free(judged);
    json_free(d.extra);
    buf_free(&extra);
    return status;
}

static enum status step_file(const char *in_path, const char *path,
                             enum dataset_kind kind, struct step step,
                             struct err *err)
{
    enum status status = OK;
    struct dataset in = {0};
    struct buf out;
    buf_init(&out, FILE_MAX);
    TRY_DONE(dataset_read(&in, in_path, kind, err));
    for (size_t i = 0; i < in.n; i++) {
        step.number = (uint32_t)i;
        TRY_DONE(step_record(&out, &in.record[i], in_path, &step, err));
    }
    TRY_DONE(buf_status(&out, err));
    TRY_DONE(file_write(path, buf_text(&out), out.len, err));
done:
    buf_free(&out);
    dataset_free(&in);
    return status;
}

enum status desk_rank_file(const char *candidates_path, const char *path,
                           const struct rater_config *c, uint64_t seed,
                           struct err *err)
{
    TRY(rater_check(c, err));
    return step_file(candidates_path, path, DATASET_CANDIDATES,
                     (struct step){.rater = c, .seed = seed}, err);
}

enum status desk_judge_file(const char *in_path, const char *path,
                            struct err *err)
{
    return step_file(in_path, path, DATASET_PROMPTS, (struct step){.number = 0},
                     err);
}

/* ---- spot-checks --------------------------------------------------------- */

/* The samples of one prompt. */
struct sample_list {
    struct ticket ticket;
    struct panel_sample *sample; // n
    size_t n;
};

/* One file of samples, ready for the panel. */
struct samples {
    struct dataset data;
    struct sample_list *list; // [data.n]
};

static void samples_free(struct samples *s)
{
    for (size_t i = 0; s->list != NULL && i < s->data.n; i++)
        mem_free(s->list[i].sample);
    mem_free(s->list);
    dataset_free(&s->data);
}

static enum status sample_list_fill(struct sample_list *list,
                                    const struct desk_record *d,
                                    struct err *err)
{
    TRY(MEM_NEW(list->sample, d->n, err));
    list->ticket = d->ticket;
    list->n = d->n;
    for (size_t k = 0; k < d->n; k++) {
        list->sample[k].text = response_at(d->record, k);
        TRY(read_finish(&list->sample[k].is_eos, d, k, err));
    }
    return OK;
}

/* On failure what was read stays in `s` for samples_free(). */
static enum status samples_read(struct samples *s, const char *path,
                                struct err *err)
{
    TRY(dataset_read(&s->data, path, DATASET_PROMPTS, err));
    TRY(MEM_NEW(s->list, s->data.n, err));
    for (size_t i = 0; i < s->data.n; i++) {
        struct desk_record d;
        TRY(desk_record_open(&d, &s->data.record[i], path, err));
        enum status status = sample_list_fill(&s->list[i], &d, err);
        json_free(d.extra);
        TRY(status);
    }
    return OK;
}

static enum status pair_up(struct panel_prompt *out, const struct samples *a,
                           const struct samples *b, struct err *err)
{
    if (a->data.n != b->data.n)
        return err_set(err, ERR_MISMATCH,
                       "%.120s has %zu records, %.120s has %zu", a->data.path,
                       a->data.n, b->data.path, b->data.n);
    for (size_t i = 0; i < a->data.n; i++) {
        const struct record *r = &a->data.record[i];
        if (strcmp(r->prompt, b->data.record[i].prompt) != 0)
            return err_set(err, ERR_MISMATCH,
                           "%.120s and %.120s differ in the prompt of record "
                           "%zu ('%.60s')",
                           a->data.path, b->data.path, i + 1, r->id);
        out[i] = (struct panel_prompt){
            .id = r->id,
            .prompt = r->prompt,
            .ticket = &a->list[i].ticket,
            .policy = a->list[i].sample,
            .n_policy = a->list[i].n,
            .reference = b->list[i].sample,
            .n_reference = b->list[i].n,
        };
    }
    return OK;
}

enum status desk_spotcheck_file(const char *policy_path,
                                const char *reference_path, const char *path,
                                const struct panel_config *c, uint64_t seed,
                                struct err *err)
{
    enum status status = OK;
    struct samples policy = {0};
    struct samples reference = {0};
    struct panel_prompt *prompt = NULL;
    struct buf out;
    buf_init(&out, FILE_MAX);
    TRY_DONE(samples_read(&policy, policy_path, err));
    TRY_DONE(samples_read(&reference, reference_path, err));
    TRY_DONE(MEM_NEW(prompt, policy.data.n, err));
    TRY_DONE(pair_up(prompt, &policy, &reference, err));
    TRY_DONE(panel_spotcheck(&out, prompt, policy.data.n, c, seed, err));
    TRY_DONE(file_write(path, buf_text(&out), out.len, err));
done:
    buf_free(&out);
    mem_free(prompt);
    samples_free(&reference);
    samples_free(&policy);
    return status;
}
