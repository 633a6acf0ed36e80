#include "io/weights.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#define SINGLE "model.safetensors"
#define INDEX "model.safetensors.index.json"

#define INDEX_MAX ((size_t)64 << 20)
#define VALUES_MAX ((size_t)1 << 20) // tensors in an index
#define DEPTH_MAX 3
#define SHARDS_MAX 1000

/* Values converted between two looks at what can be given back: 4 MiB of
 * floats, and a multiple of every block. */
#define CHUNK ((size_t)1 << 20)

/* ---- the table ---------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    const struct weights_tensor *x = a;
    const struct weights_tensor *y = b;
    return strcmp(x->view.name, y->view.name);
}

/* The tensors of all files in one table. */
static enum status make_table(struct weights *w, struct err *err)
{
    size_t n = w->gguf != NULL ? gguf_n_tensors(w->gguf) : 0;
    for (size_t s = 0; s < w->n_shard && w->gguf == NULL; s++)
        n += w->shard[s].n;
    TRY(MEM_NEW(w->tensor, n, err));
    if (w->gguf != NULL)
        for (; w->n < n; w->n++)
            w->tensor[w->n].view = *gguf_tensor(w->gguf, w->n);
    for (size_t s = 0; s < w->n_shard && w->gguf == NULL; s++)
        for (size_t i = 0; i < w->shard[s].n; i++)
            w->tensor[w->n++] = (struct weights_tensor){
                .view = w->shard[s].tensor[i],
                .shard = s,
            };
    if (n > 1)
        qsort(w->tensor, n, sizeof *w->tensor, by_name);
    for (size_t i = 1; i < n; i++) {
        const struct weights_tensor *t = &w->tensor[i];
        if (by_name(t - 1, t) == 0)
            return err_set(err, ERR_FORMAT, "tensor '%.80s' is in %s and in %s",
                           t->view.name, w->path[t[-1].shard],
                           w->path[t->shard]);
    }
    return OK;
}

static enum status keep_path(struct weights *w, const char *path,
                             struct err *err)
{
    w->path[w->n_shard] = mem_strdup(path);
    if (w->path[w->n_shard] == NULL)
        return err_set(err, ERR_MEMORY, "out of memory for a path");
    w->n_shard++;
    return OK;
}

static enum status open_shard(struct weights *w, const char *path,
                              struct err *err)
{
    TRY(file_need(path, err));
    TRY(safetensors_open(&w->shard[w->n_shard], path, err));
    enum status status = keep_path(w, path, err);
    if (status != OK)
        safetensors_close(&w->shard[w->n_shard]);
    return status;
}

/* Room for n files. */
static enum status make_room(struct weights *w, size_t n, struct err *err)
{
    TRY(MEM_NEW(w->path, n, err));
    return MEM_NEW(w->shard, n, err);
}

/* ---- an index ----------------------------------------------------------- */

/* One entry of weight_map. */
struct entry {
    const char *tensor;
    const char *file;
};

static int by_file(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    return strcmp(x->file, y->file);
}

/* The entries, sorted by file. */
static enum status read_map(struct entry **out, size_t *n,
                            const struct json *root, const char *path,
                            struct err *err)
{
    const struct json *map = json_get(root, "weight_map");
    struct entry *entry;
    size_t i = 0;
    if (!json_is_object(map) || json_size(map) == 0)
        return err_set(err, ERR_FORMAT, "%s: no weight_map", path);
    TRY(MEM_NEW(entry, json_size(map), err));
    for (const void *it = json_first(map); it != NULL;
         it = json_next(map, it)) {
        const char *file = json_text(json_value(it), "");
        entry[i++] = (struct entry){json_key(it), file};
        if (file[0] == '\0' || file[0] == '.' || strchr(file, '/') != NULL) {
            mem_free(entry);
            return err_set(err, ERR_FORMAT,
                           "%s: tensor '%.80s': '%.80s' is not a plain file "
                           "name",
                           path, json_key(it), file);
        }
    }
    qsort(entry, i, sizeof *entry, by_file);
    *out = entry;
    *n = i;
    return OK;
}

/* Each tensor of the index is in the file that it names.  Files were opened in
 * the order of the entries. */
static enum status check_entries(const struct weights *w,
                                 const struct entry *entry, size_t n,
                                 const char *path, struct err *err)
{
    size_t shard = 0;
    for (size_t i = 0; i < n; i++) {
        shard += i > 0 && by_file(&entry[i - 1], &entry[i]) != 0;
        const struct tensor_view *t = weights_find(w, entry[i].tensor);
        if (t == NULL || weights_path(w, t) != w->path[shard])
            return err_set(err, ERR_FORMAT, "%s: %s has no tensor '%.80s'",
                           path, w->path[shard], entry[i].tensor);
    }
    return OK;
}

static enum status open_shards(struct weights *w, const char *dir,
                               const char *path, const struct entry *entry,
                               size_t n, struct err *err)
{
    size_t n_file = 1;
    for (size_t i = 1; i < n; i++)
        n_file += by_file(&entry[i - 1], &entry[i]) != 0;
    if (n_file > SHARDS_MAX)
        return err_set(err, ERR_FORMAT, "%s: %zu files, at most %d", path,
                       n_file, SHARDS_MAX);
    TRY(make_room(w, n_file, err));
    for (size_t i = 0; i < n; i++) {
        char shard[FILE_PATH_MAX];
        if (i > 0 && by_file(&entry[i - 1], &entry[i]) == 0)
            continue;
        TRY(file_join(shard, dir, entry[i].file, err));
        TRY(open_shard(w, shard, err));
    }
    TRY(make_table(w, err));
    return check_entries(w, entry, n, path, err);
}

static enum status open_index(struct weights *w, const char *dir,
                              const char *path, struct err *err)
{
    struct json *root = NULL;
    struct entry *entry = NULL;
    struct buf text;
    size_t n = 0;
    enum status status;
    buf_init(&text, INDEX_MAX);
    TRY_DONE(file_read(&text, path, err));
    TRY_DONE(json_check_shape(text.data, text.len, DEPTH_MAX, VALUES_MAX, path,
                              err));
    TRY_DONE(json_parse(&root, text.data, text.len, path, err));
    TRY_DONE(read_map(&entry, &n, root, path, err));
    status = open_shards(w, dir, path, entry, n, err);
done:
    mem_free(entry);
    json_free(root);
    buf_free(&text);
    return status;
}

/* ---- opening ------------------------------------------------------------ */

static enum status open_single(struct weights *w, const char *path,
                               struct err *err)
{
    TRY(make_room(w, 1, err));
    TRY(open_shard(w, path, err));
    return make_table(w, err);
}

static enum status open_gguf(struct weights *w, const char *path,
                             struct err *err)
{
    TRY(make_room(w, 1, err));
    TRY(keep_path(w, path, err));
    TRY(gguf_open(&w->gguf, path, err));
    int64_t n_file = gguf_get_int(w->gguf, "split.count", 1);
    if (n_file > 1)
        return err_set(err, ERR_MISMATCH,
                       "%s: one of %lld files; merge them first "
                       "(llama-gguf-split --merge)",
                       path, (long long)n_file);
    return make_table(w, err);
}

static enum status open_any(struct weights *w, const char *path,
                            struct err *err)
{
    char name[FILE_PATH_MAX];
    TRY(file_need(path, err));
    if (!file_is_dir(path))
        return file_ends_with(path, ".safetensors") ? open_single(w, path, err)
                                                    : open_gguf(w, path, err);
    TRY(file_join(name, path, SINGLE, err));
    if (file_exists(name))
        return open_single(w, name, err);
    TRY(file_join(name, path, INDEX, err));
    if (file_exists(name))
        return open_index(w, path, name, err);
    return err_set(err, ERR_MISSING, "%s has no " SINGLE " and no " INDEX,
                   path);
}

enum status weights_open(struct weights *out, const char *path, struct err *err)
{
    struct weights w = {0};
    enum status status = open_any(&w, path, err);
    if (status != OK)
        weights_close(&w);
    else
        *out = w;
    return status;
}

void weights_close(struct weights *w)
{
    for (size_t i = 0; i < w->n_shard; i++) {
        safetensors_close(&w->shard[i]);
        mem_free(w->path[i]);
    }
    gguf_close(w->gguf);
    mem_free(w->shard);
    mem_free(w->path);
    mem_free(w->tensor);
    *w = (struct weights){0};
}

/* ---- answers ------------------------------------------------------------ */

static int name_against_tensor(const void *name, const void *tensor)
{
    const struct weights_tensor *t = tensor;
    return strcmp(name, t->view.name);
}

const struct tensor_view *weights_find(const struct weights *w,
                                       const char *name)
{
    if (w->n == 0)
        return NULL;
    const struct weights_tensor *found =
        bsearch(name, w->tensor, w->n, sizeof *w->tensor, name_against_tensor);
    return found == NULL ? NULL : &found->view;
}

const struct tensor_view *weights_at(const struct weights *w, size_t i)
{
    return &w->tensor[i].view;
}

const struct gguf *weights_gguf(const struct weights *w)
{
    return w->gguf;
}

/* A view of w is the first member of a row of its table. */
static size_t shard_of(const struct tensor_view *t)
{
    return ((const struct weights_tensor *)t)->shard;
}

const char *weights_path(const struct weights *w, const struct tensor_view *t)
{
    return w->path[shard_of(t)];
}

void weights_done(const struct weights *w, const struct tensor_view *t,
                  size_t first, size_t n)
{
    size_t block = tensor_type_block(t->type);
    size_t bytes = tensor_type_bytes(t->type);
    if (block == 0)
        return;
    const unsigned char *data = t->data + first / block * bytes;
    if (w->gguf != NULL)
        gguf_release(w->gguf, data, n / block * bytes);
    else
        file_release(&w->shard[shard_of(t)].map, data, n / block * bytes);
}

/* ---- values ------------------------------------------------------------- */

static bool has_special_bf16(const uint16_t *x, size_t n)
{
    uint32_t bad = 0;
    for (size_t i = 0; i < n; i++)
        bad |= (x[i] & 0x7f80) == 0x7f80;
    return bad != 0;
}

enum status weights_floats(float *out, const struct weights *w,
                           const struct tensor_view *t, struct err *err)
{
    for (size_t i = 0; i < t->count; i += CHUNK) {
        size_t n = t->count - i < CHUNK ? t->count - i : CHUNK;
        enum status status = tensor_floats(out + i, t, i, n, err);
        if (status != OK) {
            err_context(err, "%s", weights_path(w, t));
            return status;
        }
        weights_done(w, t, i, n);
        TRY(tensor_check_finite(out + i, t, i, n, weights_path(w, t), err));
    }
    return OK;
}

enum status weights_bf16(uint16_t *out, const struct weights *w,
                         const struct tensor_view *t, struct err *err)
{
    for (size_t i = 0; i < t->count; i += CHUNK) {
        size_t n = t->count - i < CHUNK ? t->count - i : CHUNK;
        enum status status = tensor_bf16(out + i, t, i, n, err);
        if (status != OK) {
            err_context(err, "%s", weights_path(w, t));
            return status;
        }
        weights_done(w, t, i, n);
        if (has_special_bf16(out + i, n))
            return err_set(err, ERR_MISMATCH,
                           "%s: tensor '%.80s' has a value that is not finite",
                           weights_path(w, t), t->name);
    }
    return OK;
}
