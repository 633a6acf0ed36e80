#include "io/chat.h"

#include <string.h>

#include "base/file.h"
#include "base/json.h"

static const struct {
    const char *name;
    const char *source; // Jinja, as tokenizer_config.json has it
} templates[CHAT_TEMPLATES] = {
    [CHAT_NONE] = {"none", ""},
    [CHAT_SUPPORT] = {"support",
                      "{% for m in messages %}"
                      "{% if m['role'] == 'user' %}<cust>{{ m['content'] }}"
                      "{% else %}<agent>{{ m['content'] }}<eos>{% endif %}"
                      "{% endfor %}"
                      "{% if add_generation_prompt %}<agent>{% endif %}"},
};

const char *chat_name(enum chat_template t)
{
    return templates[t].name;
}

const char *chat_source(enum chat_template t)
{
    return templates[t].source;
}

/* "none, support" */
static void known_names(struct buf *out)
{
    buf_init(out, 256);
    for (int i = 0; i < CHAT_TEMPLATES; i++)
        buf_printf(out, "%s%s", i > 0 ? ", " : "", templates[i].name);
}

static enum status refuse(enum status code, const char *what, const char *text,
                          struct err *err)
{
    struct buf names;
    known_names(&names);
    enum status status =
        err_set(err, code, "%s '%.60s' is not known; known: %s", what, text,
                buf_text(&names));
    buf_free(&names);
    return status;
}

enum status chat_find(enum chat_template *out, const char *name,
                      struct err *err)
{
    for (int i = 0; i < CHAT_TEMPLATES; i++) {
        if (strcmp(name, templates[i].name) == 0) {
            *out = (enum chat_template)i;
            return OK;
        }
    }
    return refuse(ERR_ARG, "chat template", name, err);
}

enum status chat_detect(enum chat_template *out, const struct tokenizer *t,
                        struct err *err)
{
    size_t len;
    const char *text = tokenizer_config_json(t, &len);
    if (text == NULL) {
        *out = CHAT_NONE;
        return OK;
    }
    struct json *root = NULL;
    TRY(json_parse(&root, text, len, "tokenizer_config.json", err));
    enum status status = OK;
    const struct json *node = json_get(root, "chat_template");
    int found = CHAT_NONE;
    if (!json_is_object(root)) {
        status = err_set(err, ERR_FORMAT,
                         "tokenizer_config.json is not a JSON object");
    } else if (node != NULL && !json_is_null(node)) {
        const char *source = json_text(node, "");
        for (found = CHAT_NONE + 1; found < CHAT_TEMPLATES; found++)
            if (strcmp(source, templates[found].source) == 0)
                break;
        if (found == CHAT_TEMPLATES)
            status =
                refuse(ERR_MISMATCH, "tokenizer_config.json: chat_template",
                       source, err);
    }
    json_free(root);
    if (status == OK)
        *out = (enum chat_template)found;
    return status;
}

void chat_hash(char out[17], enum chat_template t)
{
    char hex[65];
    file_hash_bytes(hex, templates[t].source, strlen(templates[t].source));
    memcpy(out, hex, 16);
    out[16] = '\0';
}

/* Append the id of a control token. */
static enum status push_token(const struct tokenizer *t, const char *token,
                              struct ids *out, struct err *err)
{
    int32_t id = tokenizer_id(t, token);
    if (id < 0)
        return err_set(err, ERR_MISMATCH,
                       "the chat template needs the token %s", token);
    return ids_push(out, id, err);
}

enum status chat_encode_prompt(const struct tokenizer *t, enum chat_template c,
                               const char *prompt, struct ids *out,
                               struct err *err)
{
    size_t n = out->n;
    enum status status = OK;
    if (c == CHAT_SUPPORT)
        TRY_DONE(push_token(t, "<cust>", out, err));
    TRY_DONE(tokenizer_encode(t, prompt, strlen(prompt), false, out, err));
    if (c == CHAT_SUPPORT)
        TRY_DONE(push_token(t, "<agent>", out, err));
done:
    if (status != OK)
        out->n = n;
    return status;
}

enum status chat_encode_response(const struct tokenizer *t,
                                 enum chat_template c, const char *response,
                                 int32_t eos, struct ids *out, struct err *err)
{
    /* Both templates put nothing but `eos` behind a response. */
    (void)c;
    size_t n = out->n;
    enum status status;
    TRY_DONE(tokenizer_encode(t, response, strlen(response), false, out, err));
    if (eos >= 0)
        status = ids_push(out, eos, err);
done:
    if (status != OK)
        out->n = n;
    return status;
}
