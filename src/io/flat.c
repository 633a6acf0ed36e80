#include "io/flat.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "io/flat_internal.h"
#include "io/stream.h"

/* ---- the list ----------------------------------------------------------- */

static bool enter(struct flat_path *p, const char *name, size_t len)
{
    size_t dot = p->len > 0;
    if (len >= FLAT_KEY_MAX || p->len + dot + len >= FLAT_KEY_MAX)
        return false;
    if (dot)
        p->text[p->len] = '.';
    memcpy(p->text + p->len + dot, name, len);
    p->len += dot + len;
    p->text[p->len] = '\0';
    return true;
}

bool flat_path_enter(struct flat_path *p, const char *name, size_t len,
                     size_t *before)
{
    *before = p->len;
    return enter(p, name, len);
}

bool flat_path_index(struct flat_path *p, size_t i, size_t *before)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%zu", i);
    return flat_path_enter(p, digits, (size_t)n, before);
}

void flat_path_leave(struct flat_path *p, size_t before)
{
    p->len = before;
    p->text[before] = '\0';
}

bool flat_is_reference(const char *text)
{
    return strstr(text, "${") != NULL || strcmp(text, "???") == 0;
}

enum status flat_add(struct flat *f, const char *key, const char *text,
                     size_t len, bool is_unknown, size_t line, struct err *err)
{
    struct flat_entry e = {.line = line, .is_unknown = is_unknown};
    if (f->n >= FLAT_ENTRIES_MAX)
        return err_set(err, ERR_LIMIT, "more than %d settings",
                       FLAT_ENTRIES_MAX);
    if (f->n_groups == 0)
        TRY(flat_add_group(f, "", line, err));
    if (text != NULL && len > FLAT_TEXT_MAX)
        e.is_unknown = true;
    TRY(arena_text(&e.key, &f->text, key, strlen(key), err));
    if (text != NULL && !e.is_unknown)
        TRY(arena_text(&e.text, &f->text, text, len, err));
    e.group = f->n_groups - 1;
    TRY(MEM_ROOM(f->entry, f->n, f->room, err));
    f->entry[f->n++] = e;
    return OK;
}

enum status flat_add_group(struct flat *f, const char *words, size_t line,
                           struct err *err)
{
    struct flat_group g = {.line = line};
    TRY(arena_text(&g.words, &f->text, words, strlen(words), err));
    TRY(MEM_ROOM(f->group, f->n_groups, f->room_groups, err));
    f->group[f->n_groups++] = g;
    return OK;
}

const struct flat_entry *flat_find(const struct flat *f, size_t group,
                                   const char *key)
{
    for (size_t i = f->n; i > 0; i--) {
        const struct flat_entry *e = &f->entry[i - 1];
        if (e->group == group && strcmp(e->key, key) == 0)
            return e;
    }
    return NULL;
}

void flat_free(struct flat *f)
{
    arena_free(&f->text);
    mem_free(f->entry);
    mem_free(f->group);
    *f = (struct flat){.n = 0};
}

/* ---- which syntax ------------------------------------------------------- */

static bool ends_with_any(const char *name, const char *const *ends)
{
    for (; *ends != NULL; ends++) {
        if (file_ends_with(name, *ends))
            return true;
    }
    return false;
}

static bool is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '/' ||
           c == '-' || c == '@';
}

/* "key:" or "- key:" as a line of YAML begins. */
static bool is_yaml_line(const char *line, size_t n)
{
    size_t i = 0;
    while (i < n && (line[i] == ' ' || line[i] == '-' || line[i] == '"' ||
                     line[i] == '\''))
        i++;
    size_t start = i;
    while (i < n && is_word_byte(line[i]))
        i++;
    if (i > start && i < n && (line[i] == '"' || line[i] == '\''))
        i++;
    return i > start && i < n && line[i] == ':' &&
           (i + 1 == n || line[i + 1] == ' ' || line[i + 1] == '\r');
}

/* A word "--flag" or "a.b=c". */
static bool is_setting_word(const char *word, size_t n)
{
    size_t i = 0;
    while (i < n && (is_word_byte(word[i]) || word[i] == '+'))
        i++;
    bool is_flag = i > 2 && word[0] == '-' && word[1] == '-' && word[2] != '-';
    return is_flag || (i > 0 && i < n && word[i] == '=');
}

/* "#!", a word that is a setting, or a backslash at the end. */
static bool is_command_line(const char *line, size_t n)
{
    if (n >= 2 && line[0] == '#' && line[1] == '!')
        return true;
    if (n > 0 && line[n - 1] == '\\')
        return true;
    for (size_t i = 0; i < n;) {
        while (i < n && strchr(" \t\r", line[i]) != NULL)
            i++;
        size_t start = i;
        while (i < n && strchr(" \t\r", line[i]) == NULL)
            i++;
        if (is_setting_word(line + start, i - start))
            return true;
    }
    return false;
}

/* Lines of a command against lines of YAML. */
static enum flat_syntax vote(const char *text, size_t len)
{
    size_t commands = 0, yaml = 0;
    for (size_t at = 0; at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end != NULL ? (size_t)(end - (text + at)) : len - at;
        if (is_yaml_line(text + at, n))
            yaml++;
        else if (is_command_line(text + at, n))
            commands++;
        at += n + 1;
    }
    return commands > yaml ? FLAT_COMMAND : FLAT_YAML;
}

static enum flat_syntax choose(const char *text, size_t len, const char *name)
{
    static const char *const yaml[] = {".yaml", ".yml", NULL};
    static const char *const command[] = {".sh", ".bash", ".slurm", ".sbatch",
                                          NULL};
    size_t i = 0;
    while (i < len && strchr(" \t\r\n", text[i]) != NULL)
        i++;
    if (i < len && text[i] == '{')
        return FLAT_JSON;
    if (file_ends_with(name, ".json"))
        return FLAT_JSON;
    if (ends_with_any(name, yaml))
        return FLAT_YAML;
    return ends_with_any(name, command) ? FLAT_COMMAND : vote(text, len);
}

/* ---- reading ------------------------------------------------------------ */

/* No NUL bytes and valid UTF-8: the first line where that is not so. */
static enum status check_bytes(const char *text, size_t len, const char *name,
                               struct err *err)
{
    size_t line = 1;
    for (size_t i = 0; i < len;) {
        size_t n = utf8_length(text + i, len - i, NULL);
        if (n == 0 || text[i] == '\0')
            return err_set(err, ERR_FORMAT, "%.200s:%zu: %s", name, line,
                           n == 0 ? "not UTF-8" : "a NUL byte");
        line += text[i] == '\n';
        i += n;
    }
    return OK;
}

enum status flat_unbox(struct flat *f, struct err *err)
{
    static const char box[] = ".value";
    const size_t n = sizeof box - 1;
    for (size_t i = 0; i < f->n && f->syntax == FLAT_YAML; i++) {
        const char *key = f->entry[i].key, *dot = strchr(key, '.');
        char open[FLAT_KEY_MAX];
        if (dot == NULL || strncmp(dot, box, n) != 0 ||
            (dot[n] != '\0' && dot[n] != '.'))
            continue;
        size_t len = (size_t)(dot - key), rest = strlen(dot + n);
        memcpy(open, key, len);
        memcpy(open + len, dot + n, rest + 1);
        TRY(arena_text(&f->entry[i].key, &f->text, open, len + rest, err));
    }
    return OK;
}

enum status flat_parse(struct flat *out, const char *text, size_t len,
                       const char *name, struct err *err)
{
    struct flat f = {.n = 0};
    enum status status = OK;
    if (len > FLAT_FILE_MAX)
        return err_set(err, ERR_LIMIT, "%.200s: longer than %zu bytes", name,
                       FLAT_FILE_MAX);
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        len -= 3;
    }
    TRY(check_bytes(text, len, name, err));
    f.syntax = choose(text, len, name);
    switch (f.syntax) {
    case FLAT_JSON:
        status = flat_json(&f, text, len, name, err);
        break;
    case FLAT_YAML:
        status = flat_yaml(&f, text, len, name, err);
        break;
    case FLAT_COMMAND:
        status = flat_command(&f, text, len, name, err);
        break;
    }
    if (status != OK)
        flat_free(&f);
    else
        *out = f;
    return status;
}

/* All bytes of a stream, of which there may not be too many. */
static enum status gather(struct buf *text, struct stream *s, struct err *err)
{
    const char *piece;
    size_t len;
    do {
        TRY(stream_next(s, &piece, &len, err));
        if (text->len + len > FLAT_FILE_MAX)
            return err_set(err, ERR_LIMIT, "%.200s: longer than %zu bytes",
                           stream_name(s), FLAT_FILE_MAX);
        buf_append(text, piece, len);
    } while (len > 0);
    return buf_status(text, err);
}

enum status flat_read(struct flat *out, const char *path, struct err *err)
{
    struct stream *s;
    struct buf text;
    TRY(stream_open(&s, path, err));
    buf_init(&text, FLAT_FILE_MAX);
    enum status status = gather(&text, s, err);
    if (status == OK)
        status =
            flat_parse(out, buf_text(&text), text.len, stream_name(s), err);
    buf_free(&text);
    stream_close(s);
    return status;
}
