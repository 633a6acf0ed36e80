#include "report/inputs.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "io/dataset.h"
#include "report/measure.h"

#define JSON_MAX ((size_t)16 << 20)
#define CONFIG_MAX ((size_t)1 << 20)

const char *const inputs_stage[3] = {"sft", "reward", "ppo"};

static enum status add_sample(void *ctx, const struct json *row, size_t line,
                              struct err *err)
{
    struct inputs *in = ctx;
    const char *id;
    const char *which;
    TRY(json_need_text(&id, row, "prompt_id", "samples.jsonl", err));
    TRY(json_need_text(&which, row, "which", "samples.jsonl", err));
    if (in->n_sample == in->room_sample) {
        size_t room = in->room_sample > 0 ? in->room_sample * 2 : 256;
        struct inputs_sample *grown =
            mem_grow(in->sample, in->n_sample, room, sizeof *in->sample);
        if (grown == NULL)
            return err_set(err, ERR_MEMORY, "out of memory: line %zu", line);
        in->sample = grown;
        in->room_sample = room;
    }
    char *copy = mem_strdup(id);
    if (copy == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: line %zu", line);
    struct inputs_sample *s = &in->sample[in->n_sample];
    *s = (struct inputs_sample){
        .prompt_id = copy,
        .is_policy = strcmp(which, "policy") == 0,
        .sample = json_int(json_get(row, "sample"), 0),
        .score = json_number(json_get(row, "score"), (double)NAN),
        .gold = json_number(json_get(row, "gold"), (double)NAN),
        .weak_gold = json_number(json_get(row, "weak_gold"), (double)NAN),
        .len = json_number(json_get(row, "len"), (double)NAN),
        .row = in->n_sample,
    };
    in->n_sample++;
    return OK;
}

static enum status read_samples(struct inputs *in, struct err *err)
{
    char path[FILE_PATH_MAX];
    TRY(file_join(path, in->dir, "eval/samples.jsonl", err));
    if (!file_exists(path))
        return OK;
    return jsonl_read(path, add_sample, in, err);
}

static enum status read_metrics(struct inputs *in, struct err *err)
{
    char path[FILE_PATH_MAX];
    TRY(file_join(path, in->dir, "ppo/metrics.jsonl", err));
    if (!file_exists(path))
        return OK;
    return run_table_read(&in->metrics, path, err);
}

static enum status read_configs(struct inputs *in, struct err *err)
{
    char dir[FILE_PATH_MAX];
    char path[FILE_PATH_MAX];
    for (size_t i = 0; i < 3; i++) {
        TRY(file_join(dir, in->dir, inputs_stage[i], err));
        TRY(file_join(path, dir, "config.yaml", err));
        if (file_exists(path))
            TRY(file_read(&in->config[i], path, err));
    }
    return OK;
}

static enum status read_all(struct inputs *in, struct err *err)
{
    char path[FILE_PATH_MAX];
    TRY(file_join(path, in->dir, "eval/heldout.json", err));
    if (!file_exists(path))
        return err_set(err, ERR_MISSING,
                       "%s: no such file; `plumb eval %s` writes it", path,
                       in->dir);
    TRY(json_read(&in->heldout, path, JSON_MAX, err));
    if (!json_is_object(in->heldout))
        return err_set(err, ERR_FORMAT, "%s: not a JSON object", path);
    TRY(file_join(path, in->dir, "eval/curve.json", err));
    if (file_exists(path))
        TRY(json_read(&in->curve, path, JSON_MAX, err));
    TRY(read_samples(in, err));
    TRY(read_metrics(in, err));
    return read_configs(in, err);
}

enum status inputs_read(struct inputs *out, const char *project_dir,
                        struct err *err)
{
    struct inputs in = {.dir = project_dir};
    for (size_t i = 0; i < 3; i++)
        buf_init(&in.config[i], CONFIG_MAX);
    enum status status = read_all(&in, err);
    if (status == OK)
        *out = in;
    else
        inputs_free(&in);
    return status;
}

void inputs_free(struct inputs *in)
{
    json_free(in->heldout);
    json_free(in->curve);
    for (size_t i = 0; i < in->n_sample; i++)
        mem_free(in->sample[i].prompt_id);
    mem_free(in->sample);
    run_table_free(&in->metrics);
    for (size_t i = 0; i < 3; i++)
        buf_free(&in->config[i]);
}

bool inputs_has_rubric(const struct inputs *in)
{
    return measure_get(in->heldout, "gold_win_rate").n > 0;
}

const char *inputs_weak_gold(const struct inputs *in)
{
    const struct json *weak = json_get(in->heldout, "weak_gold");
    if (measure_get(weak, "win_rate").n == 0)
        return NULL;
    return json_text(json_get(weak, "label"), "weak gold");
}

enum inputs_judge inputs_judged_by(const struct inputs *in)
{
    if (json_is_object(json_get(in->heldout, "panel")))
        return INPUTS_PANEL;
    if (inputs_has_rubric(in))
        return INPUTS_RUBRIC;
    return inputs_weak_gold(in) != NULL ? INPUTS_WEAK_GOLD : INPUTS_NOBODY;
}

/* Which rows are wanted, and how far the walk is. */
struct pick {
    struct json **reply;
    const size_t *row;
    size_t n, next, at;
};

/* Rows are copied through their text: the walker owns what it hands out. */
static enum status pick_row(void *ctx, const struct json *row, size_t line,
                            struct err *err)
{
    enum status status = OK;
    struct pick *p = ctx;
    (void)line;
    if (p->next == p->n || p->row[p->next] != p->at++)
        return OK;
    struct buf text;
    buf_init(&text, JSON_MAX);
    json_dump(&text, row);
    TRY_DONE(buf_status(&text, err));
    TRY_DONE(json_parse(&p->reply[p->next], buf_text(&text), text.len,
                        "samples.jsonl", err));
    p->next++;
done:
    buf_free(&text);
    return status;
}

enum status inputs_replies(struct json **reply, const size_t *row, size_t n,
                           const struct inputs *in, struct err *err)
{
    char path[FILE_PATH_MAX];
    struct pick p = {reply, row, n, 0, 0};
    for (size_t i = 0; i < n; i++)
        reply[i] = NULL;
    TRY(file_join(path, in->dir, "eval/samples.jsonl", err));
    enum status status = jsonl_read(path, pick_row, &p, err);
    if (status == OK && p.next < n)
        status =
            err_set(err, ERR_FORMAT, "%s: changed while it was read", path);
    for (size_t i = 0; status != OK && i < n; i++) {
        json_free(reply[i]);
        reply[i] = NULL;
    }
    return status;
}
