/*
 * fuzz_tokenizer_gguf.c - any bytes as a GGUF file with a tokenizer: what is
 * made of it must be read again, encode and decode.
 */
#include <string.h>

#include "fuzz.h"
#include "io/gguf.h"
#include "io/tokenizer.h"

static void check(const struct tokenizer *t, bool special)
{
    static const char text[] = "ab a <s></s><x> 12\n\xe2\x96\x81\xc3\xa9\x01";
    struct ids ids = {0};
    struct err err = {0};
    struct buf out;
    buf_init(&out, (size_t)1 << 26);
    FUZZ_CHECK(
        tokenizer_encode(t, text, sizeof text - 1, special, &ids, &err) == OK);
    for (size_t i = 0; i < ids.n; i++)
        FUZZ_CHECK(tokenizer_token(t, ids.id[i]) != NULL);
    FUZZ_CHECK(tokenizer_decode(t, ids.id, ids.n, special, &out, &err) == OK);
    ids_free(&ids);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct gguf *g = NULL;
    struct tokenizer *t = NULL, *again = NULL;
    struct err err = {0};
    size_t len_json, len_config;
    if (gguf_parse(&g, data, len, "fuzz", &err) != OK)
        return 0;
    enum status status = tokenizer_from_gguf(&t, g, &err);
    gguf_close(g);
    if (status != OK) {
        FUZZ_CHECK(t == NULL && err.text[0] != '\0');
        return 0;
    }
    const char *json = tokenizer_json(t, &len_json);
    const char *config = tokenizer_config_json(t, &len_config);
    FUZZ_CHECK(tokenizer_parse(&again, json, len_json, config, len_config,
                               "fuzz", &err) == OK);
    FUZZ_CHECK(tokenizer_size(again) == tokenizer_size(t));
    FUZZ_CHECK(tokenizer_bos(again) == tokenizer_bos(t));
    check(again, true);
    check(again, false);
    tokenizer_free(again);
    tokenizer_free(t);
    return 0;
}
