#include "base/utf8.h"

#include <assert.h>

size_t utf8_length(const char *text, size_t len, size_t *bad)
{
    assert(len > 0);
    const unsigned char *s = (const unsigned char *)text;
    unsigned char c = s[0], low = 0x80, high = 0xBF;
    size_t n = c < 0x80 ? 1 : c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    size_t good = 1; // bytes that could begin a character
    if (c > 0xF4)
        n = 0;
    /* The second byte's range shuts out overlong forms, surrogates and what
     * lies beyond U+10FFFF. */
    if (c == 0xE0)
        low = 0xA0;
    else if (c == 0xED)
        high = 0x9F;
    else if (c == 0xF0)
        low = 0x90;
    else if (c == 0xF4)
        high = 0x8F;
    while (good < n && good < len && s[good] >= low && s[good] <= high) {
        good++;
        low = 0x80;
        high = 0xBF;
    }
    if (n != 0 && good == n)
        return n;
    if (bad != NULL)
        *bad = good;
    return 0;
}

size_t utf8_valid(const char *text, size_t len)
{
    size_t at = 0;
    for (size_t n = 1; at < len && n > 0; at += n)
        n = utf8_length(text + at, len - at, NULL);
    return at;
}

size_t utf8_count(const char *text, size_t len)
{
    size_t count = 0;
    for (size_t at = 0; at < len; count++) {
        size_t n = utf8_length(text + at, len - at, NULL);
        at += n > 0 ? n : 1;
    }
    return count;
}

uint32_t utf8_decode(const char *text, size_t *len)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    uint32_t code = n == 1 ? s[0] : s[0] & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++)
        code = code << 6 | (s[i] & 0x3Fu);
    *len = n;
    return code;
}

size_t utf8_encode(char out[4], uint32_t code)
{
    size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (n == 1) {
        out[0] = (char)code;
        return 1;
    }
    for (size_t i = n; i-- > 1; code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)((0xF00u >> n & 0xFF) | code);
    return n;
}
