#include "io/bytelevel.h"

#include "base/utf8.h"

/* Is the byte the character of its own number? */
static bool is_own(unsigned byte)
{
    return (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
}

size_t bytelevel_write(char out[4], unsigned char byte)
{
    uint32_t code = byte;
    if (!is_own(byte)) {
        /* How many of the others come before it. */
        unsigned before = byte <= 32    ? byte
                          : byte == 173 ? 67u
                                        : 33u + (byte - 127u);
        code = 256 + before;
    }
    return utf8_encode(out, code);
}

/* The byte of a character, or -1. */
static int byte_of(uint32_t code)
{
    if (code < 256)
        return is_own(code) ? (int)code : -1;
    code -= 256;
    if (code <= 32)
        return (int)code;
    if (code == 67)
        return 173;
    return code < 67 ? (int)(code - 33 + 127) : -1;
}

bool bytelevel_read(struct buf *out, const char *token, size_t len)
{
    size_t from = out->len;
    for (size_t i = 0, n; i < len; i += n) {
        int byte = byte_of(utf8_decode(token + i, &n));
        if (byte < 0) {
            out->len = from;
            return false;
        }
        buf_putc(out, (char)byte);
    }
    return true;
}
