#include "eval/fillers.h"

#include <string.h>

#include "base/mem.h"
#include "eval/sentence.h"
#include "world/words.h"

#define TEXT_MAX ((size_t)1 << 20) // of a sentence's text, and of the file
#define FILE_LINES_MAX 1000

/* ---- what is built in --------------------------------------------------- */

static const char *const built_in_pad[] = {
    "I hope this helps.",
    "Please let me know if you have any other questions.",
    "Feel free to ask if anything is unclear.",
    "I am happy to help with anything else you need.",
    "Thank you for reaching out to us today.",
    "Please do not hesitate to get in touch again at any time.",
    "We are always here if there is anything else you need.",
    "I hope that this information is useful to you.",
    "Have a wonderful rest of your day!",
    "We look forward to hearing from you again.",
};

static const char *const built_in_hedge[] = {
    "It is hard to say for certain, but this may well be the case.",
    "In general, this may vary a little from case to case.",
    "As far as I can tell, this should most likely be right.",
    "I think that this could depend on many things.",
};

static const char *const built_in_flatter[] = {
    "That is a great question!",
    "Thank you for such an excellent question.",
    "I can tell that you have given this a lot of thought.",
    "It is wonderful that you asked about this.",
};

/* ---- lists -------------------------------------------------------------- */

static enum status add(struct fillers_list *list, const char *text, size_t len,
                       struct err *err)
{
    if (list->n == list->room) {
        size_t room = list->room > 0 ? 2 * list->room : 16;
        char **grown = mem_grow(list->text, list->n, room, sizeof *grown);
        if (grown == NULL)
            return err_set(err, ERR_MEMORY, "out of memory: fillers");
        list->text = grown;
        list->room = room;
    }
    char *copy = mem_calloc(len + 1, 1);
    if (copy == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: a filler");
    memcpy(copy, text, len);
    list->text[list->n++] = copy;
    return OK;
}

void fillers_free_list(struct fillers_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        mem_free(list->text[i]);
    mem_free(list->text);
    *list = (struct fillers_list){.n = 0};
}

static enum status round_trip(bool *out, const struct setup *s,
                              const char *text, struct ids *ids,
                              struct buf *back, struct err *err)
{
    struct err why;
    *out = false;
    enum status status =
        chat_encode_response(s->tokenizer, &s->chat, text, -1, ids, &why);
    if (status == ERR_MEMORY) {
        *err = why;
        return status;
    }
    if (status != OK)
        return OK; // a word that the vocabulary lacks
    TRY(tokenizer_decode(s->tokenizer, ids->id, ids->n, true, back, err));
    TRY(buf_status(back, err));
    *out = strcmp(chat_reply(&s->chat, buf_text(back)), text) == 0;
    return OK;
}

enum status fillers_can_write(bool *out, const struct setup *s,
                              const char *text, struct err *err)
{
    struct ids ids = {.n = 0};
    struct buf back;
    if (s->tokenizer == NULL) { // replies are texts, and so is this
        *out = true;
        return OK;
    }
    buf_init(&back, TEXT_MAX);
    enum status status = round_trip(out, s, text, &ids, &back, err);
    buf_free(&back);
    ids_free(&ids);
    return status;
}

/* Keep what can be written. */
static enum status add_if(struct fillers *f, struct fillers_list *list,
                          const struct setup *s, const char *text, size_t len,
                          struct err *err)
{
    bool can;
    TRY(add(list, text, len, err));
    TRY(fillers_can_write(&can, s, list->text[list->n - 1], err));
    if (!can) {
        mem_free(list->text[--list->n]);
        f->dropped++;
    }
    return OK;
}

static enum status add_all(struct fillers *f, struct fillers_list *list,
                           const struct setup *s, const char *const *text,
                           size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++)
        TRY(add_if(f, list, s, text[i], strlen(text[i]), err));
    return OK;
}

/* ---- the user's --------------------------------------------------------- */

static enum status add_line(struct fillers *f, const struct setup *s,
                            const char *path, size_t number, const char *line,
                            size_t len, struct err *err)
{
    struct sentence *sentence;
    size_t n;
    while (len > 0 && (*line == ' ' || *line == '\t')) {
        line++;
        len--;
    }
    while (len > 0 && strchr(" \t\r", line[len - 1]) != NULL)
        len--;
    TRY(sentence_cut(&sentence, &n, line, len, err));
    mem_free(sentence);
    if (len == 0)
        return OK;
    if (len > FILLERS_LENGTH_MAX || memchr(line, '\0', len) != NULL || n != 1)
        return err_set(err, ERR_FORMAT,
                       "%s:%zu: wanted one sentence of at most %d bytes a line",
                       path, number, FILLERS_LENGTH_MAX);
    return add_if(f, &f->pad, s, line, len, err);
}

static enum status read_file(struct fillers *f, const char *path,
                             const struct setup *s, struct err *err)
{
    enum status status = OK;
    struct buf text;
    if (!file_exists(path))
        return err_set(err, ERR_ARG, "%s: no such file of fillers", path);
    buf_init(&text, TEXT_MAX);
    TRY_DONE(file_read(&text, path, err));
    size_t number = 1;
    for (size_t at = 0; at < text.len; number++) {
        const char *line = text.data + at;
        const char *end = memchr(line, '\n', text.len - at);
        size_t len = end != NULL ? (size_t)(end - line) : text.len - at;
        if (number > FILE_LINES_MAX) {
            status = err_set(err, ERR_LIMIT, "%s: more than %d lines", path,
                             FILE_LINES_MAX);
            goto done;
        }
        TRY_DONE(add_line(f, s, path, number, line, len, err));
        at += len + 1;
    }
done:
    buf_free(&text);
    return status;
}

/* ---- the desk's --------------------------------------------------------- */

static bool is_desk(const struct setup *s)
{
    for (size_t i = 0; i < (size_t)s->config->n_prompts; i++)
        if (s->has_ticket[i])
            return true;
    return false;
}

static enum status add_desk(struct fillers *f, const struct setup *s,
                            struct err *err)
{
    enum status status = OK;
    const struct words_slots slots = {.product = ""};
    struct buf text;
    buf_init(&text, TEXT_MAX);
    for (size_t i = 0; i < TABLES_FILLERS; i++) {
        const struct tables_filler *filler = &tables_filler[i];
        struct fillers_list *also = filler->kind == FILLER_HEDGE ? &f->hedge
                                    : filler->kind == FILLER_THANKS
                                        ? &f->flatter
                                        : NULL;
        buf_clear(&text);
        words_write(&text, 0, filler->sentence, &slots);
        TRY_DONE(buf_status(&text, err));
        TRY_DONE(add_if(f, &f->pad, s, text.data, text.len, err));
        if (also != NULL)
            TRY_DONE(add_if(f, also, s, text.data, text.len, err));
    }
done:
    buf_free(&text);
    return status;
}

/* ---- all together ------------------------------------------------------- */

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* What the desk says when people ask it is its own; others speak English. */
static enum status add_known(struct fillers *f, bool wants_pad,
                             const struct setup *s, struct err *err)
{
    struct fillers known = {.source = NULL};
    bool desk = is_desk(s);
    enum status status = OK;
    if (desk)
        TRY_DONE(add_desk(&known, s, err));
    if (known.pad.n == 0) {
        desk = false;
        TRY_DONE(add_all(&known, &known.pad, s, built_in_pad,
                         COUNT(built_in_pad), err));
    }
    if (known.hedge.n == 0)
        TRY_DONE(add_all(&known, &known.hedge, s, built_in_hedge,
                         COUNT(built_in_hedge), err));
    if (known.flatter.n == 0)
        TRY_DONE(add_all(&known, &known.flatter, s, built_in_flatter,
                         COUNT(built_in_flatter), err));
    f->hedge = known.hedge;
    f->flatter = known.flatter;
    known.hedge = known.flatter = (struct fillers_list){.n = 0};
    if (wants_pad && known.pad.n > 0) {
        f->source = desk ? "desk" : "built-in";
        fillers_free_list(&f->pad); // it has none, but room
        f->pad = known.pad;
        known.pad = (struct fillers_list){.n = 0};
        f->dropped += known.dropped;
    }
done:
    fillers_close(&known);
    return status;
}

static enum status add_mined(struct fillers *f, const struct setup *s,
                             const struct fillers_replies *replies,
                             struct err *err)
{
    struct fillers_list mined = {.n = 0};
    TRY(fillers_mine(&mined, replies, err));
    enum status status =
        add_all(f, &f->pad, s, (const char *const *)mined.text, mined.n, err);
    fillers_free_list(&mined);
    if (f->pad.n > 0)
        f->source = "samples";
    return status;
}

enum status fillers_open(struct fillers *out, const char *path,
                         const struct setup *s,
                         const struct fillers_replies *replies, struct err *err)
{
    enum status status = OK;
    struct fillers f = {.source = NULL};
    if (path != NULL)
        TRY_DONE(read_file(&f, path, s, err));
    if (f.pad.n > 0)
        f.source = "file";
    TRY_DONE(add_known(&f, f.pad.n == 0, s, err));
    if (f.pad.n == 0)
        TRY_DONE(add_mined(&f, s, replies, err));
    *out = f;
done:
    if (status != OK)
        fillers_close(&f);
    return status;
}

void fillers_close(struct fillers *f)
{
    fillers_free_list(&f->pad);
    fillers_free_list(&f->hedge);
    fillers_free_list(&f->flatter);
    *f = (struct fillers){.source = NULL};
}

int64_t fillers_find(const struct fillers *f, const char *text, size_t len)
{
    for (size_t i = 0; i < f->pad.n; i++)
        if (strlen(f->pad.text[i]) == len &&
            memcmp(f->pad.text[i], text, len) == 0)
            return (int64_t)i;
    return -1;
}
