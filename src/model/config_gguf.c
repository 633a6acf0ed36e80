#include "model/config_gguf.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct source {
    const struct weights *w;
    const struct gguf *g;
    const struct arch *arch;
    const char *name; // of the file
};

/* A key under the architecture's prefix; the names of the table are short. */
struct key {
    char text[96];
};

static struct key key_of(const struct source *s, const char *rest)
{
    struct key key;

    (void)snprintf(key.text, sizeof key.text, "%s.%s", s->arch->gguf, rest);
    return key;
}

static bool is_text(struct gguf_text t, const char *want)
{
    return t.len == strlen(want) && memcmp(t.data, want, t.len) == 0;
}

static enum status refuse(const struct source *s, const struct key *key,
                          struct gguf_text value, struct err *err)
{
    return err_set(err, ERR_MISMATCH, "%s: %s '%.*s' is not supported", s->name,
                   key->text, (int)(value.len < 40 ? value.len : 40),
                   value.data);
}

/* What this code has no arithmetic for, were it on. */
static enum status refuse_variants(const struct source *s, struct err *err)
{
    static const char *const off[] = {"expert_count",
                                      "attention.sliding_window"};

    struct key causal = key_of(s, "attention.causal");

    if (!gguf_get_bool(s->g, causal.text, true))
        return err_set(err, ERR_MISMATCH,
                       "%s: %s is false: attention to what follows is not "
                       "supported",
                       s->name, causal.text);
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++) {
        struct key key = key_of(s, off[i]);
        int64_t value = gguf_get_int(s->g, key.text, 0);

        if (value != 0)
            return err_set(err, ERR_MISMATCH,
                           "%s: %s %" PRId64 " is not supported", s->name,
                           key.text, value);
    }
    return OK;
}

static enum status need_dim(size_t *out, const struct source *s,
                            enum arch_dim d, struct err *err)
{
    struct key key = key_of(s, arch_gguf_key(d));
    int64_t value;

    TRY(gguf_need_int(&value, s->g, key.text, 1, INT32_MAX, err));
    *out = (size_t)value;
    return OK;
}

/* The same where another number stands in for a key that is absent. */
static enum status maybe_dim(size_t *out, const struct source *s,
                             enum arch_dim d, size_t fallback, struct err *err)
{
    struct key key = key_of(s, arch_gguf_key(d));

    *out = fallback;
    if (gguf_kind_of(s->g, key.text) == GGUF_IS_ABSENT && fallback != 0)
        return OK;
    return need_dim(out, s, d, err);
}

static enum status read_dims(struct model_config *c, const struct source *s,
                             struct err *err)
{
    const struct tensor_view *embed = weights_find(s->w, "token_embd.weight");
    struct key turned = key_of(s, "rope.dimension_count");

    if (embed == NULL || embed->n_dim != 2)
        return err_set(err, ERR_MISMATCH, "%s: no matrix token_embd.weight",
                       s->name);
    c->V = embed->dim[0] < SIZE_MAX ? (size_t)embed->dim[0] : 0;
    TRY(need_dim(&c->C, s, DIM_C, err));
    TRY(need_dim(&c->L, s, DIM_L, err));
    TRY(need_dim(&c->H, s, DIM_H, err));
    TRY(maybe_dim(&c->G, s, DIM_G, c->H, err));
    TRY(maybe_dim(&c->D, s, DIM_D, c->C % c->H == 0 ? c->C / c->H : 0, err));
    TRY(need_dim(&c->F, s, DIM_F, err));
    TRY(need_dim(&c->T_max, s, DIM_T, err));
    if (!s->arch->is_learned &&
        gguf_get_int(s->g, turned.text, (int64_t)c->D) != (int64_t)c->D)
        return err_set(err, ERR_MISMATCH,
                       "%s: %s is not the head size %zu; partial rotary "
                       "positions are not supported",
                       s->name, turned.text, c->D);
    return OK;
}

/*
 * rope_freqs.weight divides the rates, by Llama 3's rule.  A file of ours says
 * its parameters.  Others have only what follows from them; those of every
 * published model are low 1, high 4, original 8192, and the last rate is
 * divided by the whole factor.  What does not give the tensor is refused.
 */
static enum status read_factors(struct model_config *c, const struct source *s,
                                const struct tensor_view *t, struct err *err)
{
    struct rope_stretch guess = {.kind = ROPE_LLAMA3};
    struct rope_stretch plain = {.kind = ROPE_PLAIN};
    double rate[ROPE_D_MAX / 2], slow[ROPE_D_MAX / 2];
    float factor[ROPE_D_MAX / 2];
    bool is_ours;

    if (t->count != c->D / 2)
        return err_set(err, ERR_MISMATCH,
                       "%s: tensor %s has %zu values, want %zu", s->name,
                       t->name, t->count, c->D / 2);
    TRY(weights_floats(factor, s->w, t, err));
    guess.factor =
        gguf_get_real(s->g, CONFIG_GGUF_FACTOR, (double)factor[c->D / 2 - 1]);
    guess.low = gguf_get_real(s->g, CONFIG_GGUF_LOW, 1);
    guess.high = gguf_get_real(s->g, CONFIG_GGUF_HIGH, 4);
    guess.original = gguf_get_real(s->g, CONFIG_GGUF_ORIGINAL, 8192);
    is_ours = guess.factor >= 1;
    if (is_ours) {
        rope_rates(rate, c->D, c->rope_theta, &plain);
        rope_rates(slow, c->D, c->rope_theta, &guess);
    }
    for (size_t i = 0; is_ours && i < c->D / 2; i++)
        is_ours = fabs(rate[i] / slow[i] / (double)factor[i] - 1) < 1e-4;
    if (!is_ours)
        return err_set(err, ERR_MISMATCH,
                       "%s: tensor %s is not Llama 3's stretch of rotary "
                       "positions by %g with low %g, high %g and original %g, "
                       "the only one supported",
                       s->name, t->name, guess.factor, guess.low, guess.high,
                       guess.original);
    c->stretch = guess;
    return OK;
}

/*
 * llama.cpp takes a file that names no kind for linear: its factor, which old
 * files have under another key, then counts, and 0 stands for none.
 */
static enum status read_stretch(struct rope_stretch *out,
                                const struct source *s, struct err *err)
{
    struct key type = key_of(s, "rope.scaling.type");
    struct key factor = key_of(s, "rope.scaling.factor");
    struct gguf_text kind = gguf_get_text(s->g, type.text, "linear");
    double x = 0;

    if (gguf_kind_of(s->g, factor.text) == GGUF_IS_ABSENT)
        factor = key_of(s, "rope.scale_linear");
    if (is_text(kind, "none"))
        return OK;
    if (!is_text(kind, "linear"))
        return refuse(s, &type, kind, err);
    if (gguf_kind_of(s->g, factor.text) != GGUF_IS_ABSENT)
        TRY(gguf_need_real(&x, s->g, factor.text, err));
    if (x != 0)
        *out = (struct rope_stretch){.kind = ROPE_LINEAR, .factor = x};
    return OK;
}

static enum status read_rope(struct model_config *c, const struct source *s,
                             struct err *err)
{
    const struct tensor_view *t = weights_find(s->w, "rope_freqs.weight");
    struct key base = key_of(s, "rope.freq_base");

    c->rope_theta = gguf_get_real(s->g, base.text, 10000);
    if (!(c->rope_theta >= 1 && c->rope_theta <= 1e12))
        return err_set(err, ERR_FORMAT, "%s: %s is %g, want 1..1e12", s->name,
                       base.text, c->rope_theta);
    TRY(read_stretch(&c->stretch, s, err));
    if (t == NULL)
        return OK;
    if (c->stretch.kind != ROPE_PLAIN && c->stretch.factor != 1)
        return err_set(err, ERR_MISMATCH,
                       "%s: rotary positions are stretched by a factor and by "
                       "tensor %s; only one of them is supported",
                       s->name, t->name);
    return read_factors(c, s, t, err);
}

static int32_t token(const struct source *s, const char *key)
{
    int64_t id = gguf_get_int(s->g, key, -1);

    return id < 0 || id > INT32_MAX ? -1 : (int32_t)id;
}

static void read_tokens(struct model_config *c, const struct source *s)
{
    int32_t turn = token(s, "tokenizer.ggml.eot_token_id");

    c->bos = token(s, "tokenizer.ggml.bos_token_id");
    c->eos = token(s, "tokenizer.ggml.eos_token_id");
    c->pad = token(s, "tokenizer.ggml.padding_token_id");
    if (turn >= 0 && turn != c->eos)
        c->stop[c->n_stop++] = turn;
}

enum status model_config_gguf(struct model_config *out, const struct weights *w,
                              struct err *err)
{
    struct source s = {.w = w, .g = weights_gguf(w)};
    struct model_config c = {.head = HEAD_LM};
    struct gguf_text text;
    struct err inner;
    char name[64] = "";

    s.name = gguf_name(s.g);
    TRY(gguf_need_text(&text, s.g, "general.architecture", err));
    if (text.len < sizeof name)
        memcpy(name, text.data, text.len);
    c.arch = arch_find_gguf(name);
    if (c.arch == arch_count())
        return refuse(&s, &(struct key){"general.architecture"}, text, err);
    s.arch = arch_get(c.arch);
    TRY(refuse_variants(&s, err));
    TRY(read_dims(&c, &s, err));
    TRY(gguf_need_real(&c.norm_eps, s.g,
                       key_of(&s, s.arch->files->gguf_eps).text, err));
    read_tokens(&c, &s);
    c.tied = weights_find(w, "output.weight") == NULL;
    c.attention_bias =
        s.arch->may_bias && weights_find(w, "blk.0.attn_q.bias") != NULL;
    /* Bounds first: what follows takes the head size for one. */
    c.rope_theta = s.arch->is_learned ? 0 : 1;
    if (model_config_check(&c, &inner) != OK)
        return err_set(err, ERR_FORMAT, "%s: %s", s.name, inner.text);
    if (!s.arch->is_learned)
        TRY(read_rope(&c, &s, err));
    if (model_config_check(&c, &inner) != OK)
        return err_set(err, ERR_FORMAT, "%s: %s", s.name, inner.text);
    *out = c;
    return OK;
}
