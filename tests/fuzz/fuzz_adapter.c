/*
 * fuzz_adapter.c - any bytes as an adapter_config.json, a NUL, and an
 * adapter_model.safetensors, for a small model with either head.
 *
 * What is taken is finite and the same after it was written and read again;
 * what is refused says why and leaves the model as it was.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "model/adapter.h"

static const struct model_config shape = {
    .V = 5,
    .C = 4,
    .L = 1,
    .H = 2,
    .G = 1,
    .D = 2,
    .F = 3,
    .T_max = 8,
    .rope_theta = 10000,
    .norm_eps = 1e-5,
    .tied = true,
    .bos = -1,
    .eos = -1,
    .pad = -1,
};

/* Not by file_write(), whose care for the disk takes most of the time. */
static void put(const char *dir, const char *name, const uint8_t *data,
                size_t len)
{
    struct err err = {OK, ""};
    char path[FILE_PATH_MAX];
    FUZZ_CHECK(file_join(path, dir, name, &err) == OK);
    FILE *f = fopen(path, "wb");
    FUZZ_CHECK(f != NULL && fwrite(data, 1, len, f) == len);
    FUZZ_CHECK(fclose(f) == 0);
}

static void check_again(struct model *m, const char *dir)
{
    struct err err = {OK, ""};
    struct lora *kept;
    size_t bytes = m->lora->n * sizeof *m->lora->params;
    FUZZ_CHECK(lora_clone(&kept, m->lora, &err) == OK);
    FUZZ_CHECK(adapter_write(dir, m, dir, dir, &err) == OK);
    memset(m->lora->params, 0, bytes);
    FUZZ_CHECK(adapter_reload(m, dir, &err) == OK);
    FUZZ_CHECK(memcmp(m->lora->params, kept->params, bytes) == 0);
    lora_free(kept);
}

static void check_head(enum model_head head, const char *dir)
{
    struct err err = {OK, ""};
    struct model_config c = shape;
    struct model m;
    c.head = head;
    FUZZ_CHECK(model_create(&m, &c, &err) == OK);
    enum status status = adapter_read(&m, dir, &err);
    FUZZ_CHECK((status == OK) == (m.lora != NULL));
    FUZZ_CHECK(status == OK || err.text[0] != '\0');
    for (size_t i = 0; status == OK && i < m.lora->n; i++)
        FUZZ_CHECK(isfinite(m.lora->params[i]));
    if (status == OK)
        check_again(&m, dir);
    model_free(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct err err = {OK, ""};
    char dir[64];
    enum model_head head;
    const uint8_t *nul = len > 0 ? memchr(data, 0, len) : NULL;
    size_t n = nul != NULL ? (size_t)(nul - data) : len;
    size_t n_both = nul != NULL ? n + 1 : len;
    (void)snprintf(dir, sizeof dir, "/tmp/plumb_fuzz_adapter_%ld",
                   (long)getpid());
    FUZZ_CHECK(file_make_dir(dir, &err) == OK);
    put(dir, "adapter_config.json", data, n);
    put(dir, "adapter_model.safetensors", data + n_both, len - n_both);
    FUZZ_CHECK(adapter_is(dir));
    (void)!adapter_head(&head, dir, &err);
    check_head(HEAD_LM, dir);
    check_head(HEAD_SCORE, dir);
    FUZZ_CHECK(file_remove(dir, &err) == OK);
    return 0;
}
