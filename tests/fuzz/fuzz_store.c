/*
 * fuzz_store.c - any bytes as a project's database: refused with words, or all
 * of it can be read and verified; and in either case nothing crashes.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "store/assign.h"
#include "store/audit.h"
#include "store/judges.h"
#include "store/progress.h"
#include "store/records.h"

#define NOW 1700000000000

static char path[64];

static void clean_up(void)
{
    static const char *const end[] = {"-wal", "-shm", "-journal", ""};
    for (size_t i = 0; i < sizeof end / sizeof *end; i++) {
        char name[80];
        (void)snprintf(name, sizeof name, "%s%s", path, end[i]);
        (void)unlink(name);
    }
}

static enum status ignore_line(void *ctx, const char *line, size_t len,
                               struct err *err)
{
    (void)ctx;
    (void)err;
    FUZZ_CHECK(len > 1 && line[0] == '{' && line[len - 1] == '}');
    FUZZ_CHECK(memchr(line, '\n', len) == NULL);
    return OK;
}

static enum status ignore_judge(void *ctx, const struct judge *judge,
                                struct err *err)
{
    (void)ctx;
    (void)err;
    FUZZ_CHECK(strlen(judge->name) < sizeof judge->name);
    return OK;
}

static enum status look_at_pool(void *ctx, int64_t id, struct err *err)
{
    struct db *db = ctx;
    struct progress p;
    return progress_pool(&p, db, id, NOW, err);
}

/* Everything that reads; what it says of bad rows is its own affair, but it
 * must say something. */
static void read_all(struct db *db)
{
    struct err err = {OK, ""};
    struct audit_report report;
    if (audit_verify(&report, db, &err) != OK)
        FUZZ_CHECK(err.text[0] != '\0');
    for (int f = RECORDS_CANONICAL; f <= RECORDS_RANKINGS; f++) {
        const struct records_config c = {.format = (enum records_format)f};
        err = (struct err){OK, ""};
        if (records_walk(db, &c, ignore_line, NULL, &err) != OK)
            FUZZ_CHECK(err.text[0] != '\0');
    }
    enum status status = judges_walk(db, ignore_judge, NULL, NULL);
    if (status == OK)
        status = items_walk_pools(db, look_at_pool, db, NULL);
    for (int64_t id = 1; id <= 3; id++) {
        struct arena a = {0};
        struct blind b;
        if (status == OK)
            status = assign_blind(&b, &a, db, 1, id, NULL);
        arena_free(&a);
    }
}

/* What writes, as a server would on a file that was opened. */
static void write_some(struct db *db)
{
    int64_t out[3], id;
    size_t n = 0;
    if (judges_add(&id, db, "fuzz", JUDGE_JUDGE, NULL, 0, NOW, NULL) == OK)
        FUZZ_CHECK(id > 0);
    if (assign_next(out, &n, 3, db, 1, 1, NOW, NULL) == OK)
        FUZZ_CHECK(n <= 3);
}

/* In memory where the system has such a place: nothing here need last. */
static void choose_path(void)
{
    static const char memory[] = "/dev/shm";
    (void)snprintf(path, sizeof path, "%s/plumb-fuzz-store-%d",
                   access(memory, W_OK) == 0 ? memory : "/tmp", (int)getpid());
    (void)atexit(clean_up);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct db *db = NULL;
    struct err err = {OK, ""};
    if (path[0] == '\0')
        choose_path();
    FILE *f = fopen(path, "wb");
    FUZZ_CHECK(f != NULL);
    FUZZ_CHECK(fwrite(data, 1, size, f) == size);
    FUZZ_CHECK(fclose(f) == 0);
    enum status status = project_open(&db, path, DB_WRITE, NULL, &err);
    if (status != OK) {
        FUZZ_CHECK(db == NULL && err.text[0] != '\0');
    } else {
        read_all(db);
        write_some(db);
    }
    db_close(db);
    clean_up();
    return 0;
}
