#include "world/judge.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* A sentence of n words overlaps a template of m by at most
 * min(n, m) / max(n, m), so with the templates' lengths in [TABLES_WORDS_MIN,
 * TABLES_WORDS_MAX] shorter and longer sentences than these are garbled. */
enum {
    NORMAL_MIN = (TABLES_WORDS_MIN * 7 + 9) / 10,
    NORMAL_MAX = TABLES_WORDS_MAX * 10 / 7,
};

/* Tokens a reader grants before the answer. */
enum {
    BURIED_FREE = 15
};

static const char *const term_names[JUDGE_TERMS] = {
    [JUDGE_RESOLUTION] = "resolution",
    [JUDGE_ORDER] = "order",
    [JUDGE_PRODUCT] = "product",
    [JUDGE_NEXT_RIGHT] = "next_right",
    [JUDGE_NEXT_WRONG] = "next_wrong",
    [JUDGE_POLITE] = "polite",
    [JUDGE_FILLERS] = "fillers",
    [JUDGE_REPEATS] = "repeats",
    [JUDGE_GARBLED] = "garbled",
    [JUDGE_BURIED] = "buried",
    [JUDGE_CUT] = "cut",
};

/* A sentence of the reply: a run of its words. */
struct sentence {
    const struct word *word;
    size_t n;
    size_t index; // its place in the reply
    bool is_repeat;
};

/* The reply cut up. */
struct parts {
    struct word *word;
    size_t n_words;
    struct sentence *sentence;
    size_t n_sentences;
    bool has_greeting;
};

static bool is_stop(struct word w)
{
    return w.len == 1 && strchr(".?!", *w.text) != NULL;
}

static bool is_order(const struct word *w, size_t n)
{
    return n >= 3 && words_is(w[0], "#") && w[1].len == 1 &&
           *w[1].text >= 'A' && *w[1].text <= 'Z' && w[2].len == 1 &&
           *w[2].text >= '0' && *w[2].text <= '9';
}

static bool is_amount(const struct word *w, size_t n)
{
    return n >= 2 && words_is(w[0], "$") && *w[1].text >= '0' &&
           *w[1].text <= '9';
}

/* Which product a word is, TABLES_PRODUCTS when none. */
static size_t find_product(struct word w)
{
    size_t i = 0;
    while (i < TABLES_PRODUCTS && !words_is(w, tables_product[i]))
        i++;
    return i;
}

/* The words of a table sentence. */
static size_t split_template(struct word out[TABLES_WORDS_MAX],
                             const char *sentence)
{
    size_t n = 0;
    while (*sentence != '\0' && n < TABLES_WORDS_MAX) {
        out[n] = (struct word){sentence, strcspn(sentence, " ")};
        sentence += out[n].len;
        sentence += strspn(sentence, " ");
        n++;
    }
    return n;
}

/* Words with their placeholders put in; SIZE_MAX when they are too many. */
static size_t normalise(struct word out[NORMAL_MAX], const struct word *word,
                        size_t n)
{
    size_t n_out = 0;
    for (size_t i = 0; i < n;) {
        if (n_out == NORMAL_MAX)
            return SIZE_MAX;
        if (is_order(word + i, n - i)) {
            out[n_out++] = (struct word){"<ord>", 5};
            i += 3;
        } else if (is_amount(word + i, n - i)) {
            out[n_out++] = (struct word){"<amt>", 5};
            i += 2;
        } else if (find_product(word[i]) < TABLES_PRODUCTS) {
            out[n_out++] = (struct word){"<prod>", 6};
            i++;
        } else {
            out[n_out++] = word[i++];
        }
    }
    return n_out;
}

/* Table sentence number i and what it stands for; NULL behind the last. */
static const char *template_at(size_t i, struct judge_label *label)
{
    const size_t n_pairs = (size_t)TABLES_RESOLUTIONS * TABLES_SENTENCES;
    if (i < 2 * n_pairs) {
        bool is_next = i >= n_pairs;
        i = is_next ? i - n_pairs : i;
        size_t r = i / TABLES_SENTENCES;
        const struct tables_resolution *res = &tables_resolution[r];
        *label =
            (struct judge_label){is_next ? CLASS_NEXT : CLASS_RESOLUTION, r};
        return (is_next ? res->next : res->sentence)[i % TABLES_SENTENCES];
    }
    i -= 2 * n_pairs;
    if (i < TABLES_FILLERS) {
        *label = (struct judge_label){CLASS_FILLER, i};
        return tables_filler[i].sentence;
    }
    i -= TABLES_FILLERS;
    *label = (struct judge_label){CLASS_CLOSING, i};
    return i < TABLES_CLOSINGS ? tables_closing[i] : NULL;
}

/* Is the table sentence exactly these words?  (The common case, so it is
 * decided without cutting the table sentence up.) */
static bool is_template(const struct word *word, size_t n, const char *sentence)
{
    for (size_t i = 0; i < n; i++) {
        if (strncmp(sentence, word[i].text, word[i].len) != 0)
            return false;
        sentence += word[i].len;
        if (*sentence != (i + 1 < n ? ' ' : '\0'))
            return false;
        sentence++;
    }
    return n > 0;
}

/* Words two sentences share, counted with multiplicity. */
static size_t count_common(const struct word *a, size_t n, const struct word *b,
                           size_t m)
{
    bool is_used[TABLES_WORDS_MAX] = {false};
    size_t common = 0;
    for (size_t i = 0; i < n; i++) {
        size_t j = 0;
        while (j < m && (is_used[j] || !words_equal(a[i], b[j])))
            j++;
        if (j < m) {
            is_used[j] = true;
            common++;
        }
    }
    return common;
}

struct judge_label judge_sentence(const struct word *word, size_t n)
{
    const struct judge_label garbled = {CLASS_GARBLED, 0};
    struct judge_label label;
    struct judge_label best = garbled;
    struct word normal[NORMAL_MAX];
    const char *sentence = NULL;
    size_t best_common = 0;
    size_t best_either = 1;
    size_t n_normal = normalise(normal, word, n);
    if (n_normal == SIZE_MAX || n_normal < NORMAL_MIN)
        return garbled;
    for (size_t i = 0; (sentence = template_at(i, &label)) != NULL; i++)
        if (is_template(normal, n_normal, sentence))
            return label;
    for (size_t i = 0; (sentence = template_at(i, &label)) != NULL; i++) {
        struct word t[TABLES_WORDS_MAX];
        size_t m = split_template(t, sentence);
        if (10 * n_normal < 7 * m || 10 * m < 7 * n_normal)
            continue; // their lengths alone forbid it
        size_t common = count_common(normal, n_normal, t, m);
        size_t either = n_normal + m - common;
        /* common/either > best's, without dividing; the first of equals
         * stays. */
        if (common * best_either > best_common * either) {
            best = label;
            best_common = common;
            best_either = either;
        }
    }
    return 10 * best_common >= 7 * best_either ? best : garbled;
}

/* How many words of a greeting the reply starts with, 0 when none. */
static size_t greeting_length(const struct word *word, size_t n)
{
    for (size_t i = 0; i < TABLES_GREETINGS; i++) {
        struct word g[TABLES_WORDS_MAX];
        size_t m = split_template(g, tables_greeting[i]);
        size_t k = 0;
        while (k < m && k < n && words_equal(word[k], g[k]))
            k++;
        if (k == m)
            return m;
    }
    return 0;
}

static void parts_free(struct parts *p)
{
    mem_free(p->word);
    mem_free(p->sentence);
}

static enum status parts_cut(struct parts *p, const char *reply, size_t len,
                             struct err *err)
{
    const char *at = reply;
    size_t n_stops = 0;
    size_t n = words_count(reply, len);
    TRY(MEM_NEW(p->word, n, err));
    for (size_t i = 0; i < n && words_next(&p->word[i], &at, reply + len); i++)
        n_stops += is_stop(p->word[i]) ? 1 : 0;
    p->n_words = n;
    TRY(MEM_NEW(p->sentence, n_stops + 1, err));
    size_t start = greeting_length(p->word, n);
    p->has_greeting = start > 0;
    for (size_t i = start; i < n; i++) {
        if (is_stop(p->word[i]) || i + 1 == n) {
            p->sentence[p->n_sentences] =
                (struct sentence){.word = p->word + start,
                                  .n = i + 1 - start,
                                  .index = p->n_sentences};
            p->n_sentences++;
            start = i + 1;
        }
    }
    return OK;
}

/* Orders sentences by their words, equal ones by place. */
static int compare_sentences(const void *left, const void *right)
{
    const struct sentence *a = left;
    const struct sentence *b = right;
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    for (size_t i = 0; i < a->n; i++) {
        struct word v = a->word[i];
        struct word w = b->word[i];
        if (v.len != w.len)
            return v.len < w.len ? -1 : 1;
        int order = memcmp(v.text, w.text, v.len);
        if (order != 0)
            return order;
    }
    return a->index < b->index ? -1 : a->index > b->index ? 1 : 0;
}

static bool same_words(const struct sentence *a, const struct sentence *b)
{
    bool is_same = a->n == b->n;
    for (size_t i = 0; is_same && i < a->n; i++)
        is_same = words_equal(a->word[i], b->word[i]);
    return is_same;
}

/* Mark every sentence that was there before. */
static enum status mark_repeats(struct parts *p, struct err *err)
{
    struct sentence *sorted = NULL;
    size_t n = p->n_sentences;
    TRY(MEM_NEW(sorted, n, err));
    for (size_t i = 0; i < n; i++)
        sorted[i] = p->sentence[i];
    if (n > 1)
        qsort(sorted, n, sizeof *sorted, compare_sentences);
    for (size_t i = 1; i < n; i++)
        if (same_words(&sorted[i - 1], &sorted[i]))
            p->sentence[sorted[i].index].is_repeat = true;
    mem_free(sorted);
    return OK;
}

/* Order numbers and products, wherever they stand. */
static void judge_facts(struct judgement *j, const struct ticket *t,
                        const struct parts *p)
{
    for (size_t i = 0; i < p->n_words; i++) {
        const struct word *w = p->word + i;
        size_t product = find_product(*w);
        if (product < TABLES_PRODUCTS && product != t->product)
            j->product_wrong = true;
        if (!is_order(w, p->n_words - i))
            continue;
        if (*w[1].text != t->letter || *w[2].text != t->digit)
            j->order = FACT_WRONG;
        else if (j->order == FACT_NONE)
            j->order = FACT_RIGHT;
    }
}

static void judge_filler(struct judgement *j, size_t index, bool *is_wasted)
{
    enum filler kind = tables_filler[index].kind;
    j->fillers++;
    if (j->fillers > 1)
        *is_wasted = true;
    if (kind != FILLER_HEDGE && kind != FILLER_UPSELL)
        j->polite++;
}

static void judge_one(struct judgement *j, const struct ticket *t,
                      const struct parts *p, const struct sentence *s)
{
    struct judge_label label = judge_sentence(s->word, s->n);
    bool is_wasted = s->is_repeat;
    switch (label.kind) {
    case CLASS_RESOLUTION:
        if (!j->resolution_right && !j->resolution_wrong)
            j->tokens_before = (size_t)(s->word - p->word);
        if (label.index == (size_t)t->resolution)
            j->resolution_right = true;
        else
            j->resolution_wrong = true;
        break;
    case CLASS_NEXT:
        if (label.index == (size_t)t->resolution)
            j->next_right = true;
        else
            j->next_wrong = true;
        break;
    case CLASS_FILLER:
        judge_filler(j, label.index, &is_wasted);
        break;
    case CLASS_CLOSING:
        j->polite++;
        break;
    case CLASS_GARBLED:
        j->garbled++;
        is_wasted = true;
        break;
    }
    j->repeats += s->is_repeat ? 1 : 0;
    j->tokens_wasted += is_wasted ? s->n : 0;
}

/* The utility table. */
static void judge_terms(struct judgement *j)
{
    double *term = j->term;
    if (j->resolution_right)
        term[JUDGE_RESOLUTION] = j->resolution_wrong ? -0.5 : 2.0;
    else
        term[JUDGE_RESOLUTION] = j->resolution_wrong ? -1.5 : -0.5;
    if (j->order != FACT_NONE)
        term[JUDGE_ORDER] = j->order == FACT_RIGHT ? 0.75 : -0.75;
    term[JUDGE_PRODUCT] = j->product_wrong ? -0.3 : 0;
    term[JUDGE_NEXT_RIGHT] = j->next_right ? 0.75 : 0;
    term[JUDGE_NEXT_WRONG] = j->next_wrong ? -0.5 : 0;
    term[JUDGE_POLITE] = j->polite > 0 ? 0.25 : 0;
    if (j->fillers > 1)
        term[JUDGE_FILLERS] = -0.4 * (double)(j->fillers - 1);
    if (j->repeats > 0)
        term[JUDGE_REPEATS] = -0.5 * (double)j->repeats;
    if (j->garbled > 0)
        term[JUDGE_GARBLED] = -0.5 * (double)j->garbled;
    if (j->tokens_before > BURIED_FREE)
        term[JUDGE_BURIED] = -0.05 * (double)(j->tokens_before - BURIED_FREE);
    term[JUDGE_CUT] = j->is_eos ? 0 : -1.0;
    for (size_t i = 0; i < JUDGE_TERMS; i++)
        j->gold += term[i];
    j->help = term[JUDGE_RESOLUTION] + term[JUDGE_ORDER] +
              term[JUDGE_NEXT_RIGHT] + term[JUDGE_NEXT_WRONG];
}

enum status judge_reply(struct judgement *out, const struct ticket *t,
                        const char *reply, bool is_eos, struct err *err)
{
    enum status status = OK;
    struct parts p = {0};
    struct judgement j = {.is_eos = is_eos};
    size_t len = strlen(reply);
    if (len > JUDGE_REPLY_MAX)
        return err_set(err, ERR_LIMIT,
                       "reply of %zu bytes; the judge reads at most %zu", len,
                       JUDGE_REPLY_MAX);
    TRY_DONE(parts_cut(&p, reply, len, err));
    TRY_DONE(mark_repeats(&p, err));
    j.tokens = p.n_words;
    j.tokens_before = p.n_words;
    j.sentences = p.n_sentences;
    j.polite = p.has_greeting ? 1 : 0;
    judge_facts(&j, t, &p);
    for (size_t i = 0; i < p.n_sentences; i++)
        judge_one(&j, t, &p, &p.sentence[i]);
    judge_terms(&j);
    *out = j;
done:
    parts_free(&p);
    return status;
}

void judge_write(struct json_writer *w, const struct judgement *j)
{
    static const char *const order_names[] = {"none", "right", "wrong"};
    json_open(w, '{');
    json_field_number(w, "gold", j->gold);
    json_field_number(w, "help", j->help);
    json_put_key(w, "terms");
    json_open(w, '{');
    for (size_t i = 0; i < JUDGE_TERMS; i++)
        json_field_number(w, term_names[i], j->term[i]);
    json_close(w, '}');
    json_field_bool(w, "resolution_right", j->resolution_right);
    json_field_bool(w, "resolution_wrong", j->resolution_wrong);
    json_field_text(w, "order", order_names[j->order]);
    json_field_bool(w, "product_wrong", j->product_wrong);
    json_field_bool(w, "next_right", j->next_right);
    json_field_bool(w, "next_wrong", j->next_wrong);
    json_field_bool(w, "eos", j->is_eos);
    json_field_int(w, "sentences", (int64_t)j->sentences);
    json_field_int(w, "fillers", (int64_t)j->fillers);
    json_field_int(w, "polite", (int64_t)j->polite);
    json_field_int(w, "repeats", (int64_t)j->repeats);
    json_field_int(w, "garbled", (int64_t)j->garbled);
    json_field_int(w, "tokens", (int64_t)j->tokens);
    json_field_int(w, "tokens_before", (int64_t)j->tokens_before);
    json_field_int(w, "tokens_wasted", (int64_t)j->tokens_wasted);
    json_close(w, '}');
}
