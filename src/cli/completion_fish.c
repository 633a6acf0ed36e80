#include "cli/completion.h"

#include <string.h>

#define TEXT_MAX ((size_t)1 << 20)
#define QUOTE "\\'" // a single quote between single quotes

static const char head[] =
    "# Completion of plumb for fish: plumb completion fish.\n\n"
    "function __plumb_has_none\n"
    "    test (count (commandline -opc)) -eq 1\n"
    "end\n\n"
    "function __plumb_is\n"
    "    set -l words (commandline -opc)\n"
    "    test (count $words) -ge 2; and test $words[2] = $argv[1]\n"
    "end\n\n"
    "complete -c plumb -f\n"
    "complete -c plumb -n __plumb_has_none -l version -d 'print the version'\n"
    "complete -c plumb -s h -l help -d 'what can be given'\n";

static void put_start(struct buf *out, const struct command *c)
{
    buf_printf(out, "complete -c plumb -n '__plumb_is %s'", c->name);
}

static void put_help(struct buf *out, const char *help)
{
    buf_puts(out, " -d ");
    completion_quote(out, help, QUOTE, "\\");
    buf_putc(out, '\n');
}

static void put_row(struct buf *out, const struct command *c,
                    const struct option *row)
{
    char flag[OPTION_FLAG_MAX];
    bool is_on = row->type == OPTION_BOOL && row->fallback &&
                 strcmp(row->fallback, "true") == 0;
    options_flag(flag, row, c->bit);
    put_start(out, c);
    if (row->letter)
        buf_printf(out, " -s %c", row->letter);
    buf_printf(out, " -l %s%s", is_on ? "no-" : "", flag);
    switch (completion_kind(row)) {
    case COMPLETION_NONE:
        break;
    case COMPLETION_CHOICE:
        buf_puts(out, " -x -a '");
        completion_choices(out, row->choices);
        buf_putc(out, '\'');
        break;
    case COMPLETION_FILE:
        buf_puts(out, " -r -F");
        break;
    case COMPLETION_OTHER:
        buf_puts(out, " -x");
        break;
    }
    put_help(out, row->help);
}

static void put_common(struct buf *out, const struct command *c)
{
    put_start(out, c);
    buf_puts(out, " -s c -l config -r -F -d 'settings from a YAML file'\n");
    put_start(out, c);
    buf_puts(out, " -l set -x -a '");
    for (size_t i = 0; i < option_count(); i++) {
        if (option_row(i)->commands & c->bit)
            buf_printf(out, "%s= ", option_row(i)->key);
    }
    buf_puts(out, "' -d 'any key of the command'\n");
}

static void put_operands(struct buf *out, const struct command *c)
{
    struct buf words;
    buf_init(&words, TEXT_MAX);
    bool has_files = completion_operands(&words, c);
    if (words.len > 0 || has_files) {
        put_start(out, c);
        buf_puts(out, has_files ? " -F" : "");
        if (words.len > 0)
            buf_printf(out, " -a '%s'", buf_text(&words));
        buf_putc(out, '\n');
    }
    buf_free(&words);
}

void completion_fish(struct buf *out)
{
    buf_puts(out, head);
    for (size_t i = 0; i < command_count; i++) {
        buf_printf(out, "complete -c plumb -n __plumb_has_none -a %s",
                   command_table[i].name);
        put_help(out, command_table[i].summary);
    }
    for (size_t i = 0; i < command_count; i++) {
        const struct command *c = &command_table[i];
        put_common(out, c);
        for (size_t k = 0; k < option_count(); k++) {
            if (option_row(k)->commands & c->bit)
                put_row(out, c, option_row(k));
        }
        put_operands(out, c);
    }
}
