/*
 * fuzz_trace.c - any bytes as a compressed trace: never more than the bound,
 * and a refusal leaves the buffer as it was.
 */
#include <string.h>

#include "fuzz.h"
#include "io/trace.h"

#define BOUND ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf out;
    struct err err = {0};
    buf_init(&out, BOUND);
    buf_puts(&out, "kept");
    enum status status = trace_decompress(&out, data, size, "input", &err);
    FUZZ_CHECK(out.len <= BOUND);
    FUZZ_CHECK(memcmp(out.data, "kept", 4) == 0);
    FUZZ_CHECK(out.data[out.len] == '\0');
    if (status != OK) {
        FUZZ_CHECK(status == ERR_FORMAT || status == ERR_LIMIT);
        FUZZ_CHECK(err.code == status && out.len == 4);
    }
    buf_free(&out);
    return 0;
}
