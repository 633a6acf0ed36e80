/* fuzz_gguf.c - any bytes as a GGUF file: what is handed out lies within them,
 * and every item and every value can be read. */
#include <string.h>

#include "base/mem.h"
#include "fuzz.h"
#include "io/gguf.h"

static void read_texts(const struct gguf_array *a, const uint8_t *data,
                       size_t len)
{
    for (size_t i = 0; i < a->n; i++) {
        struct gguf_text text = gguf_array_text(a, i);
        FUZZ_CHECK((const uint8_t *)text.data >= data);
        FUZZ_CHECK((const uint8_t *)text.data + text.len <= data + len);
    }
}

/* All that may be asked about a key, whatever it is. */
static void ask(const struct gguf *g, const char *key, const uint8_t *data,
                size_t len)
{
    struct gguf_array a = {0};
    struct err err = {0};
    int64_t i;
    double x, sum = 0;
    if (gguf_need_int(&i, g, key, 0, 10, &err) == OK)
        FUZZ_CHECK(i >= 0 && i <= 10 && gguf_get_int(g, key, -1) == i);
    if (gguf_need_real(&x, g, key, &err) == OK)
        FUZZ_CHECK(x - x == 0 && gguf_get_real(g, key, -1) == x);
    (void)gguf_get_bool(g, key, false);
    (void)gguf_get_text(g, key, "");
    for (int kind = GGUF_IS_INT; kind <= GGUF_IS_ARRAY; kind++) {
        if (!gguf_get_array(&a, g, key, (enum gguf_kind)kind))
            continue;
        FUZZ_CHECK(gguf_kind_of(g, key) == GGUF_IS_ARRAY);
        FUZZ_CHECK(a.n <= len);
        if (a.kind == GGUF_IS_TEXT)
            read_texts(&a, data, len);
        else if (a.kind != GGUF_IS_ARRAY)
            for (size_t k = 0; k < a.n; k++)
                sum += gguf_array_real(&a, k);
    }
    FUZZ_CHECK(sum <= sum || sum != sum); // the reading is not left out
}

static void read_tensor(const struct gguf *g, size_t i, const uint8_t *data,
                        size_t len)
{
    struct err err = {0};
    const struct tensor_view *t = gguf_tensor(g, i);
    FUZZ_CHECK(t->len <= len && t->data >= data);
    FUZZ_CHECK(t->data + t->len <= data + len);
    FUZZ_CHECK(t->n_dim <= TENSOR_DIMS_MAX);
    FUZZ_CHECK(gguf_find(g, t->name) == t);
    if (t->type == TENSOR_OTHER)
        return;
    float *x = mem_calloc(t->count, sizeof *x);
    uint16_t *bf16 = mem_calloc(t->count, sizeof *bf16);
    FUZZ_CHECK(x != NULL && bf16 != NULL);
    FUZZ_CHECK(tensor_floats(x, t, 0, t->count, &err) == OK);
    FUZZ_CHECK(tensor_bf16(bf16, t, 0, t->count, &err) == OK);
    mem_free(bf16);
    mem_free(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct gguf *g;
    struct err err = {0};
    char key[256];
    size_t sum = 0;
    if (gguf_parse(&g, data, len, "fuzz", &err) != OK) {
        FUZZ_CHECK(err.text[0] != '\0');
        return 0;
    }
    for (size_t i = 0; i < gguf_n_keys(g); i++) {
        struct gguf_text text = gguf_key(g, i);
        size_t n = text.len < sizeof key ? text.len : sizeof key - 1;
        memcpy(key, text.data, n);
        key[n] = '\0';
        FUZZ_CHECK(text.len >= sizeof key || strlen(key) < n ||
                   gguf_kind_of(g, key) != GGUF_IS_ABSENT);
        ask(g, key, data, len);
    }
    for (size_t i = 0; i < gguf_n_tensors(g); i++) {
        read_tensor(g, i, data, len);
        sum += gguf_tensor(g, i)->len;
    }
    FUZZ_CHECK(sum <= len);
    gguf_close(g);
    return 0;
}
