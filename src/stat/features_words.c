#include "stat/features_words.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_stop(char c)
{
    return c == '.' || c == '?' || c == '!';
}

static bool is_mark(char c)
{
    return is_stop(c) || c == ',';
}

/* Letter or digit; every byte beyond ASCII is part of one. */
static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
}

/* The next word at or after *at, cut between white space. */
static bool next_marked(struct features_word *word, const char **at,
                        const char *end)
{
    const char *first = *at;
    while (first < end && is_space(*first))
        first++;
    if (first == end)
        return false;
    const char *stop = first + 1;
    if (!is_mark(*first))
        while (stop < end && !is_space(*stop) && !is_mark(*stop))
            stop++;
    *word =
        (struct features_word){.text = first, .len = (size_t)(stop - first)};
    *at = stop;
    return true;
}

/* The next run of letters, digits and apostrophes, without the apostrophes
 * around it. */
static bool next_plain(struct features_word *word, const char **at,
                       const char *end)
{
    const char *first = *at;
    while (first < end && !is_letter(*first))
        first++;
    if (first == end)
        return false;
    const char *stop = first;
    while (stop < end && (is_letter(*stop) || *stop == '\''))
        stop++;
    *at = stop;
    while (stop[-1] == '\'')
        stop--;
    *word =
        (struct features_word){.text = first, .len = (size_t)(stop - first)};
    return true;
}

static bool next_word(struct features_word *word, const char **at,
                      const char *end, enum features_cut how)
{
    return how == FEATURES_CUT_MARKS ? next_marked(word, at, end)
                                     : next_plain(word, at, end);
}

static uint64_t hash_of(const struct features_word *word)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < word->len; i++)
        hash = (hash ^ (unsigned char)word->text[i]) * UINT64_C(0x100000001b3);
    return hash;
}

enum status features_words_cut(struct features_words *out, const char *text,
                               size_t len, enum features_cut how,
                               struct err *err)
{
    *out = (struct features_words){.slots = 1};
    struct features_word word;
    size_t n = 0;
    for (const char *at = text; next_word(&word, &at, text + len, how);)
        n++;
    while (out->slots < 2 * n)
        out->slots *= 2;
    TRY(MEM_NEW(out->word, n, err));
    TRY(MEM_NEW(out->run, n, err));
    TRY(MEM_NEW(out->slot, out->slots, err));
    for (const char *at = text; next_word(&word, &at, text + len, how);) {
        word.hash = hash_of(&word);
        out->word[out->n++] = word;
    }
    return OK;
}

void features_words_free(struct features_words *w)
{
    mem_free(w->slot);
    mem_free(w->run);
    mem_free(w->word);
    *w = (struct features_words){0};
}

static bool is_same(const struct features_run *x, const struct features_run *y)
{
    if (x->n != y->n)
        return false;
    for (size_t i = 0; i < x->n; i++) {
        const struct features_word *v = &x->word[i];
        const struct features_word *w = &y->word[i];
        if (v->hash != w->hash || v->len != w->len ||
            memcmp(v->text, w->text, v->len) != 0)
            return false;
    }
    return true;
}

/* The slot of the table that holds such a run, or the free one where it
 * belongs.  A slot holds a run's index and 1; 0 is free. */
static size_t slot_of(const struct features_words *table,
                      const struct features_run *run)
{
    uint64_t hash = run->n;
    for (size_t i = 0; i < run->n; i++) {
        hash = (hash ^ run->word[i].hash) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    size_t at = (size_t)hash & (table->slots - 1);
    while (table->slot[at] != 0 &&
           !is_same(run, &table->run[table->slot[at] - 1]))
        at = (at + 1) & (table->slots - 1);
    return at;
}

/* Enter w->run[0..n-1]; how many there are of which none was before. */
static size_t enter_runs(struct features_words *w, size_t n)
{
    size_t different = 0;
    memset(w->slot, 0, w->slots * sizeof *w->slot);
    for (size_t i = 0; i < n; i++) {
        size_t at = slot_of(w, &w->run[i]);
        if (w->slot[at] != 0)
            continue;
        w->slot[at] = (uint32_t)(i + 1);
        different++;
    }
    return different;
}

size_t features_words_grams(struct features_words *w, size_t n)
{
    size_t count = w->n >= n ? w->n - n + 1 : 0;
    for (size_t i = 0; i < count; i++)
        w->run[i] = (struct features_run){w->word + i, n};
    return count;
}

/* Does a sentence end with word i of the n? */
static bool ends(const struct features_words *w, size_t i, bool is_plain)
{
    if (i + 1 == w->n)
        return true;
    const char *after = w->word[i].text + w->word[i].len;
    const char *next = w->word[i + 1].text;
    if (is_stop(w->word[i].text[0]))
        return is_plain || after < next || !is_letter(*next);
    return !is_plain && memchr(after, '\n', (size_t)(next - after)) != NULL;
}

/* The number of a list item is no sentence. */
static bool has_letter(const struct features_run *run)
{
    for (size_t i = 0; i < run->n; i++)
        for (size_t k = 0; k < run->word[i].len; k++)
            if (is_letter(run->word[i].text[k]) &&
                !(run->word[i].text[k] >= '0' && run->word[i].text[k] <= '9'))
                return true;
    return false;
}

size_t features_words_sentences(struct features_words *w, bool is_plain)
{
    size_t count = 0;
    size_t first = 0;
    for (size_t i = 0; i < w->n; i++) {
        if (!ends(w, i, is_plain))
            continue;
        struct features_run run = {w->word + first, i + 1 - first};
        if (is_plain || has_letter(&run))
            w->run[count++] = run;
        first = i + 1;
    }
    return count;
}

double features_words_repeated(struct features_words *w, size_t n)
{
    return n > 0 ? (double)(n - enter_runs(w, n)) / (double)n : 0;
}

double features_words_shared(const struct features_words *w, size_t n,
                             struct features_words *of, size_t m)
{
    size_t found = 0;
    if (n == 0 || m == 0)
        return 0;
    (void)enter_runs(of, m);
    for (size_t i = 0; i < n; i++)
        found += of->slot[slot_of(of, &w->run[i])] != 0;
    return (double)found / (double)n;
}

/* What a character of punctuation beyond ASCII is read as, or 0. */
static char plain_mark(uint32_t code)
{
    switch (code) {
    case 0x2018:
    case 0x2019:
        return '\'';
    case 0x2026:
    case 0x3002:
    case 0xFF0E:
        return '.';
    case 0xFF01:
        return '!';
    case 0xFF1F:
        return '?';
    case 0x3001:
    case 0xFF0C:
        return ',';
    default:
        if (code == 0xA0 || (code >= 0x2000 && code <= 0x206F) ||
            (code >= 0x3000 && code <= 0x3003))
            return ' ';
        return 0;
    }
}

size_t features_words_fold(char *out, const char *text, size_t len)
{
    size_t n = 0;
    for (size_t at = 0; at < len;) {
        char c = text[at];
        if ((unsigned char)c < 0x80) {
            if (c >= 'A' && c <= 'Z')
                c = (char)(c - 'A' + 'a');
            out[n++] = c;
            at++;
            continue;
        }
        size_t bad = 0;
        size_t bytes = utf8_length(text + at, len - at, &bad);
        char mark = 0;
        if (bytes > 0)
            mark = plain_mark(utf8_decode(text + at, &bytes));
        else
            bytes = bad;
        if (mark != 0) {
            out[n++] = mark;
        } else {
            memcpy(out + n, text + at, bytes);
            n += bytes;
        }
        at += bytes;
    }
    return n;
}
