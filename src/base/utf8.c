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
