#include "cli/completion.h"

#include <string.h>

#define TEXT_MAX ((size_t)1 << 20)
#define QUOTE "'\\''" // a single quote between single quotes

static const char head[] =
    "#compdef plumb\n"
    "# Completion of plumb for zsh: plumb completion zsh.\n\n"
    "_plumb() {\n"
    "    local -a commands\n"
    "    commands=(\n";

static const char middle[] = "    )\n"
                             "    if (( CURRENT == 2 )); then\n"
                             "        _describe -t commands command commands\n"
                             "        return\n"
                             "    fi\n"
                             "    local command=$words[2]\n"
                             "    shift words\n"
                             "    (( CURRENT-- ))\n"
                             "    case $command in\n";

static const char tail[] = "    esac\n"
                           "}\n\n"
                           "if [[ $funcstack[1] == _plumb ]]; then\n"
                           "    _plumb \"$@\"\n"
                           "else\n"
                           "    compdef _plumb plumb\n"
                           "fi\n";

/* A quoted line of arguments to _arguments. */
static void put_spec(struct buf *out, const struct buf *spec)
{
    buf_puts(out, "            ");
    completion_quote(out, buf_text(spec), QUOTE, "");
    buf_puts(out, " \\\n");
    if (spec->code != OK)
        out->code = spec->code;
}

/* "[what it is]", as _arguments reads it. */
static void put_help(struct buf *spec, const char *help)
{
    buf_putc(spec, '[');
    for (; *help; help++) {
        if (strchr("[]\\", *help) != NULL)
            buf_putc(spec, '\\');
        buf_putc(spec, *help);
    }
    buf_putc(spec, ']');
}

static void put_value(struct buf *spec, const struct option *row)
{
    switch (completion_kind(row)) {
    case COMPLETION_NONE:
        return;
    case COMPLETION_CHOICE:
        buf_puts(spec, ":name:(");
        completion_choices(spec, row->choices);
        buf_putc(spec, ')');
        return;
    case COMPLETION_FILE:
        buf_puts(spec, ":path:_files");
        return;
    case COMPLETION_OTHER:
        buf_puts(spec, ":value: ");
        return;
    }
}

static void put_row(struct buf *out, const struct command *c,
                    const struct option *row)
{
    char flag[OPTION_FLAG_MAX];
    struct buf spec;
    bool is_bool = row->type == OPTION_BOOL;
    bool is_on = is_bool && row->fallback && strcmp(row->fallback, "true") == 0;
    options_flag(flag, row, c->bit);
    buf_init(&spec, TEXT_MAX);
    buf_printf(&spec, "*--%s%s%s", is_on ? "no-" : "", flag,
               is_bool ? "" : "=");
    put_help(&spec, row->help);
    put_value(&spec, row);
    put_spec(out, &spec);
    if (row->letter) {
        buf_clear(&spec);
        buf_printf(&spec, "*-%c+", row->letter);
        put_help(&spec, row->help);
        put_value(&spec, row);
        put_spec(out, &spec);
    }
    buf_free(&spec);
}

/* The flags that every command has. */
static void put_common(struct buf *out, const struct command *c)
{
    struct buf spec;
    buf_init(&spec, TEXT_MAX);
    buf_puts(out, "            '(-)'{-h,--help}'[list the options]' \\\n"
                  "            '*'{-c,--config=}'[settings from a YAML "
                  "file]:path:_files' \\\n");
    buf_puts(&spec, "*--set=[any key of the command]:key:{compadd -S = --");
    for (size_t i = 0; i < option_count(); i++) {
        if (option_row(i)->commands & c->bit)
            buf_printf(&spec, " %s", option_row(i)->key);
    }
    buf_putc(&spec, '}');
    put_spec(out, &spec);
    buf_free(&spec);
}

static void put_operands(struct buf *out, const struct command *c)
{
    struct buf words, spec;
    buf_init(&words, TEXT_MAX);
    buf_init(&spec, TEXT_MAX);
    bool has_files = completion_operands(&words, c);
    if (words.len > 0 && has_files)
        buf_printf(&spec, "*:operand:{compadd -- %s; _files}",
                   buf_text(&words));
    else if (words.len > 0)
        buf_printf(&spec, "*:operand:(%s)", buf_text(&words));
    else if (has_files)
        buf_puts(&spec, "*:path:_files");
    if (spec.len > 0)
        put_spec(out, &spec);
    buf_free(&words);
    buf_free(&spec);
}

static void put_command(struct buf *out, const struct command *c)
{
    buf_printf(out, "    %s)\n        _arguments -s -S \\\n", c->name);
    put_common(out, c);
    for (size_t i = 0; i < option_count(); i++) {
        if (option_row(i)->commands & c->bit)
            put_row(out, c, option_row(i));
    }
    put_operands(out, c);
    buf_puts(out, "            && return\n        ;;\n");
}

void completion_zsh(struct buf *out)
{
    buf_puts(out, head);
    for (size_t i = 0; i < command_count; i++) {
        struct buf text;
        buf_init(&text, TEXT_MAX);
        buf_printf(&text, "%s:%s", command_table[i].name,
                   command_table[i].summary);
        buf_puts(out, "        ");
        completion_quote(out, buf_text(&text), QUOTE, "");
        buf_putc(out, '\n');
        buf_free(&text);
    }
    buf_puts(out, middle);
    for (size_t i = 0; i < command_count; i++)
        put_command(out, &command_table[i]);
    buf_puts(out, tail);
}
