#include "report/essay.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "report/essay_internal.h"

#define TEXT_MAX ((size_t)1 << 20)

/* ---- rows --------------------------------------------------------------- */

static const struct finding *row_of(const struct essay *y, const char *id)
{
    assert(y->d != NULL);
    const struct rows rows = diagnose_rows(y->d);
    if (strcmp(id, "ship") == 0)
        return &y->d->ship.row;
    return rivals_row(&rows, id);
}

static const struct rival *rival_of(const struct diagnosis *d, const char *id)
{
    for (size_t i = 0; i < RIVALS; i++)
        if (d->rival[i].id != NULL && strcmp(d->rival[i].id, id) == 0)
            return &d->rival[i];
    return NULL;
}

enum verdict essay_verdict(const struct essay *y, const char *row)
{
    const struct finding *f = row_of(y, row);
    if (f != NULL)
        return f->verdict;
    const struct rival *r = rival_of(y->d, row);
    return r != NULL ? r->verdict : VERDICT_NOT_MEASURABLE;
}

bool essay_is(const struct essay *y, const char *row)
{
    return essay_verdict(y, row) == VERDICT_SUPPORTED;
}

const char *essay_needs(const struct essay *y, const char *row)
{
    const struct finding *f = row_of(y, row);
    return f != NULL ? f->needs : "";
}

bool essay_has_told(const struct essay *y, const char *row)
{
    size_t len = strlen(row);
    for (size_t i = 0; i < y->n_sentences; i++)
        for (const char *id = y->sentence[i].rows; *id != '\0';) {
            size_t n = strcspn(id, " ");
            if (n == len && memcmp(id, row, n) == 0)
                return true;
            id += n + strspn(id + n, " ");
        }
    return false;
}

struct essay_source essay_find(const struct essay *y, const char *ref)
{
    struct essay_source s = {.e = summary_nothing()};
    char id[32];
    size_t len = strcspn(ref, ".");
    if (len >= sizeof id)
        return s;
    (void)snprintf(id, sizeof id, "%.*s", (int)len, ref);
    s.row = row_of(y, id);
    s.is_detail = ref[len] == '.';
    if (s.row != NULL)
        s.e = s.is_detail ? measures_find(&s.row->detail, ref + len + 1)
                          : s.row->e;
    return s;
}

double essay_estimate(const struct essay *y, const char *ref)
{
    return essay_find(y, ref).e.estimate;
}

/* ---- terms -------------------------------------------------------------- */

const char *essay_term(struct essay *y, enum essay_term term)
{
    static const struct {
        enum essay_term term;
        const char *text;
    } terms[] = {
        {TERM_REWARD_MODEL, ", the network that learnt from people's rankings "
                            "how good a reply is,"},
        {TERM_REFERENCE, ", the frozen model that training began with"},
        {TERM_KL, " (the mean logarithm of how much likelier it finds its own "
                  "replies than the reference does, in nats)"},
        {TERM_ADVANTAGE, ": how much better things turned out than expected"},
        {TERM_CLIP, ", which ignores a token once an update has changed its "
                    "probability by a set factor,"},
        {TERM_GOLD, ", the simulated desk's own rule,"},
        {TERM_PLACEBO, ", mixed in as a placebo,"},
        {TERM_POINTS, " (the difference of two percentages)"},
        {TERM_SCORE, "normalised "},
    };
    if ((y->terms | y->pending) & (unsigned)term)
        return "";
    y->pending |= (unsigned)term;
    for (size_t i = 0; i < sizeof terms / sizeof *terms; i++)
        if (terms[i].term == term)
            return terms[i].text;
    return "";
}

/* ---- sentences ---------------------------------------------------------- */

/* A paragraph that claims nothing goes. */
static void close_paragraph(struct essay *y)
{
    if (y->n_paragraphs == 0)
        return;
    struct essay_paragraph *p = &y->paragraph[y->n_paragraphs - 1];
    bool has_claim = false;
    for (size_t i = p->first; i < p->first + p->n; i++)
        has_claim = has_claim || y->sentence[i].kind != ESSAY_PLAIN;
    if (has_claim)
        return;
    y->n_sentences = p->first;
    y->n_paragraphs--;
}

static bool is_full(struct essay *y, size_t n, size_t max)
{
    if (n < max)
        return false;
    if (y->text.code == OK)
        y->text.code = ERR_LIMIT;
    return true;
}

void essay_open(struct essay *y, const char *title, unsigned figures)
{
    close_paragraph(y);
    if (is_full(y, y->n_paragraphs, ESSAY_PARAGRAPHS_MAX))
        return;
    y->paragraph[y->n_paragraphs++] =
        (struct essay_paragraph){title, figures, y->n_sentences, 0};
}

/* Do all rows have this verdict? */
static bool rows_are(const struct essay *y, const char *rows, enum verdict v)
{
    while (*rows != '\0') {
        char id[32];
        size_t len = strcspn(rows, " ");
        (void)snprintf(id, sizeof id, "%.*s", (int)len, rows);
        if (essay_verdict(y, id) != v)
            return false;
        rows += len + strspn(rows + len, " ");
    }
    return true;
}

static bool add(struct essay *y, enum essay_kind kind, const char *rows,
                bool is_right, const char *fmt, va_list args)
{
    bool has_hole = y->has_hole;
    unsigned pending = y->pending;
    y->has_hole = false;
    y->pending = 0;
    if (!is_right || has_hole || y->n_paragraphs == 0 ||
        is_full(y, y->n_sentences, ESSAY_SENTENCES_MAX))
        return false;
    struct essay_sentence *s = &y->sentence[y->n_sentences++];
    *s = (struct essay_sentence){.kind = kind, .at = y->text.len};
    (void)snprintf(s->rows, sizeof s->rows, "%s", rows);
    buf_vprintf(&y->text, fmt, args);
    s->len = y->text.len - s->at;
    y->paragraph[y->n_paragraphs - 1].n++;
    y->terms |= pending;
    return true;
}

bool essay_say(struct essay *y, const char *rows, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    bool is_taken = add(y, ESSAY_SUPPORTED, rows,
                        rows_are(y, rows, VERDICT_SUPPORTED), fmt, args);
    va_end(args);
    return is_taken;
}

bool essay_deny(struct essay *y, const char *rows, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    bool is_taken = add(y, ESSAY_REFUTED, rows,
                        rows_are(y, rows, VERDICT_NOT_SUPPORTED), fmt, args);
    va_end(args);
    return is_taken;
}

bool essay_lack(struct essay *y, const char *rows, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    bool is_taken = add(y, ESSAY_UNTESTED, rows,
                        rows_are(y, rows, VERDICT_NOT_MEASURABLE), fmt, args);
    va_end(args);
    return is_taken;
}

bool essay_tell(struct essay *y, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    bool is_taken = add(y, ESSAY_PLAIN, "", true, fmt, args);
    va_end(args);
    return is_taken;
}

bool essay_advise(struct essay *y, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    bool is_taken = add(y, ESSAY_ADVICE, "", true, fmt, args);
    va_end(args);
    return is_taken;
}

/* ---- the whole ---------------------------------------------------------- */

enum status essay_build(struct essay *out, const struct diagnosis *d,
                        const struct evidence *e, struct err *err)
{
    *out = (struct essay){.d = d, .e = e};
    buf_init(&out->text, TEXT_MAX);
    essay_shape(out);
    close_paragraph(out);
    enum status status = buf_status(&out->text, err);
    if (status != OK)
        essay_free(out);
    return status;
}

void essay_free(struct essay *y)
{
    buf_free(&y->text);
    y->n_paragraphs = y->n_sentences = 0;
}

/* ---- reading ------------------------------------------------------------ */

bool essay_next(struct essay_piece *out, const struct essay *y,
                const struct essay_sentence *s, size_t *at)
{
    const char *text = buf_text(&y->text) + s->at;
    const char *end = text + s->len;
    const char *p = text + *at;
    *out = (struct essay_piece){.ref = NULL};
    if (p >= end)
        return false;
    if (*p != '\1') {
        const char *mark = memchr(p, '\1', (size_t)(end - p));
        out->text = p;
        out->text_len = (size_t)((mark != NULL ? mark : end) - p);
        *at += out->text_len;
        return true;
    }
    const char *note = memchr(p, '\2', (size_t)(end - p));
    const char *shown =
        note != NULL ? memchr(note + 1, '\2', (size_t)(end - note - 1)) : NULL;
    const char *stop =
        shown != NULL ? memchr(shown, '\3', (size_t)(end - shown)) : NULL;
    if (stop == NULL)
        return false;
    out->ref = p + 1;
    out->ref_len = (size_t)(note - out->ref);
    out->note = note + 1;
    out->note_len = (size_t)(shown - out->note);
    out->text = shown + 1;
    out->text_len = (size_t)(stop - out->text);
    *at = (size_t)(stop + 1 - text);
    return true;
}
