#include "model/load.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "io/half.h"
#include "nn/gemm16.h"

/* Values converted at a time where they do not go straight to their place. */
#define PIECE ((size_t)1 << 18)

/* A tensor of ours and where it lies. */
struct source {
    struct param_file file;
    enum param kind; // of the first of ours in it
    size_t layer;
    const struct tensor_view *view;
};

struct plan {
    const struct weights *w;
    const struct model_config *c;
    const struct arch *arch;
    bool is_gguf;
    const char *what; // what holds the configuration, for messages
    struct source *source;
    size_t n;
    bool *is_known;                // [w->n]
    const struct tensor_view *tie; // an output layer beside a tied embedding
};

/* ---- looking ------------------------------------------------------------- */

/* Some files leave the trunk's part of names out. */
static const struct tensor_view *find(const struct plan *p, const char *name)
{
    const struct tensor_view *t = weights_find(p->w, name);
    size_t len = strlen(p->arch->files->trunk);

    if (t == NULL && !p->is_gguf &&
        strncmp(name, p->arch->files->trunk, len) == 0)
        t = weights_find(p->w, name + len);
    return t;
}

static void mark(const struct plan *p, const struct tensor_view *t)
{
    const struct weights_tensor *at = (const void *)t;

    p->is_known[at - p->w->tensor] = true;
}

static bool fits(const struct tensor_view *t, const struct param_file *f)
{
    if (f->is_vector)
        return t->n_dim == 1 && t->dim[0] == f->cols;
    return t->n_dim == 2 &&
           t->dim[0] == (f->is_transposed ? f->cols : f->rows) &&
           t->dim[1] == (f->is_transposed ? f->rows : f->cols);
}

static const char *key_of(const struct plan *p, enum arch_dim d)
{
    return p->is_gguf ? arch_gguf_key(d) : arch_key(p->arch, d);
}

static enum status check_shape(const struct plan *p, const struct source *s,
                               struct err *err)
{
    const struct tensor_view *t = s->view;
    const struct param_file *f = &s->file;
    struct buf text;

    if (t->type == TENSOR_OTHER)
        return err_set(err, ERR_MISMATCH,
                       "%s: tensor %s is %s, which is not read",
                       weights_path(p->w, t), t->name, t->dtype);
    if (fits(t, f))
        return OK;
    buf_init(&text, 512);
    for (size_t i = 0; i < t->n_dim; i++)
        buf_printf(&text, "%s%" PRIu64, i == 0 ? "" : ",", t->dim[i]);
    buf_printf(&text, "]; %s says [", p->what);
    if (!f->is_vector)
        buf_printf(&text, "%zu,", f->is_transposed ? f->cols : f->rows);
    buf_printf(&text, "%zu", f->is_transposed ? f->rows : f->cols);
    buf_printf(&text, "] (%s", key_of(p, f->is_vector ? f->col : f->row));
    if (!f->is_vector)
        buf_printf(&text, ", %s", key_of(p, f->col));
    (void)err_set(err, ERR_MISMATCH, "%s: tensor %s is [%s)",
                  weights_path(p->w, t), t->name, buf_text(&text));
    buf_free(&text);
    return ERR_MISMATCH;
}

static enum status find_sources(struct plan *p, struct err *err)
{
    size_t n = params_tensors(p->c);

    for (size_t i = 0; i < n; i++) {
        struct source *s = &p->source[p->n];

        if (!(p->is_gguf ? params_file_gguf(&s->file, p->c, i)
                         : params_file_hf(&s->file, p->c, i)))
            continue;
        struct param_view own = params_view(p->c, i);
        s->kind = own.kind;
        s->layer = own.layer;
        s->view = find(p, s->file.name);
        if (s->view == NULL)
            return err_set(err, ERR_MISMATCH, "%s: no tensor %s", p->w->path[0],
                           s->file.name);
        TRY(check_shape(p, s, err));
        mark(p, s->view);
        p->n++;
    }
    return OK;
}

/* Tensors that hold nothing of their own: buffers old versions saved. */
static bool is_buffer(const struct plan *p, const char *name)
{
    static const char *const end[] = {"rotary_emb.inv_freq", "attn.masked_bias",
                                      "attn.bias"};
    size_t len = strlen(name);

    if (p->is_gguf)
        return strcmp(name, "rope_freqs.weight") == 0;
    for (size_t i = 0; i < sizeof end / sizeof end[0]; i++) {
        size_t n = strlen(end[i]);

        if (len > n && name[len - n - 1] == '.' &&
            strcmp(name + len - n, end[i]) == 0)
            return true;
    }
    return false;
}

/* Whatever else there is must be known to mean nothing. */
static enum status check_others(struct plan *p, struct err *err)
{
    for (size_t i = 0; i < p->w->n; i++) {
        const struct tensor_view *t = weights_at(p->w, i);

        if (p->is_known[i] || is_buffer(p, t->name))
            continue;
        if (p->c->tied && p->c->head == HEAD_LM && !p->is_gguf &&
            strcmp(t->name, p->arch->files->hf[PARAM_HEAD]) == 0) {
            p->tie = t;
            continue;
        }
        return err_set(err, ERR_MISMATCH,
                       "%s: tensor %.100s is not part of such a model",
                       weights_path(p->w, t), t->name);
    }
    return OK;
}

/* ---- converting ---------------------------------------------------------- */

/* Values first..first+n-1 of a tensor, every one looked at. */
static enum status read_piece(float *out, const struct weights *w,
                              const struct tensor_view *t, size_t first,
                              size_t n, struct err *err)
{
    enum status status = tensor_floats(out, t, first, n, err);

    if (status != OK) {
        err_context(err, "%s", weights_path(w, t));
        return status;
    }
    weights_done(w, t, first, n);
    return tensor_check_finite(out, t, first, n, weights_path(w, t), err);
}

/* Rows begin..begin+n-1 of the file to their places. */
static void place_rows(float *out, const float *piece, size_t begin, size_t n,
                       const struct param_file *f)
{
    size_t rows = f->is_vector ? f->cols : f->rows;
    size_t cols = f->is_vector ? 1 : f->cols;

    for (size_t i = 0; i < n; i++) {
        if (f->is_transposed)
            for (size_t r = 0; r < rows; r++)
                out[r * cols + begin + i] = piece[i * rows + r];
        else
            memcpy(out + params_file_row(f, begin + i) * cols, piece + i * cols,
                   cols * sizeof *out);
    }
}

/* A tensor whose rows do not lie as ours do, a few at a time. */
static enum status read_rows(float *out, const struct weights *w,
                             const struct source *s, struct err *err)
{
    const struct param_file *f = &s->file;
    size_t width = f->is_vector ? 1 : f->is_transposed ? f->rows : f->cols;
    size_t height = f->rows * f->cols / width;
    size_t step = width > PIECE ? 1 : PIECE / width;
    float *piece;
    enum status status = OK;

    step = step < height ? step : height;
    TRY(MEM_NEW(piece, step * width, err));
    for (size_t i = 0; status == OK && i < height; i += step) {
        size_t n = height - i < step ? height - i : step;

        status = read_piece(piece, w, s->view, i * width, n * width, err);
        if (status == OK)
            place_rows(out, piece, i, n, f);
    }
    mem_free(piece);
    return status;
}

/* Is a piece of the tied output layer what the embedding has there? */
static bool ties(const struct model *m, const float *piece, size_t first,
                 size_t n)
{
    struct weight w = model_weight(m, PARAM_EMBED, 0);

    if (w.f32 != NULL)
        return memcmp(piece, w.f32 + first, n * sizeof *piece) == 0;
    for (size_t i = 0; i < n; i++)
        if (half_bf16_of_float(piece[i]) != w.bf16[first + i])
            return false;
    return true;
}

static enum status check_tie(const struct plan *p, const struct model *m,
                             struct err *err)
{
    size_t n = p->c->V * p->c->C;
    size_t step = n < PIECE ? n : PIECE;
    float *piece;
    enum status status = OK;

    if (p->tie == NULL)
        return OK;
    if (p->tie->count != n)
        return err_set(err, ERR_MISMATCH,
                       "%s: tensor %s is not of the size of the embedding "
                       "it is tied to",
                       weights_path(p->w, p->tie), p->tie->name);
    TRY(MEM_NEW(piece, step, err));
    for (size_t i = 0; status == OK && i < n; i += step) {
        size_t len = n - i < step ? n - i : step;

        status = read_piece(piece, p->w, p->tie, i, len, err);
        if (status == OK && !ties(m, piece, i, len))
            status = err_set(err, ERR_MISMATCH,
                             "%s: tensor %s differs from the embedding, but "
                             "%s ties them (tie_word_embeddings)",
                             weights_path(p->w, p->tie), p->tie->name, p->what);
    }
    mem_free(piece);
    return status;
}

static enum status read_floats(float *to, const struct plan *p,
                               const struct source *s, struct err *err)
{
    return s->file.is_transposed || s->file.permuted != 0
               ? read_rows(to, p->w, s, err)
               : weights_floats(to, p->w, s->view, err);
}

/* The tensor to its place in a frozen model.  What does not lie in the file as
 * it does here goes through float, one tensor at a time. */
static enum status read_frozen(struct model *m, const struct plan *p,
                               const struct source *s, struct err *err)
{
    const struct param_file *f = &s->file;
    size_t n = f->rows * f->cols;
    float *whole;

    if (!params_is_product(s->kind))
        return read_floats(
            m->rest + params_rest_offset(p->c, s->kind, s->layer), p, s, err);
    if (!f->is_transposed && f->permuted == 0)
        return weights_bf16(m->narrow + f->offset, p->w, s->view, err);
    TRY(MEM_NEW(whole, n, err));
    enum status status = read_rows(whole, p->w, s, err);
    if (status == OK)
        gemm16_round(m->narrow + f->offset, whole, n);
    mem_free(whole);
    return status;
}

static enum status read_sources(struct model *out, const struct plan *p,
                                enum model_precision precision, struct err *err)
{
    struct model m;
    enum status status = OK;

    TRY(model_create_as(&m, p->c, precision, err));
    for (size_t i = 0; status == OK && i < p->n; i++) {
        const struct source *s = &p->source[i];

        status = (precision & MODEL_IS_BF16) != 0
                     ? read_frozen(&m, p, s, err)
                     : read_floats(m.params + s->file.offset, p, s, err);
    }
    if (status == OK)
        status = check_tie(p, &m, err);
    model_round_again(&m);
    if (status == OK)
        *out = m;
    else
        model_free(&m);
    return status;
}

enum status load_params(struct model *out, const struct model_config *c,
                        const struct weights *w, enum model_precision precision,
                        struct err *err)
{
    size_t n = params_tensors(c);
    struct plan p = {
        .w = w,
        .c = c,
        .arch = arch_get(c->arch),
        .is_gguf = weights_gguf(w) != NULL,
        .what = weights_gguf(w) != NULL ? "its metadata" : "config.json",
    };
    enum status status = OK;

    if (w->n > 3 * n + 16)
        return err_set(err, ERR_MISMATCH,
                       "%s: %zu tensors where %s asks for "
                       "%zu",
                       w->path[0], w->n, p.what, n);
    TRY_DONE(MEM_NEW(p.source, n + 1, err));
    TRY_DONE(MEM_NEW(p.is_known, w->n + 1, err));
    TRY_DONE(find_sources(&p, err));
    TRY_DONE(check_others(&p, err));
    TRY_DONE(read_sources(out, &p, precision, err));
done:
    mem_free(p.is_known);
    mem_free(p.source);
    return status;
}
