/*
 * fuzz_tokenizer.c - any bytes as a tokenizer.json, a NUL, and a text.
 *
 * What reads must be consistent with itself: lookup both ways, encoded ids that
 * have a token and decode, the same ids twice.
 */
#include <string.h>

#include "fuzz.h"
#include "io/chat.h"

static void check_lookup(const struct tokenizer *t)
{
    size_t n = tokenizer_size(t);
    for (size_t i = 0; i < n; i++) {
        const char *token = tokenizer_token(t, (int32_t)i);
        FUZZ_CHECK(token == NULL || tokenizer_id(t, token) == (int32_t)i);
    }
    FUZZ_CHECK(tokenizer_token(t, (int32_t)n) == NULL);
}

static void check_text(const struct tokenizer *t, const char *text, size_t len,
                       bool special)
{
    struct ids ids = {0};
    struct err err = {0};
    struct buf out;
    buf_init(&out, (size_t)1 << 26);
    enum status status = tokenizer_encode(t, text, len, special, &ids, &err);
    FUZZ_CHECK(status == OK || (ids.n == 0 && err.text[0] != '\0'));
    for (size_t i = 0; i < ids.n; i++)
        FUZZ_CHECK(tokenizer_token(t, ids.id[i]) != NULL);
    size_t n = ids.n;
    if (status == OK)
        FUZZ_CHECK(tokenizer_encode(t, text, len, special, &ids, &err) == OK);
    FUZZ_CHECK(ids.n == 2 * n);
    FUZZ_CHECK(n == 0 || memcmp(ids.id, ids.id + n, n * sizeof *ids.id) == 0);
    status = tokenizer_decode(t, ids.id, ids.n, special, &out, &err);
    FUZZ_CHECK(status == OK || status == ERR_LIMIT);
    ids_free(&ids);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char fixed[] = "hi, <eos> #Q4 don't $35.\n\xc3\xa9";
    const uint8_t *nul = len > 0 ? memchr(data, 0, len) : NULL;
    size_t len_json = nul != NULL ? (size_t)(nul - data) : len;
    struct tokenizer *t = NULL;
    struct err err = {0};
    enum chat_template chat;
    /* The same bytes stand for the file beside it. */
    if (tokenizer_parse(&t, (const char *)data, len_json, (const char *)data,
                        len_json, "fuzz", &err) != OK) {
        FUZZ_CHECK(t == NULL && err.text[0] != '\0');
        return 0;
    }
    check_lookup(t);
    (void)!chat_detect(&chat, t, &err);
    for (int special = 0; special < 2; special++) {
        check_text(t, fixed, sizeof fixed - 1, special != 0);
        if (nul != NULL)
            check_text(t, (const char *)nul + 1, len - len_json - 1,
                       special != 0);
    }
    tokenizer_free(t);
    return 0;
}
