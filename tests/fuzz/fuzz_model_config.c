/*
 * fuzz_model_config.c - any bytes as a config.json, of every architecture, and
 * as the generation_config.json beside it.
 *
 * A shape that is taken keeps its bounds, has a gapless table of parameters,
 * and is the same after it was written and read again.
 */
#include <string.h>

#include "fuzz.h"
#include "model/params.h"

/* Files and memory agree on how many parameters there are. */
static void check_tensors(const struct model_config *c)
{
    size_t n = params_tensors(c), next = 0, covered = 0;
    FUZZ_CHECK(n > 0 && params_count(c) < (size_t)1 << 46);
    for (size_t i = 0; i < n; i++) {
        struct param_view view = params_view(c, i);
        struct param_file file;
        FUZZ_CHECK(view.offset == next);
        next += view.rows * view.cols;
        if (params_file_hf(&file, c, i))
            covered += file.rows * file.cols;
        (void)params_file_gguf(&file, c, i);
    }
    FUZZ_CHECK(next == params_count(c) && covered == next);
}

static void write_config(struct buf *out, const struct model_config *c)
{
    struct err err = {OK, ""};
    buf_init(out, 1 << 16);
    model_config_write(out, c, TENSOR_F32);
    FUZZ_CHECK(buf_status(out, &err) == OK);
}

static void check_round_trip(const struct model_config *c)
{
    struct err err = {OK, ""};
    struct model_config again;
    struct json *json = NULL;
    struct buf first, second;
    write_config(&first, c);
    FUZZ_CHECK(json_parse(&json, first.data, first.len, "fuzz", &err) == OK);
    FUZZ_CHECK(model_config_parse(&again, json, "fuzz", &err) == OK);
    write_config(&second, &again);
    FUZZ_CHECK(first.len == second.len &&
               memcmp(first.data, second.data, first.len) == 0);
    json_free(json);
    buf_free(&first);
    buf_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct err err = {OK, ""};
    struct model_config c;
    struct json *json = NULL;
    if (json_parse(&json, (const char *)data, len, "fuzz", &err) != OK)
        return 0;
    enum status status = model_config_parse(&c, json, "fuzz", &err);
    FUZZ_CHECK(status == OK || err.text[0] != '\0');
    if (status == OK) {
        FUZZ_CHECK(model_config_check(&c, &err) == OK);
        check_round_trip(&c);
        if (c.L <= 64)
            check_tensors(&c);
        /* The other file may list any ids; what comes out is checked again. */
        status = model_config_parse_eos(&c, json, "fuzz", &err);
        FUZZ_CHECK(status == OK && model_config_check(&c, &err) == OK);
    }
    json_free(json);
    return 0;
}
