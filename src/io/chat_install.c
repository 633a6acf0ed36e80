#include "io/chat_install.h"

#include <string.h>

#define CONFIG_MAX ((size_t)64 << 20)

enum status chat_install(struct tokenizer **t, const char *name,
                         struct err *err)
{
    enum status status = OK;
    enum chat_template wanted;
    enum chat_template own;
    struct tokenizer *other;
    struct buf config;
    size_t len, len_before;
    const char *json = tokenizer_json(*t, &len);
    if (name == NULL || strcmp(name, "auto") == 0 || json == NULL)
        return OK;
    TRY(chat_find(&wanted, name, err));
    /* A template of its own that nobody knows is replaced like any other. */
    if (chat_detect(&own, *t, NULL) == OK && own == wanted)
        return OK;
    buf_init(&config, CONFIG_MAX);
    const char *source = wanted != CHAT_NONE ? chat_source(wanted) : NULL;
    const char *before = tokenizer_config_json(*t, &len_before);
    TRY_DONE(tokenizer_config_join(&config, before, len_before, source,
                                   source != NULL ? strlen(source) : 0, err));
    TRY_DONE(tokenizer_parse(&other, json, len, buf_text(&config), config.len,
                             "tokenizer.json", err));
    tokenizer_free(*t);
    *t = other;
done:
    buf_free(&config);
    return status;
}
