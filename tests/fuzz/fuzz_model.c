/*
 * fuzz_model.c - any bytes as a model in a GGUF file: a model whose parameters
 * are all finite, or an error that says why.
 */
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "fuzz.h"
#include "model/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct err err = {OK, ""};
    char path[64];
    struct model m;
    (void)snprintf(path, sizeof path, "/tmp/plumb_fuzz_%ld.gguf",
                   (long)getpid());
    FUZZ_CHECK(file_write(path, data, len, &err) == OK);
    enum status status = checkpoint_read(&m, path, HEAD_LM, &err);
    FUZZ_CHECK(file_remove(path, &err) == OK);
    FUZZ_CHECK(status == OK || err.text[0] != '\0');
    if (status != OK)
        return 0;
    for (size_t i = 0; i < params_count(&m.config); i++)
        FUZZ_CHECK(isfinite(m.params[i]));
    model_free(&m);
    return 0;
}
