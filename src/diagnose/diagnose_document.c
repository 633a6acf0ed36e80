#include <math.h>
#include <stdio.h>
#include <string.h>

#include "diagnose/diagnose.h"
#include "diagnose/imported.h"
#include "diagnose/partial.h"

/* ---- diagnosis.json ----------------------------------------------------- */

static void write_rows(struct json_writer *w, const char *key,
                       const struct finding *row, size_t n)
{
    json_put_key(w, key);
    json_open(w, '[');
    for (size_t i = 0; i < n; i++)
        finding_write(w, &row[i]);
    json_close(w, ']');
}

static const char *kind_name(enum rival_sign_kind kind)
{
    switch (kind) {
    case SIGN_WANTS:
        return "wants";
    case SIGN_EITHER:
        return "wants_either";
    case SIGN_EITHER_NOT:
        return "wants_either_not";
    case SIGN_WANTS_NOT:
        return "wants_not";
    case SIGN_HELPS:
        return "helps";
    case SIGN_HELPS_NOT:
        return "helps_not";
    case SIGN_BARS:
        return "bars";
    case SIGN_BARS_NOT:
        return "bars_not";
    case SIGN_END:
        break;
    }
    return "";
}

static void write_rival(struct json_writer *w, const struct rival *r,
                        const struct rival *all)
{
    json_open(w, '{');
    json_field_text(w, "id", r->id);
    json_field_text(w, "name", r->name);
    json_field_text(w, "verdict", finding_verdict(r->verdict));
    json_field_int(w, "supported", (int64_t)r->supported);
    json_field_int(w, "contradicted", (int64_t)r->contradicted);
    json_field_int(w, "not_measurable", (int64_t)r->not_measurable);
    json_field_int(w, "rank", (int64_t)r->rank);
    json_field_text(w, "tied_with",
                    r->tied_with != SIZE_MAX ? all[r->tied_with].id : NULL);
    json_field_text(w, "experiment", r->experiment);
    json_put_key(w, "signs");
    json_open(w, '[');
    for (size_t i = 0; i < r->n_seen; i++) {
        const struct rival_seen *s = &r->seen[i];
        json_open(w, '{');
        json_field_text(w, "row", s->sign.row);
        json_field_text(w, "kind", kind_name(s->sign.kind));
        json_field_text(w, "says",
                        s->says == VERDICT_SUPPORTED       ? "for"
                        : s->says == VERDICT_NOT_SUPPORTED ? "against"
                                                           : "nothing");
        json_close(w, '}');
    }
    json_close(w, ']');
    json_close(w, '}');
}

static void write_losses(struct json_writer *w, const struct evidence *e)
{
    if (e->votes_from != NULL)
        json_field_text(w, "votes_from", e->votes_from);
    json_put_key(w, "lost");
    json_open(w, '[');
    for (size_t i = 0; i < e->n_loss; i++) {
        json_open(w, '{');
        json_field_text(w, "what", e->loss[i].what);
        json_field_text(w, "why", e->loss[i].why);
        json_field_text(w, "command", e->loss[i].command);
        json_field_bool(w, "partly", e->loss[i].is_part);
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void write_counts(struct json_writer *w, const struct evidence *e)
{
    json_put_key(w, "evidence");
    json_open(w, '{');
    json_field_int(w, "prompts", (int64_t)e->n_prompts);
    json_field_int(w, "replies", (int64_t)e->n_reply);
    json_field_int(w, "votes", (int64_t)e->n_vote);
    json_field_int(w, "rollouts", (int64_t)e->n_rollout);
    json_field_int(w, "iterations", (int64_t)e->n_step);
    json_close(w, '}');
}

/* Where the verdict has no explanation of its own, what the rows say; that
 * nothing is wrong only where nothing else is known to be. */
static bool find_story(struct partial_story *s, const struct diagnosis *d,
                       const struct evidence *e)
{
    const struct rows rows = diagnose_rows(d);
    bool is_open =
        d->verdict == DIAGNOSIS_INCONCLUSIVE || d->verdict == DIAGNOSIS_OTHER;
    return e->import != NULL && is_open && partial_tell(s, &rows, e) &&
           (s->cause != NULL || d->verdict == DIAGNOSIS_INCONCLUSIVE);
}

bool diagnose_sentence(struct buf *out, const struct diagnosis *d,
                       const struct evidence *e)
{
    struct partial_story s;
    bool is_told = find_story(&s, d, e);
    if (is_told)
        partial_say(out, &s, &d->leads);
    return is_told;
}

static void write_story(struct json_writer *w, const struct diagnosis *d,
                        const struct evidence *e)
{
    struct partial_story s;
    struct buf text;
    buf_init(&text, 1 << 13);
    if (diagnose_sentence(&text, d, e) && text.code == OK)
        json_field_text(w, "sentence", buf_text(&text));
    buf_free(&text);
    if (!find_story(&s, d, e))
        return;
    json_put_key(w, "story");
    partial_write(w, &s);
}

void diagnose_write(struct json_writer *w, const struct diagnosis *d,
                    const struct evidence *e)
{
    json_open(w, '{');
    json_field_text(w, "schema", "plumb.diagnosis/1");
    json_field_text(w, "plumb_version", PLUMB_VERSION);
    json_field_text(w, "verdict", diagnose_verdict(d->verdict));
    json_field_text(w, "top_rival", d->rival[0].id);
    if (e->import != NULL)
        imported_write(w, e);
    write_story(w, d, e);
    write_counts(w, e);
    write_losses(w, e);
    json_put_key(w, "contradictions");
    json_open(w, '[');
    for (size_t i = 0; i < d->n_contradictions; i++)
        json_put_text(w, d->contradiction[i]);
    json_close(w, ']');
    write_rows(w, "gates", d->gate, GATES);
    write_rows(w, "observations", d->observed, OBSERVED);
    write_rows(w, "mechanisms", d->mechanism, MECHANISMS);
    json_put_key(w, "rivals");
    json_open(w, '[');
    for (size_t i = 0; i < RIVALS; i++)
        write_rival(w, &d->rival[i], d->rival);
    json_close(w, ']');
    write_rows(w, "leads", d->leads.row, d->leads.n);
    warning_write(w, &d->warning);
    remedies_write(w, d->remedy, d->n_remedies);
    json_put_key(w, "tags");
    strata_write(w, &d->strata);
    json_put_key(w, "ship");
    ship_write(w, &d->ship);
    json_close(w, '}');
}

/* ---- one screen --------------------------------------------------------- */

static char mark(enum verdict v)
{
    if (v == VERDICT_SUPPORTED)
        return '+';
    return v == VERDICT_NOT_SUPPORTED ? '-' : '?';
}

/* Nothing is known of the row, not even a number. */
static bool is_blank(const struct finding *f)
{
    return f->verdict == VERDICT_NOT_MEASURABLE && !isfinite(f->e.estimate);
}

/* is_short: blank rows by their names, on one line. */
static void put_rows(struct buf *out, const char *title,
                     const struct finding *row, size_t n, bool is_short)
{
    size_t blank = 0;
    buf_printf(out, "%s\n", title);
    for (size_t i = 0; i < n; i++) {
        char number[64];
        const struct finding *f = &row[i];
        int decimals = fabs(f->e.estimate) < 0.1 ? 4 : 2;
        blank += is_blank(f);
        if (is_short && is_blank(f))
            continue;
        buf_printf(out, "  %c %-4s %-58.58s ", mark(f->verdict), f->id,
                   f->claim);
        buf_puts(out, is_blank(f) ? "not measurable"
                                  : finding_number(number, &f->e, decimals));
        buf_putc(out, '\n');
    }
    if (!is_short || blank == 0)
        return;
    buf_puts(out, "  ? not measurable:");
    for (size_t i = 0; i < n; i++)
        if (is_blank(&row[i]))
            buf_printf(out, " %s", row[i].id);
    buf_putc(out, '\n');
}

/* Leads of part of the evidence in their own words: of a run that another
 * trainer made they are most of what there is. */
static void put_seen(struct buf *out, const struct leads *l)
{
    bool is_first = true;
    for (size_t i = 0; i < l->n; i++) {
        const struct finding *f = &l->row[i];
        if (!partial_is_told(f))
            continue;
        if (is_first)
            buf_puts(out, "what part of the evidence tells: leads\n");
        is_first = false;
        buf_printf(out, "  %c %s: %s\n", mark(f->verdict), f->id, f->text);
    }
}

static const char *sentence(const struct diagnosis *d)
{
    switch (d->verdict) {
    case DIAGNOSIS_HEALTHY:
        return "no pathology found";
    case DIAGNOSIS_PARADOX:
        return "the reward went up while the answers got worse";
    case DIAGNOSIS_OTHER:
        return diagnose_leaves_paradox_open(d)
                   ? "something is wrong; whether it is the paradox is open"
                   : "something is wrong, and it is not the paradox";
    case DIAGNOSIS_BUG:
        return "an implementation bug spoils the run";
    case DIAGNOSIS_INCONCLUSIVE:
        break;
    }
    return diagnose_leaves_paradox_open(d)
               ? "the evidence does not decide; the paradox is not excluded"
               : "the evidence does not decide";
}

/* Texts quote names from files and of folders, and a terminal obeys control
 * characters, those of Unicode (U+0080 to U+009F) included. */
static void defuse(struct buf *out, size_t from)
{
    for (size_t i = from; i < out->len; i++) {
        unsigned char c = (unsigned char)out->data[i];
        unsigned char next = (unsigned char)out->data[i + 1];
        if ((c < 0x20 && c != '\n') || c == 0x7f)
            out->data[i] = '?';
        else if (c == 0xc2 && next >= 0x80 && next <= 0x9f)
            out->data[i] = out->data[i + 1] = '?';
    }
}

/* What is missing, each once: the remedies may be the first of it. */
static void put_missing(struct buf *out, const struct diagnosis *d,
                        const struct evidence *e)
{
    const char *told[REMEDIES];
    for (size_t i = 0; i < REMEDIES; i++)
        told[i] = i < d->n_remedies ? d->remedy[i].title : NULL;
    imported_summary_missing(out, e, told, REMEDIES);
}

void diagnose_summary(struct buf *out, const struct diagnosis *d,
                      const struct evidence *e)
{
    const struct rival *first = &d->rival[0];
    bool is_import = e->import != NULL;
    size_t from = out->len;
    if (e->votes_damage != NULL)
        buf_printf(out,
                   "! what people said cannot be read, and is missing "
                   "below: %s\n",
                   e->votes_damage);
    if (is_import)
        imported_summary(out, e);
    if (diagnose_sentence(out, d, e))
        buf_puts(out, "\n\n");
    buf_printf(out, "%s: %s\n", diagnose_verdict(d->verdict), sentence(d));
    if (!is_import ||
        (first->supported + first->contradicted > 0 && !first->is_held_back))
        buf_printf(out, "  %s  %s: %zu of its signs seen, %zu against%s\n",
                   first->id, first->name, first->supported,
                   first->contradicted,
                   first->tied_with != SIZE_MAX ? " (tied)" : "");
    buf_putc(out, '\n');
    if (e->votes_from != NULL)
        buf_printf(out, "people: %zu votes of %s\n", e->n_vote, e->votes_from);
    buf_puts(out, "+ supported  - not supported  ? not measurable\n");
    if (is_import)
        put_seen(out, &d->leads);
    put_rows(out, "may the numbers be believed", d->gate, GATES, is_import);
    put_rows(out, "what happened", d->observed, OBSERVED, is_import);
    put_rows(out, "why", d->mechanism, MECHANISMS, is_import);
    if (!is_import || d->warning.alarm != SIZE_MAX)
        warning_say(out, &d->warning);
    remedies_summary(out, d->remedy, d->n_remedies);
    if (is_import)
        put_missing(out, d, e);
    for (size_t i = 0; i < d->n_contradictions; i++)
        buf_printf(out, "contradiction: %s\n", d->contradiction[i]);
    for (size_t i = 0; i < e->n_loss; i++)
        buf_printf(out, "%s %s (%s): %s\n",
                   e->loss[i].is_part ? "without a part of" : "without",
                   e->loss[i].what, e->loss[i].why, e->loss[i].command);
    if (first->tied_with != SIZE_MAX)
        buf_printf(out, "%s and %s cannot be told apart; this would: %s\n",
                   first->id, d->rival[first->tied_with].id, first->experiment);
    defuse(out, from);
}
