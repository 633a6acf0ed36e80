#include "io/chat.h"

#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/chat_templates.h"

#define TEXT_MAX ((size_t)256 << 20)

/* ---- names -------------------------------------------------------------- */

const char *chat_name(enum chat_template t)
{
    return chat_templates_table[t].name;
}

const char *chat_source(enum chat_template t)
{
    return chat_templates_table[t].source;
}

/* "none, support" */
static void known_names(struct buf *out)
{
    buf_init(out, 256);
    for (int i = 0; i < CHAT_TEMPLATES; i++)
        buf_printf(out, "%s%s", i > 0 ? ", " : "",
                   chat_templates_table[i].name);
}

static enum status refuse(enum status code, const char *what, const char *text,
                          struct err *err)
{
    struct buf names;
    known_names(&names);
    enum status status = err_set(
        err, code, "%s '%.60s' is not known; known: %s%s", what, text,
        buf_text(&names), code == ERR_MISMATCH ? "; --chat chooses one" : "");
    buf_free(&names);
    return status;
}

enum status chat_find(enum chat_template *out, const char *name,
                      struct err *err)
{
    for (int i = 0; i < CHAT_TEMPLATES; i++) {
        if (strcmp(name, chat_templates_table[i].name) == 0) {
            *out = (enum chat_template)i;
            return OK;
        }
    }
    return refuse(ERR_ARG, "chat template", name, err);
}

/* The text of a `chat_template` member: itself, or the one named "default" in
 * a list of named ones. */
static const char *template_text(const struct json *node)
{
    for (size_t i = 0; json_is_array(node) && i < json_size(node); i++) {
        const struct json *item = json_at(node, i);
        if (strcmp(json_text(json_get(item, "name"), ""), "default") == 0)
            return json_text(json_get(item, "template"), "");
    }
    return json_text(node, "");
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
    enum chat_template found = CHAT_NONE;
    if (!json_is_object(root)) {
        status = err_set(err, ERR_FORMAT,
                         "tokenizer_config.json is not a JSON object");
    } else if (node != NULL && !json_is_null(node)) {
        const char *source = template_text(node);
        found = chat_templates_recognise(source);
        if (found == CHAT_TEMPLATES)
            status =
                refuse(ERR_MISMATCH, "the model's chat template", source, err);
    }
    json_free(root);
    if (status == OK)
        *out = found;
    return status;
}

enum status chat_open(struct chat *out, const struct tokenizer *t,
                      const char *name, const char *date, struct err *err)
{
    enum chat_template found;
    if (name == NULL || strcmp(name, "auto") == 0)
        TRY(chat_detect(&found, t, err));
    else
        TRY(chat_find(&found, name, err));
    *out = (struct chat){.template = found, .date = date};
    return OK;
}

void chat_hash(char out[17], enum chat_template t)
{
    char hex[65];
    const char *source = chat_source(t);
    file_hash_bytes(hex, source, strlen(source));
    memcpy(out, hex, 16);
    out[16] = '\0';
}

int32_t chat_end(const struct chat *c, const struct tokenizer *t, int32_t eos)
{
    const char *end = chat_templates_table[c->template].end;
    int32_t id = end != NULL ? tokenizer_id(t, end) : -1;
    return id >= 0 ? id : eos;
}

/* ---- laying out --------------------------------------------------------- */

/* Text is gathered between control tokens, since what stands side by side is
 * one text to the tokenizer. */
struct layout {
    const struct tokenizer *tokenizer;
    const struct chat *chat;
    struct ids *out;
    struct buf text;
};

static enum status flush(struct layout *l, struct err *err)
{
    TRY(buf_status(&l->text, err));
    if (l->text.len > 0)
        TRY(tokenizer_encode(l->tokenizer, l->text.data, l->text.len, false,
                             l->out, err));
    buf_clear(&l->text);
    return OK;
}

static enum status put_token(struct layout *l, const char *token,
                             struct err *err)
{
    int32_t id = tokenizer_id(l->tokenizer, token);
    if (id < 0)
        return err_set(err, ERR_MISMATCH,
                       "the chat template needs the token %s", token);
    TRY(flush(l, err));
    return ids_push(l->out, id, err);
}

/* A mark that is a token in some vocabularies and a text in others. */
static enum status put_mark(struct layout *l, const char *mark, struct err *err)
{
    int32_t id = tokenizer_id(l->tokenizer, mark);
    if (id >= 0 && tokenizer_is_special(l->tokenizer, id))
        return put_token(l, mark, err);
    buf_puts(&l->text, mark);
    return OK;
}

/* ---- blanks ------------------------------------------------------------- */

/* The characters Python's str.strip() takes off. */
static bool is_space(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 ||
           c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
           c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
           c == 0x3000;
}

static void put_trimmed(struct buf *out, const char *text)
{
    size_t len = strlen(text), first = len, last = 0;
    for (size_t at = 0, n; at < len; at += n) {
        bool is_blank = false;
        if (utf8_length(text + at, len - at, NULL) > 0)
            is_blank = is_space(utf8_decode(text + at, &n));
        else
            n = 1;
        if (is_blank)
            continue;
        first = first < at ? first : at;
        last = at + n;
    }
    if (first < last)
        buf_append(out, text + first, last - first);
}

/* ---- the templates ------------------------------------------------------ */

static bool is_role(const struct chat_message *m, const char *role)
{
    return strcmp(m->role, role) == 0;
}

static enum status no_place(const struct layout *l, const char *what,
                            struct err *err)
{
    return err_set(err, ERR_MISMATCH,
                   "the chat template %s has no place for %s",
                   chat_name(l->chat->template), what);
}

enum status chat_encode_start(const struct tokenizer *t, struct ids *out,
                              struct err *err)
{
    int32_t bos = tokenizer_bos(t);
    return bos >= 0 ? ids_push(out, bos, err) : OK;
}

static enum status lay_none(struct layout *l, const struct chat_message *m,
                            size_t n, struct err *err)
{
    TRY(chat_encode_start(l->tokenizer, l->out, err));
    if (n != 1 || !is_role(m, "user"))
        return no_place(l, "more than one user message", err);
    buf_puts(&l->text, m->content);
    return OK;
}

static enum status lay_support(struct layout *l, const struct chat_message *m,
                               size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        bool is_user = is_role(&m[i], "user");
        if (is_role(&m[i], "system"))
            return no_place(l, "a system message", err);
        TRY(put_token(l, is_user ? "<cust>" : "<agent>", err));
        buf_puts(&l->text, m[i].content);
        if (!is_user)
            TRY(put_token(l, "<eos>", err));
    }
    return put_token(l, "<agent>", err);
}

static enum status put_chatml(struct layout *l, const char *role,
                              const char *content, struct err *err)
{
    TRY(put_token(l, "<|im_start|>", err));
    buf_printf(&l->text, "%s\n", role);
    buf_puts(&l->text, content);
    TRY(put_token(l, "<|im_end|>", err));
    buf_putc(&l->text, '\n');
    return OK;
}

/* What qwen3 shows of an earlier answer: what follows its thoughts. */
static const char *without_thoughts(const char *content)
{
    static const char end[] = "</think>";
    const char *rest = content, *at;
    while ((at = strstr(rest, end)) != NULL)
        rest = at + sizeof end - 1;
    return rest == content ? content : rest + strspn(rest, "\n");
}

static enum status lay_chatml(struct layout *l, const struct chat_message *m,
                              size_t n, struct err *err)
{
    const char *system = chat_templates_table[l->chat->template].system;
    bool is_qwen3 = l->chat->template == CHAT_QWEN3;
    if (system != NULL && !is_role(&m[0], "system"))
        TRY(put_chatml(l, "system", system, err));
    for (size_t i = 0; i < n; i++) {
        const char *content = m[i].content;
        if (is_qwen3 && is_role(&m[i], "assistant"))
            content = without_thoughts(content);
        TRY(put_chatml(l, m[i].role, content, err));
    }
    TRY(put_token(l, "<|im_start|>", err));
    buf_puts(&l->text, "assistant\n");
    if (!is_qwen3)
        return OK;
    TRY(put_token(l, "<think>", err));
    buf_puts(&l->text, "\n\n");
    TRY(put_token(l, "</think>", err));
    buf_puts(&l->text, "\n\n");
    return OK;
}

static enum status put_header(struct layout *l, const char *role,
                              struct err *err)
{
    TRY(put_token(l, "<|start_header_id|>", err));
    buf_puts(&l->text, role);
    TRY(put_token(l, "<|end_header_id|>", err));
    buf_puts(&l->text, "\n\n");
    return OK;
}

static enum status lay_llama3(struct layout *l, const struct chat_message *m,
                              size_t n, struct err *err)
{
    TRY(put_token(l, "<|begin_of_text|>", err));
    size_t first = 0;
    if (l->chat->template == CHAT_LLAMA31) {
        const char *date = l->chat->date != NULL ? l->chat->date : CHAT_DATE;
        first = is_role(&m[0], "system");
        TRY(put_header(l, "system", err));
        buf_printf(&l->text,
                   "Cutting Knowledge Date: December 2023\n"
                   "Today Date: %s\n\n",
                   date);
        if (first)
            put_trimmed(&l->text, m[0].content);
        TRY(put_token(l, "<|eot_id|>", err));
    }
    for (size_t i = first; i < n; i++) {
        TRY(put_header(l, m[i].role, err));
        put_trimmed(&l->text, m[i].content);
        TRY(put_token(l, "<|eot_id|>", err));
    }
    return put_header(l, "assistant", err);
}

static enum status lay_zephyr(struct layout *l, const struct chat_message *m,
                              size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        const char *mark = is_role(&m[i], "user")     ? "<|user|>"
                           : is_role(&m[i], "system") ? "<|system|>"
                                                      : "<|assistant|>";
        TRY(put_mark(l, mark, err));
        buf_putc(&l->text, '\n');
        buf_puts(&l->text, m[i].content);
        TRY(put_token(l, "</s>", err));
        buf_putc(&l->text, '\n');
    }
    TRY(put_mark(l, "<|assistant|>", err));
    buf_putc(&l->text, '\n');
    return OK;
}

static enum status lay_hh(struct layout *l, const struct chat_message *m,
                          size_t n, struct err *err)
{
    TRY(chat_encode_start(l->tokenizer, l->out, err));
    for (size_t i = 0; i < n; i++) {
        bool is_system = is_role(&m[i], "system");
        if (is_system && i > 0)
            return no_place(l, "a system message behind others", err);
        if (!is_system)
            buf_puts(&l->text, is_role(&m[i], "user") ? "\n\nHuman: "
                                                      : "\n\nAssistant: ");
        buf_puts(&l->text, m[i].content);
    }
    buf_puts(&l->text, "\n\nAssistant:");
    return OK;
}

static enum status lay_prompt(struct layout *l, const struct chat_message *m,
                              size_t n, struct err *err)
{
    if (n == 0 || is_role(&m[n - 1], "assistant"))
        return err_set(err, ERR_FORMAT,
                       "a prompt of %zu messages does not end with one to be "
                       "answered",
                       n);
    switch (l->chat->template) {
    case CHAT_SUPPORT:
        return lay_support(l, m, n, err);
    case CHAT_CHATML:
    case CHAT_SMOLLM2:
    case CHAT_QWEN2:
    case CHAT_QWEN25:
    case CHAT_QWEN3:
        return lay_chatml(l, m, n, err);
    case CHAT_LLAMA3:
    case CHAT_LLAMA31:
        return lay_llama3(l, m, n, err);
    case CHAT_ZEPHYR:
        return lay_zephyr(l, m, n, err);
    case CHAT_HH:
        return lay_hh(l, m, n, err);
    case CHAT_NONE:
    case CHAT_TEMPLATES:
        break;
    }
    return lay_none(l, m, n, err);
}

enum status chat_encode_messages(const struct tokenizer *t,
                                 const struct chat *c,
                                 const struct chat_message *message, size_t n,
                                 struct ids *out, struct err *err)
{
    size_t before = out->n;
    struct layout l = {.tokenizer = t, .chat = c, .out = out};
    buf_init(&l.text, TEXT_MAX);
    enum status status = lay_prompt(&l, message, n, err);
    if (status == OK)
        status = flush(&l, err);
    buf_free(&l.text);
    if (status != OK)
        out->n = before;
    return status;
}

enum status chat_encode_prompt(const struct tokenizer *t, const struct chat *c,
                               const char *prompt, struct ids *out,
                               struct err *err)
{
    const struct chat_message m = {"user", prompt};
    return chat_encode_messages(t, c, &m, 1, out, err);
}

enum status chat_encode_response(const struct tokenizer *t,
                                 const struct chat *c, const char *response,
                                 int32_t end, struct ids *out, struct err *err)
{
    size_t before = out->n;
    struct layout l = {.tokenizer = t, .chat = c, .out = out};
    buf_init(&l.text, TEXT_MAX);
    if (c->template == CHAT_HH)
        buf_putc(&l.text, ' ');
    if (c->template == CHAT_LLAMA3 || c->template == CHAT_LLAMA31)
        put_trimmed(&l.text, response);
    else
        buf_puts(&l.text, response);
    enum status status = flush(&l, err);
    if (status == OK && end >= 0)
        status = ids_push(out, end, err);
    buf_free(&l.text);
    if (status != OK)
        out->n = before;
    return status;
}

const char *chat_reply(const struct chat *c, const char *text)
{
    return c->template == CHAT_HH && *text == ' ' ? text + 1 : text;
}

enum status chat_decode(char **out, const struct chat *c,
                        const struct tokenizer *t, const int32_t *token,
                        size_t n, size_t most, struct err *err)
{
    enum status status = OK;
    struct buf text;
    struct buf clean;
    buf_init(&text, most);
    buf_init(&clean, 3 * most);
    TRY_DONE(tokenizer_decode(t, token, n, true, &text, err));
    TRY_DONE(buf_status(&text, err));
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\0')
            buf_puts(&clean, "\xEF\xBF\xBD");
        else
            buf_putc(&clean, text.data[i]);
    }
    TRY_DONE(buf_status(&clean, err));
    *out = mem_strdup(chat_reply(c, buf_text(&clean)));
    if (*out == NULL)
        status = err_set(err, ERR_MEMORY, "out of memory: a response");
done:
    buf_free(&clean);
    buf_free(&text);
    return status;
}
