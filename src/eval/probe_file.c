#include "eval/probe_file.h"

#include <stdio.h>
#include <string.h>

/* Of a probe's file: a hundred thousand rows of a dozen columns is a tenth. */
#define FILE_MAX ((size_t)256 << 20)
#define SUMMARY "summary.json"

static void put_cell(struct json_writer *w, enum probe_column_type type,
                     const void *cell)
{
    switch (type) {
    case COLUMN_TEXT: {
        const char *text;
        memcpy(&text, cell, sizeof text);
        json_put_text(w, text);
        break;
    }
    case COLUMN_INT: {
        int64_t x;
        memcpy(&x, cell, sizeof x);
        json_put_int(w, x);
        break;
    }
    case COLUMN_REAL: {
        double x;
        memcpy(&x, cell, sizeof x);
        json_put_float(w, (float)x);
        break;
    }
    case COLUMN_BOOL: {
        bool x;
        memcpy(&x, cell, sizeof x);
        json_put_bool(w, x);
        break;
    }
    }
}

void probe_put_columns(struct json_writer *w, const struct probe_column *column,
                       size_t n, size_t rows)
{
    json_put_key(w, "columns");
    json_open(w, '{');
    for (size_t i = 0; i < n; i++) {
        const char *cell = column[i].first;
        json_put_key(w, column[i].name);
        json_open(w, '[');
        for (size_t row = 0; row < rows; row++)
            put_cell(w, column[i].type, cell + row * column[i].stride);
        json_close(w, ']');
    }
    json_close(w, '}');
}

void probe_feature_columns(struct probe_column out[FEATURES],
                           const double first[FEATURES], size_t stride)
{
    for (int f = 0; f < FEATURES; f++)
        out[f] = (struct probe_column){.name = features_name((enum features)f),
                                       .type = COLUMN_REAL,
                                       .first = &first[f],
                                       .stride = stride};
}

enum status probe_file_inputs(char out[65], const struct probe *p,
                              const struct probe_kind *kind, struct err *err)
{
    struct buf text;
    buf_init(&text, (size_t)1 << 20);
    buf_printf(&text, "%s %s\n", kind->name, p->key);
    enum status status =
        kind->inputs != NULL ? kind->inputs(&text, p, err) : OK;
    if (status == OK)
        status = buf_status(&text, err);
    if (status == OK)
        file_hash_bytes(out, text.data, text.len);
    buf_free(&text);
    return status;
}

static enum status path_of(char out[FILE_PATH_MAX], const struct probe *p,
                           const struct probe_kind *kind, struct err *err)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s.json", kind->name);
    return file_join(out, p->dir, name, err);
}

bool probe_file_is_there(const struct probe *p, const struct probe_kind *kind,
                         const char inputs[65])
{
    char path[FILE_PATH_MAX];
    struct json *root;
    if (path_of(path, p, kind, NULL) != OK ||
        json_read(&root, path, FILE_MAX, NULL) != OK)
        return false;
    bool same = strcmp(json_text(json_get(root, "inputs"), ""), inputs) == 0;
    json_free(root);
    return same;
}

/* A model's place as seen from the project. */
static enum status put_path(struct json_writer *w, const char *key,
                            const struct probe *p, const char *path,
                            struct err *err)
{
    char relative[FILE_PATH_MAX];
    TRY(file_relative(relative, p->config->heldout.project, path, err));
    json_field_text(w, key, relative);
    return OK;
}

static enum status put_header(struct json_writer *w, const struct probe *p,
                              const struct probe_kind *kind,
                              const char inputs[65], struct err *err)
{
    const struct setup *s = &p->setup;
    json_field_text(w, "schema", "plumb.probe/1");
    json_field_text(w, "plumb_version", PLUMB_VERSION);
    json_field_text(w, "probe", kind->name);
    json_field_text(w, "inputs", inputs);
    json_field_text(w, "samples_sha256", p->samples_hash);
    json_field_int(w, "seed", (int64_t)p->config->seed);
    if (!p->is_of_texts) {
        TRY(put_path(w, "policy", p, s->policy_path, err));
        TRY(put_path(w, "reference", p, s->reference_path, err));
    } else {
        json_field_text(w, "len_unit", "words");
        json_field_number(w, "agreement", p->texts.agreement);
    }
    if (p->config->policy_command != NULL)
        json_field_text(w, "policy_command", p->config->policy_command);
    if (s->reward.outside != NULL)
        json_field_text(w, "reward_command",
                        outside_command(s->reward.outside));
    else
        TRY(put_path(w, "reward_model", p, s->reward.path, err));
    json_put_key(w, "score_scale");
    json_open(w, '{');
    json_field_number(w, "mean", s->scale.mean);
    json_field_number(w, "sd", s->scale.sd);
    json_close(w, '}');
    return OK;
}

enum status probe_file_write(const struct probe *p,
                             const struct probe_kind *kind,
                             const char inputs[65], struct err *err)
{
    enum status status = OK;
    char path[FILE_PATH_MAX];
    struct buf text;
    struct json_writer w;
    buf_init(&text, FILE_MAX);
    json_writer_init(&w, &text, false);
    json_open(&w, '{');
    TRY_DONE(put_header(&w, p, kind, inputs, err));
    TRY_DONE(kind->run(&w, p, err));
    json_close(&w, '}');
    buf_putc(&text, '\n');
    TRY_DONE(buf_status(&text, err));
    TRY_DONE(path_of(path, p, kind, err));
    TRY_DONE(file_write(path, text.data, text.len, err));
done:
    buf_free(&text);
    return status;
}

enum status probe_file_remove(const struct probe *p,
                              const struct probe_kind *kind, struct err *err)
{
    char path[FILE_PATH_MAX];
    TRY(path_of(path, p, kind, err));
    return file_remove(path, err);
}

/* ---- summary.json ------------------------------------------------------- */

static void put_result(struct json_writer *w, const struct probe_result *r,
                       const struct json *earlier)
{
    static const char *const word[] = {
        [PROBE_UNASKED] = "not asked", [PROBE_WRITTEN] = "written",
        [PROBE_KEPT] = "written",      [PROBE_SKIPPED] = "skipped",
        [PROBE_FAILED] = "failed",
    };
    const char *state = word[r->state];
    const char *why = r->why.code != OK ? r->why.text : NULL;
    if (r->state == PROBE_UNASKED) {
        state = json_text(json_get(earlier, "state"), state);
        why = json_text(json_get(earlier, "why"), NULL);
    }
    json_open(w, '{');
    json_field_text(w, "state", state);
    if (why != NULL)
        json_field_text(w, "why", why);
    json_close(w, '}');
}

enum status probe_file_summary(const struct probe *p,
                               const struct probe_result *result,
                               struct err *err)
{
    enum status status = OK;
    char path[FILE_PATH_MAX];
    struct buf text;
    struct json_writer w;
    struct json *old = NULL;
    buf_init(&text, (size_t)1 << 20);
    TRY_DONE(file_join(path, p->dir, SUMMARY, err));
    if (json_read(&old, path, (size_t)1 << 20, NULL) != OK)
        old = NULL;
    json_writer_init(&w, &text, true);
    json_open(&w, '{');
    json_field_text(&w, "schema", "plumb.probes/1");
    json_field_text(&w, "plumb_version", PLUMB_VERSION);
    json_put_key(&w, "probes");
    json_open(&w, '{');
    for (size_t i = 0; i < probe_count; i++) {
        const char *name = probe_table[i].name;
        json_put_key(&w, name);
        put_result(&w, &result[i], json_get(json_get(old, "probes"), name));
    }
    json_close(&w, '}');
    json_close(&w, '}');
    buf_putc(&text, '\n');
    TRY_DONE(buf_status(&text, err));
    TRY_DONE(file_write(path, text.data, text.len, err));
done:
    json_free(old);
    buf_free(&text);
    return status;
}
