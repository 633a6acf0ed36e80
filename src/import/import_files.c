/*
 * import_files.c - which files there are to be read, and what each is.
 */
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "import/import_internal.h"

#define DEPTH_MAX 8
#define HYDRA ".hydra" // the one hidden folder that is looked into

/* ---- files -------------------------------------------------------------- */

static enum status add_path(struct importing *m, const char *path,
                            bool is_named, struct err *err)
{
    if (m->n == IMPORT_FILES_MAX)
        return err_set(err, ERR_LIMIT, "more than %zu files", IMPORT_FILES_MAX);
    TRY(MEM_ROOM(m->source, m->n, m->room, err));
    char *copy = mem_strdup(path);
    if (copy == NULL)
        return err_set(err, ERR_MEMORY, "out of memory for a path");
    m->source[m->n++] = (struct source){.path = copy, .is_named = is_named};
    return OK;
}

static enum status pass_over(struct importing *m, const char *path,
                             struct err *err)
{
    return notes_warn(&m->notes, "files_passed_over", 1, err,
                      "files in a folder that are none of the format's, "
                      "among them %.300s",
                      path);
}

enum entry {
    ENTRY_FILE,
    ENTRY_FOLDER,
    ENTRY_OTHER, // a link to a folder or to nothing, a pipe, a socket
};

/* A link to a file is that file.  One to a folder may lead back, or to files
 * that are met elsewhere ("latest-run"). */
static enum entry look_at(const char *path)
{
    struct stat info;
    bool is_there = lstat(path, &info) == 0;
    if (is_there && S_ISDIR(info.st_mode))
        return ENTRY_FOLDER;
    if (is_there && S_ISLNK(info.st_mode))
        is_there = stat(path, &info) == 0;
    return is_there && S_ISREG(info.st_mode) ? ENTRY_FILE : ENTRY_OTHER;
}

static enum status add_folder(struct importing *m, const char *dir,
                              unsigned depth, struct err *err)
{
    struct file_list list = {.n = 0};
    char path[FILE_PATH_MAX];
    enum status status = OK;
    if (depth == DEPTH_MAX)
        return notes_warn(&m->notes, "folders_too_deep", 1, err,
                          "folders deeper than %d are not looked into, among "
                          "them %.300s",
                          DEPTH_MAX, dir);
    TRY(file_list(&list, dir, err));
    for (size_t i = 0; i < list.n; i++) {
        if (list.name[i][0] == '.' && strcmp(list.name[i], HYDRA) != 0)
            continue;
        TRY_DONE(file_join(path, dir, list.name[i], err));
        enum entry entry = look_at(path);
        if (entry == ENTRY_FOLDER)
            TRY_DONE(add_folder(m, path, depth + 1, err));
        else if (entry == ENTRY_FILE)
            TRY_DONE(add_path(m, path, false, err));
        else
            TRY_DONE(pass_over(m, path, err));
    }
done:
    file_list_free(&list);
    return status;
}

enum status import_find_files(struct importing *m, struct err *err)
{
    for (size_t i = 0; i < m->c->n_paths; i++) {
        const char *path = m->c->path[i];
        if (file_is_dir(path))
            TRY(add_folder(m, path, 0, err));
        else
            TRY(add_path(m, path, true, err));
    }
    if (m->n == 0)
        return err_set(err, ERR_MISSING, "there is no file in %s",
                       m->c->path[0]);
    return OK;
}

/* ---- kinds -------------------------------------------------------------- */

/* The format that was named; NULL for auto. */
static const char *named_format(const struct importing *m)
{
    return strcmp(m->c->format, "auto") == 0 ? NULL : m->c->format;
}

/* Who names a format of one kind says what the file is. */
static const struct format *told_kind(const struct importing *m,
                                      const struct source *s,
                                      const struct head *h)
{
    const char *name = named_format(m);
    const struct format *only = name != NULL ? formats_find(name) : NULL;
    bool is_told = s->is_named || m->c->n_maps > 0;
    if (only == NULL || only->trainer[0] != '\0' || !is_told)
        return NULL;
    // Its rows may differ in length: then the reader says which one does.
    bool is_table = strcmp(name, "csv") == 0 && h->n_lines > 1;
    return h->n_rows > 0 || h->n_columns > 0 || is_table ? only : NULL;
}

/* A text that was named a trainer's may be its log, wherever the lines are. */
static const struct format *tried_kind(const struct importing *m,
                                       const struct source *s,
                                       const struct head *h)
{
    const char *name = named_format(m);
    bool is_text = h->n_rows == 0 && h->len > 0 && sniff_is_text(h);
    return name != NULL && s->is_named && is_text ? formats_text(name) : NULL;
}

static enum status find_kind(struct importing *m, struct source *s,
                             struct err *err)
{
    struct head h;
    double sure;
    const char *name = named_format(m);
    TRY(sniff_open(&h, s->path, err));
    enum status status = formats_look(&s->kind, &sure, name, &h, err);
    /* Fields that the user named are those of rows. */
    if (m->c->n_maps > 0 && s->kind != NULL && formats_is_generic(s->kind))
        s->kind = formats_find(s->kind->name);
    if (s->kind == NULL)
        s->kind = told_kind(m, s, &h);
    if (s->kind == NULL) {
        s->kind = tried_kind(m, s, &h);
        s->is_tried = s->kind != NULL;
    }
    if (status == OK && s->kind != NULL)
        status = trl_rewards_look(&m->rewards, s->kind, &h, err);
    struct err why = h.why;
    bool is_broken = h.n_rows == 0 && why.code != OK;
    sniff_close(&h);
    if (status != OK || s->kind != NULL)
        return status;
    if (s->is_named && is_broken)
        return err_set(err, why.code, "%s:1: %s", s->path, why.text);
    if (!s->is_named)
        return pass_over(m, s->path, err);
    return err_set(err, ERR_FORMAT,
                   "%s: it does not look like a file of %s (plumb import "
                   "--sniff tells what it looks like)",
                   s->path, name != NULL ? name : "any format that is known");
}

/* An archive or the like among other files of a folder is no failure. */
static enum status look_at_source(struct importing *m, struct source *s,
                                  struct err *err)
{
    enum status status = find_kind(m, s, err);
    if (status != ERR_FORMAT || s->is_named)
        return status;
    struct err reason = *err;
    bool is_parquet = strstr(reason.text, "Parquet") != NULL;
    return notes_warn(&m->notes, is_parquet ? NOTES_PARQUET : "files_refused",
                      1, err, "%s", reason.text);
}

/* Beside files of a trainer, any rows in its folder are hardly what it sampled:
 * the data it was trained on, say. */
static enum status pass_over_generic(struct importing *m, struct err *err)
{
    bool has_trainer = false;
    for (size_t i = 0; i < m->n; i++)
        has_trainer = has_trainer || (m->source[i].kind != NULL &&
                                      m->source[i].kind->trainer[0] != '\0');
    for (size_t i = 0; i < m->n && has_trainer && m->c->n_maps == 0; i++) {
        struct source *s = &m->source[i];
        if (s->is_named || s->kind == NULL || !formats_is_generic(s->kind))
            continue;
        s->kind = NULL;
        TRY(notes_warn(&m->notes, "files_of_no_trainer", 1, err,
                       "rows and tables in a trainer's folder that are none of "
                       "its own files are not taken for its responses; named "
                       "beside the folder they are. Among them %.300s",
                       s->path));
    }
    return OK;
}

enum status import_look(struct importing *m, struct err *err)
{
    for (size_t i = 0; i < m->n; i++)
        TRY(look_at_source(m, &m->source[i], err));
    trl_rewards_settle(&m->rewards);
    return pass_over_generic(m, err);
}
