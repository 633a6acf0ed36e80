#include "base/json.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/probing.h"
#include "cli/terminal.h"
#include "io/run.h"

#define TEXT_MAX ((size_t)1 << 20)

static const char *state_name(enum probe_state state)
{
    switch (state) {
    case PROBE_UNASKED:
        return "not asked";
    case PROBE_WRITTEN:
        return "written";
    case PROBE_KEPT:
        return "kept";
    case PROBE_SKIPPED:
        return "skipped";
    case PROBE_FAILED:
        return "failed";
    }
    return "";
}

static void put_json(struct buf *out, const struct probe_result *result)
{
    struct json_writer w;
    json_writer_init(&w, out, true);
    json_open(&w, '{');
    json_field_text(&w, "schema", "plumb.probes/1");
    json_field_text(&w, "plumb_version", PLUMB_VERSION);
    json_put_key(&w, "probes");
    json_open(&w, '{');
    for (size_t i = 0; i < probe_count; i++) {
        if (result[i].state == PROBE_UNASKED)
            continue;
        json_put_key(&w, probe_table[i].name);
        json_open(&w, '{');
        json_field_text(&w, "state", state_name(result[i].state));
        if (result[i].why.code != OK)
            json_field_text(&w, "why", result[i].why.text);
        json_field_number(&w, "seconds", result[i].seconds);
        json_close(&w, '}');
    }
    json_close(&w, '}');
    json_close(&w, '}');
    buf_putc(out, '\n');
}

static void put_table(struct buf *out, const struct probe_result *result,
                      const char *project)
{
    for (size_t i = 0; i < probe_count; i++) {
        const struct probe_result *r = &result[i];
        const char *name = probe_table[i].name;
        if (r->state == PROBE_UNASKED)
            continue;
        buf_printf(out, "%-12s %-8s ", name, state_name(r->state));
        if (r->why.code != OK)
            buf_printf(out, "%s\n", r->why.text);
        else
            buf_printf(out, "%s/probes/%s.json\n", project, name);
    }
}

static enum status print(const struct probe_result *result,
                         const struct place *at, bool json, struct err *err)
{
    struct buf out;
    buf_init(&out, TEXT_MAX);
    if (json)
        put_json(&out, result);
    else
        put_table(&out, result, at->project);
    enum status status = terminal_print(&out, err);
    buf_free(&out);
    return status;
}

/* Probes that ran are told of, also when one of them failed. */
static enum status ask(struct probe_result *result, const struct place *at,
                       const struct options *o, struct err *err)
{
    struct session s;
    TRY(session_open(&s, o, "probe", err));
    enum status status =
        place_is_imported(at->project)
            ? probing_imported_run(result, at->project, o, &s.context, err)
            : probing_run(result, at, o, &s.context, err);
    if (status == OK)
        session_tell_cost(&s);
    session_close(&s);
    bool has_run = false;
    for (size_t i = 0; i < probe_count; i++)
        has_run = has_run || result[i].state != PROBE_UNASKED;
    if (!has_run || status == ERR_STOPPED || status == ERR_MEMORY)
        return status;
    struct err failed = *err;
    enum status printed = print(result, at, o->v.common.json, err);
    if (status != OK)
        *err = failed;
    return status != OK ? status : printed;
}

/* A project that an import made has no run of ours in it. */
static enum status find(struct place *out, const char *given, struct err *err)
{
    if (!place_is_imported(given))
        return place_find(out, given, NULL, err);
    TRY(file_join(out->project, "", given, err));
    return file_join(out->run, given, "ppo", err);
}

enum status cmd_probe(struct options *o, struct err *err)
{
    struct place at;
    struct probe_result *result = NULL;
    int lock;
    TRY(find(&at, o->operand[0], err));
    TRY(run_lock(&lock, at.project, err));
    enum status status = MEM_NEW(result, probe_count, err);
    if (status == OK)
        status = ask(result, &at, o, err);
    mem_free(result);
    run_unlock(lock);
    return status;
}
