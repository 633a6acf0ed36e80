/*
 * fuzz_config.c - any bytes as a settings file, through the option table.
 *
 * What is taken must survive being printed and set again; what is refused
 * must say why.
 */
#include <string.h>

#include "cli/options.h"
#include "fuzz.h"
#include "io/settings.h"

static enum status give(void *ctx, const char *key, const char *text,
                        const char *origin, struct err *err)
{
    return options_give(ctx, key, text, origin, "dir", err);
}

/* A value that was printed is the same value when it is read. */
static void check_row(struct options *o, const struct option *row)
{
    struct err err = {OK, ""};
    struct buf before, after;
    if (row->type == OPTION_TEXT || row->type == OPTION_PATH)
        return;
    buf_init(&before, 4096);
    buf_init(&after, 4096);
    options_print_value(&before, o, row);
    FUZZ_CHECK(options_set(o, row, buf_text(&before), "fuzz", NULL, &err) ==
               OK);
    options_print_value(&after, o, row);
    FUZZ_CHECK(strcmp(buf_text(&before), buf_text(&after)) == 0);
    buf_free(&before);
    buf_free(&after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct options o;
    struct err err = {OK, ""};
    FUZZ_CHECK(options_init(&o, &err) == OK);
    enum status status =
        settings_parse((const char *)data, len, "fuzz", give, &o, &err);
    if (status == OK)
        status = options_apply(&o, &err);
    FUZZ_CHECK(status == OK || (status == ERR_ARG && err.text[0] != '\0') ||
               status == ERR_LIMIT);
    for (size_t i = 0; status == OK && i < option_count(); i++)
        check_row(&o, option_row(i));
    options_free(&o);
    return 0;
}
