#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/demo.h"
#include "cli/record.h"

#define HELDOUT_MAX ((size_t)64 << 20)
#define CONFIG_MAX ((size_t)1 << 20)

/* What a demo leaves, in the order in which it is removed: demo.yaml is
 * written first and goes last, so without it the others are not ours. */
static const char *const parts[] = {
    "report.html", "diagnosis.json", "whatif", "probes", "eval",      "ppo",
    "reward",      "human",          "sft",    "world",  "demo.yaml",
};
static const size_t n_parts = sizeof parts / sizeof *parts;

static enum status remove_parts(const char *dir, struct err *err)
{
    char path[FILE_PATH_MAX];
    for (size_t i = 0; i < n_parts; i++) {
        TRY(file_join(path, dir, parts[i], err));
        TRY(file_remove(path, err));
    }
    return OK;
}

/* A project that is there already is gone on with, replaced, or refused; what
 * is not a demo's is never removed.  The directory is locked. */
static enum status take_directory(const struct options *o, const char *dir,
                                  struct err *err)
{
    char path[FILE_PATH_MAX];
    enum run_mode mode;
    TRY(session_mode(&mode, o, err));
    TRY(file_join(path, dir, "demo.yaml", err));
    if (file_exists(path)) {
        if (mode == RUN_NEW)
            return err_set(err, ERR_ARG,
                           "%s holds a demo already; --resume goes on with it, "
                           "--overwrite replaces it",
                           dir);
        return mode == RUN_OVERWRITE ? remove_parts(dir, err) : OK;
    }
    for (size_t i = 0; i < n_parts; i++) {
        TRY(file_join(path, dir, parts[i], err));
        if (file_exists(path))
            return err_set(err, ERR_ARG,
                           "%s is not a demo's: there is no demo.yaml; choose "
                           "another --out",
                           path);
    }
    return OK;
}

/* D/demo.yaml: every setting, so that `plumb demo -c D/demo.yaml` repeats the
 * run; on --resume it must say the same. */
static enum status record(struct options *o, const char *dir, struct err *err)
{
    enum status status = OK;
    char path[FILE_PATH_MAX];
    struct buf text, old;
    enum option_command every =
        FOR_DEMO | FOR_SFT | FOR_REWARD | FOR_PPO | FOR_EVAL | FOR_PROBE;
    buf_init(&text, CONFIG_MAX);
    buf_init(&old, CONFIG_MAX);
    TRY_DONE(record_config(&text, o, every, dir, err));
    TRY_DONE(file_join(path, dir, "demo.yaml", err));
    if (file_exists(path)) {
        TRY_DONE(file_read(&old, path, err));
        if (strcmp(buf_text(&old), buf_text(&text)) != 0)
            status = err_set(err, ERR_MISMATCH,
                             "%s was recorded with other settings; --overwrite "
                             "starts anew",
                             path);
    } else {
        status = file_write(path, buf_text(&text), text.len, err);
    }
done:
    buf_free(&text);
    buf_free(&old);
    return status;
}

/* eval/heldout.json with the verdict and the time the run took. */
static void put_document(struct buf *out, const struct json *heldout,
                         const struct demo *demo, double seconds)
{
    struct json_writer w;
    json_writer_init(&w, out, true);
    json_open(&w, '{');
    for (const void *it = json_first(heldout); it != NULL;
         it = json_next(heldout, it)) {
        json_put_key(&w, json_key(it));
        json_put_node(&w, json_value(it));
    }
    json_field_text(&w, "verdict", demo->verdict);
    json_field_text(&w, "top_rival", demo->top_rival);
    json_field_number(&w, "seconds", seconds);
    json_close(&w, '}');
    buf_putc(out, '\n');
}

static enum status show(const struct demo *demo, double seconds,
                        struct err *err)
{
    char path[FILE_PATH_MAX];
    struct json *heldout;
    struct buf out;
    if (!demo->o->v.common.json) {
        buf_printf(demo->summary, "%.0f seconds.\n", seconds);
        return terminal_print(demo->summary, err);
    }
    TRY(file_join(path, demo->dir, "eval/heldout.json", err));
    TRY(json_read(&heldout, path, HELDOUT_MAX, err));
    buf_init(&out, HELDOUT_MAX);
    put_document(&out, heldout, demo, seconds);
    enum status status = terminal_print(&out, err);
    buf_free(&out);
    json_free(heldout);
    return status;
}

static enum status run_all(struct demo *demo, struct err *err)
{
    struct session s;
    TRY(session_open(&s, demo->o, "demo", err));
    demo->session = &s;
    enum status status = demo_run(demo, err);
    session_close(&s);
    demo->session = NULL;
    return status;
}

/* What the stages will not take, before anything is written for them. */
static enum status check_settings(const struct options *o, struct err *err)
{
    struct mix mix;
    struct sft_config sft = o->v.sft;
    enum run_mode mode;
    struct ppo_config ppo = o->v.ppo;
    sft.tokenizer = "world";
    ppo.reward_model = "reward";
    TRY(session_mode(&mode, o, err));
    TRY(sft_check(&sft, err));
    TRY(demo_mix(&mix, o, err));
    return ppo_check(&ppo, err);
}

enum status cmd_demo(struct options *o, struct err *err)
{
    const char *dir = o->v.common.out != NULL ? o->v.common.out : "plumb-demo";
    struct buf summary;
    struct demo demo = {.o = o, .dir = dir, .summary = &summary};
    int lock = -1;
    double started = terminal_now();
    TRY(check_settings(o, err));
    TRY(file_make_dir(dir, err));
    TRY(run_lock(&lock, dir, err));
    buf_init(&summary, HELDOUT_MAX);
    enum status status = take_directory(o, dir, err);
    if (status == OK)
        status = record(o, dir, err);
    if (status == OK)
        status = run_all(&demo, err);
    run_unlock(lock);
    if (status == OK)
        status = show(&demo, terminal_now() - started, err);
    buf_free(&summary);
    return status;
}
