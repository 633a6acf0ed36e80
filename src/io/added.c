#include "io/added.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

#define TOKEN_MAX ((size_t)1024) // bytes; bounds the work at a place of a text

/* ---- reading ------------------------------------------------------------ */

/* Give the vocabulary a token that the model does not have. */
static enum status check_id(int64_t *id, const struct json *node,
                            const char *content, struct vocab *v,
                            const char *name, struct err *err)
{
    TRY(json_need_int(id, node, "id", 0, INT32_MAX, name, err));
    int32_t known = vocab_find(v, content, strlen(content));
    enum status status = OK;
    if (known < 0)
        status = vocab_add(v, content, *id, err);
    else if (known != *id)
        return err_set(err, ERR_FORMAT, "%s: token '%.60s' has ids %d and %lld",
                       name, content, (int)known, (long long)*id);
    else if (v->entry[known].is_added)
        return err_set(err, ERR_FORMAT,
                       "%s: added token '%.60s' stands there twice", name,
                       content);
    if (status != OK)
        (void)err_context(err, "%s", name);
    else
        v->entry[*id].is_added = true;
    return status;
}

static enum status normalise(char **out, const struct normalizer *z,
                             const char *content, struct err *err)
{
    struct buf text;
    buf_init(&text, TOKEN_MAX * 16);
    enum status status =
        normalizer_run(z, content, strlen(content), &text, err);
    if (status == OK)
        *out = mem_strdup(buf_text(&text));
    buf_free(&text);
    if (status == OK && *out == NULL)
        return err_set(err, ERR_MEMORY, "out of memory for an added token");
    return status;
}

/* One added token: what is asked of it must be what we do. */
static enum status read_token(struct added *a, const struct json *node,
                              struct vocab *v, const struct normalizer *z,
                              const char *name, struct err *err)
{
    static const struct normalizer none;
    const char *content = json_text(json_get(node, "content"), "");
    size_t len = strlen(content);
    int64_t id;
    if (len == 0)
        return err_set(err, ERR_FORMAT, "%s: empty added token", name);
    if (len > TOKEN_MAX)
        return err_set(err, ERR_LIMIT,
                       "%s: added token '%.60s' of %zu bytes, at most %zu",
                       name, content, len, TOKEN_MAX);
    if (json_bool(json_get(node, "single_word"), false))
        return err_set(
            err, ERR_MISMATCH,
            "%s: added token '%.60s' with single_word is not supported", name,
            content);
    TRY(check_id(&id, node, content, v, name, err));
    bool is_special = json_bool(json_get(node, "special"), false);
    bool is_normalized = json_bool(json_get(node, "normalized"), !is_special);
    struct added_round *r = is_normalized ? &a->normalized : &a->raw;
    struct added_token *t = &r->token[r->n];
    v->entry[id].is_special = is_special;
    *t = (struct added_token){
        .id = (int32_t)id,
        .is_special = is_special,
        .lstrip = json_bool(json_get(node, "lstrip"), false),
        .rstrip = json_bool(json_get(node, "rstrip"), false),
    };
    TRY(normalise(&t->text, is_normalized ? z : &none, content, err));
    r->n++;
    t->len = strlen(t->text);
    v->entry[id].normal = t->text;
    if (t->len == 0 || t->len > TOKEN_MAX)
        return err_set(err, ERR_LIMIT,
                       "%s: added token '%.60s' becomes %zu bytes when "
                       "normalized, want 1 to %zu",
                       name, content, t->len, TOKEN_MAX);
    return OK;
}

static int by_bytes(const void *a, const void *b)
{
    const struct added_token *x = a;
    const struct added_token *y = b;
    return strcmp(x->text, y->text);
}

static enum status finish_round(struct added_round *r, const char *name,
                                struct err *err)
{
    size_t at = 0;
    if (r->n > 1)
        qsort(r->token, r->n, sizeof *r->token, by_bytes);
    for (size_t i = 1; i < r->n; i++)
        if (strcmp(r->token[i].text, r->token[i - 1].text) == 0)
            return err_set(err, ERR_FORMAT,
                           "%s: added token '%.60s' stands there twice", name,
                           r->token[i].text);
    for (size_t c = 0; c < 257; c++) {
        while (at < r->n && (unsigned char)r->token[at].text[0] < c)
            at++;
        r->first[c] = at;
    }
    return OK;
}

enum status added_parse(struct added *out, const struct json *list,
                        struct vocab *v, const struct normalizer *z,
                        const char *name, struct err *err)
{
    struct added a = {0};
    enum status status;
    TRY_DONE(MEM_NEW(a.raw.token, json_size(list), err));
    TRY_DONE(MEM_NEW(a.normalized.token, json_size(list), err));
    for (size_t i = 0; i < json_size(list); i++)
        TRY_DONE(read_token(&a, json_at(list, i), v, z, name, err));
    TRY_DONE(finish_round(&a.raw, name, err));
    TRY_DONE(finish_round(&a.normalized, name, err));
done:
    if (status != OK)
        added_free(&a);
    else
        *out = a;
    return status;
}

void added_free(struct added *a)
{
    struct added_round *rounds[] = {&a->raw, &a->normalized};
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < rounds[k]->n; i++)
            mem_free(rounds[k]->token[i].text);
        mem_free(rounds[k]->token);
    }
    *a = (struct added){0};
}

/* ---- finding ------------------------------------------------------------ */

/* The longest token that text starts with, or NULL: the tokens that agree so
 * far are a range, halved at every byte. */
static const struct added_token *find(const struct added_round *r,
                                      const char *text, size_t len)
{
    size_t low = r->first[(unsigned char)text[0]];
    size_t high = r->first[(unsigned char)text[0] + 1];
    const struct added_token *found = NULL;
    for (size_t depth = 1; low < high; depth++) {
        /* The shortest of the range comes first. */
        if (r->token[low].len == depth)
            found = &r->token[low++];
        if (depth == len)
            break;
        unsigned char c = (unsigned char)text[depth];
        size_t from = low, to = high;
        for (size_t end = high; from < end;) {
            size_t mid = (from + end) / 2;
            if ((unsigned char)r->token[mid].text[depth] < c)
                from = mid + 1;
            else
                end = mid;
        }
        for (size_t begin = from; begin < to;) {
            size_t mid = (begin + to) / 2;
            if ((unsigned char)r->token[mid].text[depth] > c)
                to = mid;
            else
                begin = mid + 1;
        }
        low = from;
        high = to;
    }
    return found;
}

/* Unicode's White_Space. */
static bool is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xa0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
           c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

/* Where the white space that ends at `end` begins, not before `low`. */
static size_t spaces_before(const char *text, size_t low, size_t end)
{
    while (end > low) {
        size_t at = end - 1, n;
        while (at > low && (text[at] & 0xc0) == 0x80)
            at--;
        if (!is_space(utf8_decode(text + at, &n)))
            break;
        end = at;
    }
    return end;
}

static size_t spaces_behind(const char *text, size_t begin, size_t len)
{
    for (size_t n; begin < len; begin += n)
        if (!is_space(utf8_decode(text + begin, &n)))
            break;
    return begin;
}

/* What a token takes of the text, and what has been taken. */
struct finding {
    size_t last;         // end of what has been handed on
    size_t spaces_begin; // white space known to go from here ...
    size_t spaces_end;   // ... to here
};

static size_t end_of(struct finding *f, const char *text, size_t end,
                     size_t len)
{
    /* Many tokens in one run of white space would walk it again and again. */
    if (end < f->spaces_begin || end > f->spaces_end) {
        f->spaces_begin = end;
        f->spaces_end = spaces_behind(text, end, len);
    }
    return f->spaces_end;
}

enum status added_split(const struct added_round *r, const char *text,
                        size_t len, bool special, struct ids *out, added_fn fn,
                        void *ctx, struct err *err)
{
    struct finding f = {.spaces_begin = 1};
    for (size_t i = 0; r->n > 0 && i < len;) {
        unsigned char c = (unsigned char)text[i];
        const struct added_token *t = NULL;
        if (r->first[c] != r->first[c + 1])
            t = find(r, text + i, len - i);
        if (t == NULL) {
            i++;
            continue;
        }
        size_t begin = i, end = i + t->len;
        /* A special token that is text still is passed over as a whole. */
        i = end;
        if (t->is_special && !special)
            continue;
        if (t->lstrip && f.last < begin)
            begin = spaces_before(text, f.last, begin);
        if (t->rstrip)
            end = end_of(&f, text, end, len);
        if (f.last < begin)
            TRY(fn(ctx, text + f.last, begin - f.last, err));
        TRY(ids_push(out, t->id, err));
        f.last = end;
    }
    if (f.last == len)
        return OK;
    return fn(ctx, text + f.last, len - f.last, err);
}
