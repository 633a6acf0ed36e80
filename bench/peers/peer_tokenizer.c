/*
 * peer_tokenizer.c - what our tokenizer makes of texts, for
 * check_tokenizers.py to compare.
 *
 *     peer_tokenizer TOKENIZER < requests > answers
 *
 *     request   'E' or 'e', u32 length, text: encode with or without special
 *               'D' or 'd', u32 n, n ids: decode, keeping special tokens or not
 *               'J' or 'C', 0: the tokenizer.json or tokenizer_config.json
 *     answer    u32 n, n ids; or u32 length, text
 *
 * Numbers are little-endian.
 */
#include <stdint.h>
#include <stdio.h>

#include "base/mem.h"
#include "io/tokenizer.h"

#define TEXT_MAX ((uint32_t)64 * 1024 * 1024)

/* Answer one request of n bytes or ids; they are in data. */
static enum status answer(const struct tokenizer *t, int kind, const void *data,
                          uint32_t n, struct err *err)
{
    struct ids ids = {0};
    struct buf text;
    enum status status;
    uint32_t count;
    buf_init(&text, TEXT_MAX);
    if (kind == 'E' || kind == 'e') {
        TRY_DONE(tokenizer_encode(t, data, n, kind == 'E', &ids, err));
        count = (uint32_t)ids.n;
        fwrite(&count, sizeof count, 1, stdout);
        fwrite(ids.id, sizeof *ids.id, ids.n, stdout);
    } else {
        size_t len = 0;
        if (kind == 'J')
            buf_puts(&text, tokenizer_json(t, &len));
        else if (kind == 'C' && tokenizer_config_json(t, &len) != NULL)
            buf_puts(&text, tokenizer_config_json(t, &len));
        else if (kind == 'C')
            buf_puts(&text, "{}");
        else
            TRY_DONE(tokenizer_decode(t, data, n, kind == 'd', &text, err));
        count = (uint32_t)text.len;
        fwrite(&count, sizeof count, 1, stdout);
        fwrite(buf_text(&text), 1, text.len, stdout);
        status = buf_status(&text, err);
    }
done:
    ids_free(&ids);
    buf_free(&text);
    return status;
}

int main(int argc, char **argv)
{
    struct tokenizer *t;
    struct err err = {0};
    int kind;
    uint32_t n;
    if (argc != 2 || tokenizer_open(&t, argv[1], &err) != OK) {
        fprintf(stderr, "peer_tokenizer: %s\n",
                argc != 2 ? "usage: peer_tokenizer TOKENIZER" : err.text);
        return argc != 2 ? 2 : 1;
    }
    enum status status = OK;
    while (status == OK && (kind = getchar()) != EOF) {
        size_t size = kind == 'E' || kind == 'e' ? 1 : sizeof(int32_t);
        if (fread(&n, sizeof n, 1, stdin) != 1 || n > TEXT_MAX)
            break;
        char *data = mem_calloc((size_t)n + 1, size);
        if (data == NULL || fread(data, size, n, stdin) != n)
            break;
        status = answer(t, kind, data, n, &err);
        (void)fflush(stdout);
        mem_free(data);
    }
    if (status != OK)
        fprintf(stderr, "peer_tokenizer: %s\n", err.text);
    tokenizer_free(t);
    return status != OK;
}
