#include "cli/completion.h"

#include <string.h>

static const struct {
    const char *shell;
    void (*write)(struct buf *out);
} shells[] = {
    {"bash", completion_bash},
    {"zsh", completion_zsh},
    {"fish", completion_fish},
};

enum status completion_write(struct buf *out, const char *shell,
                             struct err *err)
{
    for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++) {
        if (strcmp(shells[i].shell, shell) == 0) {
            shells[i].write(out);
            return buf_status(out, err);
        }
    }
    return err_set(err, ERR_ARG, "no completion for '%.40s': bash, zsh, fish",
                   shell);
}

enum completion_kind completion_kind(const struct option *row)
{
    switch (row->type) {
    case OPTION_BOOL:
        return COMPLETION_NONE;
    case OPTION_CHOICE:
        return COMPLETION_CHOICE;
    case OPTION_PATH:
        return COMPLETION_FILE;
    case OPTION_INT:
    case OPTION_REAL:
    case OPTION_TEXT:
        return COMPLETION_OTHER;
    }
    return COMPLETION_OTHER;
}

static void put_word(struct buf *out, const char *word, size_t len)
{
    if (out->len > 0)
        buf_putc(out, ' ');
    buf_append(out, word, len);
}

void completion_choices(struct buf *out, const char *choices)
{
    for (; *choices; choices++)
        buf_putc(out, (char)(*choices == '|' ? ' ' : *choices));
}

/*
 * "tokenizer|tickets", "[load|invite] PROJECT.db [FILE...]", "RUN|DIR": what is
 * in lower case is a word to be typed, COMMAND stands for the commands, and all
 * else is a path.
 */
bool completion_operands(struct buf *words, const struct command *c)
{
    static const char between[] = "|[] ";
    bool has_files = false;
    const char *at = c->operands;
    while (*(at += strspn(at, between)) != '\0') {
        size_t len = strcspn(at, between);
        bool is_command = len == 7 && memcmp(at, "COMMAND", len) == 0;
        if (*at >= 'a' && *at <= 'z')
            put_word(words, at, len);
        for (size_t i = 0; is_command && i < command_count; i++)
            put_word(words, command_table[i].name,
                     strlen(command_table[i].name));
        has_files = has_files || (*at >= 'A' && *at <= 'Z' && !is_command);
        at += len;
    }
    return has_files;
}

void completion_quote(struct buf *out, const char *text, const char *quote,
                      const char *special)
{
    buf_putc(out, '\'');
    for (; *text; text++) {
        if (*text == '\'') {
            buf_puts(out, quote);
            continue;
        }
        if (strchr(special, *text) != NULL)
            buf_putc(out, '\\');
        buf_putc(out, *text);
    }
    buf_putc(out, '\'');
}
