/*
 * fuzz_stream.c - any bytes as a file that may be compressed: expanded within
 * the limit or refused with its name, and plain bytes are given as they are.
 */
#include <stdbool.h>
#include <string.h>

#include "fuzz.h"
#include "io/stream.h"

#define EXPANDED_MAX ((uint64_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stream *s;
    struct err err = {OK, ""};
    const char *piece;
    size_t len;
    uint64_t total = 0;
    enum status status;
    bool is_plain = !(size >= 2 && memcmp(data, "\x1f\x8b", 2) == 0) &&
                    !(size >= 4 && memcmp(data, "\x28\xb5\x2f\xfd", 4) == 0);
    FUZZ_CHECK(stream_open_bytes(&s, data, size, EXPANDED_MAX, "input", &err) ==
               OK);
    do {
        status = stream_next(s, &piece, &len, &err);
        if (status != OK)
            break;
        if (is_plain && len > 0) {
            FUZZ_CHECK(len <= size - total);
            FUZZ_CHECK(memcmp(piece, data + total, len) == 0);
        }
        total += len;
        FUZZ_CHECK(is_plain || total <= EXPANDED_MAX);
    } while (len > 0);
    if (is_plain)
        FUZZ_CHECK(status == OK && total == size);
    else if (status != OK) {
        FUZZ_CHECK(status == ERR_FORMAT || status == ERR_LIMIT);
        FUZZ_CHECK(strncmp(err.text, "input: ", 7) == 0);
    }
    stream_close(s);
    return 0;
}
