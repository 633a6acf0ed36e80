#include "eval/edit.h"

#include <string.h>

const char *edit_name(enum edit e)
{
    static const char *const name[EDITS] = {
        [EDIT_PAD] = "pad",     [EDIT_RESTATE] = "restate",
        [EDIT_TRIM] = "trim",   [EDIT_REORDER] = "reorder",
        [EDIT_HEDGE] = "hedge", [EDIT_FLATTER] = "flatter",
        [EDIT_LIST] = "list",   [EDIT_BOLD] = "bold",
    };
    return name[e];
}

static void put_core(struct buf *out, const struct sentence *s)
{
    buf_append(out, s->text, s->core);
}

/* The white space behind a sentence. */
static void put_gap(struct buf *out, const struct sentence *s)
{
    buf_append(out, s->text + s->core, s->len - s->core);
}

void edit_append(struct buf *out, const struct edit_text *t,
                 const char *sentence)
{
    const struct sentence *last = &t->sentence[t->n - 1];
    buf_append(out, t->text, t->len);
    if (last->len == last->core)
        buf_putc(out, ' ');
    buf_puts(out, sentence);
}

void edit_prefix(struct buf *out, const struct edit_text *t,
                 const char *sentence)
{
    buf_puts(out, sentence);
    buf_putc(out, ' ');
    buf_append(out, t->text, t->len);
}

bool edit_restate(struct buf *out, const struct edit_text *t)
{
    const struct sentence *last = &t->sentence[t->n - 1];
    for (size_t i = 0; i < t->n; i++) {
        if (!t->sentence[i].is_closed)
            continue;
        buf_append(out, t->text, t->len);
        if (last->len == last->core)
            buf_putc(out, ' ');
        put_core(out, &t->sentence[i]);
        return true;
    }
    return false;
}

void edit_without(struct buf *out, const struct edit_text *t, size_t i)
{
    size_t last = i + 1 == t->n ? t->n - 2 : t->n - 1;
    for (size_t k = 0; k < t->n; k++) {
        if (k == i)
            continue;
        put_core(out, &t->sentence[k]);
        if (k != last)
            put_gap(out, &t->sentence[k]);
    }
    /* The text ends as it did. */
    put_gap(out, &t->sentence[t->n - 1]);
}

static bool may_swap(const struct edit_text *t, size_t i)
{
    const struct sentence *a = &t->sentence[i];
    const struct sentence *b = &t->sentence[i + 1];
    return a->is_closed && b->is_closed && !sentence_same(a, b);
}

bool edit_reorder(struct buf *out, const struct edit_text *t, struct rng *rng)
{
    uint32_t places = 0;
    for (size_t i = 0; i + 1 < t->n; i++)
        places += may_swap(t, i);
    if (places == 0)
        return false;
    size_t at = 0;
    for (uint32_t left = rng_below(rng, places);; at++) {
        if (!may_swap(t, at))
            continue;
        if (left-- == 0)
            break;
    }
    for (size_t i = 0; i < t->n; i++) {
        size_t from = i == at ? at + 1 : i == at + 1 ? at : i;
        put_core(out, &t->sentence[from]);
        put_gap(out, &t->sentence[i]);
    }
    return true;
}

/* White space in front of the whole text, which the first sentence has. */
static size_t lead(const struct edit_text *t)
{
    return strspn(t->text, " \t\r\n");
}

void edit_list(struct buf *out, const struct edit_text *t)
{
    for (size_t i = 0; i < t->n; i++) {
        size_t skipped = i == 0 ? lead(t) : 0;
        const struct sentence *s = &t->sentence[i];
        buf_puts(out, i > 0 ? "\n- " : "- ");
        buf_append(out, s->text + skipped, s->core - skipped);
    }
}

void edit_bold(struct buf *out, const struct edit_text *t)
{
    size_t skipped = lead(t), core = t->sentence[0].core;
    buf_append(out, t->text, skipped);
    buf_puts(out, "**");
    buf_append(out, t->text + skipped, core - skipped);
    buf_puts(out, "**");
    buf_append(out, t->text + core, t->len - core);
}
