#include "io/curve.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/curve_internal.h"
#include "io/scan.h"

#define CHUNK ((size_t)256 * 1024)

void curve_clear(struct curve *c)
{
    for (size_t i = 0; i < CURVE_LEVELS; i++)
        curve_level_clear(&c->level[i]);
    c->facts = (struct curve_facts){.first = -1, .last = -1};
    c->head.len = c->tail.len = 0;
    c->is_skipping = false;
    c->saved = 0;
}

static enum status make(struct curve **out, struct err *err)
{
    struct curve *c;
    TRY(MEM_NEW(c, 1, err));
    c->level[0].cap = CURVE_COARSE;
    c->seen_size = -1;
    c->to = CURVE_STEP_MAX;
    curve_clear(c);
    *out = c;
    return OK;
}

/* The index, if it is of this log as it is now. */
static void try_index(struct curve *c)
{
    struct file_map map;
    if (c->index[0] == '\0' || file_map(&map, c->index, NULL) != OK)
        return;
    if (curve_take_index(c, map.data, map.len, NULL) != OK)
        curve_clear(c);
    file_unmap(&map);
}

enum status curve_open(struct curve **out, const char *log, const char *index,
                       struct err *err)
{
    struct curve *c;
    TRY(make(&c, err));
    enum status status = file_join(c->log, "", log, err);
    if (status == OK && index != NULL)
        status = file_join(c->index, "", index, err);
    if (status != OK) {
        curve_close(c);
        return status;
    }
    try_index(c);
    *out = c;
    return OK;
}

void curve_close(struct curve *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < CURVE_LEVELS; i++) {
        mem_free(c->level[i].bucket);
        mem_free(c->level[i].value);
    }
    mem_free(c->name);
    mem_free(c->now);
    mem_free(c->row);
    mem_free(c);
}

void curve_facts(struct curve_facts *out, const struct curve *c)
{
    *out = c->facts;
}

const char *curve_name(const struct curve *c, size_t metric)
{
    return c->name[metric];
}

size_t curve_find(const struct curve *c, const char *name)
{
    for (size_t i = 0; i < c->facts.n; i++)
        if (strcmp(c->name[i], name) == 0)
            return i;
    return SIZE_MAX;
}

double curve_now(const struct curve *c, size_t metric)
{
    return metric < c->facts.n ? c->now[metric] : (double)NAN;
}

/* ---- rows --------------------------------------------------------------- */

enum status curve_make_names(struct curve *c, size_t n, struct err *err)
{
    size_t room = c->room_names > 0 ? c->room_names : 64;
    while (room < n)
        room *= 2;
    if (room == c->room_names)
        return OK;
    char(*name)[CURVE_NAME_MAX + 1] =
        mem_grow(c->name, c->room_names, room, sizeof *name);
    if (name == NULL)
        return err_set(err, ERR_MEMORY, "out of memory for names of metrics");
    c->name = name;
    double *now = mem_grow(c->now, c->room_names, room, sizeof *now);
    if (now == NULL)
        return err_set(err, ERR_MEMORY, "out of memory for a row of metrics");
    c->now = now;
    double *row = mem_grow(c->row, c->room_names, room, sizeof *row);
    if (row == NULL)
        return err_set(err, ERR_MEMORY, "out of memory for a row of metrics");
    c->row = row;
    c->room_names = room;
    return OK;
}

static bool is_name(const struct curve *c, size_t i,
                    const struct scan_slice *key)
{
    return memcmp(c->name[i], key->text, key->len) == 0 &&
           c->name[i][key->len] == '\0';
}

/* The column of a key, SIZE_MAX when it has none and gets none.  Rows have
 * their members in one order nearly always: look at `guess` first. */
static enum status find_column(size_t *out, struct curve *c,
                               const struct scan_slice *key, size_t guess,
                               struct err *err)
{
    *out = SIZE_MAX;
    if (key->is_escaped || key->len > CURVE_NAME_MAX || key->len == 0)
        return OK;
    *out = guess;
    if (guess < c->facts.n && is_name(c, guess, key))
        return OK;
    for (size_t i = 0; i < c->facts.n; i++)
        if (is_name(c, i, key)) {
            *out = i;
            return OK;
        }
    *out = SIZE_MAX;
    if (c->facts.n == CURVE_NAMES_MAX)
        return OK;
    TRY(curve_make_names(c, c->facts.n + 1, err));
    *out = c->facts.n++;
    memcpy(c->name[*out], key->text, key->len);
    c->name[*out][key->len] = '\0';
    return OK;
}

/* The members of a row into c->row; *step stays negative without one. */
static enum status read_row(struct curve *c, struct scan *s, int64_t *step,
                            struct err *err)
{
    struct scan_slice key;
    size_t next = 0, column;
    for (size_t i = 0; i < c->facts.n; i++)
        c->row[i] = (double)NAN;
    if (!scan_object(s))
        return OK;
    while (scan_member(s, &key)) {
        enum scan_kind kind = scan_peek(s);
        if (scan_slice_is(&key, "step") && kind == SCAN_NUMBER) {
            *step = scan_int(s);
        } else if (kind == SCAN_NUMBER || kind == SCAN_NULL) {
            double x = scan_number(s);
            TRY(find_column(&column, c, &key, next, err));
            if (column != SIZE_MAX) {
                c->row[column] = x;
                next = column + 1;
            }
        } else {
            scan_skip(s);
        }
    }
    return OK;
}

static bool is_blank(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
            return false;
    return true;
}

/* A line that begins at `offset`. */
static enum status take_line(struct curve *c, const char *text, size_t len,
                             uint64_t offset, struct err *err)
{
    struct scan s;
    int64_t step = -1;
    size_t names = c->facts.n;
    if (is_blank(text, len))
        return OK;
    scan_init(&s, text, len);
    TRY(read_row(c, &s, &step, err));
    if (scan_end(&s, "", NULL) != OK || step < 0 || step > CURVE_STEP_MAX ||
        step <= c->facts.last) {
        /* Its names go with it. */
        c->facts.n = names;
        c->facts.skipped++;
        return OK;
    }
    if (step < c->from || step > c->to)
        return OK;
    for (size_t i = 0; i < CURVE_LEVELS; i++)
        if (c->level[i].cap > 0)
            TRY(curve_level_add(&c->level[i], step, offset, c->row, c->facts.n,
                                err));
    memcpy(c->now, c->row, c->facts.n * sizeof *c->now);
    if (c->facts.rows++ == 0)
        c->facts.first = step;
    c->facts.last = step;
    return OK;
}

/* ---- bytes -------------------------------------------------------------- */

/* Remember the first and the last bytes of what was read. */
static void print_bytes(struct curve *c, const char *text, size_t len)
{
    size_t n = CURVE_PRINT - c->head.len;
    if (n > len)
        n = len;
    memcpy(c->head.byte + c->head.len, text, n);
    c->head.len += n;
    n = len < CURVE_PRINT ? len : CURVE_PRINT;
    size_t kept = c->tail.len;
    if (kept > CURVE_PRINT - n)
        kept = CURVE_PRINT - n;
    memmove(c->tail.byte, c->tail.byte + c->tail.len - kept, kept);
    memcpy(c->tail.byte + kept, text + len - n, n);
    c->tail.len = kept + n;
}

/* Whole lines; returns in *used how many bytes they were. */
static enum status take_lines(struct curve *c, const char *text, size_t len,
                              size_t *used, struct err *err)
{
    enum status status = OK;
    size_t at = 0;
    while (at < len && status == OK) {
        const char *end = memchr(text + at, '\n', len - at);
        if (end == NULL)
            break;
        size_t n = (size_t)(end - (text + at));
        if (!c->is_skipping)
            status = take_line(c, text + at, n, c->facts.bytes + at, err);
        c->is_skipping = false;
        at += n + 1;
    }
    /* No line is that long: pass over it as it comes. */
    if (status == OK && len - at > CURVE_LINE_MAX) {
        c->facts.skipped += !c->is_skipping;
        c->is_skipping = true;
        at = len;
    }
    print_bytes(c, text, at);
    c->facts.bytes += at;
    *used = at;
    return status;
}

enum status curve_take_text(struct curve *c, const char *text, size_t len,
                            size_t *used, struct err *err)
{
    return take_lines(c, text, len, used, err);
}

static bool read_at(int fd, void *to, size_t len, uint64_t offset)
{
    unsigned char *at = to;
    while (len > 0) {
        ssize_t n = pread(fd, at, len, (off_t)offset);
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return true;
}

/* Is what was read still what stands there? */
static bool is_same_log(const struct curve *c, int fd, int64_t size)
{
    unsigned char byte[CURVE_PRINT];
    if ((uint64_t)size < c->facts.bytes)
        return false;
    if (!read_at(fd, byte, c->head.len, 0) ||
        memcmp(byte, c->head.byte, c->head.len) != 0)
        return false;
    return read_at(fd, byte, c->tail.len, c->facts.bytes - c->tail.len) &&
           memcmp(byte, c->tail.byte, c->tail.len) == 0;
}

/* The rest of the log, a piece at a time.  A piece that holds no whole line is
 * read again, larger, up to what a line may have. */
static enum status read_rest(struct curve *c, int fd, uint64_t size,
                             size_t budget, unsigned *what, struct err *err)
{
    enum status status = OK;
    size_t room = CHUNK, used = 0;
    char *chunk;
    TRY(MEM_NEW(chunk, CURVE_LINE_MAX + CHUNK, err));
    while (c->facts.bytes < size) {
        uint64_t rest = size - c->facts.bytes;
        size_t n = rest < room ? (size_t)rest : room;
        if (budget == 0 && used > 0) {
            *what |= CURVE_MORE;
            break;
        }
        if (!read_at(fd, chunk, n, c->facts.bytes)) {
            status = file_error(err, "read", c->log);
            break;
        }
        budget = budget > n ? budget - n : 0;
        TRY_DONE(take_lines(c, chunk, n, &used, err));
        if (used == 0 && n == rest)
            break;
        room = used == 0 ? CURVE_LINE_MAX + CHUNK : CHUNK;
    }
done:
    mem_free(chunk);
    return status;
}

static enum status poll_open(struct curve *c, int fd, const struct stat *st,
                             size_t budget, unsigned *what, struct err *err)
{
    uint64_t rows = c->facts.rows;
    bool is_long = (uint64_t)st->st_size > CURVE_RAW_MAX;
    if (!is_same_log(c, fd, (int64_t)st->st_size)) {
        curve_clear(c);
        c->facts.from_index = false;
        c->level[1].cap = 0;
        *what |= CURVE_RESET;
        rows = 0;
    }
    /* A log that grew beyond what is read row by row is gathered finely, too,
     * from its start: once, and in one go. */
    if (is_long && c->level[1].cap == 0) {
        if (c->facts.bytes > 0)
            budget += (size_t)c->facts.bytes;
        curve_clear(c);
        c->level[1].cap = CURVE_FINE;
    }
    enum status status =
        read_rest(c, fd, (uint64_t)st->st_size, budget, what, err);
    if (c->facts.rows > rows)
        *what |= CURVE_ROWS;
    if (*what & CURVE_MORE)
        return status;
    c->seen_size = (int64_t)st->st_size;
    c->seen_s = (int64_t)st->st_mtim.tv_sec;
    c->seen_ns = (int64_t)st->st_mtim.tv_nsec;
    return status;
}

enum status curve_poll(struct curve *c, size_t budget, unsigned *what,
                       struct err *err)
{
    struct stat st;
    int fd;
    *what = 0;
    if (stat(c->log, &st) != 0) {
        if (c->facts.bytes > 0)
            *what = CURVE_RESET;
        curve_clear(c);
        c->level[1].cap = 0;
        c->seen_size = -1;
        return OK;
    }
    if (c->seen_size == (int64_t)st.st_size &&
        c->seen_s == (int64_t)st.st_mtim.tv_sec &&
        c->seen_ns == (int64_t)st.st_mtim.tv_nsec)
        return OK;
    TRY(file_open(&fd, c->log, err));
    enum status status = fstat(fd, &st) == 0
                             ? poll_open(c, fd, &st, budget, what, err)
                             : file_error(err, "read", c->log);
    close(fd);
    return status;
}

/* ---- a part of the log, row by row -------------------------------------- */

static enum status read_part(struct curve *c, const char *log,
                             const struct curve_part *part, struct err *err)
{
    size_t n = (size_t)(part->end - part->begin), used;
    char *text;
    int fd;
    TRY(file_open(&fd, log, err));
    enum status status = MEM_NEW(text, n, err);
    if (status == OK && !read_at(fd, text, n, part->begin))
        status = err_set(err, ERR_IO, "%s is shorter than it was", log);
    if (status == OK)
        status = take_lines(c, text, n, &used, err);
    mem_free(text);
    close(fd);
    return status;
}

enum status curve_view_log(struct curve_view *out, const char *log,
                           const struct curve_part *part,
                           const struct curve_ask *ask, const char *const *name,
                           struct err *err)
{
    struct curve *c = NULL;
    struct curve_ask inner = *ask;
    size_t *metric = NULL;
    enum status status;
    if (part->end < part->begin || part->end - part->begin > 2 * CURVE_RAW_MAX)
        return err_set(err, ERR_LIMIT, "%s: too large a part of it", log);
    TRY_DONE(make(&c, err));
    c->level[0].cap = (ask->points + 1) / 2 * 4;
    c->from = ask->from;
    c->to = ask->to;
    TRY_DONE(read_part(c, log, part, err));
    TRY_DONE(MEM_NEW(metric, ask->n, err));
    for (size_t i = 0; i < ask->n; i++)
        metric[i] = curve_find(c, name[i]);
    inner.metric = metric;
    TRY_DONE(curve_view(out, c, &inner, err));
done:
    mem_free(metric);
    curve_close(c);
    return status;
}
