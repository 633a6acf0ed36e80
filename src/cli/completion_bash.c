#include "cli/completion.h"

#include <string.h>

#define WORDS_MAX ((size_t)1 << 20)

/*
 * Flags and values are looked up by one word: "ppo--beta" is a flag of a
 * command, "ppo=ppo.beta" a key given with --set.  Bash cuts --flag=value into
 * three words, "=" being one.
 */
static const char head[] =
    "# Completion of plumb for bash: plumb completion bash.\n"
    "# The functions set `words`, and `files` where files may stand.\n\n";

static const char tail[] =
    "_plumb() {\n"
    "    local current=${COMP_WORDS[COMP_CWORD]} flag= words= files=\n"
    "    local command=${COMP_WORDS[1]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
    "    local at=$COMP_CWORD\n"
    "    COMPREPLY=()\n"
    "    if [[ $current == '=' ]]; then\n"
    "        current= at=$((at - 1))\n"
    "    elif [[ $before == '=' ]]; then\n"
    "        at=$((at - 2))\n"
    "    else\n"
    "        flag=$command$before\n"
    "    fi\n"
    "    if ((COMP_CWORD > 3)) && [[ ${COMP_WORDS[at-1]} == --set ]]; then\n"
    "        flag=$command=${COMP_WORDS[at]}\n"
    "    elif [[ -z $flag ]]; then\n"
    "        flag=$command${COMP_WORDS[at]}\n"
    "    fi\n"
    "    if ((COMP_CWORD == 1)); then\n"
    "        _plumb_commands\n"
    "    elif [[ $flag == \"$command\"[-=]* ]] && _plumb_value \"$flag\"; "
    "then\n"
    "        :\n"
    "    elif [[ $current == -* ]]; then\n"
    "        _plumb_flags \"$command\"\n"
    "    else\n"
    "        _plumb_operands \"$command\"\n"
    "    fi\n"
    "    if [[ $words == *'= '* || $words == *= ]]; then\n"
    "        compopt -o nospace 2>/dev/null\n"
    "    fi\n"
    "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
    "    if [[ -n $files ]]; then\n"
    "        compopt -o filenames 2>/dev/null\n"
    "        mapfile -t -O ${#COMPREPLY[@]} COMPREPLY \\\n"
    "            < <(compgen -f -- \"$current\")\n"
    "    fi\n"
    "}\n"
    "complete -F _plumb plumb\n";

/* "ppo--beta|ppo--ppo.beta|ppo=ppo.beta": the ways to name a row. */
static void put_names(struct buf *out, const struct command *c,
                      const struct option *row)
{
    char flag[OPTION_FLAG_MAX];
    options_flag(flag, row, c->bit);
    buf_printf(out, "%s--%s", c->name, flag);
    if (row->letter)
        buf_printf(out, "|%s-%c", c->name, row->letter);
    if (strcmp(flag, row->key) != 0)
        buf_printf(out, "|%s--%s", c->name, row->key);
    buf_printf(out, "|%s=%s", c->name, row->key);
}

/* An arm of the case over values: rows whose value is anything, or a file. */
static void put_alike(struct buf *out, const struct command *c,
                      enum completion_kind kind, const char *body)
{
    bool is_first = true;
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *row = option_row(i);
        if (!(row->commands & c->bit) || completion_kind(row) != kind)
            continue;
        buf_puts(out, is_first ? "    " : "|\\\n    ");
        put_names(out, c, row);
        is_first = false;
    }
    if (!is_first)
        buf_printf(out, ") %s ;;\n", body);
}

static void put_values(struct buf *out, const struct command *c)
{
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *row = option_row(i);
        bool is_mine = (row->commands & c->bit) != 0;
        bool is_bool = row->type == OPTION_BOOL;
        if (!is_mine || (row->type != OPTION_CHOICE && !is_bool))
            continue;
        buf_puts(out, "    ");
        if (is_bool) // as a flag it takes no value
            buf_printf(out, "%s=%s) words='true false", c->name, row->key);
        else
            put_names(out, c, row);
        if (!is_bool) {
            buf_puts(out, ") words='");
            completion_choices(out, row->choices);
        }
        buf_puts(out, "' ;;\n");
    }
    put_alike(out, c, COMPLETION_FILE, "files=1");
    put_alike(out, c, COMPLETION_OTHER, ":");
    buf_printf(out, "    %s--config|%s-c) files=1 ;;\n    %s--set) words='",
               c->name, c->name, c->name);
    for (size_t i = 0; i < option_count(); i++) {
        if (option_row(i)->commands & c->bit)
            buf_printf(out, " %s=", option_row(i)->key);
    }
    buf_puts(out, "' ;;\n");
}

static void put_flags(struct buf *out, const struct command *c)
{
    char flag[OPTION_FLAG_MAX];
    buf_printf(out, "    %s) words='--help --config --set", c->name);
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *row = option_row(i);
        if (!(row->commands & c->bit))
            continue;
        options_flag(flag, row, c->bit);
        bool is_on = row->type == OPTION_BOOL &&
                     strcmp(row->fallback ? row->fallback : "", "true") == 0;
        buf_printf(out, " --%s%s", is_on ? "no-" : "", flag);
    }
    buf_puts(out, "' ;;\n");
}

static void put_operands(struct buf *out, const struct command *c)
{
    struct buf words;
    buf_init(&words, WORDS_MAX);
    bool has_files = completion_operands(&words, c);
    if (words.len > 0 || has_files)
        buf_printf(out, "    %s) words='%s' files=%s ;;\n", c->name,
                   buf_text(&words), has_files ? "1" : "");
    if (buf_status(&words, NULL) != OK)
        out->code = words.code;
    buf_free(&words);
}

static void put_function(struct buf *out, const char *name, const char *other,
                         void (*put)(struct buf *, const struct command *))
{
    buf_printf(out, "%s() {\n    case $1 in\n", name);
    for (size_t i = 0; i < command_count; i++)
        put(out, &command_table[i]);
    buf_printf(out, "%s    esac\n}\n\n", other);
}

void completion_bash(struct buf *out)
{
    buf_puts(out, head);
    buf_puts(out, "_plumb_commands() {\n    words='--help --version");
    for (size_t i = 0; i < command_count; i++)
        buf_printf(out, " %s", command_table[i].name);
    buf_puts(out, "'\n}\n\n");
    put_function(out, "_plumb_flags", "", put_flags);
    put_function(out, "_plumb_value", "    *) return 1 ;;\n", put_values);
    put_function(out, "_plumb_operands", "", put_operands);
    buf_puts(out, tail);
}
