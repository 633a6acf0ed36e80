#include "cli/importing.h"

#include <string.h>

#include "base/json.h"
#include "cli/session.h"
#include "import/formats.h"
#include "import/import.h"

#define DOCUMENT_MAX ((size_t)64 << 20)
#define FIELDS_TOLD 24
#define SNIFF_DEPTH_MAX 8

/* ---- which of the two --------------------------------------------------- */

static bool is_format(const char *word)
{
    return strcmp(word, "auto") == 0 || formats_find(word) != NULL;
}

static enum status unknown_format(const char *word, struct err *err)
{
    const char *near = NULL;
    size_t least = 4;
    for (size_t i = 0; i < formats_count; i++) {
        size_t d = options_distance(word, formats_table[i].name);
        if (d < least) {
            least = d;
            near = formats_table[i].name;
        }
    }
    if (near != NULL)
        return err_set(err, ERR_ARG,
                       "unknown format '%.40s'; did you mean '%s'?", word,
                       near);
    return formats_need(word, err);
}

static bool is_given(const struct options *o, const char *key)
{
    for (size_t i = 0; i < o->n_given; i++)
        if (strcmp(o->given[i].row->key, key) == 0)
            return true;
    return false;
}

/* Options of data sets mean nothing for a run, and the other way round. */
static enum status check_options(const struct options *o, bool is_run,
                                 struct err *err)
{
    static const char *const records[] = {"import.format",
                                          "import.prompt_column",
                                          "import.response_column",
                                          "import.chosen_column",
                                          "import.rejected_column",
                                          "import.extra_columns",
                                          "import.id_prefix",
                                          "import.unique",
                                          "import.shuffle_seed",
                                          "import.skip",
                                          "import.take"};
    static const char *const runs[] = {"import.map",       "import.policy",
                                       "import.reference", "import.judge_kind",
                                       "resume",           "overwrite"};
    size_t n =
        is_run ? sizeof records / sizeof *records : sizeof runs / sizeof *runs;
    for (size_t i = 0; i < n; i++) {
        const char *key = is_run ? records[i] : runs[i];
        if (is_given(o, key))
            return err_set(err, ERR_ARG,
                           "%s is for %s: a format's name before the files "
                           "makes it a run (plumb import --help)",
                           key, is_run ? "data sets" : "runs");
    }
    return OK;
}

enum status importing_is_run(bool *out, const struct options *o,
                             struct err *err)
{
    const char *word = o->operand[0];
    if (o->v.import.sniff) {
        *out = true;
        return check_options(o, true, err);
    }
    *out = is_format(word) && (o->n_operands > 1 || !file_exists(word));
    if (!*out && o->n_operands > 1)
        return unknown_format(word, err);
    if (*out && o->n_operands == 1)
        return err_set(err, ERR_ARG,
                       "files or folders are wanted behind the format '%s'",
                       word);
    if (*out && o->v.common.out == NULL)
        return err_set(err, ERR_ARG,
                       "--out is not set: the folder that becomes the project");
    return check_options(o, *out, err);
}

/* ---- reading ------------------------------------------------------------ */

static enum status add_map(struct import_config *c, struct options *texts,
                           const char *text, size_t len, struct err *err)
{
    const char *equals = memchr(text, '=', len);
    if (equals == NULL || equals == text || equals + 1 == text + len)
        return err_set(err, ERR_ARG, "--map %.*s: OURS=THEIRS is wanted",
                       (int)(len < 80 ? len : 80), text);
    if (c->n_maps == IMPORT_MAPS_MAX)
        return err_set(err, ERR_ARG, "--map: more than %d", IMPORT_MAPS_MAX);
    struct import_map *m = &c->map[c->n_maps++];
    TRY(options_copy(texts, &m->to, text, (size_t)(equals - text), err));
    return options_copy(texts, &m->from, equals + 1,
                        (size_t)(text + len - equals - 1), err);
}

/* Every --map that was given, each of one pair or several. */
static enum status read_maps(struct import_config *c, struct options *texts,
                             const struct options *o, struct err *err)
{
    for (size_t i = 0; i < o->n_given; i++) {
        const char *at = o->given[i].text;
        if (at == NULL || strcmp(o->given[i].row->key, "import.map") != 0)
            continue;
        for (;;) {
            size_t n = strcspn(at, ",");
            TRY(add_map(c, texts, at, n, err));
            if (at[n] == '\0')
                break;
            at += n + 1;
        }
    }
    return OK;
}

enum status importing_run(struct buf *document, const struct options *o,
                          const char *format, const char *const *path,
                          size_t n_paths, const char *out,
                          const struct context *context, struct err *err)
{
    struct import_config c = {.format = format,
                              .path = path,
                              .n_paths = n_paths,
                              .out = out,
                              .people = {o->v.import.policy,
                                         o->v.import.reference,
                                         o->v.import.judge_kind},
                              .skip_bad = (size_t)o->v.data.dataset.skip_bad,
                              .is_resumed = o->v.common.resume,
                              .is_overwriting = o->v.common.overwrite};
    struct options texts = {.n_given = 0}; // owns the parts of --map
    if (!is_format(format))
        return unknown_format(format, err);
    enum status status = read_maps(&c, &texts, o, err);
    if (status == OK)
        status = import_run(document, &c, context, err);
    arena_free(&texts.text);
    return status;
}

/* ---- telling ------------------------------------------------------------ */

static void list_of(struct buf *out, const struct json *doc, const char *key,
                    const char *title, const char *member, const char *more)
{
    const struct json *list = json_get(doc, key);
    for (size_t i = 0; i < json_size(list); i++) {
        const struct json *x = json_at(list, i);
        const char *text = json_text(json_get(x, more), NULL);
        buf_printf(out, "%s  %s", i == 0 ? title : "",
                   json_text(json_get(x, member), ""));
        if (text == NULL)
            text = json_text(json_get(x, "note"), NULL);
        buf_printf(out, "%s%s\n", text != NULL ? ": " : "",
                   text != NULL ? text : "");
    }
}

/* What was understood, on one screen. */
static enum status tell(struct buf *out, const struct buf *document,
                        const char *folder, struct err *err)
{
    struct json *doc;
    TRY(json_parse(&doc, buf_text(document), document->len, "import.json",
                   err));
    const struct json *rows = json_get(doc, "rows");
    const struct json *steps = json_get(doc, "steps");
    buf_printf(out, "%s: %lld rows of %zu files",
               json_text(json_get(doc, "format"), ""),
               (long long)json_int(json_get(rows, "out"), 0),
               json_size(json_get(doc, "files")));
    if (json_int(json_get(steps, "last"), -1) >= 0)
        buf_printf(out, ", steps %lld to %lld",
                   (long long)json_int(json_get(steps, "first"), 0),
                   (long long)json_int(json_get(steps, "last"), 0));
    if (json_int(json_get(rows, "skipped"), 0) > 0)
        buf_printf(out, ", %lld skipped",
                   (long long)json_int(json_get(rows, "skipped"), 0));
    buf_putc(out, '\n');
    list_of(out, doc, "warnings", "To know:\n", "text", "none");
    list_of(out, doc, "missing", "Missing, the cheapest first:\n", "what",
            "flag");
    buf_printf(out, "Written to %s; next: plumb diagnose %s\n", folder, folder);
    json_free(doc);
    return buf_status(out, err);
}

/* A text of a file's, whatever it holds, for a terminal. */
static void put_plain(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        buf_putc(out, (char)(c < 32 || c == 127 ? '?' : c));
    }
}

/* What a file looks like; of one that is like nothing, what could be done. */
static void put_looks(struct buf *out, const struct json *doc, const char *path)
{
    const char *format = json_text(json_get(doc, "format"), NULL);
    const char *by_map = json_text(json_get(doc, "map_with"), NULL);
    const struct json *fields = json_get(doc, "fields");
    put_plain(out, path);
    buf_printf(out, ": %s%s%s (confidence %.2f)\n",
               format != NULL ? format : "no format that is known",
               format != NULL ? ", " : "", json_text(json_get(doc, "kind"), ""),
               json_number(json_get(doc, "confidence"), 0));
    if (by_map == NULL)
        return;
    buf_puts(out, "  its fields:");
    for (size_t i = 0; i < json_size(fields) && i < FIELDS_TOLD; i++) {
        buf_puts(out, i > 0 ? ", " : " ");
        put_plain(out, json_text(json_at(fields, i), ""));
    }
    buf_printf(out,
               "%s\n  a row for each response? name them: plumb import %s ",
               json_size(fields) > FIELDS_TOLD ? ", ..." : "", by_map);
    put_plain(out, path);
    buf_puts(out, " --map prompt=FIELD --map response=FIELD "
                  "--map score=FIELD -o RUN\n");
}

static enum status sniff_file(struct buf *out, const char *path, bool is_json,
                              struct err *err)
{
    struct json *doc;
    size_t before = out->len;
    TRY(import_sniff(out, path, err));
    if (is_json)
        return OK;
    TRY(json_parse(&doc, out->data + before, out->len - before, path, err));
    out->len = before;
    put_looks(out, doc, path);
    json_free(doc);
    return OK;
}

/* A folder's files one by one; what cannot be read there is told. */
static enum status sniff_path(struct buf *out, const char *path, bool is_json,
                              unsigned depth, struct err *err)
{
    struct file_list list = {.n = 0};
    char inner[FILE_PATH_MAX];
    enum status status = OK;
    if (!file_is_dir(path))
        return sniff_file(out, path, is_json, err);
    if (depth == SNIFF_DEPTH_MAX)
        return err_set(err, ERR_LIMIT, "%s: folders deeper than %d", path,
                       SNIFF_DEPTH_MAX);
    TRY(file_list(&list, path, err));
    for (size_t i = 0; i < list.n; i++) {
        struct err why = {OK, ""};
        if (list.name[i][0] == '.')
            continue;
        TRY_DONE(file_join(inner, path, list.name[i], err));
        status = sniff_path(out, inner, is_json, depth + 1, &why);
        if (status == ERR_FORMAT && !is_json) {
            put_plain(out, why.text);
            buf_putc(out, '\n');
        }
        if (status != OK && status != ERR_FORMAT) {
            *err = why;
            goto done;
        }
        status = OK;
    }
done:
    file_list_free(&list);
    return status;
}

static enum status sniff_all(const struct options *o, struct err *err)
{
    struct buf out;
    enum status status = OK;
    buf_init(&out, DOCUMENT_MAX);
    for (size_t i = 0; i < o->n_operands && status == OK; i++)
        status = sniff_path(&out, o->operand[i], o->v.common.json, 0, err);
    if (status == OK)
        status = buf_status(&out, err);
    if (status == OK)
        status = terminal_print(&out, err);
    buf_free(&out);
    return status;
}

enum status importing_command(const struct options *o, struct err *err)
{
    struct session s;
    struct buf document, text;
    if (o->v.import.sniff)
        return comm_rank(o->comm) == 0 ? sniff_all(o, err) : OK;
    TRY(session_open(&s, o, "import", err));
    buf_init(&document, DOCUMENT_MAX);
    buf_init(&text, DOCUMENT_MAX);
    enum status status =
        importing_run(&document, o, o->operand[0], o->operand + 1,
                      o->n_operands - 1, o->v.common.out, &s.context, err);
    bool is_told = comm_rank(o->comm) == 0;
    if (status == OK && is_told && !o->v.common.json)
        status = tell(&text, &document, o->v.common.out, err);
    if (status == OK && is_told)
        status = terminal_print(o->v.common.json ? &document : &text, err);
    buf_free(&document);
    buf_free(&text);
    session_close(&s);
    return status;
}
