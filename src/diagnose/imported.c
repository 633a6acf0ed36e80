#include "diagnose/imported.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "diagnose/evidence_internal.h"
#include "diagnose/metric.h"

#define FILE_NAME "import.json"
#define STATE "import.state"
#define DOCUMENT_MAX ((size_t)8 << 20)
#define TEXT_MAX 1024 // bytes of a text
#define NAME_MAX_BYTES 80

/* ---- words -------------------------------------------------------------- */

static const struct {
    const char *id, *words;
} items[ITEMS] = {
    [ITEM_METRICS] = {"metrics", "the step-level log"},
    [ITEM_KL] = {"kl", "a KL to the reference"},
    [ITEM_SETTINGS] = {"settings", "the trainer's settings"},
    [ITEM_TEXTS] = {"texts", "the responses that were trained on"},
    [ITEM_SCORES] = {"scores", "a score for each response"},
    [ITEM_LENGTHS] = {"lengths", "response lengths in tokens"},
    [ITEM_FINISH] = {"finish", "whether a response ended by itself"},
    [ITEM_TOKENS] = {"tokens", "token ids of the responses"},
    [ITEM_REFERENCE] = {"logp_ref", "the reference's log-probabilities"},
    [ITEM_LOGPROBS] = {"logp", "the policy's log-probabilities"},
    [ITEM_VALUES] = {"values", "values and advantages of tokens"},
    [ITEM_HELDOUT] = {"heldout", "held-out replies of the policy"},
    [ITEM_ORIGINALS] = {"reference",
                        "the reference's replies to the same prompts"},
    [ITEM_EVALUATIONS] = {"evaluations", "more evaluations during the run"},
    [ITEM_VOTES] = {"human", "what people say"},
};

const char *imported_item_name(enum imported_item item)
{
    return items[item].id;
}

const char *imported_item_words(enum imported_item item)
{
    return items[item].words;
}

static enum imported_item item_of(const char *id)
{
    size_t i = 0;
    while (i < ITEMS && strcmp(items[i].id, id) != 0)
        i++;
    return (enum imported_item)i;
}

static const char *const kinds[] = {
    [KL_KIND_UNKNOWN] = "unknown",
    [KL_REFERENCE] = "reference",
    [KL_UPDATE] = "update",
    [KL_ENGINE] = "engine",
};

static const char *const estimators[] = {
    [KL_ESTIMATOR_UNKNOWN] = "unknown",
    [KL_K1] = "k1",
    [KL_K2] = "k2",
    [KL_K3] = "k3",
    [KL_EXACT] = "exact",
};

static const char *const aggregates[] = {
    [KL_AGGREGATE_UNKNOWN] = "unknown",
    [KL_SEQUENCE_SUM] = "sequence_sum",
    [KL_TOKEN_MEAN] = "token_mean",
};

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* The place of a word; 0, which is "unknown", of any other. */
static size_t word_of(const char *text, const char *const *list, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (strcmp(text, list[i]) == 0)
            return i;
    return 0;
}

const char *imported_kind_words(enum imported_kind kind)
{
    static const char *const words[] = {
        [KL_KIND_UNKNOWN] = "what is not known",
        [KL_REFERENCE] = "the reference",
        [KL_UPDATE] = "the policy before an update",
        [KL_ENGINE] = "the engine that samples",
    };
    return words[kind];
}

const char *imported_kl_words(char out[IMPORTED_KL_TEXT],
                              const struct imported_kl *kl)
{
    static const char *const how[] = {
        [KL_AGGREGATE_UNKNOWN] = "added up in an unknown way",
        [KL_SEQUENCE_SUM] = "summed over a response",
        [KL_TOKEN_MEAN] = "averaged over tokens",
    };
    bool is_known = kl->estimator != KL_ESTIMATOR_UNKNOWN;
    (void)snprintf(out, IMPORTED_KL_TEXT, "%s, %s",
                   is_known ? estimators[kl->estimator]
                            : "an unknown estimator",
                   how[kl->aggregate]);
    return out;
}

/* ---- reading ------------------------------------------------------------ */

/* A text, cut nowhere; absent or null is `fallback`. */
static enum status take_text(const char **out, struct evidence *e,
                             const struct json *row, const char *key,
                             const char *fallback, struct err *err)
{
    const struct json *node = json_get(row, key);
    *out = fallback;
    if (node == NULL || json_is_null(node))
        return OK;
    if (!json_is_string(node))
        return err_set(err, ERR_FORMAT, "%s is not a text", key);
    const char *text = json_text(node, "");
    if (strlen(text) > TEXT_MAX)
        return err_set(err, ERR_FORMAT, "%s has %zu bytes, limit %d", key,
                       strlen(text), TEXT_MAX);
    return evidence_keep(out, e, text, err);
}

/* Of a list that may be absent the first IMPORTED_MAX. */
static enum status take_list(const struct json **out, size_t *n,
                             const struct json *root, const char *key,
                             struct err *err)
{
    *out = json_get(root, key);
    *n = 0;
    if (*out == NULL || json_is_null(*out))
        return OK;
    if (!json_is_array(*out))
        return err_set(err, ERR_FORMAT, "%s is not a list", key);
    *n = json_size(*out);
    *n = *n < IMPORTED_MAX ? *n : IMPORTED_MAX;
    return OK;
}

static enum status need_object(const struct json *item, const char *key,
                               size_t i, struct err *err)
{
    return json_is_object(item)
               ? OK
               : err_set(err, ERR_FORMAT, "%s[%zu] is not an object", key, i);
}

static enum status take_fields(struct imported *x, struct evidence *e,
                               const struct json *root, struct err *err)
{
    const struct json *list;
    size_t n;
    TRY(take_list(&list, &n, root, "fields", err));
    for (size_t i = 0; i < n; i++) {
        const struct json *item = json_at(list, i);
        struct imported_field *f = &x->field[i];
        TRY(need_object(item, "fields", i, err));
        TRY(take_text(&f->from, e, item, "from", "", err));
        TRY(take_text(&f->to, e, item, "to", NULL, err));
        TRY(take_text(&f->unit, e, item, "unit", "", err));
        TRY(take_text(&f->note, e, item, "note", "", err));
        x->n_field++;
    }
    return OK;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Whose log-probability comes first.  A KL with policy and reference exchanged
 * is another quantity, but for k1, which is then the negative. */
static double sign_of(const struct imported_kl *k, const char *sign)
{
    if (k->kind != KL_REFERENCE || sign[0] == '\0' ||
        begins(sign, "log policy - log reference"))
        return 1;
    if (begins(sign, "log reference - log policy") && k->estimator == KL_K1 &&
        strstr(sign, "reversed") == NULL)
        return -1;
    return (double)NAN;
}

static enum status take_kl(struct imported *x, struct evidence *e,
                           const struct json *root, struct err *err)
{
    const struct json *list;
    const char *kind, *estimator, *aggregate, *sign;
    size_t n;
    TRY(take_list(&list, &n, root, "kl", err));
    for (size_t i = 0; i < n; i++) {
        const struct json *item = json_at(list, i);
        struct imported_kl *k = &x->kl[i];
        TRY(need_object(item, "kl", i, err));
        TRY(take_text(&k->name, e, item, "name", "", err));
        TRY(take_text(&kind, e, item, "kind", "", err));
        TRY(take_text(&estimator, e, item, "estimator", "", err));
        TRY(take_text(&aggregate, e, item, "aggregate", "", err));
        TRY(take_text(&k->where, e, item, "where", "", err));
        TRY(take_text(&k->unit, e, item, "unit", "", err));
        TRY(take_text(&k->note, e, item, "note", "", err));
        k->kind = (enum imported_kind)word_of(kind, kinds, COUNT(kinds));
        k->estimator = (enum imported_estimator)word_of(estimator, estimators,
                                                        COUNT(estimators));
        k->aggregate = (enum imported_aggregate)word_of(aggregate, aggregates,
                                                        COUNT(aggregates));
        TRY(take_text(&sign, e, item, "sign", "", err));
        k->sign = sign_of(k, sign);
        x->n_kl++;
    }
    return OK;
}

static enum status take_warnings(struct imported *x, struct evidence *e,
                                 const struct json *root, struct err *err)
{
    const struct json *list;
    size_t n;
    TRY(take_list(&list, &n, root, "warnings", err));
    for (size_t i = 0; i < n; i++) {
        const struct json *item = json_at(list, i);
        const char *text = json_text(item, NULL);
        if (text == NULL) {
            TRY(need_object(item, "warnings", i, err));
            TRY(take_text(&text, e, item, "text", "", err));
        }
        if (strlen(text) > TEXT_MAX)
            return err_set(err, ERR_FORMAT,
                           "warnings[%zu] has %zu bytes, limit %d", i,
                           strlen(text), TEXT_MAX);
        TRY(evidence_keep(&x->warning[x->n_warning], e, text, err));
        x->n_warning += text[0] != '\0';
    }
    return OK;
}

static enum status take_missing(struct imported *x, struct evidence *e,
                                const struct json *root, struct err *err)
{
    const struct json *list;
    const char *id;
    size_t n;
    TRY(take_list(&list, &n, root, "missing", err));
    for (size_t i = 0; i < n; i++) {
        const struct json *item = json_at(list, i);
        struct imported_missing *m = &x->missing[i];
        TRY(need_object(item, "missing", i, err));
        TRY(take_text(&id, e, item, "id", "", err));
        TRY(take_text(&m->what, e, item, "what", "", err));
        TRY(take_text(&m->use, e, item, "for", "", err));
        TRY(take_text(&m->flag, e, item, "flag", NULL, err));
        TRY(take_text(&m->note, e, item, "note", "", err));
        m->item = item_of(id);
        if (m->what[0] == '\0' && m->item < ITEMS)
            m->what = items[m->item].words;
        char wish[TEXT_MAX + 16];
        (void)snprintf(wish, sizeof wish, "import %s too", m->what);
        TRY(evidence_keep(&m->wish, e, wish, err));
        x->n_missing++;
    }
    return OK;
}

static enum status take_all(struct imported *x, struct evidence *e,
                            const struct json *root, struct err *err)
{
    if (!json_is_object(root))
        return err_set(err, ERR_FORMAT, "it is not a JSON object");
    TRY(take_text(&x->format, e, root, "format", "unknown", err));
    TRY(take_text(&x->trainer, e, root, "trainer", x->format, err));
    TRY(take_text(&x->version, e, root, "version", NULL, err));
    if (strlen(x->trainer) > NAME_MAX_BYTES ||
        strlen(x->format) > NAME_MAX_BYTES)
        return err_set(err, ERR_FORMAT, "a name has more than %d bytes",
                       NAME_MAX_BYTES);
    TRY(take_fields(x, e, root, err));
    TRY(take_kl(x, e, root, err));
    TRY(take_warnings(x, e, root, err));
    return take_missing(x, e, root, err);
}

static void forget(struct imported *x)
{
    *x = (struct imported){.format = "unknown",
                           .trainer = "an unknown trainer",
                           .is_damaged = true};
}

bool imported_is_unfinished(const struct evidence *e)
{
    char path[FILE_PATH_MAX];
    return file_join(path, e->project, STATE, NULL) == OK && file_is_dir(path);
}

static enum status lose_rest(struct evidence *e, struct err *err)
{
    struct err reason;
    if (!e->import->is_unfinished)
        return OK;
    (void)err_set(&reason, ERR_FORMAT,
                  "the import was stopped before its end: what is there is a "
                  "part of the run, or of another import");
    return evidence_lose(e, STATE, IMPORTED_RESUME, ERR_FORMAT, &reason, err);
}

enum status imported_read(struct evidence *e, struct err *err)
{
    char path[FILE_PATH_MAX];
    struct json *root = NULL;
    struct err reason;
    TRY(file_join(path, e->project, FILE_NAME, err));
    bool is_there = file_exists(path), is_begun = imported_is_unfinished(e);
    if (!is_there && !is_begun)
        return OK;
    TRY(MEM_NEW(e->import, 1, err));
    forget(e->import);
    e->import->is_unfinished = is_begun;
    TRY(lose_rest(e, err));
    e->import->is_damaged = is_there;
    if (!is_there)
        return OK;
    enum status status = file_need(path, &reason);
    if (status == OK)
        status = json_read(&root, path, DOCUMENT_MAX, &reason);
    if (status == OK)
        status = take_all(e->import, e, root, &reason);
    json_free(root);
    e->import->is_damaged = status != OK;
    if (status != OK)
        forget(e->import);
    e->import->is_unfinished = is_begun;
    /* It is there: whatever keeps it from being read is damage. */
    if (status == ERR_MISSING)
        status = ERR_FORMAT;
    return evidence_lose(e, FILE_NAME, "plumb import, once more", status,
                         &reason, err);
}

void imported_free(struct imported *x)
{
    if (x != NULL)
        lint_free(&x->lint);
    mem_free(x);
}

/* ---- looking up --------------------------------------------------------- */

const struct imported_missing *imported_find(const struct imported *x,
                                             const enum imported_item *item,
                                             size_t n)
{
    for (size_t i = 0; i < x->n_missing; i++)
        for (size_t k = 0; k < n; k++)
            if (x->missing[i].item == item[k])
                return &x->missing[i];
    return NULL;
}

const char *imported_how(const struct imported_missing *m)
{
    return m->flag != NULL ? m->flag : m->note;
}

static bool is_column(const struct evidence *e, const char *name)
{
    return metric_find(&e->metrics, name).value != NULL;
}

const char *imported_column(const struct evidence *e, const char *name)
{
    const struct imported *x = e->import;
    if (is_column(e, name))
        return name;
    for (size_t i = 0; x != NULL && i < x->n_field; i++) {
        const struct imported_field *f = &x->field[i];
        if (f->to == NULL)
            continue;
        if (strcmp(f->to, name) == 0 && is_column(e, f->from))
            return f->from;
        if (strcmp(f->from, name) == 0 && is_column(e, f->to))
            return f->to;
    }
    return NULL;
}

/* ---- diagnosis.json ----------------------------------------------------- */

static void write_fields(struct json_writer *w, const struct imported *x)
{
    json_put_key(w, "understood");
    json_open(w, '[');
    for (size_t i = 0; i < x->n_field; i++) {
        const struct imported_field *f = &x->field[i];
        json_open(w, '{');
        json_field_text(w, "from", f->from);
        json_field_text(w, "to", f->to);
        json_field_text(w, "unit", f->unit[0] != '\0' ? f->unit : NULL);
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void write_kl(struct json_writer *w, const struct imported *x)
{
    json_put_key(w, "kl");
    json_open(w, '[');
    for (size_t i = 0; i < x->n_kl; i++) {
        const struct imported_kl *k = &x->kl[i];
        json_open(w, '{');
        json_field_text(w, "name", k->name);
        json_field_text(w, "kind", kinds[k->kind]);
        json_field_text(w, "estimator", estimators[k->estimator]);
        json_field_text(w, "aggregate", aggregates[k->aggregate]);
        json_field_text(w, "where", k->where[0] != '\0' ? k->where : NULL);
        json_field_number(w, "sign", k->sign);
        json_field_text(w, "note", k->note[0] != '\0' ? k->note : NULL);
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void write_missing(struct json_writer *w, const struct imported *x)
{
    json_put_key(w, "missing");
    json_open(w, '[');
    for (size_t i = 0; i < x->n_missing; i++) {
        const struct imported_missing *m = &x->missing[i];
        json_open(w, '{');
        json_field_text(w, "id", m->item < ITEMS ? items[m->item].id : NULL);
        json_field_text(w, "what", m->what);
        json_field_text(w, "for", m->use[0] != '\0' ? m->use : NULL);
        json_field_text(w, "flag", m->flag);
        json_field_text(w, "note", m->note[0] != '\0' ? m->note : NULL);
        json_close(w, '}');
    }
    json_close(w, ']');
}

void imported_write(struct json_writer *w, const struct evidence *e)
{
    const struct imported *x = e->import;
    json_put_key(w, "source");
    json_open(w, '{');
    json_field_text(w, "trainer", x->trainer);
    json_field_text(w, "format", x->format);
    json_field_text(w, "version", x->version);
    json_field_bool(w, "damaged", x->is_damaged);
    json_field_bool(w, "unfinished", x->is_unfinished);
    json_field_text(w, "rollout_lengths", evidence_units(e->rollout_unit));
    json_field_text(w, "reply_lengths", evidence_units(e->reply_unit));
    json_field_int(w, "model_votes", (int64_t)e->n_judged);
    json_field_text(w, "model_votes_from", e->judged_from);
    write_fields(w, x);
    write_kl(w, x);
    json_put_key(w, "warnings");
    json_open(w, '[');
    for (size_t i = 0; i < x->n_warning; i++)
        json_put_text(w, x->warning[i]);
    json_close(w, ']');
    write_missing(w, x);
    json_put_key(w, "lint");
    if (x->is_linted)
        lint_document(w, &x->lint, "ppo/config.yaml");
    else
        json_put_null(w);
    json_close(w, '}');
}

/* ---- a terminal --------------------------------------------------------- */

enum {
    TOLD_MAX = 6
};

/* "scores -> score, gts -> (not understood)" is long: the first few. */
static void say_fields(struct buf *out, const struct imported *x)
{
    size_t known = 0, told = 0;
    for (size_t i = 0; i < x->n_field; i++)
        known += x->field[i].to != NULL;
    buf_printf(out, "  understood %zu of %zu fields", known, x->n_field);
    for (size_t i = 0; i < x->n_field; i++) {
        if (x->field[i].to != NULL || told == TOLD_MAX)
            continue;
        buf_printf(out, "%s%.60s", told++ == 0 ? "; not " : ", ",
                   x->field[i].from);
    }
    buf_puts(out, told == TOLD_MAX ? ", ...\n" : "\n");
}

void imported_summary(struct buf *out, const struct evidence *e)
{
    const struct imported *x = e->import;
    char text[IMPORTED_KL_TEXT];
    buf_printf(out, "a run of %s%s%s (%s)\n", x->trainer,
               x->version != NULL ? " " : "",
               x->version != NULL ? x->version : "", x->format);
    if (x->is_unfinished)
        buf_printf(out,
                   "! unfinished: this import was stopped before its end, and "
                   "what follows is of a part; it goes on with %s\n",
                   IMPORTED_RESUME);
    if (x->n_field > 0)
        say_fields(out, x);
    for (size_t i = 0; i < x->n_kl; i++)
        buf_printf(out, "  %s: KL, %s: %s%s%s\n", x->kl[i].name,
                   kinds[x->kl[i].kind], imported_kl_words(text, &x->kl[i]),
                   x->kl[i].note[0] != '\0' ? "; " : "", x->kl[i].note);
    for (size_t i = 0; i < x->n_warning; i++)
        buf_printf(out, "! %s\n", x->warning[i]);
    if (e->n_judged > 0)
        buf_printf(out,
                   "  an LLM judged: %zu votes of %s; people are asked apart\n",
                   e->n_judged, e->judged_from);
    buf_putc(out, '\n');
}

static bool is_among(const char *text, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] != NULL && strcmp(list[i], text) == 0)
            return true;
    return false;
}

void imported_summary_missing(struct buf *out, const struct evidence *e,
                              const char *const *told, size_t n)
{
    const struct imported *x = e->import;
    size_t said = 0;
    for (size_t i = 0; i < x->n_missing; i++) {
        if (is_among(x->missing[i].wish, told, n))
            continue;
        if (said++ == 0)
            buf_puts(out, "what would tell more, the cheapest first\n");
        buf_printf(out, "  %s: %s\n", x->missing[i].what,
                   imported_how(&x->missing[i]));
    }
}
