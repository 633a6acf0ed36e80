/*
 * fuzz_jsonl.c - any bytes as a data set of every kind: read or refused with
 * a place, and what was read survives writing and reading.
 */
#include <string.h>

#include "fuzz.h"
#include "io/dataset.h"

static void write_all(struct buf *out, const struct dataset *d)
{
    buf_clear(out);
    for (size_t i = 0; i < d->n; i++)
        dataset_write_record(out, &d->record[i]);
}

static void check_round_trip(const struct dataset *d, enum dataset_kind kind)
{
    struct buf first, second;
    buf_init(&first, (size_t)64 << 20);
    buf_init(&second, (size_t)64 << 20);
    write_all(&first, d);
    struct dataset again = {0};
    struct err err = {0};
    FUZZ_CHECK(dataset_parse(&again, buf_text(&first), first.len, "again", kind,
                             &err) == OK);
    FUZZ_CHECK(again.n == d->n);
    write_all(&second, &again);
    FUZZ_CHECK(first.len == second.len);
    FUZZ_CHECK(memcmp(buf_text(&first), buf_text(&second), first.len) == 0);
    dataset_free(&again);
    buf_free(&first);
    buf_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int kind = DATASET_PROMPTS; kind <= DATASET_ANY; kind++) {
        struct dataset d = {0};
        struct err err = {0};
        enum status status =
            dataset_parse(&d, (const char *)data, size, "input",
                          (enum dataset_kind)kind, &err);
        if (status == OK) {
            check_round_trip(&d, (enum dataset_kind)kind);
            dataset_free(&d);
        } else {
            FUZZ_CHECK(status == ERR_FORMAT && err.code == ERR_FORMAT);
            FUZZ_CHECK(strncmp(err.text, "input:", 6) == 0);
            FUZZ_CHECK(d.record == NULL);
        }
    }
    return 0;
}
