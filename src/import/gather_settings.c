/*
 * gather_settings.c - the settings of all source files: ppo/config.yaml, and
 * what they say of the KL curves.
 */
#include <string.h>

#include "base/json.h"
#include "import/estimators.h"
#include "import/gather.h"

#define PIECE ((size_t)1 << 20)

struct config {
    struct names ours;
    struct estimators theirs;
    struct buf *ours_text, *theirs_text;
};

/* One YAML line "key: 'text'"; keys of theirs are quoted whole. */
static void put_setting(struct buf *out, const char *key, const char *text)
{
    struct json_writer w;
    buf_puts(out, "  ");
    json_writer_init(&w, out, false);
    json_put_text(&w, key);
    buf_puts(out, ": ");
    json_writer_init(&w, out, false);
    json_put_text(&w, text);
    buf_putc(out, '\n');
}

static enum status add_setting(void *ctx, const char *text, size_t len,
                               struct err *err)
{
    struct config *c = ctx;
    struct json *row;
    size_t index, before;
    bool is_new = false;
    TRY(json_parse(&row, text, len, "import.state", err));
    const char *ours = json_text(json_at(row, 0), NULL);
    const char *theirs = json_text(json_at(row, 1), "");
    const char *value = json_text(json_at(row, 2), NULL);
    enum status status = OK;
    if (value != NULL)
        status = estimators_add(&c->theirs, &is_new, theirs, value, err);
    if (status == OK && is_new) {
        put_setting(c->theirs_text, theirs, value);
        before = c->ours.n;
        if (ours != NULL)
            status = names_add(&c->ours, &index, ours, err);
        if (ours != NULL && status == OK && index == before)
            put_setting(c->ours_text, ours + strlen("ppo."), value);
    }
    json_free(row);
    return status;
}

enum status gather_settings(struct notes *notes, const char *trainer,
                            const char *out, const char *state,
                            const struct file_list *list, struct err *err)
{
    struct buf ours, theirs;
    struct config c = {.ours_text = &ours, .theirs_text = &theirs};
    char ppo[FILE_PATH_MAX], path[FILE_PATH_MAX];
    enum status status = OK;
    buf_init(&ours, PIECE);
    buf_init(&theirs, PIECE);
    buf_puts(&ours, "ppo:\n");
    buf_puts(&theirs, "imported:\n");
    TRY_DONE(file_join(ppo, out, "ppo", err));
    TRY_DONE(file_join(path, ppo, "config.yaml", err));
    TRY_DONE(gather_walk(state, list, "settings", NULL, add_setting, &c, err));
    estimators_settle(notes, trainer, &c.theirs);
    if (c.theirs.key.n == 0) {
        status = file_remove(path, err);
        goto done;
    }
    if (c.ours.n == 0)
        buf_clear(&ours);
    buf_append(&ours, theirs.data, theirs.len);
    TRY_DONE(buf_status(&ours, err));
    status = file_write(path, ours.data, ours.len, err);
done:
    names_free(&c.ours);
    estimators_free(&c.theirs);
    buf_free(&ours);
    buf_free(&theirs);
    return status;
}
