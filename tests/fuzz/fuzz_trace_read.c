/*
 * fuzz_trace_read.c - any bytes as a file of rollouts: rows that can be looked
 * at to their ends, written and read again as the same, or a refusal that
 * names the file.
 */
#include <string.h>

#include "fuzz.h"
#include "io/trace_read.h"

static const char *const NAMES[] = {"gold", "help"};

/* Rows as text again; OK when all were read. */
static enum status copy_rows(struct buf *out, const void *data, size_t size,
                             struct err *err)
{
    struct stream *s;
    struct trace_reader *r;
    const struct trace_view *v;
    enum status status = OK;
    FUZZ_CHECK(stream_open_bytes(&s, data, size, 1 << 20, "input", err) == OK);
    FUZZ_CHECK(trace_reader_open_stream(&r, s, NAMES, 2, err) == OK);
    do {
        status = trace_reader_next(r, &v, err);
        if (status != OK || v == NULL)
            break;
        FUZZ_CHECK(v->row.prompt_id != NULL && v->row.step >= 0);
        FUZZ_CHECK(v->line > 0 && strcmp(v->file, "input") == 0);
        trace_write_row(out, &v->row);
    } while (v != NULL);
    trace_reader_close(r);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf first, second;
    struct err err = {OK, ""};
    buf_init(&first, (size_t)64 << 20);
    buf_init(&second, (size_t)64 << 20);
    enum status status = copy_rows(&first, data, size, &err);
    if (status == OK) {
        FUZZ_CHECK(first.code == OK);
        FUZZ_CHECK(copy_rows(&second, buf_text(&first), first.len, &err) == OK);
        FUZZ_CHECK(first.len == second.len);
        FUZZ_CHECK(memcmp(buf_text(&first), buf_text(&second), first.len) == 0);
    } else {
        FUZZ_CHECK(status == ERR_FORMAT || status == ERR_LIMIT);
        FUZZ_CHECK(strncmp(err.text, "input:", 6) == 0);
    }
    buf_free(&first);
    buf_free(&second);
    return 0;
}
