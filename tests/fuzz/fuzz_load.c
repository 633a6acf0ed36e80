/*
 * fuzz_load.c - any bytes as a file of prompts with replies: items, or an
 * error that says what is wrong; the project holds either way.
 *
 * Byte 0 chooses the task, gold, and how much is mixed in; the rest is the
 * file.  Loading what was loaded again must change nothing.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "fuzz.h"
#include "store/audit.h"
#include "store/load.h"

#define RENEW 500
#define NOW 1700000000000

static struct db *db;
static char dir[64];
static int inputs;

#define MUST(call) FUZZ_CHECK((call) == OK)

static void begin(void)
{
    static const unsigned char key[32] = "a fuzzed project";
    const struct project_new made = {.seed = 7, .order_key = key, .now = NOW};
    char path[96];
    bool is_shm = file_is_dir("/dev/shm");
    (void)snprintf(dir, sizeof dir, "%s/plumb-fuzz-XXXXXX",
                   is_shm ? "/dev/shm" : "/tmp");
    FUZZ_CHECK(mkdtemp(dir) != NULL);
    (void)snprintf(path, sizeof path, "%s/p.db", dir);
    MUST(project_open(&db, path, DB_CREATE, &made, NULL));
}

static void end(void)
{
    struct audit_report report;
    if (db == NULL)
        return;
    MUST(audit_verify(&report, db, NULL));
    db_close(db);
    db = NULL;
    MUST(file_remove(dir, NULL));
}

static void check_counts(const struct load_counts *n)
{
    int64_t items =
        n->normal + n->placebo + n->repeats + n->identical + n->gold;
    FUZZ_CHECK(n->records > 0 && items > 0);
    FUZZ_CHECK(n->is_new >= 0 && n->is_new <= items);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[96];
    struct load_counts n;
    struct err err = {OK, ""};
    if (size < 1)
        return 0;
    if (inputs == 0)
        FUZZ_CHECK(atexit(end) == 0);
    if (inputs++ % RENEW == 0) {
        end();
        begin();
    }
    unsigned how = data[0];
    bool is_gold = (how & 2) != 0;
    const struct load_config c = {.pool = (how & 1) != 0 ? "pairs" : "sets",
                                  .task = (how & 1) != 0 ? POOL_SPOTCHECK
                                                         : POOL_RANKING,
                                  .random_share = (double)NAN,
                                  .placebo = (how & 4) != 0 ? 0.5 : 0,
                                  .repeats = (how & 8) != 0 ? 1 : 0.3,
                                  .identical = (how & 8) != 0 ? 1 : 0.3,
                                  .pairs = (how & 16) != 0 ? 7 : 0,
                                  .gap = 1,
                                  .now = NOW};
    (void)snprintf(path, sizeof path, "%s/in.jsonl", dir);
    MUST(file_write(path, data + 1, size - 1, NULL));
    enum status status = is_gold ? load_gold(&n, db, &c, path, &err)
                                 : load_file(&n, db, &c, path, &err);
    if (status != OK) {
        FUZZ_CHECK(status == ERR_FORMAT || status == ERR_MISMATCH ||
                   status == ERR_LIMIT);
        FUZZ_CHECK(err.text[0] != '\0');
        return 0;
    }
    check_counts(&n);
    MUST(is_gold ? load_gold(&n, db, &c, path, &err)
                 : load_file(&n, db, &c, path, &err));
    check_counts(&n);
    FUZZ_CHECK(n.is_new == 0);
    return 0;
}
