#include "io/gguf_write.h"

#include <assert.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "io/gguf_internal.h"

#define VERSION 3
#define ALIGNMENT 32 // of tensors, where nothing else is said

/* A tensor that is described: what its values need to know. */
struct described {
    char *name;
    enum tensor_type type;
    size_t count;
};

struct gguf_writer {
    struct file_writer file;
    struct buf pairs;
    struct buf tensors;
    uint64_t n_pair;
    uint64_t n_tensor;
    uint64_t end; // of the data described so far
    struct described *tensor;
    size_t room;
    bool is_headed; // the head is written
    size_t next;    // the tensor whose values come
    size_t n_done;  // of its values
};

enum status gguf_create(struct gguf_writer **out, const char *path,
                        struct err *err)
{
    struct gguf_writer *w;
    TRY(MEM_NEW(w, 1, err));
    enum status status = file_create(&w->file, path, err);
    if (status != OK) {
        mem_free(w);
        return status;
    }
    buf_init(&w->pairs, GGUF_HEAD_MAX);
    buf_init(&w->tensors, GGUF_HEAD_MAX);
    *out = w;
    return OK;
}

/* ---- metadata ----------------------------------------------------------- */

static void put32(struct buf *b, uint32_t x)
{
    buf_append(b, &x, sizeof x);
}

static void put64(struct buf *b, uint64_t x)
{
    buf_append(b, &x, sizeof x);
}

static void put_text(struct buf *b, const char *text, size_t len)
{
    put64(b, len);
    buf_append(b, text, len);
}

static void begin_pair(struct gguf_writer *w, const char *key,
                       enum gguf_type type)
{
    assert(!w->is_headed);
    w->n_pair++;
    put_text(&w->pairs, key, strlen(key));
    put32(&w->pairs, (uint32_t)type);
}

static void begin_array(struct gguf_writer *w, const char *key,
                        enum gguf_type type, size_t n)
{
    begin_pair(w, key, GGUF_ARRAY);
    put32(&w->pairs, (uint32_t)type);
    put64(&w->pairs, n);
}

void gguf_put_text_len(struct gguf_writer *w, const char *key,
                       struct gguf_text text)
{
    begin_pair(w, key, GGUF_TEXT);
    put_text(&w->pairs, text.data, text.len);
}

void gguf_put_text(struct gguf_writer *w, const char *key, const char *text)
{
    gguf_put_text_len(w, key, (struct gguf_text){text, strlen(text)});
}

void gguf_put_int(struct gguf_writer *w, const char *key, enum gguf_type type,
                  int64_t x)
{
    assert(gguf_item_kind(type) == GGUF_IS_INT);
    begin_pair(w, key, type);
    /* Little-endian: a narrow integer is the front of a wide one. */
    buf_append(&w->pairs, &x, gguf_item_bytes(type));
}

void gguf_put_real(struct gguf_writer *w, const char *key, enum gguf_type type,
                   double x)
{
    float single = (float)x;
    assert(gguf_item_kind(type) == GGUF_IS_REAL);
    begin_pair(w, key, type);
    if (type == GGUF_F32)
        buf_append(&w->pairs, &single, sizeof single);
    else
        buf_append(&w->pairs, &x, sizeof x);
}

void gguf_put_bool(struct gguf_writer *w, const char *key, bool x)
{
    begin_pair(w, key, GGUF_BOOL);
    buf_putc(&w->pairs, x ? 1 : 0);
}

void gguf_put_texts(struct gguf_writer *w, const char *key,
                    const struct gguf_text *text, size_t n)
{
    begin_array(w, key, GGUF_TEXT, n);
    for (size_t i = 0; i < n; i++)
        put_text(&w->pairs, text[i].data, text[i].len);
}

void gguf_put_ints(struct gguf_writer *w, const char *key, const int32_t *x,
                   size_t n)
{
    begin_array(w, key, GGUF_I32, n);
    buf_append(&w->pairs, x, n * sizeof *x);
}

void gguf_put_reals(struct gguf_writer *w, const char *key, const float *x,
                    size_t n)
{
    begin_array(w, key, GGUF_F32, n);
    buf_append(&w->pairs, x, n * sizeof *x);
}

void gguf_put_copy(struct gguf_writer *w, const struct gguf *from, size_t i)
{
    assert(!w->is_headed && i < from->n_pair);
    const struct gguf_pair *p = &from->pair[i];
    /* The alignment of that file is not that of this one. */
    if (gguf_compare_keys(p->key,
                          (struct gguf_text){"general.alignment", 17}) == 0)
        return;
    /* From the length of its key to the end of its value. */
    const char *begin = p->key.data - sizeof(uint64_t);
    w->n_pair++;
    buf_append(&w->pairs, begin, (size_t)(p->past - begin));
}

/* ---- tensors ------------------------------------------------------------ */

static size_t bytes_of(const struct described *t)
{
    return t->count / tensor_type_block(t->type) * tensor_type_bytes(t->type);
}

/* One more in w->tensor, or NULL: then the head has failed. */
static struct described *add_tensor(struct gguf_writer *w, const char *name)
{
    if (w->n_tensor == w->room) {
        size_t more = w->room == 0 ? 64 : 2 * w->room;
        struct described *grown =
            mem_grow(w->tensor, w->room, more, sizeof *grown);
        if (grown == NULL)
            return NULL;
        w->tensor = grown;
        w->room = more;
    }
    struct described *t = &w->tensor[w->n_tensor];
    t->name = mem_strdup(name);
    if (t->name == NULL)
        return NULL;
    w->n_tensor++;
    return t;
}

void gguf_put_tensor(struct gguf_writer *w, const char *name,
                     enum tensor_type type, size_t n_dim, const size_t *dim)
{
    assert(!w->is_headed && type <= TENSOR_Q8_0 && n_dim <= TENSOR_DIMS_MAX);
    assert((n_dim == 0 ? 1 : dim[n_dim - 1]) % tensor_type_block(type) == 0);
    struct described *t = add_tensor(w, name);
    if (t == NULL) {
        w->tensors.code = ERR_MEMORY;
        return;
    }
    t->type = type;
    t->count = 1;
    put_text(&w->tensors, name, strlen(name));
    put32(&w->tensors, (uint32_t)n_dim);
    for (size_t i = n_dim; i > 0; i--) {
        put64(&w->tensors, dim[i - 1]);
        t->count *= dim[i - 1]; // they are in memory: no overflow
    }
    put32(&w->tensors, gguf_tensor_type(type));
    put64(&w->tensors, w->end);
    w->end += (bytes_of(t) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* ---- the file ----------------------------------------------------------- */

static enum status put_padding(struct gguf_writer *w, size_t len,
                               struct err *err)
{
    static const unsigned char zeros[ALIGNMENT];
    return file_put(&w->file, zeros, (ALIGNMENT - len % ALIGNMENT) % ALIGNMENT,
                    err);
}

static enum status put_head(struct gguf_writer *w, struct err *err)
{
    unsigned char head[24] = "GGUF";
    uint32_t version = VERSION;
    memcpy(head + 4, &version, sizeof version);
    memcpy(head + 8, &w->n_tensor, sizeof w->n_tensor);
    memcpy(head + 16, &w->n_pair, sizeof w->n_pair);
    TRY(buf_status(&w->pairs, err));
    TRY(buf_status(&w->tensors, err));
    TRY(file_put(&w->file, head, sizeof head, err));
    TRY(file_put(&w->file, w->pairs.data, w->pairs.len, err));
    TRY(file_put(&w->file, w->tensors.data, w->tensors.len, err));
    TRY(put_padding(w, sizeof head + w->pairs.len + w->tensors.len, err));
    w->is_headed = true;
    return OK;
}

/* Go past tensors of which all values are there. */
static enum status pass_tensors(struct gguf_writer *w, struct err *err)
{
    while (w->next < w->n_tensor && w->n_done == w->tensor[w->next].count) {
        TRY(put_padding(w, bytes_of(&w->tensor[w->next]), err));
        w->next++;
        w->n_done = 0;
    }
    return OK;
}

enum status gguf_put_values(struct gguf_writer *w, const float *x, size_t n,
                            struct err *err)
{
    if (!w->is_headed)
        TRY(put_head(w, err));
    if (n == 0)
        return OK;
    TRY(pass_tensors(w, err));
    assert(w->next < w->n_tensor);
    const struct described *t = &w->tensor[w->next];
    assert(n <= t->count - w->n_done);
    TRY(tensor_write(&w->file, t->type, x, n, t->name, err));
    w->n_done += n;
    return OK;
}

static enum status complete(struct gguf_writer *w, struct err *err)
{
    if (!w->is_headed)
        TRY(put_head(w, err));
    TRY(pass_tensors(w, err));
    assert(w->next == w->n_tensor);
    return OK;
}

enum status gguf_finish(struct gguf_writer *w, enum status status,
                        struct err *err)
{
    if (status == OK)
        status = complete(w, err);
    status = file_finish(&w->file, status, err);
    for (size_t i = 0; i < w->n_tensor; i++)
        mem_free(w->tensor[i].name);
    mem_free(w->tensor);
    buf_free(&w->pairs);
    buf_free(&w->tensors);
    mem_free(w);
    return status;
}
