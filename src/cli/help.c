#include "cli/help.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"

#define COLUMN 26 // where descriptions start
#define WIDTH 79
#define LITERAL 60     // columns of a command line in a manual page
#define UNBOUNDED 1e12 // an upper limit from here on tells nobody anything

const struct help_exit help_exits[] = {
    {0, "done"},
    {1, "failed"},
    {2, "wrong usage or configuration"},
    {3, "what one asked to be told of was found"},
    {4, "corrupt or mismatched data"},
    {5, "something needed is missing"},
    {130, "stopped by SIGINT after a checkpoint (143: by SIGTERM)"},
    {0, NULL},
};

/* Text in lines of WIDTH, continued at `indent`; the cursor is at `at`. */
static void wrap(struct buf *out, const char *text, size_t at, size_t indent)
{
    while (*text) {
        size_t n = strcspn(text, " ");
        if (at > indent && at + 1 + n > WIDTH) {
            buf_printf(out, "\n%*s", (int)indent, "");
            at = indent;
        } else if (at > indent) {
            buf_putc(out, ' ');
            at++;
        }
        buf_append(out, text, n);
        at += n;
        text += n + strspn(text + n, " ");
    }
    buf_putc(out, '\n');
}

static const char *type_name(const struct option *row)
{
    switch (row->type) {
    case OPTION_BOOL:
        return "";
    case OPTION_INT:
        return "N";
    case OPTION_REAL:
        return "X";
    case OPTION_TEXT:
        return "TEXT";
    case OPTION_PATH:
        return row->parent == PARENT_FILE || row->parent == PARENT_WRITTEN
                   ? "FILE"
                   : "PATH";
    case OPTION_CHOICE:
        return "NAME";
    }
    return "";
}

/* "ppo.beta; default 0.05; from 0 to 10" */
static void describe(struct buf *out, const struct option *row,
                     const char *flag)
{
    buf_puts(out, row->key);
    if (row->choices) {
        buf_puts(out, ": ");
        for (const char *c = row->choices; *c; c++) {
            if (*c == '|')
                buf_puts(out, ", ");
            else
                buf_putc(out, *c);
        }
    }
    if (row->fallback)
        buf_printf(out, "; default %s", row->fallback);
    bool is_on = row->fallback && strcmp(row->fallback, "true") == 0;
    if (row->type == OPTION_BOOL && is_on)
        buf_printf(out, "; --no-%s turns it off", flag);
    bool is_number = row->type == OPTION_INT || row->type == OPTION_REAL;
    if (is_number && row->high < UNBOUNDED)
        buf_printf(out, "; from %.15g to %.15g", row->low, row->high);
    else if (is_number)
        buf_printf(out, "; at least %.15g", row->low);
    if (row->marks & OPTION_NEEDED)
        buf_puts(out, "; needed");
}

static void help_row(struct buf *out, const struct option *row,
                     unsigned command)
{
    char flag[OPTION_FLAG_MAX], head[160];
    struct buf facts;
    options_flag(flag, row, command);
    int n = snprintf(head, sizeof head, "  %c%c%s--%s %s",
                     row->letter ? '-' : ' ', row->letter ? row->letter : ' ',
                     row->letter ? ", " : "  ", flag, type_name(row));
    size_t at = (size_t)n;
    buf_puts(out, head);
    if (at + 1 >= COLUMN) {
        buf_putc(out, '\n');
        at = 0;
    }
    buf_printf(out, "%*s", (int)(COLUMN - at), "");
    wrap(out, row->help, COLUMN, COLUMN);
    buf_init(&facts, 4096);
    describe(&facts, row, flag);
    buf_printf(out, "%*s", COLUMN, "");
    wrap(out, buf_text(&facts), COLUMN, COLUMN);
    buf_free(&facts);
}

void help_overview(struct buf *out)
{
    buf_puts(out, "usage: plumb COMMAND [options]\n\n");
    for (size_t i = 0; i < command_count; i++)
        buf_printf(out, "  %-10s %s\n", command_table[i].name,
                   command_table[i].summary);
    buf_puts(out, "\nplumb COMMAND --help tells a command's options, "
                  "plumb man COMMAND prints its manual.\n\n"
                  "Start with: plumb demo --out plumb-demo\n");
}

void help_command(struct buf *out, const struct command *c)
{
    buf_printf(out, "plumb %s - %s\n\nusage: plumb %s%s%s%s\n\n", c->name,
               c->summary, c->name, *c->operands ? " " : "", c->operands,
               " [-c FILE] [--set KEY=VALUE] [options]");
    wrap(out, c->text, 0, 0);
    buf_printf(out, "\nexample: %s\n\n", c->example);
    buf_puts(out, "  -c, --config FILE       settings from a YAML file, "
                  "several in turn\n"
                  "      --set KEY=VALUE     any key of the command\n"
                  "  -h, --help              this text\n");
    for (size_t i = 0; i < option_count(); i++) {
        if (option_row(i)->commands & c->bit)
            help_row(out, option_row(i), c->bit);
    }
}

/* ---- manual pages ------------------------------------------------------- */

/* A word that troff takes literally; as the first of a line it may not look
 * like a request. */
static void man_word(struct buf *out, const char *word, size_t len,
                     bool is_first)
{
    if (is_first && (*word == '.' || *word == '\''))
        buf_puts(out, "\\&");
    for (size_t i = 0; i < len; i++) {
        if (word[i] == '\\')
            buf_puts(out, "\\e");
        else if (word[i] == '-')
            buf_puts(out, "\\-");
        else
            buf_putc(out, word[i]);
    }
}

/* Text in lines of less than WIDTH, a new sentence on a new one, as mdoc wants
 * it. */
static void man_text(struct buf *out, const char *text)
{
    size_t start = out->len;
    while (*text) {
        size_t len = strcspn(text, " ");
        size_t was = out->len;
        bool is_first = was == start;
        if (!is_first)
            buf_putc(out, ' ');
        man_word(out, text, len, is_first);
        if (!is_first && out->len - start >= WIDTH && out->code == OK) {
            out->len = was; // too long: it begins the next line
            buf_putc(out, '\n');
            start = out->len;
            man_word(out, text, len, true);
        }
        bool is_end = len > 0 && text[len - 1] == '.';
        text += len + strspn(text + len, " ");
        if (is_end && *text) {
            buf_putc(out, '\n');
            start = out->len;
        }
    }
    buf_putc(out, '\n');
}

/* A command line as it is typed, continued before a flag where it is long. */
static void man_example(struct buf *out, const char *line)
{
    const char *flag;
    while (strlen(line) > LITERAL && (flag = strstr(line, " --")) != NULL) {
        const char *next;
        while ((next = strstr(flag + 1, " --")) != NULL &&
               next < line + LITERAL)
            flag = next;
        man_word(out, line, (size_t)(flag - line), true);
        buf_puts(out, " \\e\n    ");
        line = flag + 1;
    }
    man_word(out, line, strlen(line), true);
    buf_putc(out, '\n');
}

static void man_row(struct buf *out, const struct option *row, unsigned command)
{
    char flag[OPTION_FLAG_MAX];
    struct buf facts;
    options_flag(flag, row, command);
    buf_puts(out, ".It ");
    if (row->letter)
        buf_printf(out, "Fl %c , ", row->letter);
    buf_printf(out, "Fl \\-%s", flag);
    if (*type_name(row))
        buf_printf(out, " Ar %s", type_name(row));
    buf_putc(out, '\n');
    man_text(out, row->help);
    buf_puts(out, ".br\n");
    buf_init(&facts, 4096);
    describe(&facts, row, flag);
    man_text(out, buf_text(&facts));
    buf_free(&facts);
}

static void man_exits(struct buf *out)
{
    buf_puts(out, ".Sh EXIT STATUS\n.Bl -tag -width 4n\n");
    for (const struct help_exit *e = help_exits; e->text; e++) {
        buf_printf(out, ".It %d\n", e->code);
        man_text(out, e->text);
    }
    buf_puts(out, ".El\n");
}

static void man_options(struct buf *out, const struct command *c)
{
    buf_puts(out, ".Sh OPTIONS\n.Bl -tag -width indent\n"
                  ".It Fl c , Fl \\-config Ar FILE\n"
                  "Settings from a YAML file; several are read in turn.\n"
                  "Relative paths in it start at its own directory.\n"
                  ".It Fl \\-set Ar KEY Ns = Ns Ar VALUE\n"
                  "Any key of any command.\n"
                  ".It Fl h , Fl \\-help\nList the options.\n");
    for (size_t i = 0; i < option_count(); i++) {
        if (option_row(i)->commands & c->bit)
            man_row(out, option_row(i), c->bit);
    }
    buf_puts(out, ".El\n");
}

/* What a command does as a job of several ranks. */
static void man_ranks(struct buf *out, const struct command *c)
{
    if (c->bit & FOR_RANKS)
        buf_puts(out,
                 ".Pp\nStarted by\n.Xr mpirun 1\nor a like launcher, a build "
                 "that has MPI shares its work among the ranks.\nThe files are "
                 "those of one process, byte for byte, on any number of "
                 "ranks;\nwhere the command has shards, there must be no fewer "
                 "of them than ranks.\nWith several ranks rank 0 writes all "
                 "files, and all ranks read the inputs.\n");
    else if (c->bit == FOR_DIAGNOSE)
        buf_puts(out, ".Pp\nStarted as several ranks, rank 0 does it.\n");
}

static void man_command(struct buf *out, const struct command *c)
{
    buf_printf(out, ".Nm plumb-%s\n.Nd ", c->name);
    man_text(out, c->summary);
    buf_printf(out, ".Sh SYNOPSIS\n.Nm plumb %s\n", c->name);
    if (*c->operands)
        buf_printf(out, ".Ar %s\n", c->operands);
    buf_puts(out, ".Op Fl c Ar FILE\n.Op Fl \\-set Ar KEY Ns = Ns Ar VALUE\n"
                  ".Op Ar options\n.Sh DESCRIPTION\n");
    man_text(out, c->text);
    man_ranks(out, c);
    man_options(out, c);
    man_exits(out);
    /* Not .Dl, which takes quotation marks for its own. */
    buf_puts(out, ".Sh EXAMPLES\n.Bd -literal -offset indent\n");
    man_example(out, c->example);
    buf_puts(out, ".Ed\n.Sh SEE ALSO\n.Xr plumb 1\n");
}

static void man_overview(struct buf *out)
{
    buf_puts(out, ".Nm plumb\n.Nd train a language model from human "
                  "preferences, and see why it went wrong\n"
                  ".Sh SYNOPSIS\n.Nm\n.Ar command\n.Op Ar options\n"
                  ".Sh DESCRIPTION\nThe commands:\n"
                  ".Bl -tag -width indent\n");
    for (size_t i = 0; i < command_count; i++) {
        buf_printf(out, ".It Xr plumb-%s 1\n", command_table[i].name);
        man_text(out, command_table[i].summary);
    }
    buf_puts(out, ".El\n.Pp\nSettings come from defaults, then a preset, then "
                  "files given with\n.Fl c ,\nthen the command line; a later "
                  "one wins.\nUnknown keys are refused.\n"
                  "Data goes to standard output, progress and errors to "
                  "standard error.\n"
                  ".Sh ENVIRONMENT\n.Bl -tag -width indent\n"
                  ".It Ev NO_COLOR\nNo colours on a terminal.\n"
                  ".It Ev SOURCE_DATE_EPOCH\n"
                  "Seconds that stand for the current time in every file "
                  "written.\n.El\n");
    man_exits(out);
    buf_puts(out, ".Sh EXAMPLES\n.Dl plumb demo \\-\\-out plumb\\-demo\n");
}

void help_man(struct buf *out, const struct command *command)
{
    char title[32] = "PLUMB";
    if (command)
        snprintf(title, sizeof title, "PLUMB-%s", command->name);
    for (char *c = title; *c; c++) {
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
    }
    buf_printf(out, ".Dd November 23, 2026\n.Dt %s 1\n.Os\n.Sh NAME\n", title);
    if (command)
        man_command(out, command);
    else
        man_overview(out);
}

/* ---- JSON --------------------------------------------------------------- */

static void json_row(struct json_writer *w, const struct option *row)
{
    static const char *const type[] = {"bool", "int",  "real",
                                       "text", "path", "choice"};
    json_open(w, '{');
    json_field_text(w, "key", row->key);
    json_field_text(w, "type", type[row->type]);
    json_field_text(w, "default", row->fallback);
    if (row->type == OPTION_INT || row->type == OPTION_REAL) {
        json_field_number(w, "low", row->low);
        json_put_key(w, "high");
        if (row->high < 1e300)
            json_put_number(w, row->high);
        else
            json_put_null(w);
    }
    if (row->choices)
        json_field_text(w, "choices", row->choices);
    json_field_text(w, "help", row->help);
    json_put_key(w, "commands");
    json_open(w, '[');
    for (size_t i = 0; i < command_count; i++) {
        if (row->commands & command_table[i].bit)
            json_put_text(w, command_table[i].name);
    }
    json_close(w, ']');
    json_field_bool(w, "recorded", row->marks & OPTION_RECORDED);
    json_close(w, '}');
}

void help_json(struct buf *out)
{
    struct json_writer w;
    json_writer_init(&w, out, true);
    json_open(&w, '{');
    json_field_text(&w, "schema", "plumb.help/1");
    json_field_text(&w, "plumb_version", PLUMB_VERSION);
    json_put_key(&w, "commands");
    json_open(&w, '[');
    for (size_t i = 0; i < command_count; i++) {
        json_open(&w, '{');
        json_field_text(&w, "name", command_table[i].name);
        json_field_text(&w, "summary", command_table[i].summary);
        json_close(&w, '}');
    }
    json_close(&w, ']');
    json_put_key(&w, "options");
    json_open(&w, '[');
    for (size_t i = 0; i < option_count(); i++)
        json_row(&w, option_row(i));
    json_close(&w, ']');
    json_close(&w, '}');
    buf_putc(out, '\n');
}
