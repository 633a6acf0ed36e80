#include "cli/session.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/plan.h"
#include "cli/record.h"
#include "cli/stop.h"
#include "nn/gemm.h"
#include "nn/rowwise.h"

#define CONFIG_MAX ((size_t)1 << 20)
#define RESULT_MAX ((size_t)16 << 20)

double session_clock(void)
{
    const char *fixed = getenv("SOURCE_DATE_EPOCH");
    if (fixed && *fixed) {
        char *end;
        double t = strtod(fixed, &end);
        if (*end == '\0' && t >= 0)
            return t;
    }
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum status session_temporary(char out[FILE_PATH_MAX], struct err *err)
{
    const char *dir = getenv("TMPDIR");
    TRY(file_join(out, dir != NULL && *dir != '\0' ? dir : "/tmp",
                  "plumb-XXXXXX", err));
    return mkdtemp(out) != NULL ? OK : file_error(err, "make", out);
}

void session_tell_cost(const struct session *s)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return;
    context_info(&s->context, "took %.0f s and at most %.2f GiB of memory",
                 terminal_now() - s->began, (double)usage.ru_maxrss / 1048576);
}

enum status session_open(struct session *s, const struct options *o,
                         const char *stage, struct err *err)
{
    size_t threads = (size_t)o->v.common.threads;
    memset(s, 0, sizeof *s);
    s->began = terminal_now();
    TRY(team_create(&s->team, threads ? threads : team_processors(), err));
    terminal_init(&s->terminal, o->v.common.quiet);
    s->context = (struct context){
        .team = s->team,
        .comm = o->comm,
        .sink = comm_rank(o->comm) == 0 ? terminal_event : NULL,
        .sink_ctx = &s->terminal,
        .stage = stage,
        .clock = session_clock,
        .stop = stop_flag(),
    };
    return OK;
}

void session_close(struct session *s)
{
    terminal_finish(&s->terminal);
    team_destroy(s->team);
    s->team = NULL;
}

enum status session_check_file(const struct options *o, struct err *err)
{
    const char *out = o->v.common.out;
    char dir[FILE_PATH_MAX];
    if (out == NULL)
        return OK;
    TRY(file_dirname(dir, out, err));
    if (access(dir, W_OK | X_OK) != 0)
        return file_error(err, "write in", dir);
    if (file_is_dir(out))
        return err_set(err, ERR_IO, "cannot write %s: it is a directory", out);
    return OK;
}

enum status session_mode(enum run_mode *out, const struct options *o,
                         struct err *err)
{
    if (o->v.common.resume && o->v.common.overwrite)
        return err_set(err, ERR_ARG,
                       "--resume and --overwrite contradict each other");
    *out = o->v.common.resume      ? RUN_RESUME
           : o->v.common.overwrite ? RUN_OVERWRITE
                                   : RUN_NEW;
    return OK;
}

/* Could the directory be made, as far as can be told before the work that
 * comes first is done: may we write where its way ends? */
static enum status check_dir(const char *dir, struct err *err)
{
    char at[FILE_PATH_MAX];
    TRY(file_absolute(at, dir, err));
    while (!file_exists(at))
        TRY(file_dirname(at, at, err));
    if (!file_is_dir(at))
        return err_set(err, ERR_IO, "cannot create %s: %s is no directory", dir,
                       at);
    return access(at, W_OK | X_OK) == 0 ? OK : file_error(err, "write in", at);
}

/* A rank without a shard would have no part in the training. */
static enum status check_ranks(const struct options *o, struct err *err)
{
    size_t ranks = comm_size(o->comm), shards = (size_t)o->v.common.shards;
    if (shards >= ranks)
        return OK;
    return err_set(err, ERR_ARG,
                   "%zu ranks, but a batch is cut into %zu shards: give "
                   "--shards %zu or more (it is part of the result), or start "
                   "fewer ranks",
                   ranks, shards, ranks);
}

enum status session_check_processors(const struct options *o, struct err *err)
{
    const unsigned isa[] = {(unsigned)rowwise_level(), gemm_isa()};
    return comm_same(o->comm, isa, sizeof isa,
                     "the processor's instruction set (ONEDNN_MAX_CPU_ISA "
                     "lowers that of libdnnl)",
                     err);
}

enum status session_stage(struct stage *out, struct buf *config,
                          struct options *o, enum option_command command,
                          const char *dir, struct session *s, struct err *err)
{
    enum run_mode mode;
    TRY(session_mode(&mode, o, err));
    if (!dir)
        return err_set(err, ERR_ARG, "out is not set: directory to write");
    TRY(options_check_needed(o, command, err));
    TRY(check_ranks(o, err));
    TRY(session_check_processors(o, err));
    TRY(record_config(config, o, command, dir, err));
    TRY(comm_same(o->comm, buf_text(config), config->len,
                  "the settings or the inputs", err));
    /* The stage makes it (run_open), once it knows that it can start: what is
     * refused leaves no directory. */
    if (!o->v.common.dry_run)
        TRY(check_dir(dir, err));
    *out = (struct stage){
        .out = dir,
        .mode = mode,
        .config = buf_text(config),
        .seed = (uint64_t)o->v.common.seed,
        .shards = (size_t)o->v.common.shards,
        .precision = options_precision(o),
        .reduce = o->v.common.reduce,
        .data = o->v.data,
        .context = &s->context,
    };
    return OK;
}

/* The document a finished stage left, for --json. */
static enum status print_result(const char *dir, struct err *err)
{
    char path[FILE_PATH_MAX];
    struct buf text;
    TRY(file_join(path, dir, "result.json", err));
    buf_init(&text, RESULT_MAX);
    enum status status = file_read(&text, path, err);
    if (text.len && text.data[text.len - 1] != '\n')
        buf_putc(&text, '\n');
    if (status == OK)
        status = terminal_print(&text, err);
    buf_free(&text);
    return status;
}

/* The plan as comments, then the settings, together a file that -c takes; or
 * both as a JSON document. */
static enum status dry_run(const struct options *o, enum option_command command,
                           const struct session *s, const struct buf *config,
                           struct err *err)
{
    struct plan plan;
    struct buf out;
    TRY(plan_stage(&plan, o, command, &s->context, err));
    if (comm_rank(o->comm) > 0)
        return OK;
    buf_init(&out, CONFIG_MAX);
    if (o->v.common.json) {
        plan_json(&out, &plan, buf_text(config));
    } else {
        plan_print(&out, &plan);
        buf_append(&out, buf_text(config), config->len);
    }
    enum status status = terminal_print(&out, err);
    buf_free(&out);
    return status;
}

static enum status train(struct options *o, enum option_command command,
                         struct session *s, session_fn fn, struct buf *config,
                         struct err *err)
{
    struct stage stage;
    const char *dir = o->v.common.out;
    TRY(session_stage(&stage, config, o, command, dir, s, err));
    if (o->v.common.dry_run)
        return dry_run(o, command, s, config, err);
    TRY(fn(o, &stage, err));
    session_tell_cost(s);
    return o->v.common.json && comm_rank(o->comm) == 0 ? print_result(dir, err)
                                                       : OK;
}

enum status session_train(struct options *o, enum option_command command,
                          const char *name, session_fn fn, struct err *err)
{
    struct session s;
    struct buf config;
    TRY(session_open(&s, o, name, err));
    buf_init(&config, CONFIG_MAX);
    enum status status = train(o, command, &s, fn, &config, err);
    buf_free(&config);
    session_close(&s);
    return status;
}
