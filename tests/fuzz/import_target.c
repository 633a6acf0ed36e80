#include "import_target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "fuzz.h"
#include "import/formats.h"
#include "io/trace_read.h"
#include "io/vote.h"

static char dir[] = "/tmp/plumb-fuzz-XXXXXX";

static void forget(void)
{
    FUZZ_CHECK(file_remove(dir, NULL) == OK);
}

/* A folder for the whole process, without the cost of a flush to the disk. */
static void write_input(char path[FILE_PATH_MAX], const uint8_t *data,
                        size_t len)
{
    static bool is_made;
    if (!is_made) {
        FUZZ_CHECK(mkdtemp(dir) != NULL);
        FUZZ_CHECK(atexit(forget) == 0);
        is_made = true;
    }
    FUZZ_CHECK(file_join(path, dir, "step7.jsonl", NULL) == OK);
    FILE *f = fopen(path, "wb");
    FUZZ_CHECK(f != NULL && fwrite(data, 1, len, f) == len && fclose(f) == 0);
}

/* Rows held in memory are rows that can be read again. */
static void check_rows(const struct sink *s)
{
    if (s->rows.len == 0)
        return;
    const char *at = s->rows.data, *end = at + s->rows.len;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const char *json = memchr(at, '{', (size_t)(end - at));
        FUZZ_CHECK(stop != NULL && json != NULL && json < stop);
        at = stop + 1;
    }
    FUZZ_CHECK(s->notes.rows_out + s->notes.rows_skipped <=
               s->notes.rows_in + s->notes.rows_skipped);
}

/* Votes are such as every command reads. */
static void check_votes(const struct sink *s)
{
    const char *at = buf_text(&s->votes), *end = at + s->votes.len;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        struct json *row;
        struct vote vote;
        FUZZ_CHECK(stop != NULL && (*at == 'h' || *at == 'j'));
        FUZZ_CHECK(json_parse(&row, at + 1, (size_t)(stop - at - 1), "vote",
                              NULL) == OK);
        FUZZ_CHECK(vote_read(&vote, row, "vote", NULL) == OK);
        json_free(row);
        at = stop + 1;
    }
}

/* Fields as tests/data/import/generic has them, and lists. */
static const struct import_map maps[] = {
    {"step", "iter"},         {"prompt", "ask"},       {"response", "say"},
    {"score", "points.rm"},   {"gold", "points.gold"}, {"finish", "ended"},
    {"tokens", "ids"},        {"logp", "lists.logp"},  {"kl", "lists.kl"},
    {"kl_sequence", "klsum"}, {"tag", "kind"},         {"extra", "more"},
};

#define N_MAPS (sizeof maps / sizeof *maps)

static void read_kind(const struct format *f, const char *path,
                      const struct import_people *people, size_t n_maps)
{
    struct sink sink;
    struct reader r;
    struct err err = {OK, ""};
    char state[FILE_PATH_MAX];
    FUZZ_CHECK(file_join(state, dir, "state", NULL) == OK);
    FUZZ_CHECK(sink_open(&sink, state, 0, f->trainer, &err) == OK);
    reader_init(&r, path);
    r.sink = &sink;
    r.people = people;
    r.map = maps;
    r.n_maps = n_maps;
    enum status status = f->read(&r, &err);
    if (status == OK) {
        check_rows(&sink);
        check_votes(&sink);
    } else
        FUZZ_CHECK(status == ERR_FORMAT || status == ERR_LIMIT ||
                   status == ERR_ARG);
    reader_free(&r);
    sink_free(&sink);
}

/* All of an import, what is gathered of it too; it waits for the disk, so one
 * input in 16 has it. */
static void import_whole(const char *path, const uint8_t *data, size_t len)
{
    struct import_config c = {.format = "auto", .path = &path, .n_paths = 1};
    struct err err = {OK, ""};
    char out[FILE_PATH_MAX];
    uint32_t hash = 0;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ data[i]) * 16777619U;
    if ((hash >> 8) % 16 != 0)
        return;
    FUZZ_CHECK(file_join(out, dir, "out", NULL) == OK);
    c.out = out;
    enum status status = import_run(NULL, &c, NULL, &err);
    FUZZ_CHECK(status == OK || status == ERR_FORMAT || status == ERR_LIMIT ||
               status == ERR_ARG);
    FUZZ_CHECK(file_holds(out, "import.json") == (status == OK));
    FUZZ_CHECK(file_remove(out, NULL) == OK);
}

void import_target(const char *formats, const uint8_t *data, size_t len)
{
    char path[FILE_PATH_MAX];
    struct head h;
    if (len > (size_t)1 << 20)
        return;
    write_input(path, data, len);
    if (sniff_open(&h, path, NULL) == OK) {
        double sure;
        (void)formats_best(&sure, NULL, &h);
        FUZZ_CHECK(sure >= 0 && sure <= 1);
        sniff_close(&h);
    }
    import_whole(path, data, len);
    for (size_t i = 0; i < formats_count; i++) {
        const struct format *f = &formats_table[i];
        const char *at = strstr(formats, f->name);
        size_t n = strlen(f->name);
        if (at != NULL && (at == formats || at[-1] == ' ') &&
            (at[n] == ' ' || at[n] == '\0')) {
            /* By the names in it, and with a policy and judges that are
             * known. */
            const struct import_people known = {"p", "*", 1};
            read_kind(f, path, NULL, 0);
            read_kind(f, path, NULL, N_MAPS);
            if ((f->yields & (YIELDS_VOTES | YIELDS_REPLIES)) != 0)
                read_kind(f, path, &known, 0);
        }
    }
}
