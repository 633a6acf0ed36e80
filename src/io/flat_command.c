/* The part of the shell's grammar that settings are written in: what becomes
 * one word, where a command ends, and what a variable stands for. */
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/names.h"
#include "io/flat_internal.h"

/* Bytes that variables may expand to, of a whole file: each can be made of
 * two of the one before. */
#define EXPANDED_MAX ((size_t)4 << 20)

/* A variable: one word, or those of an array. */
struct variable {
    struct flat_word *word;
    size_t n, room;
};

struct shell {
    struct flat *f;
    const char *name;
    const char *at, *end;
    size_t line;
    struct buf word; // the one that is being read
    bool is_begun;   // it has begun, though it may be empty
    bool is_unknown;
    struct variable command; // the words of the command being read
    struct names names;      // of variables
    struct variable *variable;
    size_t n_variables, room;
    size_t array;       // the variable whose words are read, or SIZE_MAX
    size_t branches;    // if, for, while and case that are open
    size_t expanded;    // bytes so far
    size_t words;       // so far
    enum status status; // the first failure
    struct err *err;
};

static void fail(struct shell *s, enum status status, const char *what)
{
    if (s->status == OK)
        s->status =
            err_set(s->err, status, "%.200s:%zu: %s", s->name, s->line, what);
}

/* ---- words -------------------------------------------------------------- */

static bool is_name_byte(char c, bool is_first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (!is_first && c >= '0' && c <= '9');
}

/* Of the word so far. */
static size_t name_length(const char *text)
{
    size_t n = 0;
    while (is_name_byte(text[n], n == 0))
        n++;
    return n;
}

/* Of the text that is still to be read. */
static size_t name_ahead(const struct shell *s)
{
    size_t n = 0;
    while (s->at + n < s->end && is_name_byte(s->at[n], n == 0))
        n++;
    return n;
}

static void push(struct shell *s, struct variable *v, const char *text,
                 size_t len, bool is_unknown)
{
    struct flat_word w = {.is_unknown = is_unknown, .line = s->line};
    if (s->status != OK)
        return;
    if (++s->words > FLAT_ENTRIES_MAX) {
        fail(s, ERR_LIMIT, "too many words");
        return;
    }
    s->status = arena_text(&w.text, &s->f->text, text, len, s->err);
    if (s->status == OK)
        s->status = MEM_ROOM(v->word, v->n, v->room, s->err);
    if (s->status == OK)
        v->word[v->n++] = w;
}

static void variable_clear(struct variable *v)
{
    mem_free(v->word);
    *v = (struct variable){.n = 0};
}

/* The variable of a name, made where there is none; SIZE_MAX on failure. */
static size_t variable_at(struct shell *s, const char *text, size_t len)
{
    char name[FLAT_KEY_MAX];
    size_t i = SIZE_MAX;
    if (len >= sizeof name) {
        fail(s, ERR_LIMIT, "a name is too long");
        return SIZE_MAX;
    }
    memcpy(name, text, len);
    name[len] = '\0';
    if (s->status == OK)
        s->status = names_add(&s->names, &i, name, s->err);
    if (s->status == OK && i == s->n_variables) {
        s->status = MEM_ROOM(s->variable, s->n_variables, s->room, s->err);
        if (s->status == OK)
            s->variable[s->n_variables++] = (struct variable){.n = 0};
    }
    return s->status == OK ? i : SIZE_MAX;
}

/* NAME=value or NAME+=value in front of a command.  What is set in a branch
 * may not be set at all. */
static bool take_assignment(struct shell *s)
{
    const char *text = buf_text(&s->word);
    size_t n = name_length(text);
    bool is_append = n > 0 && text[n] == '+' && text[n + 1] == '=';
    if (n == 0 || (text[n] != '=' && !is_append))
        return false;
    const char *value = text + n + 1 + is_append;
    size_t i = variable_at(s, text, n);
    if (i == SIZE_MAX)
        return true;
    struct variable *v = &s->variable[i];
    bool is_unknown = s->is_unknown || s->branches > 0 || is_append;
    variable_clear(v);
    push(s, v, value, strlen(value), is_unknown);
    return true;
}

/* Words that stand before a command and are none themselves. */
static bool take_keyword(struct shell *s)
{
    static const char *const opening[] = {"if",   "for",    "while",
                                          "case", "select", "until"};
    static const char *const closing[] = {"fi", "done", "esac"};
    static const char *const other[] = {
        "then", "elif", "else", "do",       "export", "local", "{",
        "}",    "!",    "time", "readonly", "env",    "exec",  "declare"};
    const char *text = buf_text(&s->word);
    for (size_t i = 0; i < sizeof opening / sizeof *opening; i++) {
        if (strcmp(text, opening[i]) == 0) {
            s->branches++;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof closing / sizeof *closing; i++) {
        if (strcmp(text, closing[i]) == 0) {
            s->branches -= s->branches > 0;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        if (strcmp(text, other[i]) == 0)
            return true;
    }
    return false;
}

static void end_word(struct shell *s)
{
    if (!s->is_begun)
        return;
    if (s->status == OK)
        s->status = buf_status(&s->word, s->err);
    bool is_array = s->array != SIZE_MAX;
    bool is_first = !is_array && s->command.n == 0;
    if (s->status == OK &&
        (!is_first || (!take_assignment(s) && !take_keyword(s))))
        push(s, is_array ? &s->variable[s->array] : &s->command,
             buf_text(&s->word), s->word.len, s->is_unknown);
    buf_clear(&s->word);
    s->is_begun = s->is_unknown = false;
}

static void end_command(struct shell *s)
{
    end_word(s);
    if (s->status == OK && s->command.n > 0)
        s->status = flat_words(s->f, s->command.word, s->command.n, s->err);
    s->command.n = 0;
}

static void put(struct shell *s, char c)
{
    buf_putc(&s->word, c);
    s->is_begun = true;
}

/* ---- what is put in the place of $... ----------------------------------- */

static void unknown(struct shell *s)
{
    s->is_unknown = s->is_begun = true;
}

/* A variable's text; outside of quotes blanks in it part words. */
static void put_value(struct shell *s, const struct flat_word *w,
                      bool is_quoted)
{
    s->expanded += strlen(w->text);
    if (s->expanded > EXPANDED_MAX) {
        fail(s, ERR_LIMIT, "variables expand to too much");
        return;
    }
    if (w->is_unknown)
        unknown(s);
    for (const char *c = w->text; *c != '\0' && s->status == OK; c++) {
        if (!is_quoted && strchr(" \t\n", *c) != NULL)
            end_word(s);
        else
            put(s, *c);
    }
}

/* A variable by name: one word, or all of an array. */
static void put_variable(struct shell *s, const char *text, size_t len,
                         bool is_all, bool is_quoted)
{
    char name[FLAT_KEY_MAX];
    size_t i = SIZE_MAX;
    if (len < sizeof name) {
        memcpy(name, text, len);
        name[len] = '\0';
        i = names_find(&s->names, name);
    }
    if (i == SIZE_MAX || i >= s->n_variables || i == s->array) {
        unknown(s);
        return;
    }
    for (size_t k = 0; k < s->variable[i].n && s->status == OK; k++) {
        if (k > 0)
            end_word(s);
        put_value(s, &s->variable[i].word[k], is_quoted);
        if (!is_all)
            break;
    }
}

/* Behind "${": up to the brace that closes it; NULL when there is none. */
static const char *closing_brace(const struct shell *s)
{
    size_t depth = 1;
    for (const char *c = s->at; c < s->end; c++) {
        if (*c == '{')
            depth++;
        else if (*c == '}' && --depth == 0)
            return c;
    }
    return NULL;
}

/* The default in ${NAME:-default}, plain text only. */
static void put_default(struct shell *s, const char *text, const char *end)
{
    for (const char *c = text; c < end; c++) {
        if (strchr("$`\\", *c) != NULL) {
            unknown(s);
            return;
        }
    }
    s->is_begun = true;
    for (const char *c = text; c < end; c++) {
        if (*c != '"' && *c != '\'')
            put(s, *c);
    }
}

static void expand_braces(struct shell *s, bool is_quoted)
{
    const char *close = closing_brace(s);
    if (close == NULL) {
        fail(s, ERR_FORMAT, "'${' is not closed");
        return;
    }
    const char *text = s->at;
    size_t n = name_ahead(s);
    const char *rest = text + n;
    size_t left = (size_t)(close - rest);
    for (const char *c = text; c < close; c++)
        s->line += *c == '\n';
    s->at = close + 1;
    bool is_all = left == 3 && rest[0] == '[' && rest[2] == ']' &&
                  (rest[1] == '@' || rest[1] == '*');
    size_t colon = left > 0 && rest[0] == ':';
    bool is_default = n > 0 && left > colon && rest[colon] == '-';
    char name[FLAT_KEY_MAX] = "";
    if (n < sizeof name)
        memcpy(name, text, n);
    if (n > 0 && (left == 0 || is_all))
        put_variable(s, text, n, is_all, is_quoted);
    else if (is_default && names_find(&s->names, name) == SIZE_MAX)
        put_default(s, rest + colon + 1, close);
    else if (is_default)
        put_variable(s, text, n, false, is_quoted);
    else
        unknown(s);
}

/* Behind "$(": pass over the command. */
static void skip_command(struct shell *s)
{
    size_t depth = 1;
    for (; s->at < s->end && depth > 0; s->at++) {
        s->line += *s->at == '\n';
        if (*s->at == '(')
            depth++;
        else if (*s->at == ')')
            depth--;
    }
    if (depth > 0)
        fail(s, ERR_FORMAT, "'$(' is not closed");
    unknown(s);
}

/* Behind a '$'. */
static void expand(struct shell *s, bool is_quoted)
{
    char c = '\0';
    if (s->at < s->end)
        c = *s->at;
    if (c == '{') {
        s->at++;
        expand_braces(s, is_quoted);
    } else if (c == '(') {
        s->at++;
        skip_command(s);
    } else if (is_name_byte(c, true)) {
        const char *text = s->at;
        size_t n = name_ahead(s);
        s->at += n;
        put_variable(s, text, n, false, is_quoted);
    } else if (c != '\0' && strchr("0123456789@*?#!$-", c) != NULL) {
        s->at++;
        unknown(s);
    } else if (c != '\'' && c != '"') {
        put(s, '$');
    }
}

static void skip_backticks(struct shell *s)
{
    while (s->at < s->end && *s->at != '`')
        s->line += *s->at++ == '\n';
    if (s->at == s->end)
        fail(s, ERR_FORMAT, "a '`' is not closed");
    else
        s->at++;
    unknown(s);
}

/* ---- characters --------------------------------------------------------- */

static void read_quoted(struct shell *s, char quote)
{
    size_t line = s->line;
    s->is_begun = true;
    while (s->status == OK && s->at < s->end && *s->at != quote) {
        char c = *s->at++;
        s->line += c == '\n';
        if (quote == '"' && c == '$')
            expand(s, true);
        else if (quote == '"' && c == '`')
            skip_backticks(s);
        else if (quote == '"' && c == '\\' && s->at < s->end &&
                 strchr("\\\"$`\n", *s->at) != NULL) {
            s->line += *s->at == '\n';
            if (*s->at != '\n')
                put(s, *s->at);
            s->at++;
        } else
            put(s, c);
    }
    if (s->at == s->end) {
        s->line = line;
        fail(s, ERR_FORMAT, "a quotation mark is not closed");
        return;
    }
    s->at++;
}

/* A backslash: the next character as it is, or a line that goes on. */
static void read_escaped(struct shell *s)
{
    if (s->at + 1 < s->end && s->at[0] == '\r' && s->at[1] == '\n')
        s->at++;
    if (s->at == s->end)
        return;
    char c = *s->at++;
    if (c == '\n')
        s->line++;
    else
        put(s, c);
}

/* '(': of NAME=( an array, else of a command within one. */
static void open_array(struct shell *s)
{
    const char *text = buf_text(&s->word);
    size_t n = name_length(text);
    bool is_append = n > 0 && text[n] == '+' && text[n + 1] == '=';
    bool is_array = s->array == SIZE_MAX && s->command.n == 0 && n > 0 &&
                    (is_append || text[n] == '=') &&
                    s->word.len == n + 1 + is_append;
    if (!is_array) {
        end_command(s);
        return;
    }
    size_t i = variable_at(s, text, n);
    if (i == SIZE_MAX)
        return;
    if (!is_append)
        variable_clear(&s->variable[i]);
    s->array = i;
    buf_clear(&s->word);
    s->is_begun = s->is_unknown = false;
}

static void read_end(struct shell *s, char c)
{
    if (s->array == SIZE_MAX)
        end_command(s);
    else
        end_word(s);
    if (c == ')')
        s->array = SIZE_MAX;
}

static void read_character(struct shell *s)
{
    char c = *s->at++;
    if (c == '\\') {
        read_escaped(s);
    } else if (c == '\'' || c == '"') {
        read_quoted(s, c);
    } else if (c == '$') {
        expand(s, false);
    } else if (c == '`') {
        skip_backticks(s);
    } else if (c == '#' && !s->is_begun) {
        while (s->at < s->end && *s->at != '\n')
            s->at++;
    } else if (strchr(" \t\r<>", c) != NULL) {
        end_word(s);
    } else if (c == '(') {
        open_array(s);
    } else if (strchr("\n;&|)", c) != NULL) {
        read_end(s, c);
        s->line += c == '\n';
    } else {
        put(s, c);
    }
}

enum status flat_command(struct flat *f, const char *text, size_t len,
                         const char *name, struct err *err)
{
    struct shell s = {.f = f,
                      .name = name,
                      .at = text,
                      .end = text + len,
                      .line = 1,
                      .array = SIZE_MAX,
                      .status = OK,
                      .err = err};
    buf_init(&s.word, FLAT_FILE_MAX + EXPANDED_MAX);
    while (s.status == OK && s.at < s.end)
        read_character(&s);
    if (s.status == OK && s.array != SIZE_MAX)
        fail(&s, ERR_FORMAT, "an array is not closed");
    if (s.status == OK)
        end_command(&s);
    buf_free(&s.word);
    variable_clear(&s.command);
    for (size_t i = 0; i < s.n_variables; i++)
        variable_clear(&s.variable[i]);
    mem_free(s.variable);
    names_free(&s.names);
    return s.status;
}
