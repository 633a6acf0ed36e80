#include "cli/record.h"

#include <string.h>

#include "base/file.h"
#include "io/hub.h"
#include "io/run.h"

/* The folder or file that replaces the option's value, and its hash. */
static enum status find_parent(char found[FILE_PATH_MAX], char hash[65],
                               const struct option *row, const char *path,
                               struct err *err)
{
    static const char *const stage[] = {
        [PARENT_MODEL] = "ppo",
        [PARENT_SFT] = "sft",
        [PARENT_REWARD] = "reward",
    };
    char file[FILE_PATH_MAX];
    if (row->parent >= PARENT_MODEL) {
        TRY(run_find_model(found, path, stage[row->parent], err));
        return run_hash_model(hash, found, err);
    }
    if (row->parent == PARENT_TOKENIZER) {
        TRY(run_find_tokenizer(found, path, err));
        if (!file_is_dir(found))
            return file_hash(hash, found, err);
        TRY(file_join(file, found, "tokenizer.json", err));
        return file_hash(hash, file, err);
    }
    if (!file_exists(path))
        return err_set(err, ERR_MISSING, "%s: %s is not there", row->key, path);
    TRY(file_join(found, "", path, err));
    return file_hash(hash, path, err);
}

/* The hash that a settings file asked for, or NULL.  A later setting of the
 * path itself makes an earlier hash void. */
static const char *expected_hash(const struct options *o,
                                 const struct option *row)
{
    const char *hash = NULL;
    const char *dir = NULL;
    for (size_t i = 0; i < o->n_given; i++) {
        const struct option_given *g = &o->given[i];
        if (g->row != row)
            continue;
        if (g->is_hash) {
            hash = g->text;
            dir = g->dir;
        } else if (!g->dir || (dir && strcmp(g->dir, dir) != 0)) {
            hash = NULL;
        }
    }
    return hash;
}

static enum status check_hash(const struct options *o, const struct option *row,
                              const char *path, const char *hash,
                              struct err *err)
{
    const char *expected = expected_hash(o, row);
    if (expected && strcmp(expected, hash) != 0)
        return err_set(err, ERR_MISMATCH,
                       "%s: %s has SHA-256 %.12s..., the settings file was "
                       "recorded with %.12s...",
                       row->key, path, hash, expected);
    return OK;
}

/* How the record names a parent: a path from where the record lies, or a
 * repository of the hub, wherever that is cached. */
static enum status name_parent(char shown[FILE_PATH_MAX], const char *path,
                               const char *found, const char *dir,
                               struct err *err)
{
    struct hub_name name;
    if (!hub_is_meant("", path))
        return file_relative(shown, dir, found, err);
    TRY(hub_parse(&name, path, err));
    hub_print(shown, &name);
    return OK;
}

static enum status put_parent(struct buf *out, struct options *o,
                              const struct option *row, const char *dir,
                              struct err *err)
{
    char found[FILE_PATH_MAX], shown[FILE_PATH_MAX];
    char hash[65];
    const char *path = options_text(o, row);
    TRY(find_parent(found, hash, row, path, err));
    TRY(check_hash(o, row, found, hash, err));
    TRY(name_parent(shown, path, found, dir, err));
    const char *key = options_short_key(row);
    TRY(options_set_text(o, row, shown, err));
    buf_printf(out, "  %s: ", key);
    options_print_value(out, o, row);
    buf_printf(out, "\n  %s_sha256: \"%s\"\n", key, hash);
    return options_set_text(o, row, found, err);
}

static enum status put_row(struct buf *out, struct options *o,
                           const struct option *row, const char *dir,
                           struct err *err)
{
    bool is_text = row->type == OPTION_PATH || row->type == OPTION_TEXT;
    if (row->parent >= PARENT_FILE && options_text(o, row))
        return put_parent(out, o, row, dir, err);
    if (is_text && !options_text(o, row))
        return OK; // absent: the default says the same
    bool is_nested = strchr(row->key, '.') != NULL;
    buf_printf(out, "%s%s: ", is_nested ? "  " : "", options_short_key(row));
    options_print_value(out, o, row);
    buf_putc(out, '\n');
    return OK;
}

enum status record_config(struct buf *out, struct options *o,
                          enum option_command command, const char *dir,
                          struct err *err)
{
    const char *section = "";
    options_settle_compute(o);
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *row = option_row(i);
        bool is_its = (row->commands & command) || command == FOR_DEMO;
        if (!is_its || !(row->marks & OPTION_RECORDED))
            continue;
        size_t len = (size_t)(options_short_key(row) - row->key);
        if (len && strncmp(section, row->key, len) != 0) {
            section = row->key;
            buf_printf(out, "%.*s:\n", (int)(len - 1), section);
        }
        TRY(put_row(out, o, row, dir, err));
    }
    return buf_status(out, err);
}
