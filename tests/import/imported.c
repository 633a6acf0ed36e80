#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "import/imported.h"

static char root[] = "/tmp/plumb-test-XXXXXX";
static int runs;

int imported_set_up(void **state)
{
    (void)state;
    return mkdtemp(root) != NULL ? 0 : -1;
}

int imported_tear_down(void **state)
{
    (void)state;
    return file_remove(root, NULL) == OK ? 0 : -1;
}

const char *imported_at(const char *name)
{
    static char path[FILE_PATH_MAX];
    assert_int_equal(file_join(path, root, name, NULL), OK);
    return path;
}

void imported_write(const char *name, const void *data, size_t len)
{
    char dir[FILE_PATH_MAX];
    assert_int_equal(file_dirname(dir, imported_at(name), NULL), OK);
    assert_int_equal(file_make_dir(dir, NULL), OK);
    assert_int_equal(file_write(imported_at(name), data, len, NULL), OK);
}

/* ---- importing ---------------------------------------------------------- */

struct words {
    char text[4096];
    const char *word[32];
    char path[32][FILE_PATH_MAX];
    size_t n;
};

static void split(struct words *w, const char *text)
{
    w->n = 0;
    (void)snprintf(w->text, sizeof w->text, "%s", text != NULL ? text : "");
    for (char *at = w->text; *at != '\0';) {
        size_t n = strcspn(at, " ");
        bool is_last = at[n] == '\0';
        at[n] = '\0';
        if (n > 0)
            w->word[w->n++] = at;
        at += n + !is_last;
    }
}

static enum status run(struct err *err, const char *dir, const char *format,
                       const char *paths, const char *maps)
{
    static struct words files, pairs;
    struct import_config c = {.format = format, .out = dir};
    const char *path[32];
    split(&files, paths);
    split(&pairs, maps);
    for (size_t i = 0; i < files.n; i++) {
        assert_int_equal(
            file_join(files.path[i], TEST_DATA "/import", files.word[i], NULL),
            OK);
        path[i] = files.path[i];
    }
    c.path = path;
    c.n_paths = files.n;
    for (size_t i = 0; i < pairs.n; i++) {
        char *equals = strchr(pairs.word[i], '=');
        assert_non_null(equals);
        *equals = '\0';
        c.map[c.n_maps++] = (struct import_map){pairs.word[i], equals + 1};
    }
    return import_run(NULL, &c, NULL, err);
}

static char *copy(const char *text)
{
    return text != NULL ? mem_strdup(text) : NULL;
}

static void copy_floats(float *to, const float *from, size_t n)
{
    for (size_t i = 0; from != NULL && i < n && i < 16; i++)
        to[i] = from[i];
}

static void read_rows(struct imported *m)
{
    char ppo[FILE_PATH_MAX];
    struct trace_reader *r;
    const struct trace_view *v;
    static const char *const names[] = {"gold"};
    assert_int_equal(file_join(ppo, m->dir, "ppo", NULL), OK);
    if (trace_reader_open_run(&r, ppo, names, 1, NULL) != OK)
        return;
    for (;;) {
        struct err err = {OK, ""};
        if (trace_reader_next(r, &v, &err) != OK)
            fail_msg("%s", err.text);
        if (v == NULL)
            break;
        assert_true(m->n < IMPORTED_ROWS);
        struct imported_row *row = &m->row[m->n++];
        row->view = *v;
        row->prompt_id = copy(v->row.prompt_id);
        row->prompt = copy(v->row.prompt);
        row->response = copy(v->row.response);
        row->tags = copy(v->row.tags);
        row->len_unit = copy(v->row.len_unit);
        for (size_t t = 0; v->row.token != NULL && t < v->row.len && t < 16;
             t++)
            row->token[t] = v->row.token[t];
        copy_floats(row->logp_sample, v->row.logp_sample, v->row.len);
        copy_floats(row->logp, v->row.logp, v->row.len);
        copy_floats(row->advantage, v->row.advantage, v->row.len);
        copy_floats(row->value, v->row.value, v->row.len);
        copy_floats(row->reward, v->row.reward, v->row.len);
    }
    trace_reader_close(r);
}

struct imported *imported_run(const char *format, const char *paths,
                              const char *maps)
{
    struct imported *m = mem_calloc(1, sizeof *m);
    struct err err = {OK, ""};
    char name[32], path[FILE_PATH_MAX], files[FILE_PATH_MAX];
    (void)snprintf(files, sizeof files, "%s", paths); // may be imported_at()'s
    (void)snprintf(name, sizeof name, "run%d", ++runs);
    (void)snprintf(m->dir, sizeof m->dir, "%s", imported_at(name));
    if (run(&err, m->dir, format, files, maps) != OK)
        fail_msg("%s: %s", files, err.text);
    assert_int_equal(file_join(path, m->dir, "import.json", NULL), OK);
    assert_int_equal(json_read(&m->doc, path, 1 << 24, NULL), OK);
    assert_int_equal(file_join(path, m->dir, "import.state", NULL), OK);
    assert_false(file_exists(path));
    read_rows(m);
    assert_int_equal(file_join(path, m->dir, "ppo/metrics.jsonl", NULL), OK);
    if (file_exists(path))
        assert_int_equal(run_table_read(&m->metrics, path, NULL), OK);
    return m;
}

void imported_free(struct imported *m)
{
    for (size_t i = 0; i < m->n; i++) {
        mem_free(m->row[i].prompt_id);
        mem_free(m->row[i].prompt);
        mem_free(m->row[i].response);
        mem_free(m->row[i].tags);
        mem_free(m->row[i].len_unit);
    }
    json_free(m->doc);
    run_table_free(&m->metrics);
    mem_free(m);
}

enum status imported_fails(struct err *err, const char *format,
                           const char *paths)
{
    char name[32], files[FILE_PATH_MAX];
    (void)snprintf(files, sizeof files, "%s", paths);
    (void)snprintf(name, sizeof name, "bad%d", ++runs);
    *err = (struct err){OK, ""};
    return run(err, imported_at(name), format, files, NULL);
}

/* ---- looking ------------------------------------------------------------ */

double imported_metric(const struct imported *m, int64_t step, const char *name)
{
    size_t column = run_table_find(&m->metrics, name);
    for (size_t i = 0; i < m->metrics.n && column != SIZE_MAX; i++)
        if (m->metrics.step[i] == step)
            return m->metrics.value[i * m->metrics.columns + column];
    return (double)NAN;
}

static const struct json *find(const struct imported *m, const char *list,
                               const char *key, const char *value)
{
    const struct json *all = json_get(m->doc, list);
    for (size_t i = 0; i < json_size(all); i++)
        if (strcmp(json_text(json_get(json_at(all, i), key), ""), value) == 0)
            return json_at(all, i);
    return NULL;
}

const char *imported_field(const struct imported *m, const char *from)
{
    const struct json *f = find(m, "fields", "from", from);
    return f != NULL ? json_text(json_get(f, "to"), "") : NULL;
}

bool imported_warned(const struct imported *m, const char *id)
{
    return find(m, "warnings", "id", id) != NULL;
}

bool imported_misses(const struct imported *m, const char *id, const char *flag)
{
    const struct json *x = find(m, "missing", "id", id);
    const char *text = json_text(json_get(x, "flag"), NULL);
    return x != NULL &&
           (flag == NULL || (text != NULL && strstr(text, flag) != NULL));
}

const char *imported_kl(const struct imported *m, const char *name,
                        const char *member)
{
    return json_text(json_get(find(m, "kl", "name", name), member), NULL);
}

struct json *imported_line(const struct imported *m, const char *name,
                           size_t line)
{
    char path[FILE_PATH_MAX];
    struct buf text;
    struct json *out = NULL;
    buf_init(&text, 1 << 24);
    assert_int_equal(file_join(path, m->dir, name, NULL), OK);
    if (file_read(&text, path, NULL) == OK) {
        char *at = text.data;
        for (size_t i = 0; at != NULL && i < line; i++)
            at = strchr(at, '\n') != NULL ? strchr(at, '\n') + 1 : NULL;
        char *end = at != NULL ? strchr(at, '\n') : NULL;
        if (end != NULL)
            assert_int_equal(
                json_parse(&out, at, (size_t)(end - at), name, NULL), OK);
    }
    buf_free(&text);
    return out;
}
