#include "io/dialogue.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

#define TEXT_MAX ((size_t)64 << 20)

static const char HUMAN[] = "\n\nHuman:";
static const char ASSISTANT[] = "\n\nAssistant:";

void dialogue_free(struct dialogue *d)
{
    mem_free(d->turn);
    mem_free(d->text);
    *d = (struct dialogue){0};
}

/* ---- building ----------------------------------------------------------- */

/* Roles and where their contents begin in `text`, each ended by a NUL. */
struct builder {
    struct buf text;
    const char *role[DIALOGUE_TURNS_MAX];
    size_t start[DIALOGUE_TURNS_MAX];
    size_t n;
};

static enum status builder_add(struct builder *b, const char *role,
                               struct err *err)
{
    if (b->n == DIALOGUE_TURNS_MAX)
        return err_set(err, ERR_FORMAT, "more than %d messages",
                       DIALOGUE_TURNS_MAX);
    b->role[b->n] = role;
    b->start[b->n++] = b->text.len;
    return OK;
}

static enum status builder_finish(struct dialogue *out, struct builder *b,
                                  struct err *err)
{
    struct dialogue d = {.n = b->n};
    TRY(buf_status(&b->text, err));
    TRY(MEM_NEW(d.turn, b->n, err));
    enum status status = MEM_NEW(d.text, b->text.len + 1, err);
    if (status != OK) {
        mem_free(d.turn);
        return status;
    }
    memcpy(d.text, buf_text(&b->text), b->text.len);
    for (size_t i = 0; i < b->n; i++)
        d.turn[i] = (struct chat_message){b->role[i], d.text + b->start[i]};
    *out = d;
    return OK;
}

/* ---- lists of messages -------------------------------------------------- */

/* The role as one of our own constants. */
static const char *known_role(const char *role)
{
    static const char *const known[] = {"system", "user", "assistant"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(role, known[i]) == 0)
            return known[i];
    return NULL;
}

static enum status read_content(struct buf *out, const struct json *content,
                                const char *what, size_t i, struct err *err)
{
    if (json_is_string(content)) {
        buf_puts(out, json_text(content, ""));
        return OK;
    }
    if (!json_is_array(content))
        return err_set(err, ERR_FORMAT,
                       "message %zu of %s has no \"content\" that is a string",
                       i + 1, what);
    for (size_t k = 0; k < json_size(content); k++) {
        const struct json *part = json_at(content, k);
        const struct json *text = json_get(part, "text");
        if (strcmp(json_text(json_get(part, "type"), ""), "text") != 0 ||
            !json_is_string(text))
            return err_set(err, ERR_FORMAT,
                           "message %zu of %s has a part that is not a text",
                           i + 1, what);
        buf_puts(out, json_text(text, ""));
    }
    return OK;
}

static enum status read_message(struct builder *b, const struct json *message,
                                const char *what, size_t i, struct err *err)
{
    const char *named = json_text(json_get(message, "role"), NULL);
    if (named == NULL)
        return err_set(err, ERR_FORMAT,
                       "message %zu of %s has no \"role\" that is a string",
                       i + 1, what);
    const char *role = known_role(named);
    if (role == NULL)
        return err_set(err, ERR_FORMAT,
                       "message %zu of %s: role '%.40s' is not system, user or "
                       "assistant",
                       i + 1, what, named);
    if (json_size(json_get(message, "tool_calls")) > 0)
        return err_set(err, ERR_FORMAT, "message %zu of %s calls tools", i + 1,
                       what);
    TRY(builder_add(b, role, err));
    TRY(read_content(&b->text, json_get(message, "content"), what, i, err));
    buf_putc(&b->text, '\0');
    return OK;
}

enum status dialogue_read(struct dialogue *out, const struct json *list,
                          const char *what, struct err *err)
{
    enum status status = OK;
    struct builder *b;
    if (!json_is_array(list) || json_size(list) == 0)
        return err_set(err, ERR_FORMAT, "%s is not a list of messages", what);
    TRY(MEM_NEW(b, 1, err));
    buf_init(&b->text, TEXT_MAX);
    for (size_t i = 0; i < json_size(list); i++)
        TRY_DONE(read_message(b, json_at(list, i), what, i, err));
    status = builder_finish(out, b, err);
done:
    buf_free(&b->text);
    mem_free(b);
    return status;
}

/* ---- Anthropic's texts -------------------------------------------------- */

bool dialogue_is_hh(const char *text)
{
    return strncmp(text, HUMAN, sizeof HUMAN - 1) == 0;
}

/* Where the next mark stands, the end of the text when there is none. */
static const char *next_mark(const char *text)
{
    const char *human = strstr(text, HUMAN);
    const char *assistant = strstr(text, ASSISTANT);
    if (human == NULL && assistant == NULL)
        return text + strlen(text);
    if (human == NULL || assistant == NULL)
        return human != NULL ? human : assistant;
    return human < assistant ? human : assistant;
}

enum status dialogue_parse_hh(struct dialogue *out, const char *text,
                              struct err *err)
{
    enum status status = OK;
    struct builder *b;
    if (!dialogue_is_hh(text))
        return err_set(err, ERR_FORMAT,
                       "the dialogue does not begin with \"\\n\\nHuman:\"");
    TRY(MEM_NEW(b, 1, err));
    buf_init(&b->text, TEXT_MAX);
    while (*text != '\0') {
        bool is_human = dialogue_is_hh(text);
        text += is_human ? sizeof HUMAN - 1 : sizeof ASSISTANT - 1;
        text += *text == ' ';
        const char *end = next_mark(text);
        TRY_DONE(builder_add(b, is_human ? "user" : "assistant", err));
        buf_append(&b->text, text, (size_t)(end - text));
        buf_putc(&b->text, '\0');
        text = end;
    }
    status = builder_finish(out, b, err);
done:
    buf_free(&b->text);
    mem_free(b);
    return status;
}

/* ---- use ---------------------------------------------------------------- */

const char *dialogue_take_reply(struct dialogue *d)
{
    if (d->n == 0 || strcmp(d->turn[d->n - 1].role, "assistant") != 0)
        return NULL;
    return d->turn[--d->n].content;
}

bool dialogue_equal(const struct dialogue *a, const struct dialogue *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->turn[i].role, b->turn[i].role) != 0 ||
            strcmp(a->turn[i].content, b->turn[i].content) != 0)
            return false;
    return true;
}

size_t dialogue_common_prompt(const char *a, const char *b)
{
    size_t len_a = strlen(a), len_b = strlen(b), at = 0, last = 0;
    size_t len = len_a < len_b ? len_a : len_b;
    while (at < len && a[at] == b[at]) {
        size_t n = utf8_length(a + at, len_a - at, NULL);
        n = n > 0 ? n : 1;
        if (n > len - at || memcmp(a + at, b + at, n) != 0)
            break;
        last = at;
        at += n;
    }
    if (at == len)
        at = last;
    else if (at > 0 && a[at - 1] == ' ')
        at--;
    return at;
}

void dialogue_print(struct buf *out, const struct dialogue *d)
{
    if (d->n == 1 && strcmp(d->turn[0].role, "user") == 0) {
        buf_puts(out, d->turn[0].content);
        return;
    }
    for (size_t i = 0; i < d->n; i++)
        buf_printf(out, "%s%s: %s", i > 0 ? "\n\n" : "", d->turn[i].role,
                   d->turn[i].content);
}

void dialogue_write(struct json_writer *w, const struct dialogue *d)
{
    json_open(w, '[');
    for (size_t i = 0; i < d->n; i++) {
        json_open(w, '{');
        json_field_text(w, "role", d->turn[i].role);
        json_field_text(w, "content", d->turn[i].content);
        json_close(w, '}');
    }
    json_close(w, ']');
}
