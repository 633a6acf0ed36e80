/*
 * fuzz_csv.c - any bytes as a table: rows or a refusal with its place, and
 * what was read, written with every field in quotes, reads back the same.
 */
#include <string.h>

#include "base/buf.h"
#include "fuzz.h"
#include "io/csv.h"

static enum status write_row(void *ctx, const struct csv_row *row,
                             struct err *err)
{
    struct buf *out = ctx;
    (void)err;
    FUZZ_CHECK(row->n > 0 && row->n <= CSV_FIELDS_MAX && row->line > 0);
    for (size_t i = 0; i < row->n; i++) {
        buf_puts(out, i > 0 ? ",\"" : "\"");
        for (const char *s = row->field[i]; *s != '\0'; s++) {
            if (*s == '"')
                buf_putc(out, '"');
            buf_putc(out, *s);
        }
        buf_putc(out, '"');
    }
    buf_puts(out, "\r\n");
    return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf first, second;
    struct err err = {OK, ""};
    buf_init(&first, (size_t)64 << 20);
    buf_init(&second, (size_t)64 << 20);
    enum status status = csv_parse((const char *)data, size, "input", ',',
                                   write_row, &first, &err);
    if (status == OK) {
        FUZZ_CHECK(csv_parse(buf_text(&first), first.len, "again", ',',
                             write_row, &second, &err) == OK);
        FUZZ_CHECK(first.len == second.len);
        FUZZ_CHECK(memcmp(buf_text(&first), buf_text(&second), first.len) == 0);
    } else {
        FUZZ_CHECK(status == ERR_FORMAT);
        FUZZ_CHECK(strncmp(err.text, "input:", 6) == 0);
    }
    buf_free(&first);
    buf_free(&second);
    return 0;
}
