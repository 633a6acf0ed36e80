#include <math.h>
#include <stdio.h>
#include <string.h>

#include "diagnose/evidence_internal.h"

/* ---- rows that are there twice ------------------------------------------ */

#define ROW_NAME_MAX ((size_t)1 << 24)

enum status evidence_see(bool *is_again, struct evidence_seen *s,
                         const char *key, const char *rest, size_t line,
                         const char *what, struct err *err)
{
    struct buf whole;
    size_t index, before = s->key.n;
    *is_again = false;
    TRY(names_add(&s->key, &index, key, err));
    *is_again = index < before;
    buf_init(&whole, ROW_NAME_MAX);
    buf_printf(&whole, "%s %s", key, rest);
    enum status status = buf_status(&whole, err);
    before = s->whole.n;
    if (status == OK)
        status = names_add(&s->whole, &index, buf_text(&whole), err);
    buf_free(&whole);
    TRY(status);
    if (*is_again && index == before)
        return err_set(
            err, ERR_MISMATCH,
            "%s: another row before it is of %.120s too, and differs", what,
            key);
    if (*is_again && s->again++ == 0)
        s->line = line;
    return OK;
}

enum status evidence_lose_again(struct evidence *e,
                                const struct evidence_seen *s, const char *what,
                                const char *command, struct err *err)
{
    struct err reason;
    if (s->again == 0)
        return OK;
    (void)err_set(&reason, ERR_FORMAT,
                  "%zu %s there twice and counted once, the first on line %zu",
                  s->again, s->again == 1 ? "row is" : "rows are", s->line);
    return evidence_lose_part(e, what, command, &reason, err);
}

void evidence_seen_free(struct evidence_seen *s)
{
    names_free(&s->key);
    names_free(&s->whole);
}

enum status evidence_see_vote(bool *is_again, struct evidence_seen *s,
                              const struct json *row, size_t line,
                              const char *what, struct err *err)
{
    const char *pair = json_text(json_get(row, "pair_id"), NULL);
    const char *pool = json_text(json_get(row, "pool"), NULL);
    const char *judge = json_text(json_get(row, "judge"), NULL);
    struct buf key, rest;
    *is_again = false;
    if (pair == NULL || judge == NULL)
        return OK;
    buf_init(&key, ROW_NAME_MAX);
    buf_init(&rest, ROW_NAME_MAX);
    buf_printf(&key, "pair %s, visit %lld, judge %s", pair,
               (long long)json_int(json_get(row, "visit"), 1), judge);
    if (pool != NULL)
        buf_printf(&key, ", pool %s", pool);
    json_dump(&rest, row);
    enum status status = buf_status(&key, err);
    if (status == OK)
        status = buf_status(&rest, err);
    if (status == OK) {
        char hash[32];
        (void)snprintf(hash, sizeof hash, "%016llx",
                       (unsigned long long)names_hash(buf_text(&rest)));
        status =
            evidence_see(is_again, s, buf_text(&key), hash, line, what, err);
    }
    buf_free(&key);
    buf_free(&rest);
    return status;
}

/* ---- numbers ------------------------------------------------------------ */

enum status evidence_read_sum(double *out, const struct json *row,
                              const char *key, const char *what,
                              struct err *err)
{
    const struct json *array = json_get(row, key);
    double sum = 0;
    *out = (double)NAN;
    if (array == NULL || json_is_null(array))
        return OK;
    if (!json_is_array(array))
        return err_set(err, ERR_FORMAT, "%s: %s is not an array", what, key);
    for (size_t i = 0; i < json_size(array); i++) {
        const struct json *item = json_at(array, i);
        if (!json_is_null(item) && !json_is_number(item))
            return err_set(err, ERR_FORMAT, "%s: %s[%zu] is not a number", what,
                           key, i);
        sum += json_number(item, (double)NAN);
    }
    *out = sum;
    return OK;
}

static bool is_one_of(const char *key, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(key, names[i]) == 0)
            return true;
    return false;
}

static enum status check_member(const char *key, const struct json *x,
                                struct err *err)
{
    static const char *const numbers[] = {
        "estimate", "low",       "high",   "mean",  "sd",  "n",
        "steps",    "iteration", "tokens", "batch", "step"};
    enum {
        N = sizeof numbers / sizeof *numbers,
        COUNTS = 5 // those before may be negative
    };
    if ((json_is_string(x) || json_is_bool(x)) && is_one_of(key, numbers, N))
        return err_set(err, ERR_FORMAT, "a member \"%s\" is not a number", key);
    if (json_number(x, 0) < 0 && is_one_of(key, numbers + COUNTS, N - COUNTS))
        return err_set(err, ERR_FORMAT, "a member \"%s\" is %g", key,
                       json_number(x, 0));
    return OK;
}

enum status evidence_check_numbers(const struct json *node, struct err *err)
{
    if (fabs(json_number(node, 0)) > EVIDENCE_NUMBER_MAX)
        return err_set(err, ERR_FORMAT, "a number is %g", json_number(node, 0));
    for (const void *it = json_first(node); it != NULL;
         it = json_next(node, it)) {
        TRY(check_member(json_key(it), json_value(it), err));
        TRY(evidence_check_numbers(json_value(it), err));
    }
    for (size_t i = 0; json_is_array(node) && i < json_size(node); i++)
        TRY(evidence_check_numbers(json_at(node, i), err));
    return OK;
}
