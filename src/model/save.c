#include "model/save.h"

#include <string.h>

#include "base/mem.h"
#include "io/safetensors.h"

/* ---- parameters ---------------------------------------------------------- */

static size_t file_size(const struct param_file *f)
{
    return f->rows * f->cols;
}

static void transpose(float *out, const float *x, size_t rows, size_t cols)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++)
            out[c * rows + r] = x[r * cols + c];
}

/* The tensors of the file, in layout order; returns how many. */
static size_t list_files(struct param_file *file, const struct model_config *c,
                         size_t *turned)
{
    size_t n = 0;

    *turned = 0;
    for (size_t i = 0; i < params_tensors(c); i++) {
        if (!params_file_hf(&file[n], c, i))
            continue;
        *turned += file[n].is_transposed ? file_size(&file[n]) : 0;
        n++;
    }
    return n;
}

static void describe(struct tensor_out *out, const struct param_file *f,
                     const float *data)
{
    *out = (struct tensor_out){.name = f->name, .n_dim = 2, .data = data};
    out->dim[0] = f->is_transposed ? f->cols : f->rows;
    out->dim[1] = f->is_transposed ? f->rows : f->cols;
    if (f->is_vector) {
        out->n_dim = 1;
        out->dim[0] = f->cols;
        out->dim[1] = 0;
    }
}

enum status save_params(const char *path, const struct model *m,
                        enum tensor_type type, struct err *err)
{
    size_t room = params_tensors(&m->config);
    struct param_file *file = NULL;
    struct tensor_out *tensor = NULL;
    float *copy = NULL;
    size_t n, turned, used = 0;
    enum status status = OK;

    TRY_DONE(MEM_NEW(file, room, err));
    TRY_DONE(MEM_NEW(tensor, room, err));
    n = list_files(file, &m->config, &turned);
    TRY_DONE(MEM_NEW(copy, turned, err));
    for (size_t i = 0; i < n; i++) {
        const float *data = m->params + file[i].offset;

        if (file[i].is_transposed) {
            transpose(copy + used, data, file[i].rows, file[i].cols);
            data = copy + used;
            used += file_size(&file[i]);
        }
        describe(&tensor[i], &file[i], data);
        tensor[i].type = type;
    }
    TRY_DONE(safetensors_write(path, tensor, n, err));
done:
    mem_free(copy);
    mem_free(tensor);
    mem_free(file);
    return status;
}

/* ---- padding ------------------------------------------------------------- */

/* The token a byte-level or byte-fallback vocabulary has for NUL. */
static int32_t nul_token(const struct tokenizer *t)
{
    int32_t id = tokenizer_id(t, "\xc4\x80"); // U+0100, as GPT-2 writes byte 0

    return id >= 0 ? id : tokenizer_id(t, "<0x00>");
}

static bool may_pad(const struct model_config *c, int32_t id)
{
    return id >= 0 && (size_t)id < c->V && !model_config_stops(c, id);
}

int32_t save_pad(const struct model_config *c, const struct tokenizer *t)
{
    size_t size = t == NULL ? 0 : tokenizer_size(t);

    if (may_pad(c, c->pad))
        return c->pad;
    for (size_t i = 0; i < size; i++) {
        int32_t id = (int32_t)i;

        if (tokenizer_is_special(t, id) && id != c->bos && may_pad(c, id))
            return id;
    }
    if (may_pad(c, c->bos))
        return c->bos;
    if (t != NULL && may_pad(c, nul_token(t)))
        return nul_token(t);
    for (size_t i = 0; i < c->V; i++)
        if (may_pad(c, (int32_t)i))
            return (int32_t)i;
    return -1;
}

/* What a tokenizer_config.json calls padding: a text, or an object that holds
 * it. */
static const char *pad_of(const struct json *root)
{
    const struct json *node = json_get(root, "pad_token");

    return json_text(json_is_object(node) ? json_get(node, "content") : node,
                     "");
}

/* The end of the string that begins at `at`. */
static size_t end_of_string(const char *json, size_t len, size_t at)
{
    for (at++; at < len && json[at] != '"'; at++)
        at += json[at] == '\\';
    return at + 1;
}

/* The place of a member among those of an object; SIZE_MAX: there is none. */
static size_t index_of(const struct json *object, const char *key)
{
    size_t i = 0;

    for (const void *it = json_first(object); it;
         it = json_next(object, it), i++)
        if (strcmp(json_key(it), key) == 0)
            return i;
    return SIZE_MAX;
}

/* Where the value of member i of a document known to be an object stands.
 * Members are counted, since a key can be written in several ways. */
static void find_value(size_t *begin, size_t *end, const char *json, size_t len,
                       size_t i)
{
    size_t depth = 0, seen = 0, at = 0;
    bool is_ours = false;

    while (at < len) {
        char c = json[at];

        if (is_ours && depth == 1 && (c == ',' || c == '}'))
            break;
        if (c == '"') {
            at = end_of_string(json, len, at);
            size_t next = at + strspn(json + at, " \t\r\n");

            if (is_ours || depth != 1 || json[next] != ':')
                continue;
            is_ours = seen++ == i;
            *begin = next + 1;
            continue;
        }
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        at++;
    }
    *end = at;
}

/* Only that value changes: a document written anew would lose numbers that no
 * double holds, such as model_max_length. */
static void put_with_pad(struct buf *out, const char *json, size_t len,
                         const struct json *root, const char *pad)
{
    size_t begin, end, i = index_of(root, "pad_token");
    struct json_writer w;
    bool is_there = i != SIZE_MAX;

    begin = end = strcspn(json, "{") + 1;
    if (is_there)
        find_value(&begin, &end, json, len, i);
    buf_append(out, json, begin);
    buf_puts(out, is_there ? " " : "\n  \"pad_token\": ");
    json_writer_init(&w, out, false);
    json_put_text(&w, pad);
    if (!is_there && json_size(root) > 0)
        buf_putc(out, ',');
    buf_append(out, json + end, len - end);
}

enum status save_tokenizer_config(struct buf *out, const char *json, size_t len,
                                  const char *pad, struct err *err)
{
    static const char empty[] = "{}\n";
    struct json *root = NULL;

    if (json == NULL) {
        json = empty;
        len = sizeof empty - 1;
    }
    TRY(json_parse(&root, json, len, "tokenizer_config.json", err));
    if (!json_is_object(root)) {
        json_free(root);
        return err_set(err, ERR_FORMAT,
                       "tokenizer_config.json: not a JSON object");
    }
    if (strcmp(pad_of(root), pad) == 0)
        buf_append(out, json, len);
    else
        put_with_pad(out, json, len, root, pad);
    json_free(root);
    return buf_status(out, err);
}
