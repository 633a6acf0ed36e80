#include "cli/options.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/bundle.h"
#include "io/hub.h"
#include "model/model.h"
#include "nn/gemm16.h"

#define GIVEN_MAX 100000

const char *options_short_key(const struct option *row)
{
    const char *dot = strrchr(row->key, '.');
    return dot ? dot + 1 : row->key;
}

/* Choices of `compute`, as its row lists them. */
enum {
    COMPUTE_F32,
    COMPUTE_BF16,
    COMPUTE_AUTO
};

static int settled(int compute)
{
    if (compute == COMPUTE_AUTO)
        return gemm16_pays() ? COMPUTE_BF16 : COMPUTE_F32;
    return compute;
}

void options_settle_compute(struct options *o)
{
    o->v.common.compute = settled(o->v.common.compute);
}

bool options_is_compute_open(const struct options *o)
{
    return o->v.common.compute == COMPUTE_AUTO;
}

int options_precision(const struct options *o)
{
    bool is_rounded = settled(o->v.common.compute) == COMPUTE_BF16;
    return o->v.common.precision | (is_rounded ? MODEL_BY_BF16 : 0);
}

static void *member(struct options *o, const struct option *row)
{
    return (char *)&o->v + row->offset;
}

static const void *member_const(const struct options *o,
                                const struct option *row)
{
    return (const char *)&o->v + row->offset;
}

enum status options_copy(struct options *o, const char **out, const char *text,
                         size_t len, struct err *err)
{
    return arena_text(out, &o->text, text, len, err);
}

const char *options_text(const struct options *o, const struct option *row)
{
    assert(row->type == OPTION_TEXT || row->type == OPTION_PATH);
    const char *text;
    memcpy(&text, member_const(o, row), sizeof text);
    return text;
}

enum status options_set_text(struct options *o, const struct option *row,
                             const char *text, struct err *err)
{
    const char *copy = NULL;
    if (text)
        TRY(options_copy(o, &copy, text, strlen(text), err));
    memcpy(member(o, row), &copy, sizeof copy);
    return OK;
}

/* "ORIGIN: KEY = TEXT <what>" */
static enum status refuse(const struct option *row, const char *text,
                          const char *origin, const char *what, struct err *err)
{
    return err_set(err, ERR_ARG, "%s: %s = %.80s %s", origin, row->key, text,
                   what);
}

static enum status outside(const struct option *row, const char *text,
                           const char *origin, struct err *err)
{
    char what[96];
    if (row->high >= 1e300)
        snprintf(what, sizeof what, "is outside [%.15g, inf]", row->low);
    else
        snprintf(what, sizeof what, "is outside [%.15g, %.15g]", row->low,
                 row->high);
    return refuse(row, text, origin, what, err);
}

static enum status set_bool(struct options *o, const struct option *row,
                            const char *text, const char *origin,
                            struct err *err)
{
    bool value = strcmp(text, "true") == 0;
    if (!value && strcmp(text, "false") != 0)
        return refuse(row, text, origin, "is neither true nor false", err);
    memcpy(member(o, row), &value, sizeof value);
    return OK;
}

static enum status set_int(struct options *o, const struct option *row,
                           const char *text, const char *origin,
                           struct err *err)
{
    size_t len = strlen(text);
    if (len == 0 || strspn(text, "-0123456789") != len)
        return refuse(row, text, origin, "is not a whole number", err);
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (*end != '\0' || strcmp(text, "-") == 0)
        return refuse(row, text, origin, "is not a whole number", err);
    if (errno == ERANGE || (double)value < row->low ||
        (double)value > row->high)
        return outside(row, text, origin, err);
    int64_t number = value;
    memcpy(member(o, row), &number, sizeof number);
    return OK;
}

static enum status set_real(struct options *o, const struct option *row,
                            const char *text, const char *origin,
                            struct err *err)
{
    double value = (double)INFINITY;
    bool infinite = strcmp(text, "inf") == 0 || strcmp(text, ".inf") == 0;
    if (infinite && !(row->marks & OPTION_INFINITE))
        return outside(row, text, origin, err);
    if (!infinite) {
        size_t len = strlen(text);
        char *end;
        value = strtod(text, &end);
        if (len == 0 || strspn(text, "+-.0123456789eE") != len || *end != '\0')
            return refuse(row, text, origin, "is not a number", err);
        if (!(value >= row->low && value <= row->high))
            return outside(row, text, origin, err);
    }
    memcpy(member(o, row), &value, sizeof value);
    return OK;
}

/* Equal when '-' and '_' are the same. */
static bool is_same_word(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool is_dash = a[i] == '-' || a[i] == '_';
        bool is_same = is_dash ? b[i] == '-' || b[i] == '_' : a[i] == b[i];
        if (!is_same)
            return false;
    }
    return true;
}

static enum status set_choice(struct options *o, const struct option *row,
                              const char *text, const char *origin,
                              struct err *err)
{
    size_t len = strlen(text);
    int index = 0;
    for (const char *c = row->choices; *c; index++) {
        size_t n = strcspn(c, "|");
        if (n == len && is_same_word(c, text, n)) {
            memcpy(member(o, row), &index, sizeof index);
            return OK;
        }
        c += n + (c[n] == '|');
    }
    return err_set(err, ERR_ARG, "%s: %s = %.80s is none of %s", origin,
                   row->key, text, row->choices);
}

static enum status set_text(struct options *o, const struct option *row,
                            const char *text, const char *origin,
                            const char *dir, struct err *err)
{
    char path[FILE_PATH_MAX];
    if (strlen(text) >= FILE_PATH_MAX)
        return refuse(row, text, origin, "is too long", err);
    if (row->type == OPTION_PATH) {
        if (*text == '\0')
            return refuse(row, text, origin, "is empty", err);
        bool is_hub = row->parent >= PARENT_TOKENIZER &&
                      hub_is_meant(dir ? dir : "", text);
        if (dir && !is_hub && strcmp(text, "-") != 0) {
            TRY(file_join(path, dir, text, err));
            text = path;
        }
    }
    return options_set_text(o, row, text, err);
}

enum status options_set(struct options *o, const struct option *row,
                        const char *text, const char *origin, const char *dir,
                        struct err *err)
{
    bool is_text = row->type == OPTION_TEXT || row->type == OPTION_PATH;
    if (!text && is_text)
        return options_set_text(o, row, NULL, err);
    if (!text)
        return err_set(err, ERR_ARG, "%s: %s needs a value", origin, row->key);
    switch (row->type) {
    case OPTION_BOOL:
        return set_bool(o, row, text, origin, err);
    case OPTION_INT:
        return set_int(o, row, text, origin, err);
    case OPTION_REAL:
        return set_real(o, row, text, origin, err);
    case OPTION_CHOICE:
        return set_choice(o, row, text, origin, err);
    case OPTION_TEXT:
    case OPTION_PATH:
        break;
    }
    return set_text(o, row, text, origin, dir, err);
}

enum status options_init(struct options *o, struct err *err)
{
    memset(o, 0, sizeof *o);
    for (size_t i = 0; i < option_count(); i++) {
        enum status s = options_set(o, option_row(i), option_row(i)->fallback,
                                    "default", NULL, err);
        if (s != OK) {
            options_free(o);
            return s;
        }
    }
    return OK;
}

void options_free(struct options *o)
{
    arena_free(&o->text);
    mem_free(o->given);
    memset(o, 0, sizeof *o);
}

static enum status unknown(const char *key, const char *origin, struct err *err)
{
    const char *near = options_nearest(key, strlen(key), 0, false);
    if (near)
        return err_set(err, ERR_ARG,
                       "%s: unknown key '%.80s'; did you mean '%s'?", origin,
                       key, near);
    return err_set(err, ERR_ARG, "%s: unknown key '%.80s'", origin, key);
}

enum status options_give(struct options *o, const char *key, const char *text,
                         const char *origin, const char *dir, struct err *err)
{
    struct option_given g = {0};
    g.row = options_find(key, strlen(key), &g.is_hash);
    if (!g.row && !text && options_is_section(key))
        return OK; // "ppo:" with nothing under it
    if (!g.row)
        return unknown(key, origin, err);
    if (o->n_given >= GIVEN_MAX)
        return err_set(err, ERR_ARG, "%s: more than %d settings", origin,
                       GIVEN_MAX);
    if (text)
        TRY(options_copy(o, &g.text, text, strlen(text), err));
    TRY(options_copy(o, &g.origin, origin, strlen(origin), err));
    if (dir)
        TRY(options_copy(o, &g.dir, dir, strlen(dir), err));
    if (o->n_given == o->room) {
        size_t room = o->room ? 2 * o->room : 32;
        void *more = mem_grow(o->given, o->room, room, sizeof *o->given);
        if (!more)
            return err_set(err, ERR_MEMORY, "out of memory: %zu settings",
                           room);
        o->given = more;
        o->room = room;
    }
    o->given[o->n_given++] = g;
    return OK;
}

/* Apply the settings that choose a bundle, so that it can be laid under all
 * others. */
static enum status apply_given(struct options *o, bool choosers_only,
                               struct err *err)
{
    for (size_t i = 0; i < o->n_given; i++) {
        const struct option_given *g = &o->given[i];
        if (g->is_hash || (choosers_only && !bundle_is_chooser(g->row->key)))
            continue;
        TRY(options_set(o, g->row, g->text, g->origin, g->dir, err));
    }
    return OK;
}

/* What is said once of both programs, and what a stage is given of them. */
static void complete_outside(struct option_values *v)
{
    struct outside_values *outside = &v->outside;
    outside->reward.batch = outside->policy.batch = outside->batch;
    outside->reward.timeout = outside->policy.timeout = outside->timeout;
    v->ppo.reward_command = outside->reward;
}

enum status options_apply(struct options *o, struct err *err)
{
    TRY(apply_given(o, true, err));
    TRY(bundle_apply(o, err));
    TRY(apply_given(o, false, err));
    complete_outside(&o->v);
    return OK;
}

enum status options_check_needed(const struct options *o, unsigned command,
                                 struct err *err)
{
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *row = option_row(i);
        if ((row->commands & command) && (row->marks & OPTION_NEEDED) &&
            !options_text(o, row))
            return err_set(err, ERR_ARG, "%s is not set: %s", row->key,
                           row->help);
    }
    return OK;
}

static void print_real(struct buf *out, double x)
{
    char text[40];
    if (isinf(x)) {
        buf_puts(out, ".inf");
        return;
    }
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x)
            break;
    }
    buf_puts(out, text);
}

static void print_choice(struct buf *out, const char *choices, int index)
{
    while (index-- > 0)
        choices += strcspn(choices, "|") + 1;
    buf_append(out, choices, strcspn(choices, "|"));
}

static void print_text(struct buf *out, const char *text)
{
    struct json_writer w;
    json_writer_init(&w, out, false);
    json_put_text(&w, text);
}

void options_print_value(struct buf *out, const struct options *o,
                         const struct option *row)
{
    const void *at = member_const(o, row);
    switch (row->type) {
    case OPTION_BOOL:
        buf_puts(out, *(const bool *)at ? "true" : "false");
        break;
    case OPTION_INT:
        buf_printf(out, "%" PRId64, *(const int64_t *)at);
        break;
    case OPTION_REAL:
        print_real(out, *(const double *)at);
        break;
    case OPTION_CHOICE:
        print_choice(out, row->choices, *(const int *)at);
        break;
    case OPTION_TEXT:
    case OPTION_PATH:
        print_text(out, options_text(o, row)); // NULL becomes null
        break;
    }
}
