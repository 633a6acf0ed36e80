#include "io/chat_install.h"

#include <string.h>

#include "base/json.h"

#define CONFIG_MAX ((size_t)64 << 20)

/* The config's members with another template, or without for none. */
static enum status write_config(struct buf *out, const struct tokenizer *t,
                                enum chat_template template, struct err *err)
{
    struct json *root = NULL;
    struct json_writer w;
    size_t len;
    const char *text = tokenizer_config_json(t, &len);
    if (text != NULL)
        TRY(json_parse(&root, text, len, "tokenizer_config.json", err));
    json_writer_init(&w, out, true);
    json_open(&w, '{');
    for (const void *it = json_first(root); it != NULL;
         it = json_next(root, it)) {
        if (strcmp(json_key(it), "chat_template") == 0)
            continue;
        json_put_key(&w, json_key(it));
        json_put_node(&w, json_value(it));
    }
    if (template != CHAT_NONE)
        json_field_text(&w, "chat_template", chat_source(template));
    json_close(&w, '}');
    buf_putc(out, '\n');
    json_free(root);
    return buf_status(out, err);
}

enum status chat_install(struct tokenizer **t, const char *name,
                         struct err *err)
{
    enum status status = OK;
    enum chat_template wanted;
    enum chat_template own;
    struct tokenizer *other;
    struct buf config;
    size_t len;
    const char *json = tokenizer_json(*t, &len);
    if (name == NULL || strcmp(name, "auto") == 0 || json == NULL)
        return OK;
    TRY(chat_find(&wanted, name, err));
    /* A template of its own that nobody knows is replaced like any other. */
    if (chat_detect(&own, *t, NULL) == OK && own == wanted)
        return OK;
    buf_init(&config, CONFIG_MAX);
    TRY_DONE(write_config(&config, *t, wanted, err));
    TRY_DONE(tokenizer_parse(&other, json, len, buf_text(&config), config.len,
                             "tokenizer.json", err));
    tokenizer_free(*t);
    *t = other;
done:
    buf_free(&config);
    return status;
}
