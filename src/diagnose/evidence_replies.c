#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "diagnose/evidence_internal.h"
#include "io/jsonl.h"

struct reading {
    struct evidence *e;
    const char *path;
};

static double number(const struct json *row, const char *key)
{
    return json_number(json_get(row, key), (double)NAN);
}

/* The first m entries of an array of numbers; NaN when it is not there. */
static double sum_first(const struct json *array, double m)
{
    if (!json_is_array(array))
        return (double)NAN;
    double sum = 0;
    for (size_t i = 0; i < json_size(array) && (double)i < m; i++)
        sum += json_number(json_at(array, i), (double)NAN);
    return sum;
}

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

static enum status read_features(double out[FEATURES], const struct json *row,
                                 struct err *err)
{
    const char *prompt = json_text(json_get(row, "prompt"), "");
    const char *reply = json_text(json_get(row, "response"), "");
    return features_of(out, prompt, strlen(prompt), reply, strlen(reply), err);
}

static enum status read_row(struct evidence_reply *out, struct evidence *e,
                            const struct json *row, const char *what,
                            struct err *err)
{
    const char *id, *which;
    struct evidence_reply r = {.is_policy = false};
    TRY(json_need_text(&id, row, "prompt_id", what, err));
    TRY(json_need_text(&which, row, "which", what, err));
    TRY(json_need_number(&r.tokens, row, "len", what, err));
    r.is_policy = strcmp(which, "policy") == 0;
    if (!r.is_policy && strcmp(which, "reference") != 0)
        return err_set(err, ERR_FORMAT,
                       "%s: which is '%.20s', not policy or reference", what,
                       which);
    TRY(names_add(&e->prompt, &r.prompt, id, err));
    TRY(evidence_tag(&r.tag, e, json_get(row, "tags"), err));
    TRY(read_features(r.feature, row, err));
    r.hash = names_hash(json_text(json_get(row, "response"), ""));
    r.sample = json_int(json_get(row, "sample"), 0);
    r.is_eos = json_bool(json_get(row, "is_eos"), true);
    r.score = number(row, "score");
    r.score_raw = number(row, "score_raw");
    r.gold = number(row, "gold");
    r.weak_gold = number(row, "weak_gold");
    r.kl = sum_first(json_get(row, "kl"), INFINITY);
    r.k1 = sum_first(json_get(row, "logp"), INFINITY) -
           sum_first(json_get(row, "logp_ref"), INFINITY);
    r.kl_first = (double)NAN;
    TRY(learn_ends(e, json_get(row, "tokens"), json_get(row, "pieces"), err));
    *out = r;
    return OK;
}

static enum status add_reply(void *ctx, const struct json *row, size_t line,
                             struct err *err)
{
    struct reading *reading = ctx;
    struct evidence *e = reading->e;
    struct buf what;
    if (e->n_reply == e->room_reply) {
        size_t room = e->room_reply > 0 ? 2 * e->room_reply : 1024;
        struct evidence_reply *grown =
            mem_grow(e->reply, e->n_reply, room, sizeof *grown);
        if (grown == NULL)
            return err_set(err, ERR_MEMORY, "out of memory: %zu replies", room);
        e->reply = grown;
        e->room_reply = room;
    }
    buf_init(&what, FILE_PATH_MAX + 64);
    buf_printf(&what, "%s:%zu", reading->path, line);
    enum status status =
        read_row(&e->reply[e->n_reply], e, row, buf_text(&what), err);
    buf_free(&what);
    if (status == OK)
        e->n_reply++;
    return status;
}

/* The reference's median length, which the second pass cuts at. */
static enum status find_m_first(struct evidence *e, struct err *err)
{
    double *tokens = NULL;
    size_t n = 0;
    TRY(MEM_NEW(tokens, e->n_reply, err));
    for (size_t i = 0; i < e->n_reply; i++)
        if (!e->reply[i].is_policy)
            tokens[n++] = e->reply[i].tokens;
    double median = summary_median(tokens, n);
    mem_free(tokens);
    if (isfinite(median) && median >= 1)
        e->m_first = floor(median);
    return OK;
}

/* The second pass, when median and sentence ends are known: what of a reply's
 * KL lies where. */
struct second {
    struct evidence *e;
    size_t at; // the reply
    int32_t *token;
    bool *repeated;
    uint64_t *gram;
    size_t room;
};

static void second_free(struct second *s)
{
    mem_free(s->token);
    mem_free(s->repeated);
    mem_free(s->gram);
}

static enum status make_room(struct second *s, size_t n, struct err *err)
{
    struct evidence *e = s->e;
    if (n > s->room) {
        second_free(s);
        *s = (struct second){.e = e, .at = s->at};
        TRY(MEM_NEW(s->token, 2 * n, err));
        TRY(MEM_NEW(s->repeated, 2 * n, err));
        TRY(MEM_NEW(s->gram, 4 * n, err));
        s->room = 2 * n;
    }
    size_t want = e->n_token + n;
    if (want <= e->room_token)
        return OK;
    size_t room = 2 * want;
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
    if (kl == NULL || prompt == NULL || kind == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: %zu tokens", room);
    e->room_token = room;
    return OK;
}

static void place_tokens(struct second *s, struct evidence_reply *r,
                         const struct json *kl, size_t n)
{
    struct evidence *e = s->e;
    r->kl_boundary = e->n_vocab > 0 ? 0 : (double)NAN;
    for (size_t t = 0; t < n; t++) {
        double x = json_number(json_at(kl, t), (double)NAN);
        enum evidence_class kind = evidence_class_of(
            e, t, n, r->is_eos, t > 0 ? s->token[t - 1] : -1, s->repeated[t]);
        bool is_boundary =
            t > 0 && evidence_class_of(e, t, n + 1, false, s->token[t - 1],
                                       false) == EVIDENCE_BOUNDARY;
        if (is_boundary)
            r->kl_boundary += x;
        if (e->n_token == EVIDENCE_TOKENS_MAX)
            continue;
        e->token_kl[e->n_token] = x;
        e->token_prompt[e->n_token] = r->prompt;
        e->token_class[e->n_token++] = kind;
    }
}

static enum status add_places(void *ctx, const struct json *row, size_t line,
                              struct err *err)
{
    struct second *s = ctx;
    const struct json *kl = json_get(row, "kl");
    const struct json *tokens = json_get(row, "tokens");
    size_t n = json_size(kl);
    if (s->at == s->e->n_reply)
        return err_set(err, ERR_FORMAT, "line %zu was not there a moment ago",
                       line);
    struct evidence_reply *r = &s->e->reply[s->at++];
    r->kl_first = sum_first(kl, s->e->m_first);
    r->kl_boundary = (double)NAN;
    if (!r->is_policy || n == 0 || json_size(tokens) != n)
        return OK;
    TRY(make_room(s, n, err));
    for (size_t t = 0; t < n; t++)
        s->token[t] = (int32_t)json_int(json_at(tokens, t), -1);
    evidence_find_repeats(s->repeated, s->gram, s->token, n);
    place_tokens(s, r, kl, n);
    return OK;
}

enum status evidence_read_replies(struct evidence *e, const char *path,
                                  struct err *err)
{
    struct reading reading = {.e = e, .path = path};
    struct second second = {.e = e};
    TRY(jsonl_read(path, add_reply, &reading, err));
    TRY(find_m_first(e, err));
    enum status status = jsonl_read(path, add_places, &second, err);
    second_free(&second);
    return status;
}
