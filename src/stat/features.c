#include "stat/features.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "stat/features_words.h"

static const char *const names[FEATURES] = {
    [FEATURE_CHARACTERS] = "characters",
    [FEATURE_WORDS] = "words",
    [FEATURE_SENTENCES] = "sentences",
    [FEATURE_LIST] = "list",
    [FEATURE_BOLD] = "bold",
    [FEATURE_HEADER] = "header",
    [FEATURE_HEDGE] = "hedge",
    [FEATURE_APOLOGY] = "apology",
    [FEATURE_THANKS] = "thanks",
    [FEATURE_REPEAT] = "repeat",
    [FEATURE_FOURGRAM] = "fourgram",
    [FEATURE_COPY] = "copy",
    [FEATURE_CLOSED] = "closed",
};

const char *features_name(enum features feature)
{
    assert(feature < FEATURES);
    return names[feature];
}

/* ---- phrases ---- */

/* Words of a phrase are separated by one space; * stands for any ending. */
static const char *const hedges[] = {
    "may",
    "might",
    "maybe",
    "perhaps",
    "possibl*",
    "probabl*",
    "presumably",
    "apparently",
    "generally",
    "typically",
    "usually",
    "sometimes",
    "somewhat",
    "roughly",
    "approximately",
    "unclear",
    "uncertain",
    "most likely",
    "likely",
    "unlikely",
    "could be",
    "should be fine",
    "tend* to",
    "seem*",
    "appear* to",
    "i think",
    "we think",
    "i believe",
    "we believe",
    "i guess",
    "it depends",
    "depend* on",
    "in general",
    "in some cases",
    "in most cases",
    "in many cases",
    "more or less",
    "not sure",
    "not certain",
    "as far as i can tell",
    "as far as we can tell",
    "as far as i know",
    "as far as we know",
    "to the best of my knowledge",
    "to the best of our knowledge",
    NULL,
};

static const char *const apologies[] = {
    "sorry", "apolog*", "regret*", "forgive", NULL,
};

static const char *const thanks[] = {
    "thank",
    "thanks",
    "thankful",
    "grateful",
    "appreciat*",
    "valued",
    "great question",
    "good question",
    "excellent question",
    "wonderful question",
    "glad you asked",
    NULL,
};

/* Does a full stop stand between a word and the one after it? */
static bool is_parted(const struct features_word *w)
{
    for (const char *at = w->text + w->len; at < w[1].text; at++)
        if (*at == '.' || *at == '?' || *at == '!')
            return true;
    return false;
}

/* Words of `phrase` that stand at word[0..n-1]: all of them, or 0. */
static size_t phrase_at(const char *phrase, const struct features_word *word,
                        size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (phrase[0] != word[i].text[0])
            return 0;
        size_t len = strcspn(phrase, " ");
        bool is_open = phrase[len - 1] == '*';
        size_t fixed = is_open ? len - 1 : len;
        if (word[i].len < fixed || (!is_open && word[i].len != len) ||
            memcmp(word[i].text, phrase, fixed) != 0)
            return 0;
        if (phrase[len] == '\0')
            return i + 1;
        if (i + 1 < n && is_parted(&word[i]))
            return 0;
        phrase += len + 1;
    }
    return 0;
}

enum {
    PHRASES_MAX = 64, // of a list: a bit each
    LETTERS = 32      // the low five bits of a letter tell it from others
};

static double count_phrases(const char *const *phrase,
                            const struct features_words *w)
{
    uint64_t begins[LETTERS] = {0}; // which phrases a first letter may begin
    double count = 0;
    for (size_t k = 0; phrase[k] != NULL; k++) {
        assert(k < PHRASES_MAX);
        begins[(unsigned char)phrase[k][0] % LETTERS] |= UINT64_C(1) << k;
    }
    for (size_t i = 0; i < w->n;) {
        uint64_t left = begins[(unsigned char)w->word[i].text[0] % LETTERS];
        size_t longest = 0;
        for (; left != 0; left &= left - 1) {
            size_t k = (size_t)__builtin_ctzll(left);
            size_t words = phrase_at(phrase[k], w->word + i, w->n - i);
            longest = words > longest ? words : longest;
        }
        count += longest > 0 ? 1 : 0;
        i += longest > 0 ? longest : 1;
    }
    return count;
}

/* ---- form ---- */

static double count_characters(const char *text, size_t len)
{
    double count = 0;
    for (size_t at = 0; at < len; count++) {
        size_t bad = 0;
        size_t bytes = utf8_length(text + at, len - at, &bad);
        at += bytes > 0 ? bytes : bad;
    }
    return count;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* `- x`, `* x`, `+ x`, a bullet, `1. x` or `12) x`, after any indent. */
static bool is_item(const char *line, size_t len)
{
    size_t at = 0;
    while (at < len && is_blank(line[at]))
        at++;
    size_t first = at;
    while (at < len && at - first < 3 && line[at] >= '0' && line[at] <= '9')
        at++;
    if (at > first)
        return at + 1 < len && (line[at] == '.' || line[at] == ')') &&
               is_blank(line[at + 1]);
    if (len - at >= 3 && memcmp(line + at, "\xE2\x80\xA2", 3) == 0)
        return true;
    return at + 1 < len && strchr("-*+", line[at]) != NULL &&
           line[at] != '\0' && is_blank(line[at + 1]);
}

static bool is_header(const char *line, size_t len)
{
    size_t at = 0;
    while (at < len && at < 6 && line[at] == '#')
        at++;
    return at > 0 && at < len && is_blank(line[at]);
}

/* Where the next ** of the line is, or len. */
static size_t find_stars(const char *line, size_t at, size_t len)
{
    for (; at + 1 < len; at++)
        if (line[at] == '*' && line[at + 1] == '*')
            return at;
    return len;
}

static double count_bold(const char *line, size_t len)
{
    double count = 0;
    size_t open = find_stars(line, 0, len);
    while (open < len) {
        size_t close = find_stars(line, open + 2, len);
        if (close == len)
            break;
        bool is_span = close > open + 2 && !is_blank(line[open + 2]) &&
                       !is_blank(line[close - 1]);
        count += is_span ? 1 : 0;
        open = is_span ? find_stars(line, close + 2, len) : close;
    }
    return count;
}

static void count_lines(double out[FEATURES], const char *text, size_t len)
{
    const char *end = text + len;
    for (const char *line = text; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t n = (size_t)((stop != NULL ? stop : end) - line);
        out[FEATURE_LIST] += is_item(line, n) ? 1 : 0;
        out[FEATURE_HEADER] += is_header(line, n) ? 1 : 0;
        out[FEATURE_BOLD] += count_bold(line, n);
        line = stop != NULL ? stop + 1 : end;
    }
}

static bool is_closed(const char *text, size_t len)
{
    while (len > 0 && (unsigned char)text[len - 1] <= ' ')
        len--;
    while (len > 0 && text[len - 1] != '\0' &&
           strchr("\"')]}*_`", text[len - 1]) != NULL)
        len--;
    return len > 0 && (text[len - 1] == '.' || text[len - 1] == '?' ||
                       text[len - 1] == '!');
}

/* ---- runs ---- */

/* Share of the reply's runs of three words that the prompt has. */
static double copied(struct features_words *prompt,
                     struct features_words *reply)
{
    size_t n_prompt = features_words_grams(prompt, 3);
    size_t n = features_words_grams(reply, 3);
    return features_words_shared(reply, n, prompt, n_prompt);
}

static enum status count_words(double out[FEATURES], const char *prompt,
                               size_t len_prompt, const char *reply,
                               size_t len_reply, struct err *err)
{
    enum status status = OK;
    struct features_words asked = {0};
    struct features_words plain = {0};
    struct features_words marked = {0};
    TRY_DONE(features_words_cut(&asked, prompt, len_prompt, FEATURES_CUT_PLAIN,
                                err));
    TRY_DONE(
        features_words_cut(&plain, reply, len_reply, FEATURES_CUT_PLAIN, err));
    TRY_DONE(
        features_words_cut(&marked, reply, len_reply, FEATURES_CUT_MARKS, err));
    out[FEATURE_WORDS] = (double)plain.n;
    out[FEATURE_HEDGE] = count_phrases(hedges, &plain);
    out[FEATURE_APOLOGY] = count_phrases(apologies, &plain);
    out[FEATURE_THANKS] = count_phrases(thanks, &plain);
    out[FEATURE_COPY] = copied(&asked, &plain);
    size_t n = features_words_sentences(&marked, false);
    out[FEATURE_SENTENCES] = (double)n;
    out[FEATURE_REPEAT] = features_words_repeated(&marked, n);
    n = features_words_grams(&marked, 4);
    out[FEATURE_FOURGRAM] = features_words_repeated(&marked, n);
done:
    features_words_free(&marked);
    features_words_free(&plain);
    features_words_free(&asked);
    return status;
}

enum status features_of(double out[FEATURES], const char *prompt,
                        size_t len_prompt, const char *reply, size_t len_reply,
                        struct err *err)
{
    enum status status = OK;
    double f[FEATURES] = {0};
    char *folded = NULL;
    if (len_prompt > FEATURES_TEXT_MAX ||
        len_reply > FEATURES_TEXT_MAX - len_prompt)
        return err_set(err, ERR_LIMIT,
                       "prompt and reply: %zu and %zu bytes, %zu are allowed",
                       len_prompt, len_reply, FEATURES_TEXT_MAX);
    TRY_DONE(MEM_NEW(folded, len_prompt + len_reply, err));
    size_t n_prompt = features_words_fold(folded, prompt, len_prompt);
    char *answer = folded + n_prompt;
    size_t n_reply = features_words_fold(answer, reply, len_reply);
    TRY_DONE(count_words(f, folded, n_prompt, answer, n_reply, err));
    f[FEATURE_CHARACTERS] = count_characters(reply, len_reply);
    f[FEATURE_CLOSED] = is_closed(answer, n_reply) ? 1 : 0;
    count_lines(f, reply, len_reply);
    memcpy(out, f, sizeof f);
done:
    mem_free(folded);
    return status;
}

enum status features_repetition(struct features_repetition *out,
                                const char *text, size_t len, struct err *err)
{
    enum status status = OK;
    struct features_words w;
    TRY_DONE(features_words_cut(&w, text, len, FEATURES_CUT_MARKS, err));
    size_t n = features_words_sentences(&w, true);
    out->sentences = features_words_repeated(&w, n);
    n = features_words_grams(&w, 4);
    out->fourgrams = features_words_repeated(&w, n);
done:
    features_words_free(&w);
    return status;
}
