/*
 * fuzz_outside.c - any bytes as an answer of somebody else's program: read, or
 * refused with a reason, and what is read is what was promised.
 */
#include <math.h>
#include <string.h>

#include "fuzz.h"
#include "io/outside_line.h"

static void check(const struct outside_answer *a, enum outside_kind kind)
{
    if (kind == OUTSIDE_REWARD) {
        FUZZ_CHECK(isfinite(a->score));
        FUZZ_CHECK(a->response == NULL && a->token == NULL && a->logp == NULL);
        return;
    }
    FUZZ_CHECK(a->response != NULL);
    FUZZ_CHECK(a->n == 0 || a->token != NULL);
    for (size_t i = 0; i < a->n; i++) {
        FUZZ_CHECK(a->token[i] >= 0);
        FUZZ_CHECK(a->logp == NULL || a->logp[i] <= 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int kind = OUTSIDE_REWARD; kind <= OUTSIDE_POLICY; kind++) {
        struct outside_answer a;
        struct err err = {OK, ""};
        int64_t id;
        memset(&a, 0x5a, sizeof a);
        struct outside_answer before = a;
        enum status status = outside_line_read(&id, &a, (enum outside_kind)kind,
                                               (const char *)data, size, &err);
        if (status == OK) {
            check(&a, (enum outside_kind)kind);
            outside_answer_free(&a);
        } else {
            FUZZ_CHECK(status == ERR_FORMAT && err.code == ERR_FORMAT);
            FUZZ_CHECK(err.text[0] != '\0');
            FUZZ_CHECK(memcmp(&a, &before, sizeof a) == 0);
        }
    }
    return 0;
}
