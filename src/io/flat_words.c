#include <string.h>

#include "base/buf.h"
#include "io/flat_internal.h"

#define WORDS_MAX 1024 // bytes kept of the words that are no settings

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_key_byte(char c)
{
    return is_letter(c) || is_digit(c) ||
           (c != '\0' && strchr(".-/@", c) != NULL);
}

/* --name or --name=... */
static bool is_flag(const char *word)
{
    size_t n = 2;
    if (word[0] != '-' || word[1] != '-' || !is_letter(word[2]))
        return false;
    while (is_key_byte(word[n]))
        n++;
    return word[n] == '\0' || word[n] == '=';
}

static bool is_number(const char *word)
{
    size_t n = strspn(word, "+-.0123456789eE");
    return word[n] == '\0' && strpbrk(word, "0123456789") != NULL;
}

/* The length of the key of "a.b=c", "+a.b=c", "++a/b@c=d"; 0 when the word is
 * no such setting. */
static size_t override_key(const char *word)
{
    size_t n = 0;
    if (!is_letter(word[0]))
        return 0;
    while (is_key_byte(word[n]))
        n++;
    return word[n] == '=' ? n : 0;
}

static const char *past_plus(const char *word)
{
    return word + strspn(word, "+");
}

bool flat_is_override(const char *word)
{
    return override_key(past_plus(word)) > 0;
}

/* Is this the value of the flag before it? */
static bool is_value(const char *word)
{
    bool is_dashed = word[0] == '-' && !is_number(word);
    return !is_dashed && !flat_is_override(word);
}

/* --some-flag as some_flag. */
static bool flag_key(char key[FLAT_KEY_MAX], const char *word, size_t len)
{
    if (len >= FLAT_KEY_MAX)
        return false;
    memcpy(key, word, len);
    key[len] = '\0';
    for (char *c = key; *c != '\0'; c++) {
        if (*c == '-')
            *c = '_';
    }
    return true;
}

static enum status too_long(const struct flat_word *w, struct err *err)
{
    return err_set(err, ERR_LIMIT, "line %zu: a key is too long", w->line);
}

/* How many words behind a flag without '=' are its value. */
static size_t count_values(const struct flat_word *words, size_t n)
{
    size_t k = 0;
    if (n > 0 && (words[0].is_unknown || is_value(words[0].text)))
        k = 1;
    while (k > 0 && k < n && is_number(words[k - 1].text) &&
           is_number(words[k].text))
        k++;
    return k;
}

/* How many words a flag and its value are; words[0] is one. */
static size_t flag_words(const struct flat_word *words, size_t n)
{
    bool has_value = strchr(words[0].text, '=') != NULL;
    return has_value ? 1 : 1 + count_values(words + 1, n - 1);
}

/* words[0..n): a flag and its value. */
static enum status take_flag(struct flat *f, const struct flat_word *words,
                             size_t n, struct err *err)
{
    const struct flat_word *w = &words[0];
    const char *equals = strchr(w->text, '=');
    size_t len = equals != NULL ? (size_t)(equals - w->text) : strlen(w->text);
    char key[FLAT_KEY_MAX];
    if (!flag_key(key, w->text + 2, len - 2))
        return too_long(w, err);
    if (equals != NULL)
        return flat_add(f, key, equals + 1, strlen(equals + 1), w->is_unknown,
                        w->line, err);
    if (n == 1)
        return flat_add(f, key, "true", 4, false, w->line, err);
    struct buf value;
    bool is_unknown = false;
    buf_init(&value, FLAT_FILE_MAX);
    for (size_t i = 1; i < n; i++) {
        is_unknown = is_unknown || words[i].is_unknown;
        if (i > 1)
            buf_putc(&value, ' ');
        buf_puts(&value, words[i].text);
    }
    enum status status = buf_status(&value, err);
    if (status == OK)
        status = flat_add(f, key, buf_text(&value), value.len, is_unknown,
                          w->line, err);
    buf_free(&value);
    return status;
}

static enum status take_override(struct flat *f, const struct flat_word *w,
                                 struct err *err)
{
    const char *word = past_plus(w->text);
    size_t n = override_key(word);
    char key[FLAT_KEY_MAX];
    if (n >= FLAT_KEY_MAX)
        return too_long(w, err);
    memcpy(key, word, n);
    key[n] = '\0';
    const char *value = word + n + 1;
    bool is_null = strcmp(value, "null") == 0;
    bool is_unknown = w->is_unknown || flat_is_reference(value);
    return flat_add(f, key, is_null ? NULL : value, strlen(value), is_unknown,
                    w->line, err);
}

static bool is_setting(const struct flat_word *w)
{
    return is_flag(w->text) || flat_is_override(w->text);
}

/* The words that are neither settings nor their values. */
static void gather(struct buf *out, const struct flat_word *words, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t len = strlen(words[i].text);
        if (is_flag(words[i].text)) {
            i += flag_words(words + i, n - i);
            continue;
        }
        if (!is_setting(&words[i]) && out->len + len + 1 <= WORDS_MAX) {
            if (out->len > 0)
                buf_putc(out, ' ');
            buf_append(out, words[i].text, len);
        }
        i++;
    }
}

/* Settings alone go on with the command before them; a command begins a group
 * even without any, so that those which follow are not somebody else's. */
static enum status begin_group(struct flat *f, const struct flat_word *words,
                               size_t n, struct err *err)
{
    if (is_setting(&words[0]) && f->n_groups > 0)
        return OK;
    struct buf plain;
    buf_init(&plain, WORDS_MAX + 1);
    if (!is_setting(&words[0]))
        gather(&plain, words, n);
    enum status status = buf_status(&plain, err);
    if (status == OK)
        status = flat_add_group(f, buf_text(&plain), words[0].line, err);
    buf_free(&plain);
    return status;
}

enum status flat_words(struct flat *f, const struct flat_word *words, size_t n,
                       struct err *err)
{
    TRY(begin_group(f, words, n, err));
    for (size_t i = 0, step; i < n; i += step) {
        step = is_flag(words[i].text) ? flag_words(words + i, n - i) : 1;
        if (is_flag(words[i].text))
            TRY(take_flag(f, words + i, step, err));
        else if (is_setting(&words[i]))
            TRY(take_override(f, &words[i], err));
    }
    return OK;
}
