#include "import/import.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "import/gather.h"
#include "import/import_internal.h"
#include "import/needs.h"
#include "import/rowmap.h"
#include "io/run.h"

#define STATE "import.state"
#define DOCUMENT "import.json"
#define UNMAPPED "unmapped:" // warnings of fields that --map names
#define DONE_MAX ((size_t)64 << 20)
#define FIELDS_TOLD 24
#define HEAD_MAX ((size_t)1 << 16)

/* ---- one file ----------------------------------------------------------- */

static enum status folder_of(char out[FILE_PATH_MAX], const struct importing *m,
                             size_t i, struct err *err)
{
    char name[32];
    (void)snprintf(name, sizeof name, "%06zu", i);
    return file_join(out, m->state, name, err);
}

/* Is it what an import that was stopped had read? */
static enum status check_same(const struct json *done, const char *path,
                              struct err *err)
{
    char hash[65];
    const struct json *source = json_get(done, "source");
    const char *was = json_text(json_get(source, "path"), "");
    TRY(file_hash(hash, path, err));
    if (strcmp(was, path) == 0 &&
        strcmp(hash, json_text(json_get(source, "sha256"), "")) == 0)
        return OK;
    return err_set(err, ERR_MISMATCH,
                   "%s: the import that was stopped had read %s here, or "
                   "it has changed since; --overwrite starts again",
                   path, was);
}

/* done.json of a file that was read; *out NULL when there is none.  One from
 * before a stop is held against the file. */
static enum status find_done(struct json **out, const struct importing *m,
                             size_t i, bool is_before, struct err *err)
{
    char dir[FILE_PATH_MAX], path[FILE_PATH_MAX];
    struct json *doc;
    *out = NULL;
    TRY(folder_of(dir, m, i, err));
    TRY(file_join(path, dir, "done.json", err));
    if (!file_exists(path))
        return OK;
    TRY(json_read(&doc, path, DONE_MAX, err));
    enum status status =
        is_before ? check_same(doc, m->source[i].path, err) : OK;
    if (status != OK)
        json_free(doc);
    else
        *out = doc;
    return status;
}

/* What done.json begins with. */
static enum status write_head(struct buf *out, const char *path,
                              const struct format *f, const char *trainer,
                              struct err *err)
{
    char hash[65];
    struct stat info;
    struct json_writer w;
    if (stat(path, &info) != 0)
        return file_error(err, "read", path);
    TRY(file_hash(hash, path, err));
    json_writer_init(&w, out, false);
    json_open(&w, '{');
    json_field_text(&w, "path", path);
    json_field_text(&w, "format", f->name);
    json_field_text(&w, "kind", f->kind);
    json_field_text(&w, "trainer", trainer);
    json_field_int(&w, "bytes", (int64_t)info.st_size);
    json_field_text(&w, "sha256", hash);
    json_close(&w, '}');
    return buf_status(out, err);
}

/* What is wrong with a file names it, whoever found it. */
static enum status name_file(enum status status, const char *path,
                             struct err *err)
{
    if (status != OK && strncmp(err->text, path, strlen(path)) != 0)
        (void)err_context(err, "%s", path);
    return status;
}

/* Fields that the user mapped and no row of the file had. */
static enum status note_unmapped(struct reader *r, struct err *err)
{
    char id[96];
    for (size_t i = 0; i < r->n_maps; i++) {
        if (((r->unmapped & ~r->mapped) >> i & 1) == 0)
            continue;
        (void)snprintf(id, sizeof id, UNMAPPED "%.80s", r->map[i].from);
        TRY(notes_warn(&r->sink->notes, id, 1, err,
                       "files in which no row has the field \"%.80s\" of "
                       "--map %.40s=%.80s, among them %.200s",
                       r->map[i].from, r->map[i].to, r->map[i].from, r->path));
    }
    return OK;
}

static enum status read_with(const struct importing *m, size_t i,
                             const struct format *f, struct err *err)
{
    struct sink sink;
    struct reader r;
    struct buf head;
    /* An event file is of the trainer whose format was named; where none was,
     * its reader may find out. */
    const struct format *named = formats_find(m->c->format);
    const char *trainer =
        f->trainer[0] != '\0' || named == NULL ? f->trainer : named->trainer;
    enum status status = sink_open(&sink, m->state, i, trainer, err);
    reader_init(&r, m->source[i].path);
    buf_init(&head, HEAD_MAX);
    r.sink = &sink;
    r.map = m->c->map;
    r.n_maps = m->c->n_maps;
    r.people = &m->c->people;
    r.rewards = &m->rewards;
    r.skip_bad = m->c->skip_bad;
    r.context = m->context;
    if (status == OK)
        status = name_file(f->read(&r, err), r.path, err);
    if (status == OK)
        status = note_unmapped(&r, err);
    if (status == OK && m->source[i].is_tried && sink.notes.has == 0)
        status = err_set(err, ERR_FORMAT,
                         "%s: it does not look like a file of %s (plumb import "
                         "--sniff tells what it looks like)",
                         r.path, m->c->format);
    if (status == OK)
        status = write_head(&head, r.path, f, sink.trainer, err);
    if (status == OK)
        status = sink_finish(&sink, buf_text(&head), err);
    buf_free(&head);
    reader_free(&r);
    sink_free(&sink);
    return status;
}

static enum status read_file(struct importing *m, size_t i, struct err *err)
{
    struct source *s = &m->source[i];
    if (s->done != NULL)
        return OK;
    if (m->c->is_resumed || m->comm != NULL)
        TRY(find_done(&s->done, m, i, m->c->is_resumed, err));
    if (s->done != NULL || s->kind == NULL)
        return OK;
    TRY(read_with(m, i, s->kind, err));
    return find_done(&s->done, m, i, false, err);
}

/* ---- the place ---------------------------------------------------------- */

static enum status clear(const char *out, struct err *err)
{
    static const char *const ours[] = {STATE,
                                       DOCUMENT,
                                       "ppo",
                                       "eval/samples.jsonl",
                                       "eval/verdicts.jsonl",
                                       "human/spotcheck.jsonl",
                                       "judge"};
    static const char *const shared[] = {"eval", "human"};
    char path[FILE_PATH_MAX];
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        TRY(file_join(path, out, ours[i], err));
        TRY(file_remove(path, err));
    }
    /* Folders that may hold more than an import's files. */
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++) {
        TRY(file_join(path, out, shared[i], err));
        (void)rmdir(path);
    }
    return OK;
}

static enum status open_place(struct importing *m, struct err *err)
{
    const char *out = m->c->out;
    bool is_there = file_holds(out, DOCUMENT) || file_holds(out, STATE);
    if (!is_there && (file_holds(out, "ppo") || file_holds(out, "eval")))
        return err_set(err, ERR_ARG,
                       "%s is a project already, and none that an import made",
                       out);
    if (is_there && !m->c->is_resumed && !m->c->is_overwriting)
        return err_set(err, ERR_ARG,
                       "%s holds an import already; --resume goes on with one "
                       "that was stopped, --overwrite starts again",
                       out);
    if (is_there && m->c->is_overwriting)
        TRY(clear(out, err));
    TRY(file_join(m->state, out, STATE, err)); // ours from here on
    return file_make_dir(m->state, err);
}

/* The place is rank 0's to open; then each rank reads every n-th file into it,
 * and rank 0, which goes on alone, finds them read. */
static enum status share_files(struct importing *m, struct err *err)
{
    enum status status = OK;
    if (comm_rank(m->comm) == 0)
        status = open_place(m, err);
    else
        status = file_join(m->state, m->c->out, STATE, err);
    TRY(comm_agree(m->comm, status, err));
    if (m->comm == NULL)
        return OK;
    for (size_t i = comm_rank(m->comm); i < m->n && status == OK;
         i += comm_size(m->comm))
        status = read_file(m, i, err);
    return comm_agree(m->comm, status, err);
}

/* ---- import.json -------------------------------------------------------- */

static void write_files(struct json_writer *w, const struct importing *m)
{
    json_put_key(w, "files");
    json_open(w, '[');
    for (size_t i = 0; i < m->n; i++) {
        const struct json *source = json_get(m->source[i].done, "source");
        const struct json *rows = json_get(m->source[i].done, "rows");
        if (source == NULL)
            continue;
        json_open(w, '{');
        for (const void *it = json_first(source); it != NULL;
             it = json_next(source, it)) {
            json_put_key(w, json_key(it));
            json_put_node(w, json_value(it));
        }
        json_field_int(w, "rows_in", json_int(json_get(rows, "in"), 0));
        json_field_int(w, "rows_out", json_int(json_get(rows, "out"), 0));
        json_field_int(w, "rows_skipped",
                       json_int(json_get(rows, "skipped"), 0));
        json_close(w, '}');
    }
    json_close(w, ']');
}

static enum status write_document(struct buf *out, const struct importing *m,
                                  struct err *err)
{
    struct json_writer w;
    char path[FILE_PATH_MAX];
    size_t before = out->len;
    json_writer_init(&w, out, true);
    json_open(&w, '{');
    json_field_text(&w, "schema", "plumb.import_run/1");
    json_field_text(&w, "plumb_version", PLUMB_VERSION);
    json_field_text(&w, "format", m->format);
    json_field_text(&w, "trainer", m->trainer[0] != '\0' ? m->trainer : NULL);
    write_files(&w, m);
    notes_write(&w, &m->notes);
    needs_write(&w, &m->notes, m->trainer);
    json_close(&w, '}');
    buf_putc(out, '\n');
    TRY(buf_status(out, err));
    TRY(file_join(path, m->c->out, DOCUMENT, err));
    return file_write(path, out->data + before, out->len - before, err);
}

/* Which format and trainer it was, by the files that were read. */
static void find_trainer(struct importing *m)
{
    (void)snprintf(m->format, sizeof m->format, "%s", m->c->format);
    for (size_t i = 0; i < m->n; i++) {
        const struct json *source = json_get(m->source[i].done, "source");
        const char *trainer = json_text(json_get(source, "trainer"), "");
        const char *format = json_text(json_get(source, "format"), "");
        if (m->trainer[0] == '\0')
            (void)snprintf(m->trainer, sizeof m->trainer, "%s", trainer);
        if (strcmp(m->format, "auto") == 0 && format[0] != '\0')
            (void)snprintf(m->format, sizeof m->format, "%s", format);
    }
    const struct format *named = formats_find(m->c->format);
    if (m->trainer[0] == '\0' && named != NULL)
        (void)snprintf(m->trainer, sizeof m->trainer, "%s", named->trainer);
}

/* Lengths of two kinds are not to be compared. */
static enum status judge_lengths(struct notes *n, struct err *err)
{
    if ((n->has & HAS_WORDS) == 0 || (n->has & HAS_LENGTH) == 0)
        return OK;
    return notes_warn(n, "mixed_lengths", 1, err,
                      "some lengths are tokens and some are words (len_unit): "
                      "they are not to be compared");
}

/* Files of different trainers are hardly of one run. */
static enum status judge_trainers(struct importing *m, struct err *err)
{
    const struct json *other = NULL;
    const char *first = NULL;
    for (size_t i = 0; i < m->n && other == NULL; i++) {
        const struct json *source = json_get(m->source[i].done, "source");
        const char *trainer = json_text(json_get(source, "trainer"), "");
        if (trainer[0] != '\0' && strcmp(trainer, m->trainer) == 0)
            first = first != NULL ? first : m->source[i].path;
        else if (trainer[0] != '\0')
            other = source;
    }
    if (other == NULL || first == NULL)
        return OK;
    return notes_warn(&m->notes, "trainers_mixed", 1, err,
                      "files of different trainers were put together, %.40s "
                      "(%.200s) and %.40s (%.200s): a project is one run",
                      m->trainer, first,
                      json_text(json_get(other, "trainer"), ""),
                      json_text(json_get(other, "path"), ""));
}

static bool has_field(const struct notes *n, const char *from)
{
    for (size_t i = 0; i < n->field_key.n; i++)
        if (strcmp(n->field[i].from, from) == 0)
            return true;
    return false;
}

/* A field that the user mapped must be in some row of those that were asked. */
static enum status check_mapped(struct importing *m, struct err *err)
{
    const struct notes *n = &m->notes;
    const struct import_map *lost = NULL;
    char id[96];
    for (size_t k = 0; k < m->c->n_maps && lost == NULL; k++) {
        (void)snprintf(id, sizeof id, UNMAPPED "%.80s", m->c->map[k].from);
        for (size_t i = 0; i < n->warnings.n; i++)
            if (strcmp(n->warnings.text[i].id, id) == 0 &&
                !has_field(n, m->c->map[k].from))
                lost = &m->c->map[k];
    }
    if (lost == NULL)
        return OK;
    struct buf list;
    buf_init(&list, HEAD_MAX);
    for (size_t i = 0; i < n->field_key.n && i < FIELDS_TOLD; i++)
        buf_printf(&list, "%s%.40s", i > 0 ? ", " : "", n->field[i].from);
    (void)err_set(err, ERR_ARG,
                  "--map %.40s=%.80s: no row has a field \"%.80s\"; there are "
                  "%s%s",
                  lost->to, lost->from, lost->from, buf_text(&list),
                  n->field_key.n > FIELDS_TOLD ? " and more" : "");
    buf_free(&list);
    TRY(clear(m->c->out, NULL));
    return ERR_ARG;
}

/* An import that came to nothing is no project: it is taken away again. */
static enum status check_evidence(struct importing *m, struct err *err)
{
    const struct notes *n = &m->notes;
    const char *why =
        n->skipped.n > 0 ? n->skipped.text[0].text : "there is no row";
    enum status code = ERR_FORMAT;
    if (n->has != 0)
        return OK;
    for (size_t i = 0; i < n->warnings.n; i++)
        if (strcmp(n->warnings.text[i].id, "models_unmatched") == 0) {
            why = n->warnings.text[i].text;
            code = ERR_ARG;
        }
    (void)err_set(err, code, "nothing came of %zu rows: %s", n->rows_in, why);
    TRY(clear(m->c->out, NULL));
    return code;
}

/* ---- all ---------------------------------------------------------------- */

/* A failure before any file was read leaves nothing to go on with. */
static void tidy(const struct importing *m, enum status status)
{
    bool is_empty = !m->c->is_resumed;
    for (size_t i = 0; i < m->n; i++)
        is_empty = is_empty && m->source[i].done == NULL;
    if (status == OK || !is_empty || m->state[0] == '\0')
        return;
    enum status removed = file_remove(m->state, NULL);
    (void)removed; // what is told is the first failure
}

static enum status import_all(struct buf *document, struct importing *m,
                              struct err *err)
{
    size_t read = 0;
    TRY(import_find_files(m, err));
    TRY(import_look(m, err));
    TRY(share_files(m, err));
    if (comm_rank(m->comm) > 0)
        return OK;
    for (size_t i = 0; i < m->n; i++) {
        TRY(read_file(m, i, err));
        read += m->source[i].done != NULL;
        if (m->context != NULL)
            context_progress(m->context, (double)(i + 1), (double)m->n, "file",
                             NULL);
    }
    if (read == 0)
        return err_set(err, ERR_FORMAT,
                       "%s: none of its files looks like one of %s",
                       m->c->path[0], m->c->format);
    find_trainer(m);
    TRY(gather_project(&m->notes, m->trainer, m->c->out, m->state, m->context,
                       err));
    TRY(check_mapped(m, err));
    TRY(check_evidence(m, err));
    TRY(judge_trainers(m, err));
    TRY(judge_lengths(&m->notes, err));
    TRY(write_document(document, m, err));
    return file_remove(m->state, err);
}

static enum status check_maps(const struct import_config *c, struct err *err)
{
    for (size_t i = 0; i < c->n_maps; i++)
        if (!rowmap_knows(c->map[i].to))
            return err_set(err, ERR_ARG,
                           "--map %.40s=%.80s: '%.40s' is no field of ours; "
                           "it is OURS=THEIRS, and ours are step, prompt_id, "
                           "sample, prompt, response, score, gold, finish, "
                           "tokens, n_tokens, kl_sequence, logp, logp_ref, "
                           "tag and others (docs/import.md)",
                           c->map[i].to, c->map[i].from, c->map[i].to);
    return OK;
}

enum status import_run(struct buf *document, const struct import_config *c,
                       const struct context *context, struct err *err)
{
    struct importing m = {.c = c, .context = context};
    m.comm = context != NULL ? context->comm : NULL;
    struct buf own;
    int lock = -1;
    TRY(formats_need(c->format, err));
    TRY(check_maps(c, err));
    for (size_t i = 0; i < c->n_paths; i++)
        TRY(file_need(c->path[i], err));
    bool is_first = comm_rank(m.comm) == 0;
    TRY(file_make_dir(c->out, err));
    if (is_first)
        TRY(run_lock(&lock, c->out, err));
    notes_init(&m.notes);
    buf_init(&own, DONE_MAX);
    enum status status =
        import_all(document != NULL ? document : &own, &m, err);
    if (is_first)
        tidy(&m, status);
    for (size_t i = 0; i < m.n; i++) {
        mem_free(m.source[i].path);
        json_free(m.source[i].done);
    }
    mem_free(m.source);
    trl_rewards_free(&m.rewards);
    notes_free(&m.notes);
    buf_free(&own);
    if (is_first)
        run_unlock(lock);
    return status;
}
