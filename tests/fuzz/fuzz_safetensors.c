/* fuzz_safetensors.c - any bytes as a safetensors file: what is handed out
 * lies within them, and every value can be read. */
#include "base/mem.h"
#include "fuzz.h"
#include "io/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct safetensors s;
    struct err err = {0};
    if (safetensors_parse(&s, data, len, "fuzz", &err) != OK) {
        FUZZ_CHECK(err.text[0] != '\0');
        return 0;
    }
    size_t sum = 0;
    for (size_t i = 0; i < s.n; i++) {
        const struct tensor_view *t = &s.tensor[i];
        sum += t->len;
        FUZZ_CHECK(t->len <= len && t->data >= data + 8);
        FUZZ_CHECK(t->data + t->len <= data + len);
        FUZZ_CHECK(t->n_dim <= TENSOR_DIMS_MAX);
        FUZZ_CHECK(safetensors_find(&s, t->name) == t);
        float *out = mem_calloc(t->count, sizeof *out);
        FUZZ_CHECK(out != NULL || t->type == TENSOR_OTHER);
        enum status status = safetensors_floats(out, t, &err);
        FUZZ_CHECK((status == OK) == (t->type != TENSOR_OTHER));
        mem_free(out);
    }
    FUZZ_CHECK(sum <= len);
    safetensors_close(&s);
    return 0;
}
