#include "io/wordlevel.h"

#include <string.h>

#include "base/mem.h"

#define SHOWN 60 // bytes of an unknown word in a message

enum status wordlevel_parse(void **out, const struct json *model,
                            const struct vocab *v, bool is_byte_level,
                            const char *name, struct err *err)
{
    const char *unknown;
    struct wordlevel *w = NULL;
    if (is_byte_level)
        return err_set(err, ERR_MISMATCH,
                       "%s: model 'WordLevel' behind pre_tokenizer "
                       "'ByteLevel' is not supported",
                       name);
    TRY(json_need_text(&unknown, model, "unk_token", name, err));
    TRY(MEM_NEW(w, 1, err));
    w->v = v;
    w->unknown = vocab_find(v, unknown, strlen(unknown));
    if (w->unknown >= 0 && !v->entry[w->unknown].is_model)
        w->unknown = -1;
    *out = w;
    return OK;
}

void wordlevel_free(void *model)
{
    mem_free(model);
}

enum status wordlevel_encode(const void *model, struct bpe_work *work,
                             const char *text, size_t len, struct ids *out,
                             struct err *err)
{
    const struct wordlevel *w = model;
    const struct vocab *v = w->v;
    (void)work;
    int32_t id = vocab_find(v, text, len);
    if (id >= 0 && (!v->entry[id].is_model || v->entry[id].is_special))
        id = -1;
    if (id < 0)
        id = w->unknown;
    if (id >= 0)
        return ids_push(out, id, err);
    /* Cut a long word between characters. */
    size_t n = len;
    if (n > SHOWN)
        for (n = SHOWN; n > 0 && (text[n] & 0xc0) == 0x80;)
            n--;
    return err_set(err, ERR_MISMATCH, "word '%.*s%s' is not in the vocabulary",
                   (int)n, text, n < len ? "..." : "");
}
