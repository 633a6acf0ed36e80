#include "import/textlog.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *textlog_after(const char *line, const char *mark)
{
    const char *at = strstr(line, mark);
    return at != NULL ? at + strlen(mark) : NULL;
}

/* The length of "tensor(", "torch.tensor(", "np.float32(" and the like in
 * front of a number; 0: none. */
static size_t call_length(const char *at)
{
    static const char *const begins[] = {"tensor(", "array(", "np.",
                                         "torch.tensor(", "numpy."};
    size_t n = strspn(at, "abcdefghijklmnopqrstuvwxyz_.0123456789");
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
        if (at[n] == '(' && strncmp(at, begins[i], strlen(begins[i])) == 0)
            return n + 1;
    return 0;
}

/* What may stand around a number; *calls brackets are to be closed. */
static const char *skip_wrapping(const char *at, size_t *calls)
{
    *calls = 0;
    for (size_t n;; at += n, ++*calls) {
        at += strspn(at, " \t'\"[");
        n = call_length(at);
        if (n == 0)
            return at;
    }
}

/* Behind ", device='cuda:0')", where that is all there is. */
static const char *close_calls(const char *at, size_t calls)
{
    for (; calls > 0 && at != NULL; calls--) {
        at = strchr(at, ')');
        at = at != NULL ? at + 1 : NULL;
    }
    return at;
}

bool textlog_number(double *out, const char *text, const char **end)
{
    char word[64];
    size_t calls;
    const char *at = skip_wrapping(text, &calls);
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
    const char *closed = close_calls(at + n, calls);
    *end = closed != NULL ? closed : at + n;
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

/* One "NAME<colon>VALUE", which ends at *stop (NULL: at the end of the text) or
 * behind it where a value has `gap` in it: *stop is then the next one. */
static enum status take_pair(bool *is_read, const char **stop, struct reader *r,
                             int64_t step, const char *text, const char *colon,
                             const char *gap, struct err *err)
{
    char name[256];
    const char *end = text, *mid = strstr(text, colon);
    double value;
    *is_read = false;
    if (mid == NULL || (*stop != NULL && mid >= *stop) ||
        !copy_name(name, text, mid))
        return OK;
    if (!textlog_number(&value, mid + strlen(colon), &end))
        return notes_warn(&r->sink->notes, "pairs_unread", 1, err,
                          "values in lines of a step that are no numbers, "
                          "among them of %.80s",
                          name);
    if (*stop != NULL && end > *stop + strlen(gap))
        *stop = strstr(end, gap);
    *is_read = true;
    return sink_put_metric(r->sink, step, name, value, err);
}

enum status textlog_pairs(size_t *n, struct reader *r, int64_t step,
                          const char *text, const char *colon, const char *gap,
                          struct err *err)
{
    *n = 0;
    while (text != NULL && *text != '\0') {
        const char *stop = strstr(text, gap);
        bool is_read;
        TRY(take_pair(&is_read, &stop, r, step, text, colon, gap, err));
        *n += is_read;
        text = stop != NULL ? stop + strlen(gap) : NULL;
    }
    return OK;
}
