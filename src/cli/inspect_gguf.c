#include "cli/inspect.h"

#include <stdio.h>
#include <string.h>

#include "io/gguf.h"

#define KEY_MAX ((size_t)1 << 17)
#define SHOWN 200 // bytes of a text
#define TYPES_MAX 64

static void put_text(struct json_writer *w, struct gguf_text text)
{
    json_put_text_len(w, text.data, text.len < SHOWN ? text.len : SHOWN);
}

/* A value; of an array only how many items it has. */
static void put_value(struct json_writer *w, const struct gguf *g,
                      const char *key)
{
    struct gguf_array a;
    switch (gguf_kind_of(g, key)) {
    case GGUF_IS_TEXT:
        put_text(w, gguf_get_text(g, key, ""));
        return;
    case GGUF_IS_INT:
        json_put_int(w, gguf_get_int(g, key, 0));
        return;
    case GGUF_IS_REAL:
        json_put_float(w, (float)gguf_get_real(g, key, 0));
        return;
    case GGUF_IS_BOOL:
        json_put_bool(w, gguf_get_bool(g, key, false));
        return;
    case GGUF_IS_ARRAY:
        for (enum gguf_kind kind = GGUF_IS_INT; kind <= GGUF_IS_ARRAY; kind++) {
            if (!gguf_get_array(&a, g, key, kind))
                continue;
            json_open(w, '{');
            json_field_int(w, "items", (int64_t)a.n);
            json_close(w, '}');
            return;
        }
        break;
    case GGUF_IS_ABSENT:
        break;
    }
    json_put_null(w);
}

static enum status put_metadata(struct json_writer *w, const struct gguf *g,
                                struct err *err)
{
    struct buf key;
    buf_init(&key, KEY_MAX);
    json_put_key(w, "metadata");
    json_open(w, '{');
    for (size_t i = 0; i < gguf_n_keys(g); i++) {
        struct gguf_text name = gguf_key(g, i);
        buf_clear(&key);
        buf_append(&key, name.data, name.len);
        json_put_key(w, buf_text(&key));
        put_value(w, g, buf_text(&key));
    }
    json_close(w, '}');
    enum status status = buf_status(&key, err);
    buf_free(&key);
    return status;
}

static void put_tokenizer(struct json_writer *w, const struct gguf *g)
{
    struct gguf_array tokens;
    static const char *const name[] = {"model", "pre", "eos_token_id",
                                       "padding_token_id"};
    if (!gguf_get_array(&tokens, g, "tokenizer.ggml.tokens", GGUF_IS_TEXT))
        return;
    json_put_key(w, "tokenizer");
    json_open(w, '{');
    json_field_int(w, "size", (int64_t)tokens.n);
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        char key[64];
        snprintf(key, sizeof key, "tokenizer.ggml.%s", name[i]);
        json_put_key(w, name[i]);
        put_value(w, g, key);
    }
    json_close(w, '}');
}

/* How many tensors there are of each type, and all of them. */
static void put_tensors(struct json_writer *w, const struct gguf *g)
{
    struct {
        const char *name;
        int64_t n;
    } type[TYPES_MAX];
    size_t n = gguf_n_tensors(g), types = 0;
    uint64_t values = 0;
    for (size_t i = 0; i < n; i++) {
        const struct tensor_view *t = gguf_tensor(g, i);
        size_t k = 0;
        values += t->count;
        while (k < types && strcmp(type[k].name, t->dtype) != 0)
            k++;
        if (k == TYPES_MAX)
            continue; // the format has fewer
        if (k == types) {
            type[types].name = t->dtype;
            type[types++].n = 0;
        }
        type[k].n++;
    }
    json_put_key(w, "types");
    json_open(w, '{');
    for (size_t k = 0; k < types; k++)
        json_field_int(w, type[k].name, type[k].n);
    json_close(w, '}');
    json_field_int(w, "parameters", (int64_t)values);
    json_put_key(w, "tensors");
    json_open(w, '[');
    for (size_t i = 0; i < n; i++)
        inspect_put_tensor(w, gguf_tensor(g, i));
    json_close(w, ']');
}

enum status inspect_gguf(struct json_writer *w, const char *path,
                         struct err *err)
{
    struct gguf *g;
    TRY(gguf_open(&g, path, err));
    json_field_text(w, "kind", "gguf");
    json_field_text(w, "path", path);
    json_put_key(w, "architecture");
    put_value(w, g, "general.architecture");
    put_tokenizer(w, g);
    json_put_key(w, "chat_template");
    put_value(w, g, "tokenizer.chat_template");
    enum status status = put_metadata(w, g, err);
    put_tensors(w, g);
    gguf_close(g);
    return status;
}
