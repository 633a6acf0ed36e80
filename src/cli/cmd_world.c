#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/terminal.h"
#include "cli/visiting.h"
#include "world/desk.h"

static enum status need(const char *value, const char *what, struct err *err)
{
    return value ? OK : err_set(err, ERR_ARG, "%s", what);
}

static enum status write_tokenizer(const struct options *o, struct err *err)
{
    return desk_write_tokenizer(o->v.common.out, err);
}

static enum status write_tickets(const struct options *o, struct err *err)
{
    const struct world_values *w = &o->v.world;
    struct mix mix;
    TRY(mix_parse(&mix, w->intents, w->mix_shift, err));
    return desk_write_mix(o->v.common.out, (enum ticket_split)w->split,
                          (size_t)w->tickets, &mix, (uint64_t)o->v.common.seed,
                          err);
}

static enum status write_demos(const struct options *o, struct err *err)
{
    return desk_write_demos(o->v.common.out, (size_t)o->v.world.demos,
                            (uint64_t)o->v.common.seed, err);
}

static enum status rank(const struct options *o, struct err *err)
{
    return desk_rank_file(o->v.world.data, o->v.common.out, &o->v.world.rater,
                          (uint64_t)o->v.common.seed, err);
}

struct panel_config cmd_world_panel(const struct world_values *w)
{
    return (struct panel_config){
        .n_policy = (size_t)w->pairs,
        .n_placebo = (size_t)w->placebo_pairs,
        .n_twice = (size_t)w->twice,
        .first = (size_t)w->first,
        .is_skipping = w->skip_same,
        .n_judges = (size_t)w->judges,
        .tau = w->judge_tau,
        .tau_axis = w->judge_tau_axis,
        .tie_margin = w->judge_tie_margin,
        .side_bias = w->judge_side_bias,
        .length_bias = w->judge_length_bias,
    };
}

static enum status judge(const struct options *o, struct err *err)
{
    const struct world_values *w = &o->v.world;
    if (w->panel == WORLD_GOLD)
        return desk_judge_file(w->data, o->v.common.out, err);
    struct panel_config c = cmd_world_panel(w);
    if (w->reference == NULL)
        return desk_spotcheck_samples(w->data, o->v.common.out, &c,
                                      (uint64_t)o->v.common.seed, err);
    return desk_spotcheck_file(w->data, w->reference, o->v.common.out, &c,
                               (uint64_t)o->v.common.seed, err);
}

static const struct {
    const char *name;
    enum status (*run)(const struct options *o, struct err *err);
    const char *no_data; // what is said without --data; NULL: it takes none
} steps[] = {
    {"tokenizer", write_tokenizer, NULL},
    {"tickets", write_tickets, NULL},
    {"demos", write_demos, NULL},
    {"rank", rank, "data is not set: candidate sets to rank"},
    {"judge", judge, "data is not set: records with replies"},
};

/* What was written, for --json. */
static enum status print_written(const char *step, const char *path,
                                 struct err *err)
{
    char hash[65] = "";
    if (!file_is_dir(path))
        TRY(file_hash(hash, path, err));
    struct buf text;
    struct json_writer w;
    buf_init(&text, (size_t)1 << 16);
    json_writer_init(&w, &text, true);
    json_open(&w, '{');
    json_field_text(&w, "schema", "plumb.world/1");
    json_field_text(&w, "plumb_version", PLUMB_VERSION);
    json_field_text(&w, "step", step);
    json_field_text(&w, "path", path);
    json_field_text(&w, "sha256", *hash ? hash : NULL);
    json_close(&w, '}');
    buf_putc(&text, '\n');
    enum status status = terminal_print(&text, err);
    buf_free(&text);
    return status;
}

enum status cmd_world(struct options *o, struct err *err)
{
    const char *name = o->operand[0];
    const char *out = o->v.common.out;
    char dir[FILE_PATH_MAX];
    if (o->v.world.as != 0 && strcmp(name, "judge") == 0)
        return visiting_judge(o, err);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (strcmp(steps[i].name, name) != 0)
            continue;
        TRY(need(out, "out is not set: file to write", err));
        if (steps[i].no_data)
            TRY(need(o->v.world.data, steps[i].no_data, err));
        TRY(file_dirname(dir, out, err));
        TRY(file_make_dir(dir, err));
        TRY(steps[i].run(o, err));
        return o->v.common.json ? print_written(name, out, err) : OK;
    }
    return err_set(err, ERR_ARG,
                   "plumb world %.40s: there are tokenizer, tickets, demos, "
                   "rank and judge",
                   name);
}
