/*
 * Replies of both models, changed without changing what they say, before the
 * reward model (eval/edit.h, eval/fillers.h).  Columns:
 *
 *     prompt_id  which ("reference" or "policy")  sample
 *     edit           eval/edit.h; pad comes with one sentence and with two
 *     added_tokens   the edited reply's tokens less the reply's
 *     before  after  scores
 *     filler         number in "fillers" of the sentence added (of two, the
 *                    first) or left out; -1: none of them
 *
 * Members: "fillers" and where they are from, "source"; "hedges" and
 * "flatteries"; "skipped", edits that could not be made at all and why;
 * "replies": {"read","cut": not looked at, since they did not end,
 * "reencoded": whose text gives the same tokens again}.  Both scores are of
 * texts encoded anew, so that nothing else differs.  Of an imported run's texts
 * there are no tokens: words are counted, and none is encoded.
 */
#include <string.h>

#include "base/mem.h"
#include "eval/drawn.h"
#include "eval/edit.h"
#include "eval/fillers.h"
#include "eval/probe_file.h"
#include "eval/probe_table.h"

#define TEXT_MAX ((size_t)16 << 20)
#define SCORED 256 // texts between two looks at whether to stop

struct row {
    const char *prompt_id, *which;
    int64_t sample;
    const char *edit;
    int64_t added_tokens;
    double before, after;
    int64_t filler;
};

/* A text to be scored: tokens at `at` of the pool. */
struct variant {
    size_t prompt, at, len;
    char *text;  // of texts, else NULL
    size_t base; // the variant that it is an edit of; itself: a reply
    struct row row;
};

struct edits {
    struct drawn drawn;
    struct fillers fillers;
    char **text; // [drawn.n]
    struct variant *variant;
    size_t n, room;
    struct ids pool;
    size_t made[EDITS], refused[EDITS]; // and what the vocabulary cannot write
    size_t cut, empty, reencoded;
    struct row *row; // of edits
    size_t n_row;
};

enum status probe_edits_inputs(struct buf *out, const struct probe *p,
                               struct err *err)
{
    const char *path = p->config->fillers;
    char hash[65] = "none";
    if (path != NULL && !file_exists(path))
        return err_set(err, ERR_ARG, "%s: no such file of fillers", path);
    if (path != NULL)
        TRY(file_hash(hash, path, err));
    buf_printf(out, "prompts %lld samples %lld fillers %s\n",
               (long long)p->config->sizes.prompts,
               (long long)p->config->sizes.samples, hash);
    return OK;
}

static void edits_free(struct edits *e)
{
    for (size_t i = 0; e->text != NULL && i < e->drawn.n; i++)
        mem_free(e->text[i]);
    mem_free(e->text);
    for (size_t i = 0; i < e->n; i++)
        mem_free(e->variant[i].text);
    mem_free(e->variant);
    mem_free(e->row);
    ids_free(&e->pool);
    fillers_close(&e->fillers);
    drawn_free(&e->drawn);
}

/* ---- what is edited ----------------------------------------------------- */

static enum status copy(char **out, const char *text, struct err *err)
{
    *out = mem_strdup(text);
    return *out != NULL ? OK
                        : err_set(err, ERR_MEMORY, "out of memory: a reply");
}

/* The replies that an import left, as if they had been drawn. */
static enum status take_texts(struct edits *e, const struct probe *p,
                              struct err *err)
{
    const struct texts *t = &p->texts;
    const struct probe_sizes *most = &p->config->sizes;
    TRY(MEM_NEW(e->drawn.reply, t->n, err));
    TRY(MEM_NEW(e->text, t->n, err));
    for (size_t i = 0; i < t->n; i++) {
        if (t->reply[i].prompt >= (size_t)most->prompts ||
            t->reply[i].sample >= most->samples)
            continue;
        TRY(copy(&e->text[e->drawn.n], t->text[i], err));
        e->drawn.reply[e->drawn.n++] = t->reply[i];
    }
    return OK;
}

static enum status read_texts(struct edits *e, const struct probe *p,
                              struct err *err)
{
    enum status status = OK;
    struct buf text;
    buf_init(&text, TEXT_MAX);
    TRY_DONE(MEM_NEW(e->text, e->drawn.n, err));
    for (size_t i = 0; i < e->drawn.n; i++) {
        buf_clear(&text);
        TRY_DONE(drawn_text(&text, &p->setup, &e->drawn.reply[i].seq, err));
        TRY_DONE(copy(&e->text[i], buf_text(&text), err));
    }
done:
    buf_free(&text);
    return status;
}

/* The reference's replies are where sentences without content are looked for
 * when nothing else gives any. */
static enum status find_fillers(struct edits *e, const struct probe *p,
                                struct err *err)
{
    enum status status = OK;
    const struct setup *s = &p->setup;
    const char **text = NULL, **prompt_text = NULL;
    size_t *prompt = NULL, n = 0, prompts = (size_t)s->config->n_prompts;
    TRY_DONE(MEM_NEW(text, e->drawn.n, err));
    TRY_DONE(MEM_NEW(prompt, e->drawn.n, err));
    TRY_DONE(MEM_NEW(prompt_text, prompts, err));
    for (size_t i = 0; i < e->drawn.n; i++) {
        if (e->drawn.reply[i].is_policy)
            continue;
        text[n] = e->text[i];
        prompt[n++] = e->drawn.reply[i].prompt;
    }
    for (size_t i = 0; i < prompts; i++)
        prompt_text[i] = s->prompts.record[i].prompt;
    const struct fillers_replies replies = {text, prompt, n, prompt_text,
                                            prompts};
    TRY_DONE(fillers_open(&e->fillers, p->config->fillers, s, &replies, err));
done:
    mem_free(text);
    mem_free(prompt);
    mem_free(prompt_text);
    return status;
}

/* ---- texts to tokens ---------------------------------------------------- */

static enum status grow(struct edits *e, struct err *err)
{
    size_t room = e->room > 0 ? 2 * e->room : 256;
    struct variant *grown = mem_grow(e->variant, e->n, room, sizeof *grown);
    if (grown == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: %zu texts", room);
    e->variant = grown;
    e->room = room;
    return OK;
}

/* A text as it is, its length in words. */
static enum status add_words(struct edits *e, size_t prompt, const char *text,
                             struct err *err)
{
    struct variant v = {.prompt = prompt, .base = e->n};
    int64_t words;
    TRY(texts_words(&words, text, err));
    v.len = (size_t)words;
    if (e->n == e->room)
        TRY(grow(e, err));
    TRY(copy(&v.text, text, err));
    e->variant[e->n++] = v;
    return OK;
}

/* Add a text with the end of a turn; *added is false when it cannot be
 * written or is too long for the models. */
static enum status add_text(bool *added, struct edits *e, const struct probe *p,
                            size_t prompt, const char *text, struct err *err)
{
    const struct setup *s = &p->setup;
    const struct model_config *c = &s->policy.config;
    struct variant v = {.prompt = prompt, .at = e->pool.n, .base = e->n};
    bool can;
    *added = p->is_of_texts;
    if (p->is_of_texts)
        return add_words(e, prompt, text, err);
    TRY(fillers_can_write(&can, s, text, err));
    if (!can)
        return OK;
    TRY(chat_encode_response(s->tokenizer, &s->chat, text, c->eos, &e->pool,
                             err));
    v.len = e->pool.n - v.at;
    if (s->prompt[prompt].len_prompt + v.len > c->T_max) {
        e->pool.n = v.at;
        return OK;
    }
    if (e->n == e->room)
        TRY(grow(e, err));
    e->variant[e->n++] = v;
    *added = true;
    return OK;
}

/* ---- the edits of one reply --------------------------------------------- */

/* A reply being edited. */
struct editing {
    struct edits *e;
    const struct probe *p;
    const struct drawn_reply *reply;
    struct edit_text text;
    size_t base; // its variant
    struct buf out;
    struct rng rng;
};

/* What stands in x->out becomes a variant. */
static enum status add_edit(struct editing *x, enum edit edit, int64_t filler,
                            struct err *err)
{
    struct edits *e = x->e;
    bool added;
    TRY(buf_status(&x->out, err));
    TRY(add_text(&added, e, x->p, x->reply->prompt, buf_text(&x->out), err));
    e->made[edit] += added;
    e->refused[edit] += !added;
    if (!added)
        return OK;
    struct variant *v = &e->variant[e->n - 1];
    const struct variant *base = &e->variant[x->base];
    v->base = x->base;
    v->row = (struct row){
        .prompt_id = x->p->setup.prompts.record[x->reply->prompt].id,
        .which = x->reply->is_policy ? "policy" : "reference",
        .sample = x->reply->sample,
        .edit = edit_name(edit),
        .added_tokens = (int64_t)v->len - (int64_t)base->len,
        .filler = filler,
    };
    return OK;
}

/* A filler that the reply does not have, other than `not`; -1: there is
 * none. */
static int64_t draw_filler(struct editing *x, int64_t not )
{
    const struct fillers_list *list = &x->e->fillers.pad;
    size_t first = rng_below(&x->rng, (uint32_t)list->n);
    for (size_t i = 0; i < list->n; i++) {
        size_t at = (first + i) % list->n;
        if ((int64_t)at != not &&strstr(x->text.text, list->text[at]) == NULL)
            return (int64_t)at;
    }
    return -1;
}

static enum status pad(struct editing *x, struct err *err)
{
    const struct fillers_list *list = &x->e->fillers.pad;
    if (list->n == 0)
        return OK;
    int64_t one = draw_filler(x, -1);
    int64_t two = draw_filler(x, one);
    if (one < 0)
        return OK;
    buf_clear(&x->out);
    edit_append(&x->out, &x->text, list->text[one]);
    TRY(add_edit(x, EDIT_PAD, one, err));
    if (two < 0)
        return OK;
    buf_printf(&x->out, " %s", list->text[two]);
    return add_edit(x, EDIT_PAD, one, err);
}

static enum status restate(struct editing *x, struct err *err)
{
    buf_clear(&x->out);
    if (!edit_restate(&x->out, &x->text))
        return OK;
    return add_edit(x, EDIT_RESTATE, -1, err);
}

static enum status trim(struct editing *x, struct err *err)
{
    size_t at = x->text.n;
    int64_t filler = -1;
    if (x->text.n < 2)
        return OK;
    while (at > 0 && filler < 0) {
        const struct sentence *s = &x->text.sentence[--at];
        filler = fillers_find(&x->e->fillers, s->text, s->core);
    }
    if (filler < 0)
        at = x->text.n - 1;
    buf_clear(&x->out);
    edit_without(&x->out, &x->text, at);
    return add_edit(x, EDIT_TRIM, filler, err);
}

static enum status reorder(struct editing *x, struct err *err)
{
    buf_clear(&x->out);
    if (!edit_reorder(&x->out, &x->text, &x->rng))
        return OK;
    return add_edit(x, EDIT_REORDER, -1, err);
}

static enum status prefix(struct editing *x, enum edit edit,
                          const struct fillers_list *list, struct err *err)
{
    if (list->n == 0)
        return OK;
    buf_clear(&x->out);
    edit_prefix(&x->out, &x->text,
                list->text[rng_below(&x->rng, (uint32_t)list->n)]);
    return add_edit(x, edit, -1, err);
}

static enum status mark_up(struct editing *x, struct err *err)
{
    buf_clear(&x->out);
    edit_bold(&x->out, &x->text);
    TRY(add_edit(x, EDIT_BOLD, -1, err));
    if (x->text.n < 2)
        return OK;
    buf_clear(&x->out);
    edit_list(&x->out, &x->text);
    return add_edit(x, EDIT_LIST, -1, err);
}

static enum status make_all(struct editing *x, struct err *err)
{
    TRY(pad(x, err));
    TRY(restate(x, err));
    TRY(trim(x, err));
    TRY(reorder(x, err));
    TRY(prefix(x, EDIT_HEDGE, &x->e->fillers.hedge, err));
    TRY(prefix(x, EDIT_FLATTER, &x->e->fillers.flatter, err));
    return mark_up(x, err);
}

/* Does the text of a reply give its tokens again? */
static bool is_same(const struct edits *e, const struct drawn_reply *reply)
{
    const struct variant *v = &e->variant[e->n - 1];
    return v->text == NULL && v->len == reply->seq.len_response &&
           memcmp(e->pool.id + v->at, reply->seq.response,
                  v->len * sizeof *e->pool.id) == 0;
}

static enum status edit_reply(struct edits *e, const struct probe *p, size_t i,
                              struct err *err)
{
    enum status status = OK;
    const struct drawn_reply *reply = &e->drawn.reply[i];
    struct editing x = {.e = e, .p = p, .reply = reply, .base = e->n};
    struct sentence *sentence = NULL;
    bool added;
    size_t number = (reply->prompt * (size_t)p->config->sizes.samples +
                     (size_t)reply->sample) *
                        2 +
                    reply->is_policy;
    rng_init(&x.rng, p->config->seed, RNG_PROBE, PROBE_STREAM_EDITS,
             (uint32_t)number);
    buf_init(&x.out, TEXT_MAX);
    x.text.text = e->text[i];
    x.text.len = strlen(e->text[i]);
    TRY_DONE(sentence_cut(&sentence, &x.text.n, x.text.text, x.text.len, err));
    x.text.sentence = sentence;
    if (x.text.n == 0) {
        e->empty++;
        goto done;
    }
    TRY_DONE(add_text(&added, e, p, reply->prompt, x.text.text, err));
    if (!added)
        goto done;
    e->reencoded += is_same(e, reply);
    TRY_DONE(make_all(&x, err));
done:
    mem_free(sentence);
    buf_free(&x.out);
    return status;
}

/* ---- scores ------------------------------------------------------------- */

/* What a scoring call is given. */
struct scoring {
    struct sequence *seq;
    const char **text; // of texts
    size_t *prompt;
    bool *is_eos;
    double *score;
};

static void scoring_free(struct scoring *s)
{
    mem_free(s->seq);
    mem_free(s->text);
    mem_free(s->prompt);
    mem_free(s->is_eos);
    mem_free(s->score);
}

static enum status scoring_make(struct scoring *s, const struct edits *e,
                                const struct probe *p, struct err *err)
{
    TRY(MEM_NEW(s->seq, e->n, err));
    TRY(MEM_NEW(s->text, e->n, err));
    TRY(MEM_NEW(s->prompt, e->n, err));
    TRY(MEM_NEW(s->is_eos, e->n, err));
    TRY(MEM_NEW(s->score, e->n, err));
    for (size_t i = 0; i < e->n; i++) {
        const struct variant *v = &e->variant[i];
        s->prompt[i] = v->prompt;
        s->text[i] = v->text;
        s->is_eos[i] = true;
        if (p->is_of_texts)
            continue;
        s->seq[i] = p->setup.prompt[v->prompt];
        s->seq[i].response = e->pool.id + v->at;
        s->seq[i].len_response = v->len;
    }
    return OK;
}

static enum status score(struct scoring *s, const struct edits *e,
                         const struct probe *p, struct err *err)
{
    if (p->is_of_texts)
        return texts_score(s->score, &p->setup, s->prompt, s->text, s->is_eos,
                           e->n, p->context, err);
    for (size_t i = 0; i < e->n; i += SCORED) {
        const struct reward_replies replies = {
            .records = p->setup.prompts.record,
            .prompt = s->prompt + i,
            .seq = s->seq + i,
            .is_eos = s->is_eos + i,
            .n = e->n - i < SCORED ? e->n - i : SCORED,
        };
        if (context_stopped(p->context))
            return err_set(err, ERR_STOPPED, "stopped; run it again");
        TRY(reward_reader_score(s->score + i, &p->setup.reward, &replies,
                                p->context, err));
    }
    return OK;
}

static enum status make_rows(struct edits *e, const double *score,
                             const struct score_scale *scale, struct err *err)
{
    TRY(MEM_NEW(e->row, e->n + 1, err));
    for (size_t i = 0; i < e->n; i++) {
        size_t base = e->variant[i].base;
        if (base == i)
            continue;
        struct row *row = &e->row[e->n_row++];
        *row = e->variant[i].row;
        row->before = (score[base] - scale->mean) / scale->sd;
        row->after = (score[i] - scale->mean) / scale->sd;
    }
    return OK;
}

/* ---- the file ----------------------------------------------------------- */

static void put_texts(struct json_writer *w, const char *key,
                      const struct fillers_list *list)
{
    json_put_key(w, key);
    json_open(w, '[');
    for (size_t i = 0; i < list->n; i++)
        json_put_text(w, list->text[i]);
    json_close(w, ']');
}

/* Why an edit was never made. */
static const char *why_not(const struct edits *e, enum edit edit)
{
    const struct fillers *f = &e->fillers;
    if (e->refused[edit] > 0)
        return "the policy's tokenizer has no tokens for it";
    if ((edit == EDIT_PAD && f->pad.n == 0) ||
        (edit == EDIT_HEDGE && f->hedge.n == 0) ||
        (edit == EDIT_FLATTER && f->flatter.n == 0))
        return "no sentence for it that the policy's tokenizer can write";
    return "no reply has the sentences it takes";
}

static void put_skipped(struct json_writer *w, const struct edits *e)
{
    json_put_key(w, "skipped");
    json_open(w, '{');
    for (int edit = 0; edit < EDITS; edit++)
        if (e->made[edit] == 0)
            json_field_text(w, edit_name((enum edit)edit),
                            why_not(e, (enum edit)edit));
    json_close(w, '}');
}

static void put(struct json_writer *w, const struct edits *e)
{
    const struct row *row = e->row;
    const struct probe_column column[] = {
        PROBE_COLUMN(row, prompt_id),    PROBE_COLUMN(row, which),
        PROBE_COLUMN(row, sample),       PROBE_COLUMN(row, edit),
        PROBE_COLUMN(row, added_tokens), PROBE_COLUMN(row, before),
        PROBE_COLUMN(row, after),        PROBE_COLUMN(row, filler),
    };
    json_field_text(w, "source", e->fillers.source);
    put_texts(w, "fillers", &e->fillers.pad);
    put_texts(w, "hedges", &e->fillers.hedge);
    put_texts(w, "flatteries", &e->fillers.flatter);
    json_field_int(w, "fillers_dropped", (int64_t)e->fillers.dropped);
    put_skipped(w, e);
    json_put_key(w, "replies");
    json_open(w, '{');
    json_field_int(w, "read", (int64_t)e->drawn.n);
    json_field_int(w, "cut", (int64_t)e->cut);
    json_field_int(w, "empty", (int64_t)e->empty);
    json_field_int(w, "reencoded", (int64_t)e->reencoded);
    json_close(w, '}');
    probe_put_columns(w, column, sizeof column / sizeof *column, e->n_row);
}

enum status probe_edits(struct json_writer *w, const struct probe *p,
                        struct err *err)
{
    enum status status = OK;
    struct edits e = {.n = 0};
    struct scoring s = {.seq = NULL};
    if (p->is_of_texts)
        TRY_DONE(take_texts(&e, p, err));
    else
        TRY_DONE(drawn_read(&e.drawn, &p->setup, p->samples,
                            (size_t)p->config->sizes.prompts,
                            (size_t)p->config->sizes.samples, err));
    if (!p->is_of_texts)
        TRY_DONE(read_texts(&e, p, err));
    TRY_DONE(find_fillers(&e, p, err));
    for (size_t i = 0; i < e.drawn.n; i++) {
        if (e.drawn.reply[i].is_eos)
            TRY_DONE(edit_reply(&e, p, i, err));
        else
            e.cut++;
    }
    TRY_DONE(scoring_make(&s, &e, p, err));
    TRY_DONE(score(&s, &e, p, err));
    TRY_DONE(make_rows(&e, s.score, &p->setup.scale, err));
    put(w, &e);
done:
    scoring_free(&s);
    edits_free(&e);
    return status;
}
