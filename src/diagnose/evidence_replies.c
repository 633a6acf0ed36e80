#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "diagnose/evidence_internal.h"
#include "io/jsonl.h"

struct reading {
    struct evidence *e;
    struct evidence_seen seen;
    /* Tokens beside e->token_kl, and which replies they are of: their classes
     * wait for the file's end, when all sentence ends are known. */
    int32_t *token;
    struct span *span;
    size_t n_span, room_span;
};

struct span {
    size_t first, n; // in e->token_kl
    bool is_eos;
};

#define VOCAB_MAX ((int64_t)1 << 24)

/* Remember which tokens end a sentence, from a reply's ids and their texts. */
static enum status learn_ends(struct evidence *e, const struct json *tokens,
                              const struct json *pieces, struct err *err)
{
    for (size_t t = 0; t < json_size(tokens); t++) {
        const char *text = json_text(json_at(pieces, t), "");
        int64_t id = json_int(json_at(tokens, t), -1);
        size_t len = strlen(text);
        if (id < 0 || id >= VOCAB_MAX || len == 0)
            continue;
        if ((size_t)id >= e->n_vocab) {
            size_t n = 2 * ((size_t)id + 1);
            bool *grown =
                mem_grow(e->ends_sentence, e->n_vocab, n, sizeof *grown);
            if (grown == NULL)
                return err_set(err, ERR_MEMORY, "out of memory: %zu tokens", n);
            e->ends_sentence = grown;
            e->n_vocab = n;
        }
        e->ends_sentence[id] = strchr(".?!\n", text[len - 1]) != NULL;
    }
    return OK;
}

/* needs_text: without one there is nothing to count. */
static enum status read_features(double out[FEATURES], const struct json *row,
                                 bool needs_text, struct err *err)
{
    const char *prompt = json_text(json_get(row, "prompt"), "");
    const char *reply = json_text(json_get(row, "response"), "");
    TRY(features_of(out, prompt, strlen(prompt), reply, strlen(reply), err));
    for (size_t f = 0; f < FEATURES && needs_text; f++)
        if (!json_is_string(json_get(row, "response")))
            out[f] = (double)NAN;
    return OK;
}

static enum status read_measure(double *out, const struct json *row,
                                const char *key, const char *what,
                                struct err *err)
{
    return json_may_number(out, row, key, -EVIDENCE_NUMBER_MAX,
                           EVIDENCE_NUMBER_MAX, what, err);
}

/* Tokens; of a run that another trainer made, NaN where it does not say, and
 * then its words count (evidence_settle_lengths()). */
static enum status read_length(struct evidence_reply *r, const struct json *row,
                               bool is_foreign, const char *what,
                               struct err *err)
{
    const char *unit = json_text(json_get(row, "len_unit"), "tokens");
    const char *key = json_get(row, "len") != NULL ? "len" : "n_tokens";
    if (!is_foreign) {
        TRY(json_need_number(&r->tokens, row, "len", what, err));
        key = "len";
    }
    TRY(json_may_number(&r->tokens, row, key, 0, EVIDENCE_LENGTH_MAX, what,
                        err));
    if (!is_foreign || strcmp(unit, "tokens") == 0)
        return OK;
    if (!isnan(r->tokens))
        r->feature[FEATURE_WORDS] = r->tokens;
    r->tokens = (double)NAN;
    return OK;
}

static enum status read_numbers(struct evidence_reply *r,
                                const struct json *row, bool is_foreign,
                                const char *what, struct err *err)
{
    const struct json *eos = json_get(row, "is_eos");
    double logp, logp_ref;
    TRY(read_length(r, row, is_foreign, what, err));
    TRY(read_measure(&r->score, row, "score", what, err));
    TRY(read_measure(&r->score_raw, row, "score_raw", what, err));
    TRY(read_measure(&r->gold, row, "gold", what, err));
    TRY(read_measure(&r->weak_gold, row, "weak_gold", what, err));
    TRY(evidence_read_sum(&r->kl, row, "kl", what, err));
    TRY(evidence_read_sum(&logp, row, "logp", what, err));
    TRY(evidence_read_sum(&logp_ref, row, "logp_ref", what, err));
    r->k1 = logp - logp_ref;
    if (eos != NULL && !json_is_null(eos) && !json_is_bool(eos))
        return err_set(err, ERR_FORMAT, "%s: is_eos is not true or false",
                       what);
    r->is_end_unknown = is_foreign && !json_is_bool(eos);
    r->is_eos = !r->is_end_unknown && json_bool(eos, true);
    return OK;
}

static enum status read_row(struct evidence_reply *out, struct evidence *e,
                            const struct json *row, const char *what,
                            struct err *err)
{
    const char *id, *which;
    struct evidence_reply r = {.is_policy = false};
    TRY(json_need_text(&id, row, "prompt_id", what, err));
    TRY(json_need_text(&which, row, "which", what, err));
    TRY(read_features(r.feature, row, e->import != NULL, err));
    TRY(read_numbers(&r, row, e->import != NULL, what, err));
    r.is_policy = strcmp(which, "policy") == 0;
    if (!r.is_policy && strcmp(which, "reference") != 0)
        return err_set(err, ERR_FORMAT,
                       "%s: which is '%.20s', not policy or reference", what,
                       which);
    TRY(names_add(&e->prompt, &r.prompt, id, err));
    TRY(evidence_tag(&r.tag, e, json_get(row, "tags"), err));
    r.hash = names_hash(json_text(json_get(row, "response"), ""));
    r.sample = json_int(json_get(row, "sample"), 0);
    TRY(learn_ends(e, json_get(row, "tokens"), json_get(row, "pieces"), err));
    *out = r;
    return OK;
}

static enum status make_room(struct reading *g, size_t n, struct err *err)
{
    struct evidence *e = g->e;
    if (g->n_span == g->room_span) {
        size_t room = g->room_span > 0 ? 2 * g->room_span : 256;
        struct span *grown = mem_grow(g->span, g->n_span, room, sizeof *grown);
        if (grown == NULL)
            return err_set(err, ERR_MEMORY, "out of memory: %zu replies", room);
        g->span = grown;
        g->room_span = room;
    }
    if (e->n_token + n <= e->room_token)
        return OK;
    size_t room = 2 * (e->n_token + n);
    double *kl = mem_grow(e->token_kl, e->n_token, room, sizeof *kl);
    if (kl != NULL)
        e->token_kl = kl;
    size_t *prompt =
        mem_grow(e->token_prompt, e->n_token, room, sizeof *prompt);
    if (prompt != NULL)
        e->token_prompt = prompt;
    size_t *kind = mem_grow(e->token_class, e->n_token, room, sizeof *kind);
    if (kind != NULL)
        e->token_class = kind;
    int32_t *token = mem_grow(g->token, e->n_token, room, sizeof *token);
    if (token != NULL)
        g->token = token;
    if (kl == NULL || prompt == NULL || kind == NULL || token == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: %zu tokens", room);
    e->room_token = room;
    return OK;
}

/* Keep a policy reply's KL token by token; of the replies that are past
 * EVIDENCE_TOKENS_MAX nothing. */
static enum status keep_tokens(struct reading *g,
                               const struct evidence_reply *r,
                               const struct json *row, struct err *err)
{
    struct evidence *e = g->e;
    const struct json *kl = json_get(row, "kl");
    const struct json *tokens = json_get(row, "tokens");
    size_t n = json_size(kl);
    if (!r->is_policy || n == 0 || json_size(tokens) != n ||
        n > EVIDENCE_TOKENS_MAX - e->n_token)
        return OK;
    TRY(make_room(g, n, err));
    g->span[g->n_span++] = (struct span){e->n_token, n, r->is_eos};
    for (size_t t = 0; t < n; t++) {
        e->token_kl[e->n_token] = json_number(json_at(kl, t), (double)NAN);
        e->token_prompt[e->n_token] = r->prompt;
        g->token[e->n_token++] = (int32_t)json_int(json_at(tokens, t), -1);
    }
    return OK;
}

/* A reply's name is its prompt, model and sample; without a sample's number it
 * has none. */
static enum status see_reply(bool *is_again, struct reading *g,
                             const struct evidence_reply *r,
                             const struct json *row, size_t line,
                             struct err *err)
{
    struct buf key;
    char rest[160];
    *is_again = false;
    if (!json_is_number(json_get(row, "sample")))
        return OK;
    buf_init(&key, JSONL_LINE_MAX);
    buf_printf(&key, "%s, sample %lld, prompt %s",
               r->is_policy ? "policy" : "reference", (long long)r->sample,
               g->e->prompt.text[r->prompt]);
    (void)snprintf(rest, sizeof rest, "%016llx %.17g %.17g %.17g %.17g",
                   (unsigned long long)r->hash, r->tokens, r->score,
                   r->score_raw, r->kl);
    enum status status = buf_status(&key, err);
    if (status == OK)
        status = evidence_see(is_again, &g->seen, buf_text(&key), rest, line,
                              "row", err);
    buf_free(&key);
    return status;
}

static enum status add_reply(void *ctx, const struct json *row, size_t line,
                             struct err *err)
{
    struct reading *reading = ctx;
    struct evidence *e = reading->e;
    bool is_again;
    if (e->n_reply == e->room_reply) {
        size_t room = e->room_reply > 0 ? 2 * e->room_reply : 1024;
        struct evidence_reply *grown =
            mem_grow(e->reply, e->n_reply, room, sizeof *grown);
        if (grown == NULL)
            return err_set(err, ERR_MEMORY, "out of memory: %zu replies", room);
        e->reply = grown;
        e->room_reply = room;
    }
    struct evidence_reply *r = &e->reply[e->n_reply];
    TRY(read_row(r, e, row, "row", err));
    TRY(see_reply(&is_again, reading, r, row, line, err));
    if (is_again)
        return OK;
    TRY(keep_tokens(reading, r, row, err));
    e->n_reply++;
    return OK;
}

/* What each kept token is; all sentence ends are known by now. */
static enum status classify(const struct reading *g, struct err *err)
{
    struct evidence *e = g->e;
    enum status status = OK;
    bool *repeated = NULL;
    uint64_t *gram = NULL;
    size_t longest = 0;
    for (size_t i = 0; i < g->n_span; i++)
        longest = g->span[i].n > longest ? g->span[i].n : longest;
    TRY_DONE(MEM_NEW(repeated, longest, err));
    TRY_DONE(MEM_NEW(gram, 2 * longest, err));
    for (size_t i = 0; i < g->n_span; i++) {
        const struct span *s = &g->span[i];
        const int32_t *token = g->token + s->first;
        evidence_find_repeats(repeated, gram, token, s->n);
        for (size_t t = 0; t < s->n; t++)
            e->token_class[s->first + t] = evidence_class_of(
                e, t, s->n, s->is_eos, t > 0 ? token[t - 1] : -1, repeated[t]);
    }
done:
    mem_free(repeated);
    mem_free(gram);
    return status;
}

enum status evidence_read_replies(struct evidence *e, const char *path,
                                  struct err *err)
{
    struct reading reading = {.e = e};
    enum status status = jsonl_read(path, add_reply, &reading, err);
    if (status == OK)
        status = classify(&reading, err);
    if (status == OK)
        status = evidence_lose_again(e, &reading.seen, "eval/samples.jsonl",
                                     EVIDENCE_EVAL, err);
    evidence_seen_free(&reading.seen);
    mem_free(reading.token);
    mem_free(reading.span);
    return status;
}
