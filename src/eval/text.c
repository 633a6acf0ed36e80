#include "eval/text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* A run of words inside a text: a sentence or four words in a row. */
struct run {
    const struct word *word;
    size_t n;
};

struct word {
    const char *text;
    size_t len;
};

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_stop(char c)
{
    return c == '.' || c == '?' || c == '!';
}

/* Cut a text into words; word has room for one a byte. */
static size_t cut(struct word *word, const char *text)
{
    size_t n = 0;
    for (const char *at = text; *at != '\0';) {
        const char *first = at;
        if (is_space(*at)) {
            at++;
            continue;
        }
        do
            at++;
        while (*at != '\0' && !is_space(*at) && !is_stop(*at) && *at != ',' &&
               !is_stop(*first) && *first != ',');
        word[n++] = (struct word){first, (size_t)(at - first)};
    }
    return n;
}

static int compare(const void *a, const void *b)
{
    const struct run *x = a;
    const struct run *y = b;
    for (size_t i = 0; i < x->n && i < y->n; i++) {
        const struct word *v = &x->word[i];
        const struct word *w = &y->word[i];
        size_t len = v->len < w->len ? v->len : w->len;
        int order = memcmp(v->text, w->text, len);
        if (order != 0)
            return order;
        if (v->len != w->len)
            return v->len < w->len ? -1 : 1;
    }
    return (x->n > y->n) - (x->n < y->n);
}

/* Share of the runs that equal another one which stands before them. */
static double repeated(struct run *run, size_t n)
{
    size_t again = 0;
    if (n == 0)
        return 0;
    qsort(run, n, sizeof *run, compare);
    for (size_t i = 1; i < n; i++)
        again += compare(&run[i - 1], &run[i]) == 0;
    return (double)again / (double)n;
}

static size_t sentences(struct run *run, const struct word *word, size_t n)
{
    size_t count = 0;
    size_t first = 0;
    for (size_t i = 0; i < n; i++) {
        if (!is_stop(word[i].text[0]) && i + 1 < n)
            continue;
        run[count++] = (struct run){word + first, i + 1 - first};
        first = i + 1;
    }
    return count;
}

enum status text_repetition(struct text_repetition *out, const char *text,
                            struct err *err)
{
    enum status status = OK;
    size_t len = strlen(text);
    struct word *word = NULL;
    struct run *run = NULL;
    TRY_DONE(MEM_NEW(word, len, err));
    size_t n = cut(word, text);
    TRY_DONE(MEM_NEW(run, n, err));
    out->sentences = repeated(run, sentences(run, word, n));
    size_t n_four = n >= 4 ? n - 3 : 0;
    for (size_t i = 0; i < n_four; i++)
        run[i] = (struct run){word + i, 4};
    out->fourgrams = repeated(run, n_four);
done:
    mem_free(run);
    mem_free(word);
    return status;
}
