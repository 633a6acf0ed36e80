/* A checkpoint's state of training: trainer.json, trainer.safetensors. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "io/safetensors.h"
#include "model/checkpoint_internal.h"

/* ---- writing ------------------------------------------------------------- */

/* An array in parts, which rank 0 writes and the others send it. */
struct parts {
    const struct checkpoint_array *array;
    struct comm *comm;
};

/* Values first..first+n-1 to `out`, which only rank 0 has; the others send
 * what they hold of them.  Every rank makes the same calls. */
static enum status bring_piece(void *ctx, float *out, size_t first, size_t n,
                               struct err *err)
{
    const struct parts *p = ctx;
    const struct checkpoint_array *a = p->array;
    size_t ranks = comm_size(p->comm), me = comm_rank(p->comm), held = 0;

    for (size_t i = 0; i < a->n_part; i++) {
        size_t from = a->part[i] > first ? a->part[i] : first;
        size_t end = a->part[i + 1] < first + n ? a->part[i + 1] : first + n;
        size_t owner = i % ranks, mine = held;

        held += owner == me ? a->part[i + 1] - a->part[i] : 0;
        if (from >= end)
            continue;
        float *own = a->data + mine + (from - a->part[i]);
        size_t bytes = (end - from) * sizeof *own;
        if (owner > 0)
            TRY(comm_bring(p->comm, me == 0 ? out + (from - first) : own, bytes,
                           owner, err));
        else if (out != NULL)
            memcpy(out + (from - first), own, bytes);
    }
    return OK;
}

/* What rank 0 asks for while it writes, in the same pieces. */
enum status checkpoint_trainer_lend(const struct checkpoint *c, struct err *err)
{
    for (size_t i = 0; i < c->n_array; i++) {
        struct parts p = {&c->array[i], c->comm};
        size_t n = c->array[i].n;

        if (c->array[i].part == NULL)
            continue;
        for (size_t at = 0; at < n; at += SAFETENSORS_PIECE)
            TRY(bring_piece(
                &p, NULL, at,
                n - at < SAFETENSORS_PIECE ? n - at : SAFETENSORS_PIECE, err));
    }
    return OK;
}

static enum status write_arrays(const char *path, const struct checkpoint *c,
                                struct tensor_out *tensor, struct parts *parts,
                                struct err *err)
{
    for (size_t i = 0; i < c->n_array; i++) {
        bool is_whole = c->array[i].part == NULL;

        parts[i] = (struct parts){&c->array[i], c->comm};
        tensor[i] = (struct tensor_out){
            .name = c->array[i].name,
            .n_dim = 1,
            .dim = {c->array[i].n},
            .data = is_whole ? c->array[i].data : NULL,
            .fetch = is_whole ? NULL : bring_piece,
            .ctx = &parts[i],
        };
    }
    return safetensors_write(path, tensor, c->n_array, err);
}

enum status checkpoint_trainer_write(const char *dir,
                                     const struct checkpoint *c,
                                     struct err *err)
{
    struct tensor_out *tensor = NULL;
    struct parts *parts = NULL;
    char path[FILE_PATH_MAX];
    enum status status = OK;

    TRY(file_join(path, dir, "trainer.json", err));
    TRY(file_write(path, c->trainer_json, strlen(c->trainer_json), err));
    TRY(file_join(path, dir, "trainer.safetensors", err));
    TRY_DONE(MEM_NEW(tensor, c->n_array, err));
    TRY_DONE(MEM_NEW(parts, c->n_array, err));
    status = write_arrays(path, c, tensor, parts, err);
done:
    mem_free(tensor);
    mem_free(parts);
    return status;
}

/* ---- reading ------------------------------------------------------------- */

/* Values of an array: all, or this rank's parts. */
static enum status read_array(const struct checkpoint_array *a,
                              const struct tensor_view *t,
                              const struct comm *comm, const char *path,
                              struct err *err)
{
    float *to = a->data;
    const size_t whole[] = {0, a->n};
    const size_t *part = a->part != NULL ? a->part : whole;
    size_t n_part = a->part != NULL ? a->n_part : 1;
    size_t first = a->part != NULL ? comm_rank(comm) : 0;

    for (size_t i = first; i < n_part; i += comm_size(comm)) {
        size_t n = part[i + 1] - part[i];

        TRY(tensor_floats(to, t, part[i], n, err));
        TRY(tensor_check_finite(to, t, part[i], n, path, err));
        to += n;
    }
    return OK;
}

static enum status read_arrays(struct checkpoint_array *array, size_t n,
                               const struct comm *comm, const char *dir,
                               struct err *err)
{
    struct safetensors file;
    char path[FILE_PATH_MAX];
    enum status status = OK;

    TRY(checkpoint_need_file(path, dir, "trainer.safetensors", err));
    TRY(safetensors_open(&file, path, err));
    if (file.n != n)
        TRY_DONE(err_set(err, ERR_MISMATCH, "%s: %zu arrays, want %zu", path,
                         file.n, n));
    for (size_t i = 0; i < n; i++) {
        const struct tensor_view *t = safetensors_find(&file, array[i].name);

        if (t == NULL)
            TRY_DONE(err_set(err, ERR_MISMATCH, "%s: no array %s", path,
                             array[i].name));
        if (t->type != TENSOR_F32 || t->n_dim != 1 || t->count != array[i].n)
            TRY_DONE(err_set(err, ERR_MISMATCH,
                             "%s: array %s holds %zu values of %s, want %zu "
                             "of F32",
                             path, array[i].name, t->count, t->dtype,
                             array[i].n));
        TRY_DONE(read_array(&array[i], t, comm, path, err));
    }
done:
    safetensors_close(&file);
    return status;
}

enum status checkpoint_read_trainer(struct buf *trainer_json,
                                    struct checkpoint_array *array,
                                    size_t n_array, const struct comm *comm,
                                    const char *dir, struct err *err)
{
    char path[FILE_PATH_MAX];

    TRY(checkpoint_need_folder(dir, err));
    TRY(checkpoint_need_file(path, dir, "trainer.json", err));
    TRY(file_read(trainer_json, path, err));
    return read_arrays(array, n_array, comm, dir, err);
}
