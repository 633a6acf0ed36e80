#include "io/trace_read.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "io/lines.h"
#include "io/run_files.h"
#include "io/scan.h"

enum member_kind {
    MEMBER_TEXT,
    MEMBER_RAW, // JSON as it stands
    MEMBER_COUNT,
    MEMBER_NUMBER,
    MEMBER_FINISH,
    MEMBER_KL, // a number that may be absent
    MEMBER_TOKENS,
    MEMBER_FLOATS,
};

struct member {
    const char *name;
    size_t offset; // in struct trace_row
    enum member_kind kind;
    bool is_needed;
};

#define MEMBER(name, kind, is_needed)                                          \
    {                                                                          \
#name, offsetof(struct trace_row, name), kind, is_needed               \
    }

/* In the order in which trace_write_row() writes them, which is tried first. */
static const struct member MEMBERS[] = {
    MEMBER(run, MEMBER_TEXT, false),
    MEMBER(step, MEMBER_COUNT, true),
    MEMBER(prompt_id, MEMBER_TEXT, true),
    MEMBER(sample, MEMBER_COUNT, true),
    MEMBER(prompt, MEMBER_TEXT, false),
    MEMBER(response, MEMBER_TEXT, false),
    {"tokens", offsetof(struct trace_row, token), MEMBER_TOKENS, false},
    MEMBER(tags, MEMBER_RAW, false),
    {"finish", offsetof(struct trace_row, is_eos), MEMBER_FINISH, false},
    {"n_tokens", offsetof(struct trace_row, n_tokens), MEMBER_COUNT, false},
    MEMBER(len_unit, MEMBER_TEXT, false),
    {"kl_sequence", offsetof(struct trace_row, kl_sequence), MEMBER_KL, false},
    MEMBER(score_raw, MEMBER_NUMBER, false),
    MEMBER(score, MEMBER_NUMBER, false),
    MEMBER(beta, MEMBER_NUMBER, false),
    MEMBER(temperature, MEMBER_NUMBER, false),
    MEMBER(template_hash, MEMBER_TEXT, false),
    MEMBER(logp_sample, MEMBER_FLOATS, false),
    MEMBER(logp, MEMBER_FLOATS, false),
    MEMBER(logp_ref, MEMBER_FLOATS, false),
    MEMBER(kl, MEMBER_FLOATS, false),
    MEMBER(entropy, MEMBER_FLOATS, false),
    MEMBER(p_eos, MEMBER_FLOATS, false),
    MEMBER(p_eos_ref, MEMBER_FLOATS, false),
    MEMBER(value, MEMBER_FLOATS, false),
    MEMBER(reward, MEMBER_FLOATS, false),
    MEMBER(reward_kl, MEMBER_FLOATS, false),
    MEMBER(advantage, MEMBER_FLOATS, false),
    MEMBER(advantage_white, MEMBER_FLOATS, false),
};

#define MEMBERS_N (sizeof MEMBERS / sizeof *MEMBERS)

struct trace_reader {
    char **file; // [n_files] paths
    size_t n_files, next;
    const char *const *names;
    size_t n_names;
    struct lines lines; // of file[next - 1]; closed when stream is NULL
    /* What the row's pointers lead to: room for a line of `room` bytes, which
     * holds at most so many characters and half as many numbers. */
    size_t room;
    char *text;
    int32_t *token;
    float *number;
    struct trace_view view;
};

/* ---- one row ------------------------------------------------------------ */

struct row_reader {
    struct trace_reader *r;
    struct scan scan;
    size_t text, token, number; // of the reader's memory that is taken
    size_t guess;               // the member that may come next
    uint32_t seen;              // a bit for each member
    const struct member *array; // whose length is view.row.len
    const char *name;           // of the member being read, when it is known
};

static enum status make_room(struct trace_reader *r, size_t len,
                             struct err *err)
{
    if (r->text != NULL && len <= r->room)
        return OK;
    size_t room = r->room < TRACE_LINE_MAX / 2 ? r->room * 2 : TRACE_LINE_MAX;
    room = room > len ? room : len;
    mem_free(r->text);
    mem_free(r->token);
    mem_free(r->number);
    r->text = NULL;
    r->token = NULL;
    r->number = NULL;
    r->room = room;
    TRY(MEM_NEW(r->token, room / 2 + 1, err));
    TRY(MEM_NEW(r->number, room / 2 + 1, err));
    return MEM_NEW(r->text, room + 1, err);
}

/* The text of a slice, with a NUL in place of one of its quotes or, where it
 * had none, of what parts it from the next member. */
static const char *keep(struct row_reader *x, const struct scan_slice *slice)
{
    char *out = x->r->text + x->text;
    x->text += scan_slice_copy(out, slice) + 1;
    return out;
}

static void read_finish(bool *is_eos, struct scan *s)
{
    struct scan ahead = *s;
    struct scan_slice word = scan_text(&ahead);
    *is_eos = scan_slice_is(&word, "eos");
    if (!scan_failed(&ahead) && !*is_eos && !scan_slice_is(&word, "length"))
        scan_fail(s, "neither \"eos\" nor \"length\"");
    (void)scan_text(s);
}

static int64_t read_count(struct scan *s)
{
    struct scan ahead = *s;
    if (scan_int(&ahead) < 0)
        scan_fail(s, "less than 0");
    return scan_int(s);
}

static const int32_t *read_tokens(struct row_reader *x, size_t *n)
{
    int32_t *out = x->r->token + x->token;
    struct scan before = x->scan;
    *n = scan_ints(&x->scan, out, x->r->room / 2 + 1 - x->token);
    x->token += *n;
    for (size_t i = 0; i < *n && !scan_failed(&before); i++)
        if (out[i] < 0)
            scan_fail(&before, "a token less than 0");
    if (scan_failed(&before))
        x->scan = before;
    return out;
}

static const float *read_floats(struct row_reader *x, size_t *n)
{
    float *out = x->r->number + x->number;
    *n = scan_floats(&x->scan, out, x->r->room / 2 + 1 - x->number);
    x->number += *n;
    return out;
}

/* Arrays have one length, that of the first. */
static enum status check_length(struct row_reader *x, const struct member *m,
                                size_t n, struct err *err)
{
    struct trace_row *row = &x->r->view.row;
    if (scan_failed(&x->scan))
        return OK; // is told at the end
    if (x->array == NULL) {
        x->array = m;
        row->len = n;
    }
    if (n != row->len)
        return err_set(err, ERR_FORMAT, "\"%s\" has %zu items, \"%s\" %zu",
                       m->name, n, x->array->name, row->len);
    return OK;
}

/* Read the value of a member into the row at its offset. */
static enum status read_member(struct row_reader *x, const struct member *m,
                               struct err *err)
{
    char *at = (char *)&x->r->view.row + m->offset;
    struct scan_slice slice;
    const void *array = NULL;
    const char *text;
    size_t n = 0;
    int64_t count;
    double number;
    bool is_eos;
    if (scan_peek(&x->scan) == SCAN_NULL && !m->is_needed) {
        scan_skip(&x->scan);
        return OK;
    }
    switch (m->kind) {
    case MEMBER_TEXT:
    case MEMBER_RAW:
        slice =
            m->kind == MEMBER_TEXT ? scan_text(&x->scan) : scan_raw(&x->scan);
        text = keep(x, &slice);
        memcpy(at, &text, sizeof text);
        break;
    case MEMBER_COUNT:
        count = read_count(&x->scan);
        memcpy(at, &count, sizeof count);
        break;
    case MEMBER_NUMBER:
        number = scan_number(&x->scan);
        memcpy(at, &number, sizeof number);
        break;
    case MEMBER_FINISH:
        read_finish(&is_eos, &x->scan);
        memcpy(at, &is_eos, sizeof is_eos);
        x->r->view.row.finish_unknown = false;
        break;
    case MEMBER_KL:
        x->r->view.kl_sequence = scan_number(&x->scan);
        x->r->view.row.kl_sequence = &x->r->view.kl_sequence;
        break;
    case MEMBER_TOKENS:
    case MEMBER_FLOATS:
        if (m->kind == MEMBER_TOKENS)
            array = read_tokens(x, &n);
        else
            array = read_floats(x, &n);
        memcpy(at, &array, sizeof array);
        return check_length(x, m, n, err);
    }
    return OK;
}

static const struct member *find_member(struct row_reader *x,
                                        const struct scan_slice *key)
{
    for (size_t i = 0; i < MEMBERS_N; i++) {
        size_t at = (x->guess + i) % MEMBERS_N;
        if (scan_slice_is(key, MEMBERS[at].name)) {
            x->guess = at + 1;
            return &MEMBERS[at];
        }
    }
    return NULL;
}

/* A member that is none of ours: one of the caller's, or nobody's. */
static void read_other(struct row_reader *x, const struct scan_slice *key)
{
    const struct trace_reader *r = x->r;
    for (size_t i = 0; i < r->n_names; i++)
        if (scan_slice_is(key, r->names[i])) {
            x->name = r->names[i];
            x->r->view.extra[i] = scan_number(&x->scan);
            return;
        }
    scan_skip(&x->scan);
}

static enum status read_members(struct row_reader *x, struct err *err)
{
    struct scan_slice key;
    if (!scan_object(&x->scan))
        return OK;
    while (scan_member(&x->scan, &key)) {
        const struct member *m = find_member(x, &key);
        x->name = m != NULL ? m->name : NULL;
        if (m == NULL) {
            read_other(x, &key);
        } else {
            uint32_t bit = UINT32_C(1) << (m - MEMBERS);
            if ((x->seen & bit) != 0)
                return err_set(err, ERR_FORMAT, "\"%s\" comes twice", m->name);
            x->seen |= bit;
            TRY(read_member(x, m, err));
        }
        if (!scan_failed(&x->scan))
            x->name = NULL;
    }
    return OK;
}

/* The failure of the scan, with the member it was in. */
static enum status check_scan(struct row_reader *x, struct err *err)
{
    char place[160] = "row";
    if (x->name != NULL) {
        size_t n = strlen(x->name);
        n = n < sizeof place - 3 ? n : sizeof place - 3;
        place[0] = '"';
        memcpy(place + 1, x->name, n);
        place[n + 1] = '"';
        place[n + 2] = '\0';
    }
    return scan_end(&x->scan, place, err);
}

static enum status read_row(struct trace_reader *r, const char *text,
                            size_t len, struct err *err)
{
    struct row_reader x = {.r = r};
    TRY(make_room(r, len, err));
    r->view = (struct trace_view){
        .row = {.score_raw = (double)NAN,
                .score = (double)NAN,
                .beta = (double)NAN,
                .finish_unknown = true,
                .temperature = (double)NAN},
        .file = stream_name(r->lines.stream),
        .line = r->lines.number,
    };
    for (size_t i = 0; i < TRACE_NAMES_MAX; i++)
        r->view.extra[i] = (double)NAN;
    scan_init(&x.scan, text, len);
    TRY(read_members(&x, err));
    TRY(check_scan(&x, err));
    for (size_t i = 0; i < MEMBERS_N; i++)
        if (MEMBERS[i].is_needed && (x.seen & UINT32_C(1) << i) == 0)
            return err_set(err, ERR_FORMAT, "\"%s\" is missing",
                           MEMBERS[i].name);
    return OK;
}

enum status trace_reader_next(struct trace_reader *r,
                              const struct trace_view **view, struct err *err)
{
    const char *text = NULL;
    size_t len = 0;
    while (text == NULL) {
        if (r->lines.stream == NULL && r->next == r->n_files) {
            *view = NULL;
            return OK;
        }
        if (r->lines.stream == NULL) {
            TRY(lines_open(&r->lines, r->file[r->next], TRACE_LINE_MAX, err));
            r->next++;
        }
        TRY(lines_next(&r->lines, &text, &len, err));
        if (text == NULL)
            lines_close(&r->lines);
    }
    enum status status = read_row(r, text, len, err);
    if (status != OK) {
        (void)err_context(err, "%s:%zu", stream_name(r->lines.stream),
                          r->lines.number);
        return status;
    }
    *view = &r->view;
    return OK;
}

/* ---- files -------------------------------------------------------------- */

static enum status new_reader(struct trace_reader **out, size_t n_files,
                              const char *const *names, size_t n_names,
                              struct err *err)
{
    if (n_names > TRACE_NAMES_MAX)
        return err_set(err, ERR_ARG, "%zu names of numbers, limit %d", n_names,
                       TRACE_NAMES_MAX);
    for (size_t i = 0; i < n_names; i++)
        for (size_t k = 0; k < MEMBERS_N; k++)
            if (strcmp(names[i], MEMBERS[k].name) == 0)
                return err_set(err, ERR_ARG,
                               "\"%s\" has a meaning of its own in a row",
                               names[i]);
    struct trace_reader *r;
    TRY(MEM_NEW(r, 1, err));
    enum status status = MEM_NEW(r->file, n_files, err);
    if (status != OK) {
        mem_free(r);
        return status;
    }
    r->names = names;
    r->n_names = n_names;
    *out = r;
    return OK;
}

static enum status add_file(struct trace_reader *r, const char *path,
                            struct err *err)
{
    r->file[r->n_files] = mem_strdup(path);
    if (r->file[r->n_files] == NULL)
        return err_set(err, ERR_MEMORY, "out of memory for a path");
    r->n_files++;
    return OK;
}

enum status trace_reader_open_stream(struct trace_reader **out,
                                     struct stream *s, const char *const *names,
                                     size_t n_names, struct err *err)
{
    enum status status = new_reader(out, 0, names, n_names, err);
    if (status != OK)
        stream_close(s);
    else
        lines_init(&(*out)->lines, s, TRACE_LINE_MAX);
    return status;
}

enum status trace_reader_open(struct trace_reader **out, const char *path,
                              const char *const *names, size_t n_names,
                              struct err *err)
{
    struct stream *s;
    TRY(stream_open(&s, path, err));
    return trace_reader_open_stream(out, s, names, n_names, err);
}

/* "000123.jsonl.zst" is rows of step 123. */
static bool step_of(int64_t *step, const char *name)
{
    static const char *const ends[] = {".jsonl", ".jsonl.zst", ".jsonl.gz"};
    char digits[20];
    size_t n = strspn(name, "0123456789");
    if (n >= sizeof digits)
        return false;
    memcpy(digits, name, n);
    digits[n] = '\0';
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (strcmp(name + n, ends[i]) == 0)
            return run_files_step(step, digits);
    return false;
}

static int by_step(const void *a, const void *b)
{
    int64_t x = 0, y = 0;
    (void)step_of(&x, *(char *const *)a);
    (void)step_of(&y, *(char *const *)b);
    return (x > y) - (x < y);
}

/* Rollouts alone, in the order of their steps. */
static enum status sort_files(struct file_list *list, const char *dir,
                              struct err *err)
{
    size_t n = 0;
    int64_t step, before = -1;
    for (size_t i = 0; i < list->n; i++) {
        if (step_of(&step, list->name[i]))
            list->name[n++] = list->name[i];
        else
            mem_free(list->name[i]);
    }
    list->n = n;
    if (n == 0)
        return err_set(err, ERR_MISSING, "%s holds no rollouts", dir);
    qsort(list->name, n, sizeof *list->name, by_step);
    for (size_t i = 0; i < n; i++, before = step) {
        (void)step_of(&step, list->name[i]);
        if (i > 0 && step == before)
            return err_set(err, ERR_FORMAT, "%s and %s are of one step",
                           list->name[i - 1], list->name[i]);
    }
    return OK;
}

/* The folder of a run's rollouts. */
static enum status find_folder(char out[FILE_PATH_MAX], const char *run,
                               struct err *err)
{
    TRY(file_join(out, run, "rollouts", err));
    if (file_is_dir(out))
        return OK;
    if (file_exists(out))
        return err_set(err, ERR_FORMAT, "%s is not a directory", out);
    return err_set(err, ERR_MISSING,
                   "%s has no rollouts/; plumb ppo writes them unless "
                   "--trace-every is 0",
                   run);
}

enum status trace_run_files(struct file_list *out, const char *run,
                            struct err *err)
{
    char dir[FILE_PATH_MAX];
    struct file_list list = {0};
    TRY(find_folder(dir, run, err));
    TRY(file_list(&list, dir, err));
    enum status status = sort_files(&list, dir, err);
    if (status != OK)
        file_list_free(&list);
    else
        *out = list;
    return status;
}

enum status trace_reader_open_run(struct trace_reader **out, const char *run,
                                  const char *const *names, size_t n_names,
                                  struct err *err)
{
    char dir[FILE_PATH_MAX], path[FILE_PATH_MAX];
    struct file_list list = {0};
    struct trace_reader *r = NULL;
    enum status status = OK;
    TRY(file_join(dir, run, "rollouts", err));
    TRY(trace_run_files(&list, run, err));
    TRY_DONE(new_reader(&r, list.n, names, n_names, err));
    for (size_t i = 0; i < list.n; i++) {
        TRY_DONE(file_join(path, dir, list.name[i], err));
        TRY_DONE(add_file(r, path, err));
    }
done:
    file_list_free(&list);
    if (status != OK)
        trace_reader_close(r);
    else
        *out = r;
    return status;
}

void trace_reader_close(struct trace_reader *r)
{
    if (r == NULL)
        return;
    lines_close(&r->lines);
    for (size_t i = 0; i < r->n_files; i++)
        mem_free(r->file[i]);
    mem_free(r->file);
    mem_free(r->text);
    mem_free(r->token);
    mem_free(r->number);
    mem_free(r);
}

/* ---- tags --------------------------------------------------------------- */

bool trace_tag(char *out, size_t room, const char *tags, const char *key)
{
    struct scan s;
    struct scan_slice name, value = {.text = NULL};
    if (tags == NULL)
        return false;
    scan_init(&s, tags, strlen(tags));
    if (!scan_object(&s))
        return false;
    while (value.text == NULL && scan_member(&s, &name)) {
        enum scan_kind kind = scan_peek(&s);
        bool is_wanted = scan_slice_is(&name, key);
        if (is_wanted && kind == SCAN_TEXT)
            value = scan_text(&s);
        else if (is_wanted && (kind == SCAN_NUMBER || kind == SCAN_BOOL))
            value = scan_raw(&s);
        else
            scan_skip(&s);
    }
    if (scan_failed(&s) || value.text == NULL || value.len >= room)
        return false;
    (void)scan_slice_copy(out, &value);
    return true;
}
