#include "import/textlog.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *textlog_after(const char *line, const char *mark)
{
    const char *at = strstr(line, mark);
    return at != NULL ? at + strlen(mark) : NULL;
}

/* What may stand around a number. */
static const char *skip_wrapping(const char *at)
{
    static const char *const wraps[] = {"tensor(", "np.float64(", "np.float32(",
                                        "np.int64("};
    at += strspn(at, " \t'\"[");
    for (size_t i = 0; i < sizeof wraps / sizeof *wraps; i++)
        if (strncmp(at, wraps[i], strlen(wraps[i])) == 0)
            at += strlen(wraps[i]);
    return at;
}

bool textlog_number(double *out, const char *text, const char **end)
{
    char word[64];
    const char *at = skip_wrapping(text);
    size_t n = strspn(at, "0123456789+-.eEnaifNINFty");
    if (strncmp(at, "None", 4) == 0) {
        *out = (double)NAN;
        *end = at + 4;
        return true;
    }
    if (n == 0 || n >= sizeof word)
        return false;
    memcpy(word, at, n);
    word[n] = '\0';
    /* "1.23e-05," may be followed by letters that belong to no number. */
    while (n > 0 && !value_text_number(out, word))
        word[--n] = '\0';
    *end = at + n;
    return n > 0;
}

bool textlog_find(double *out, const char *line, const char *mark)
{
    const char *at = textlog_after(line, mark), *end;
    return at != NULL && textlog_number(out, at, &end);
}

int64_t textlog_step(const char *text, const char **end)
{
    int64_t n = 0;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 9)
        return -1;
    for (size_t i = 0; i < digits; i++)
        n = 10 * n + (text[i] - '0');
    *end = text + digits;
    return n;
}

const char *textlog_step_line(int64_t *step, const char *line, const char *mark,
                              const char *sep)
{
    const char *at = textlog_after(line, mark), *end;
    if (at == NULL || (*step = textlog_step(at, &end)) < 0 ||
        strncmp(end, sep, strlen(sep)) != 0)
        return NULL;
    return end + strlen(sep);
}

/* The name in front of a colon: without blanks and quotes around it. */
static bool copy_name(char out[256], const char *from, const char *to)
{
    while (from < to && strchr(" \t'\"{,|", *from) != NULL)
        from++;
    while (to > from && strchr(" \t'\"", to[-1]) != NULL)
        to--;
    size_t n = (size_t)(to - from);
    if (n == 0 || n > 199)
        return false;
    memcpy(out, from, n);
    out[n] = '\0';
    return strchr(out, '\t') == NULL;
}

enum status textlog_pairs(size_t *n, struct reader *r, int64_t step,
                          const char *text, const char *colon, const char *gap,
                          struct err *err)
{
    char name[256];
    const char *end;
    double value;
    *n = 0;
    while (text != NULL && *text != '\0') {
        const char *stop = strstr(text, gap);
        const char *mid = strstr(text, colon);
        if (mid != NULL && (stop == NULL || mid < stop) &&
            copy_name(name, text, mid) &&
            textlog_number(&value, mid + strlen(colon), &end) &&
            (stop == NULL || end <= stop + strlen(gap))) {
            TRY(sink_put_metric(r->sink, step, name, value, err));
            (*n)++;
        }
        text = stop != NULL ? stop + strlen(gap) : NULL;
    }
    return OK;
}
