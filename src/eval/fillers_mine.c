#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eval/fillers.h"
#include "eval/sentence.h"

#define WORDS_LEAST 3
#define PROMPTS_LEAST 3
#define PROMPTS_SHARE 50 // one in so many
#define ALIKE_MOST 1.2
/* Of the prompts answered with a sentence, and of all, this many are compared
 * with each other: 1128 pairs tell a mean well. */
#define COMPARED 48

/* A sentence where it stands. */
struct place {
    const char *text;
    size_t len, prompt;
};

/* A sentence's run among the sorted places. */
struct found {
    size_t first, last; // of the places
    size_t prompts;     // different ones
};

/* The different words of a prompt, by their hashes, ascending. */
struct words {
    uint64_t *hash;
    size_t n;
};

static int by_text(const void *a, const void *b)
{
    const struct place *x = a;
    const struct place *y = b;
    size_t len = x->len < y->len ? x->len : y->len;
    int order = memcmp(x->text, y->text, len);
    if (order == 0)
        order = (x->len > y->len) - (x->len < y->len);
    return order != 0 ? order
                      : (x->prompt > y->prompt) - (x->prompt < y->prompt);
}

static bool same_text(const struct place *a, const struct place *b)
{
    return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static size_t count_words(const char *text, size_t len)
{
    size_t n = 0;
    bool is_inside = false;
    for (size_t i = 0; i < len; i++) {
        bool is_blank = strchr(" \t\r\n", text[i]) != NULL;
        n += !is_blank && !is_inside;
        is_inside = !is_blank;
    }
    return n;
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static enum status read_words(struct words *out, const char *text,
                              struct err *err)
{
    size_t len = strlen(text), n = 0, unique = 0;
    uint64_t *hash;
    TRY(MEM_NEW(hash, count_words(text, len) + 1, err));
    for (size_t at = 0; at < len;) {
        at += strspn(text + at, " \t\r\n");
        size_t end = at + strcspn(text + at, " \t\r\n");
        uint64_t h = UINT64_C(0xcbf29ce484222325); // FNV-1a
        for (size_t i = at; i < end; i++)
            h = (h ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
        if (end > at)
            hash[n++] = h;
        at = end;
    }
    if (n > 1)
        qsort(hash, n, sizeof *hash, ascending);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || hash[i] != hash[i - 1])
            hash[unique++] = hash[i];
    *out = (struct words){hash, unique};
    return OK;
}

static double jaccard(const struct words *a, const struct words *b)
{
    size_t both = 0;
    for (size_t i = 0, j = 0; i < a->n && j < b->n;) {
        if (a->hash[i] == b->hash[j]) {
            both++;
            i++;
            j++;
        } else if (a->hash[i] < b->hash[j]) {
            i++;
        } else {
            j++;
        }
    }
    size_t either = a->n + b->n - both;
    return either > 0 ? (double)both / (double)either : 1;
}

/* Mean similarity of the pairs of n prompts, of which COMPARED are taken at
 * equal distances. */
static double similarity(const struct words *words, const size_t *prompt,
                         size_t n)
{
    size_t m = n < COMPARED ? n : COMPARED;
    double sum = 0, pairs = 0;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < i; j++) {
            sum +=
                jaccard(&words[prompt[i * n / m]], &words[prompt[j * n / m]]);
            pairs++;
        }
    return pairs > 0 ? sum / pairs : 0;
}

struct mine {
    const struct fillers_replies *replies;
    struct place *place;
    size_t n_place, room;
    struct words *words; // [n_prompts]
    struct found *found;
    size_t n_found;
    size_t *prompt; // [n_prompts] scratch
};

static void mine_free(struct mine *m)
{
    for (size_t i = 0; m->words != NULL && i < m->replies->n_prompts; i++)
        mem_free(m->words[i].hash);
    mem_free(m->words);
    mem_free(m->place);
    mem_free(m->found);
    mem_free(m->prompt);
}

static enum status add_places(struct mine *m, size_t reply, struct err *err)
{
    struct sentence *s;
    size_t n;
    const char *text = m->replies->text[reply];
    TRY(sentence_cut(&s, &n, text, strlen(text), err));
    if (m->n_place + n > m->room) {
        size_t room = 2 * (m->room + n);
        struct place *grown =
            mem_grow(m->place, m->n_place, room, sizeof *grown);
        if (grown == NULL) {
            mem_free(s);
            return err_set(err, ERR_MEMORY, "out of memory: sentences");
        }
        m->place = grown;
        m->room = room;
    }
    for (size_t i = 0; i < n; i++)
        if (s[i].is_closed && s[i].core <= FILLERS_LENGTH_MAX &&
            count_words(s[i].text, s[i].core) >= WORDS_LEAST)
            m->place[m->n_place++] =
                (struct place){s[i].text, s[i].core, m->replies->prompt[reply]};
    mem_free(s);
    return OK;
}

/* The different prompts of places first..last-1 into m->prompt. */
static size_t list_prompts(struct mine *m, size_t first, size_t last)
{
    size_t n = 0;
    for (size_t i = first; i < last; i++)
        if (i == first || m->place[i].prompt != m->place[i - 1].prompt)
            m->prompt[n++] = m->place[i].prompt;
    return n;
}

/* Runs of one text that stand in enough prompts of enough kinds. */
static enum status find_runs(struct mine *m, struct err *err)
{
    size_t n = m->replies->n_prompts;
    size_t least = n / PROMPTS_SHARE;
    if (least < PROMPTS_LEAST)
        least = PROMPTS_LEAST;
    for (size_t i = 0; i < n; i++)
        m->prompt[i] = i;
    double usual = similarity(m->words, m->prompt, n);
    TRY(MEM_NEW(m->found, m->n_place + 1, err));
    for (size_t first = 0, last; first < m->n_place; first = last) {
        last = first + 1;
        while (last < m->n_place &&
               same_text(&m->place[first], &m->place[last]))
            last++;
        size_t prompts = list_prompts(m, first, last);
        if (prompts >= least &&
            similarity(m->words, m->prompt, prompts) <= ALIKE_MOST * usual)
            m->found[m->n_found++] = (struct found){first, last, prompts};
    }
    return OK;
}

/* The most frequent first; runs are sorted by text, so `first` settles ties. */
static int by_prompts(const void *a, const void *b)
{
    const struct found *x = a;
    const struct found *y = b;
    int order = (x->prompts < y->prompts) - (x->prompts > y->prompts);
    return order != 0 ? order : (x->first > y->first) - (x->first < y->first);
}

static enum status deliver(struct fillers_list *out, struct mine *m,
                           struct err *err)
{
    struct fillers_list list = {.n = 0};
    size_t n = m->n_found < FILLERS_MINED_MAX ? m->n_found : FILLERS_MINED_MAX;
    enum status status = OK;
    if (m->n_found > 1)
        qsort(m->found, m->n_found, sizeof *m->found, by_prompts);
    TRY(MEM_NEW(list.text, n, err));
    list.room = n;
    for (size_t i = 0; i < n; i++) {
        const struct place *p = &m->place[m->found[i].first];
        TRY_DONE(MEM_NEW(list.text[i], p->len + 1, err));
        memcpy(list.text[i], p->text, p->len);
        list.n++;
    }
    *out = list;
done:
    if (status != OK)
        fillers_free_list(&list);
    return status;
}

enum status fillers_mine(struct fillers_list *out,
                         const struct fillers_replies *replies, struct err *err)
{
    enum status status = OK;
    struct mine m = {.replies = replies};
    TRY_DONE(MEM_NEW(m.words, replies->n_prompts, err));
    TRY_DONE(MEM_NEW(m.prompt, replies->n_prompts, err));
    for (size_t i = 0; i < replies->n_prompts; i++)
        TRY_DONE(read_words(&m.words[i], replies->prompt_text[i], err));
    for (size_t i = 0; i < replies->n; i++)
        TRY_DONE(add_places(&m, i, err));
    if (m.n_place > 1)
        qsort(m.place, m.n_place, sizeof *m.place, by_text);
    TRY_DONE(find_runs(&m, err));
    TRY_DONE(deliver(out, &m, err));
done:
    mine_free(&m);
    return status;
}
