#include "import/sniff.h"

#include <string.h>

#include "base/file.h"
#include "io/csv.h"
#include "io/scan.h"
#include "io/stream.h"

static enum status read_beginning(struct head *h, struct err *err)
{
    struct stream *s;
    const char *piece;
    size_t len = 1;
    enum status status = OK;
    TRY(stream_open(&s, h->path, err));
    while (h->bytes.len < SNIFF_BYTES) {
        TRY_DONE(stream_next(s, &piece, &len, err));
        size_t room = SNIFF_BYTES - h->bytes.len;
        if (len == 0)
            break;
        buf_append(&h->bytes, piece, len < room ? len : room);
        TRY_DONE(buf_status(&h->bytes, err));
    }
    h->is_whole = len == 0;
done:
    stream_close(s);
    return status;
}

/* Files that are refused by name, before anybody takes them for text. */
static enum status check_magic(const struct head *h, struct err *err)
{
    const unsigned char *b = (const unsigned char *)h->text;
    if (h->len >= 4 && memcmp(b, "PAR1", 4) == 0)
        return err_set(
            err, ERR_FORMAT,
            "%s: Parquet is not read; convert it: python3 -c \"import "
            "pandas,sys; pandas.read_parquet(sys.argv[1]).to_json(sys.argv[2], "
            "orient='records', lines=True)\" %s %s.jsonl",
            h->path, h->name, h->name);
    if (h->len >= 4 && memcmp(b, "PK\3\4", 4) == 0)
        return err_set(err, ERR_FORMAT,
                       "%s: a ZIP archive; archives are not unpacked", h->path);
    if (h->len >= 262 && memcmp(b + 257, "ustar", 5) == 0)
        return err_set(err, ERR_FORMAT,
                       "%s: a tar archive; archives are not unpacked", h->path);
    if (h->len >= 7 && memcmp(b, ":W&B", 4) == 0)
        return err_set(err, ERR_FORMAT,
                       "%s: a log of Weights & Biases in a form of its own; "
                       "export the run's history as CSV or JSON Lines",
                       h->path);
    return OK;
}

/* ---- JSON --------------------------------------------------------------- */

static const char *skip_blanks(const struct head *h)
{
    const char *at = h->text;
    if (h->len >= 3 && memcmp(at, "\xEF\xBB\xBF", 3) == 0)
        at += 3;
    while (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n')
        at++;
    return at;
}

/* One value more, when it is whole and valid. */
static bool add_row(struct head *h, const char *text, size_t len)
{
    if (h->n_rows == SNIFF_ROWS ||
        value_parse(&h->row[h->n_rows], &h->arena, text, len, &h->why) != OK)
        return false;
    h->n_rows++;
    return true;
}

static void read_items(struct head *h, const char *at)
{
    struct scan s;
    scan_init(&s, at, (size_t)(h->text + h->len - at));
    h->is_array = true;
    if (!scan_array(&s))
        return;
    while (h->n_rows < SNIFF_ROWS && scan_item(&s)) {
        struct scan_slice raw = scan_raw(&s);
        if (scan_failed(&s) || !add_row(h, raw.text, raw.len))
            break;
    }
    /* "[2026-01-01 12:00:00] ..." and "[12] ..." are lines of a log. */
    bool is_list = h->n_rows > 0 && h->row[0].kind >= VALUE_NUMBERS;
    if (!is_list) {
        h->n_rows = 0;
        h->is_array = false;
    }
}

static void read_lines(struct head *h, const char *at)
{
    const char *end = h->text + h->len, *line = at;
    bool is_good = true;
    while (line < end && is_good) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t n = (size_t)((stop != NULL ? stop : end) - line);
        if (stop == NULL && !h->is_whole)
            break;
        if (n > 0 && strspn(line, " \t\r") < n)
            is_good = add_row(h, line, n);
        line += n + 1;
    }
    /* A document over several lines. */
    if (h->n_rows == 0 && h->is_whole)
        is_good = add_row(h, at, (size_t)(end - at));
    h->is_document = h->n_rows == 1 && is_good && h->is_whole;
}

/* ---- tables ------------------------------------------------------------- */

struct table {
    struct head *h;
    bool is_even; // all lines have as many fields as the first
    size_t last;  // fields of the last line, which may have been cut
};

static enum status take_line(void *ctx, const struct csv_row *row,
                             struct err *err)
{
    struct table *t = ctx;
    struct head *h = t->h;
    if (h->n_lines++ == 0) {
        h->n_columns = row->n < SNIFF_COLUMNS ? row->n : SNIFF_COLUMNS;
        for (size_t i = 0; i < h->n_columns; i++)
            TRY(arena_text(&h->column[i], &h->arena, row->field[i],
                           strlen(row->field[i]), err));
    }
    for (size_t i = 0; h->n_lines == 2 && i < row->n && i < h->n_columns; i++)
        TRY(arena_text(&h->cell[i], &h->arena, row->field[i],
                       strlen(row->field[i]), err));
    t->is_even = t->is_even && (t->last == 0 || t->last == h->n_columns);
    t->last = row->n;
    if (h->n_lines > SNIFF_ROWS)
        return err_set(err, ERR_FULL, "enough");
    return OK;
}

static void read_table(struct head *h, const char *at)
{
    const char *stop = strchr(at, '\n');
    const char *tab = strchr(at, '\t'), *comma = strchr(at, ',');
    bool has_tab = tab != NULL && (stop == NULL || tab < stop);
    bool has_comma = comma != NULL && (stop == NULL || comma < stop);
    char separator = ',';
    if (has_tab)
        separator = '\t';
    struct table t = {h, true, 0};
    struct err err = {OK, ""};
    /* Only whole lines, unless the file ends here. */
    size_t len = (size_t)(h->text + h->len - at);
    for (; !h->is_whole && len > 0 && at[len - 1] != '\n'; len--)
        ;
    if (!has_tab && !has_comma)
        return;
    enum status status =
        csv_parse(at, len, h->name, separator, take_line, &t, &err);
    bool is_full = t.last == h->n_columns ||
                   (t.last < h->n_columns && h->is_whole && h->n_lines > 2);
    if ((status == OK || status == ERR_FULL) && t.is_even && is_full &&
        h->n_columns > 1)
        h->separator = separator;
    else
        h->n_columns = 0;
}

/* ---- all ---------------------------------------------------------------- */

static void init(struct head *h, const char *path)
{
    const char *slash = strrchr(path, '/');
    *h = (struct head){.path = path, .name = slash != NULL ? slash + 1 : path};
    buf_init(&h->bytes, SNIFF_BYTES);
}

/* Is it gzip or Zstandard, as io/stream.h tells them? */
static bool is_packed(const struct file_map *map)
{
    return map->len >= 4 && (memcmp(map->data, "\x1f\x8b", 2) == 0 ||
                             memcmp(map->data, "\x28\xb5\x2f\xfd", 4) == 0);
}

enum status sniff_open_tail(struct head *h, const char *path, struct err *err)
{
    struct file_map map;
    init(h, path);
    h->text = buf_text(&h->bytes);
    if (file_map(&map, path, NULL) != OK) // a pipe
        return OK;
    if (!is_packed(&map)) {
        size_t n = map.len < SNIFF_TAIL ? map.len : SNIFF_TAIL;
        const char *from = (const char *)map.data + (map.len - n);
        const char *stop = n > 0 ? memchr(from, '\n', n) : NULL;
        size_t skip = stop != NULL ? (size_t)(stop + 1 - from) : n;
        buf_append(&h->bytes, from + skip, n - skip);
    }
    file_unmap(&map);
    h->text = buf_text(&h->bytes);
    h->len = h->bytes.len;
    enum status status = buf_status(&h->bytes, err);
    if (status != OK)
        sniff_close(h);
    return status;
}

enum status sniff_open(struct head *h, const char *path, struct err *err)
{
    init(h, path);
    enum status status = read_beginning(h, err);
    h->text = buf_text(&h->bytes);
    h->len = h->bytes.len;
    if (status == OK)
        status = check_magic(h, err);
    if (status != OK) {
        sniff_close(h);
        return status;
    }
    const char *at = skip_blanks(h);
    if (*at == '[')
        read_items(h, at);
    else if (*at == '{')
        read_lines(h, at);
    if (*at != '{' && !h->is_array && sniff_is_text(h))
        read_table(h, at);
    return OK;
}

void sniff_close(struct head *h)
{
    buf_free(&h->bytes);
    arena_free(&h->arena);
}

const struct value *sniff_member(const struct head *h, const char *key)
{
    return h->n_rows > 0 ? value_get(&h->row[0], key) : NULL;
}

size_t sniff_count(const struct head *h, const char *const *names, size_t n)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        bool is_there = sniff_member(h, names[i]) != NULL;
        for (size_t c = 0; c < h->n_columns; c++)
            is_there = is_there || strcmp(h->column[c], names[i]) == 0;
        found += is_there;
    }
    return found;
}

bool sniff_says(const struct head *h, const char *text)
{
    return strstr(h->text, text) != NULL;
}

bool sniff_is_text(const struct head *h)
{
    return memchr(h->text, 0, h->len) == NULL;
}
