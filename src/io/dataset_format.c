#include "io/dataset_format.h"

#include <string.h>

#include "base/mem.h"

#define EXTRA_MAX (8 * JSONL_LINE_MAX)

/* A row being read. */
struct row {
    const struct json *json;
    const struct dataset_config *config;
    enum dataset_kind kind;
    enum dataset_format format;
    struct record *r;
};

void dataset_format_free(struct record *r)
{
    mem_free(r->id);
    mem_free(r->prompt);
    dialogue_free(&r->dialogue);
    mem_free(r->response);
    if (r->responses != NULL)
        for (size_t i = 0; i < r->n_responses; i++)
            mem_free(r->responses[i]);
    mem_free(r->responses);
    mem_free(r->ranking);
    mem_free(r->extra);
    *r = (struct record){0};
}

/* ---- which format ------------------------------------------------------- */

#define COUNT(x) (sizeof(x) / sizeof *(x))

/* The keys of ours that others can stand for, and those; NULL: none. */
struct renamed {
    struct {
        const char *name, *key;
    } at[5];
};

static struct renamed find_renamed(const struct dataset_config *c)
{
    return (struct renamed){{{"prompt", c->prompt_key},
                             {"response", c->response_key},
                             {"chosen", c->chosen_key},
                             {"rejected", c->rejected_key},
                             {"label", c->label_key}}};
}

/* The key that stands for one of ours. */
static const char *own_key(const struct dataset_config *c, const char *name)
{
    struct renamed r = find_renamed(c);
    for (size_t i = 0; i < COUNT(r.at); i++)
        if (strcmp(r.at[i].name, name) == 0 && r.at[i].key != NULL)
            return r.at[i].key;
    return name;
}

enum status dataset_format_check(const struct json *row,
                                 const struct dataset_config *c,
                                 struct err *err)
{
    struct renamed r = find_renamed(c);
    for (size_t i = 0; i < COUNT(r.at); i++)
        if (r.at[i].key != NULL && json_get(row, r.at[i].key) == NULL)
            return err_set(err, ERR_FORMAT,
                           "\"%.60s\" is missing, which is to stand for "
                           "\"%s\" (--%s-key)",
                           r.at[i].key, r.at[i].name, r.at[i].name);
    return OK;
}

/* A member that is there; null counts as absent. */
static const struct json *
member(const struct json *row, const struct dataset_config *c, const char *name)
{
    const struct json *node = json_get(row, own_key(c, name));
    return json_is_null(node) ? NULL : node;
}

/* The members that make a format; the first row that fits counts. */
static const struct {
    enum dataset_format format;
    const char *need[3];
} formats[] = {
    {FORMAT_PAIR, {"prompt", "chosen", "rejected"}},
    {FORMAT_IMPLICIT, {"chosen", "rejected"}},
    {FORMAT_OURS, {"prompt", "response"}},
    {FORMAT_OURS, {"prompt", "responses"}},
    {FORMAT_UNPAIRED, {"prompt", "completion", "label"}},
    {FORMAT_COMPLETION, {"prompt", "completion"}},
    {FORMAT_ANSWERS, {"prompt", "answers"}},
    {FORMAT_OURS, {"prompt"}},
    {FORMAT_MESSAGES, {"messages"}},
    {FORMAT_TEXT, {"text"}},
};

enum dataset_format dataset_format_find(const struct json *row,
                                        const struct dataset_config *c)
{
    for (size_t i = 0; i < COUNT(formats); i++) {
        bool fits = true;
        for (size_t k = 0; k < COUNT(formats[i].need); k++)
            if (formats[i].need[k] != NULL)
                fits = fits && member(row, c, formats[i].need[k]) != NULL;
        if (!fits)
            continue;
        if (formats[i].format != FORMAT_IMPLICIT)
            return formats[i].format;
        const char *text = json_text(member(row, c, "chosen"), "");
        return dialogue_is_hh(text) ? FORMAT_HH : FORMAT_IMPLICIT;
    }
    return FORMAT_UNKNOWN;
}

/*
 * Does a key mean something, so that it is not kept in `extra`?  Our own names
 * always do: a record is written with them.  Those of other formats do in
 * other formats, lest a record be read back as one of those.
 */
static bool is_named(const struct row *row, const char *key)
{
    static const char *const names[] = {"id",        "prompt",     "response",
                                        "responses", "ranking",    "chosen",
                                        "rejected",  "completion", "answers"};
    size_t n = row->format == FORMAT_OURS ? 5 : COUNT(names);
    for (size_t i = 0; i < n; i++)
        if (strcmp(key, names[i]) == 0 ||
            strcmp(key, own_key(row->config, names[i])) == 0)
            return true;
    const char *own = row->format == FORMAT_UNPAIRED   ? "label"
                      : row->format == FORMAT_MESSAGES ? "messages"
                      : row->format == FORMAT_TEXT     ? "text"
                                                       : NULL;
    return own != NULL && strcmp(key, own_key(row->config, own)) == 0;
}

/* ---- members ------------------------------------------------------------ */

static enum status copy(char **out, const char *text, const char *what,
                        struct err *err)
{
    *out = mem_strdup(text);
    if (*out == NULL)
        return err_set(err, ERR_MEMORY, "out of memory for %s", what);
    return OK;
}

static enum status copy_text(char **out, const struct json *node,
                             const char *what, struct err *err)
{
    if (!json_is_string(node))
        return err_set(err, ERR_FORMAT, "%s is not a string", what);
    return copy(out, json_text(node, ""), what, err);
}

/* The id as text; other tools number their records. */
static enum status read_id(struct row *row, const char *number, struct err *err)
{
    const struct json *id = member(row->json, row->config, "id");
    if (id != NULL && !json_is_number(id))
        return copy_text(&row->r->id, id, "\"id\"", err);
    struct buf text;
    buf_init(&text, 64);
    if (id == NULL)
        buf_puts(&text, number);
    else
        json_dump(&text, id);
    enum status status = buf_status(&text, err);
    if (status == OK)
        status = copy(&row->r->id, text.data, "an id", err);
    buf_free(&text);
    return status;
}

/* The dialogue as the text that people read. */
static enum status print_prompt(struct record *r, struct err *err)
{
    struct buf text;
    buf_init(&text, EXTRA_MAX);
    dialogue_print(&text, &r->dialogue);
    enum status status = buf_status(&text, err);
    if (status == OK)
        status = copy(&r->prompt, buf_text(&text), "a prompt", err);
    buf_free(&text);
    return status;
}

static enum status end_prompt(struct record *r, struct err *err)
{
    const struct dialogue *d = &r->dialogue;
    if (d->n == 0 || strcmp(d->turn[d->n - 1].role, "assistant") == 0)
        return err_set(err, ERR_FORMAT,
                       "the prompt does not end with a message to be answered");
    return print_prompt(r, err);
}

static enum status read_prompt(struct row *row, struct err *err)
{
    struct record *r = row->r;
    const struct json *node = member(row->json, row->config, "prompt");
    if (json_is_array(node)) {
        TRY(dialogue_read(&r->dialogue, node, "\"prompt\"", err));
        return end_prompt(r, err);
    }
    if (!dialogue_is_hh(json_text(node, "")))
        return copy_text(&r->prompt, node, "\"prompt\"", err);
    TRY(dialogue_parse_hh(&r->dialogue, json_text(node, ""), err));
    /* "Assistant:" with nothing behind it asks for the answer. */
    const struct chat_message *last = &r->dialogue.turn[r->dialogue.n - 1];
    if (strcmp(last->role, "assistant") == 0 && *last->content == '\0')
        (void)dialogue_take_reply(&r->dialogue);
    return end_prompt(r, err);
}

/* A response: a text, or a list of the assistant's one message. */
static enum status read_response(char **out, const struct row *row,
                                 const struct json *node, const char *what,
                                 struct err *err)
{
    if (!json_is_array(node)) {
        TRY(copy_text(out, node, what, err));
        /* Behind "Assistant:" stands a blank. */
        const struct json *prompt = member(row->json, row->config, "prompt");
        if (dialogue_is_hh(json_text(prompt, "")) && **out == ' ')
            memmove(*out, *out + 1, strlen(*out));
        return OK;
    }
    if (json_size(node) == 0 || !json_is_object(json_at(node, 0)))
        return err_set(err, ERR_FORMAT, "%s is not a string", what);
    struct dialogue d = {0};
    TRY(dialogue_read(&d, node, what, err));
    const char *reply = d.n == 1 ? dialogue_take_reply(&d) : NULL;
    enum status status = OK;
    if (reply != NULL)
        status = copy(out, reply, what, err);
    else
        status = err_set(err, ERR_FORMAT,
                         "%s is not one message of the assistant", what);
    dialogue_free(&d);
    return status;
}

static enum status read_responses(struct row *row, const struct json *node,
                                  struct err *err)
{
    struct record *r = row->r;
    size_t n = json_size(node);
    if (!json_is_array(node))
        return err_set(err, ERR_FORMAT, "\"responses\" is not a list");
    if (n < 1 || n > DATASET_RESPONSES_MAX)
        return err_set(err, ERR_FORMAT,
                       "\"responses\" has %zu items, not 1..%d", n,
                       DATASET_RESPONSES_MAX);
    TRY(MEM_NEW(r->responses, n, err));
    r->n_responses = n;
    for (size_t i = 0; i < n; i++)
        TRY(read_response(&r->responses[i], row, json_at(node, i),
                          "an item of \"responses\"", err));
    return OK;
}

static enum status check_rank(int64_t rank, size_t i, size_t n, struct err *err)
{
    if (rank < 1 || rank > (int64_t)n)
        return err_set(err, ERR_FORMAT,
                       "item %zu of \"ranking\" is not a rank in 1..%zu", i + 1,
                       n);
    return OK;
}

static enum status read_ranking(struct record *r, const struct json *node,
                                struct err *err)
{
    if (!json_is_array(node))
        return err_set(err, ERR_FORMAT, "\"ranking\" is not a list");
    if (r->n_responses < 2)
        return err_set(err, ERR_FORMAT,
                       "\"ranking\" of %zu responses; two are needed",
                       r->n_responses);
    if (json_size(node) != r->n_responses)
        return err_set(err, ERR_FORMAT,
                       "\"ranking\" has %zu items for %zu responses",
                       json_size(node), r->n_responses);
    TRY(MEM_NEW(r->ranking, r->n_responses, err));
    for (size_t i = 0; i < r->n_responses; i++) {
        int64_t rank = json_int(json_at(node, i), 0);
        TRY(check_rank(rank, i, r->n_responses, err));
        r->ranking[i] = (int32_t)rank;
    }
    return OK;
}

/* Everything else, as one object in file order. */
static enum status read_extra(struct row *row, struct err *err)
{
    struct buf text;
    buf_init(&text, EXTRA_MAX);
    struct json_writer w;
    json_writer_init(&w, &text, false);
    json_open(&w, '{');
    const struct json *json = row->json;
    for (const void *it = json_first(json); it; it = json_next(json, it)) {
        if (is_named(row, json_key(it)))
            continue;
        json_put_key(&w, json_key(it));
        json_put_node(&w, json_value(it));
    }
    json_close(&w, '}');
    enum status status = buf_status(&text, err);
    if (status == OK)
        status = copy(&row->r->extra, text.data, "a record", err);
    buf_free(&text);
    return status;
}

/* ---- formats ------------------------------------------------------------ */

static enum status read_ours(struct row *row, struct err *err)
{
    const struct dataset_config *c = row->config;
    const struct json *response = member(row->json, c, "response");
    const struct json *responses = member(row->json, c, "responses");
    const struct json *ranking = member(row->json, c, "ranking");
    enum dataset_kind kind = row->kind;
    if (response == NULL && kind == DATASET_DEMOS)
        return err_set(err, ERR_FORMAT, "\"response\" is missing");
    if (responses == NULL &&
        (kind == DATASET_CANDIDATES || kind == DATASET_RANKINGS))
        return err_set(err, ERR_FORMAT, "\"responses\" is missing");
    if (ranking == NULL && kind == DATASET_RANKINGS)
        return err_set(err, ERR_FORMAT, "\"ranking\" is missing");
    TRY(read_prompt(row, err));
    if (response != NULL)
        TRY(read_response(&row->r->response, row, response, "\"response\"",
                          err));
    if (responses != NULL)
        TRY(read_responses(row, responses, err));
    return ranking != NULL ? read_ranking(row->r, ranking, err) : OK;
}

static enum status need_kind(const struct row *row, bool is_there,
                             struct err *err)
{
    static const char *const wanted[] = {
        [DATASET_PROMPTS] = "a prompt",
        [DATASET_DEMOS] = "a response",
        [DATASET_CANDIDATES] = "responses",
        [DATASET_RANKINGS] = "ranked responses",
        [DATASET_ANY] = "anything",
    };
    if (is_there)
        return OK;
    return err_set(err, ERR_FORMAT, "a record of the format %s has not %s",
                   dataset_format_name(row->format), wanted[row->kind]);
}

static bool has_rankings(const struct row *row)
{
    return row->kind == DATASET_CANDIDATES || row->kind == DATASET_RANKINGS;
}

/* Answers of a Nectar record: {"answer","rank"}. */
static enum status read_answers(struct row *row, struct err *err)
{
    struct record *r = row->r;
    const struct json *list = member(row->json, row->config, "answers");
    size_t n = json_size(list);
    TRY(need_kind(row, row->kind != DATASET_DEMOS, err));
    TRY(read_prompt(row, err));
    if (row->kind == DATASET_PROMPTS)
        return OK;
    if (!json_is_array(list) || n < 2 || n > DATASET_RESPONSES_MAX)
        return err_set(err, ERR_FORMAT,
                       "\"answers\" is not a list of 2 to %d answers",
                       DATASET_RESPONSES_MAX);
    TRY(MEM_NEW(r->responses, n, err));
    r->n_responses = n;
    TRY(MEM_NEW(r->ranking, n, err));
    for (size_t i = 0; i < n; i++) {
        const struct json *item = json_at(list, i);
        /* Written as a real number: 1.0. */
        double real = json_number(json_get(item, "rank"), 0);
        int64_t rank = real >= 1 && real <= (double)n ? (int64_t)real : 0;
        TRY(read_response(&r->responses[i], row, json_get(item, "answer"),
                          "an \"answer\"", err));
        TRY(check_rank((double)rank == real ? rank : 0, i, n, err));
        r->ranking[i] = (int32_t)rank;
    }
    return OK;
}

static enum status read_completion(struct row *row, enum dataset_label *label,
                                   struct err *err)
{
    bool is_unpaired = row->format == FORMAT_UNPAIRED;
    TRY(need_kind(row, is_unpaired || !has_rankings(row), err));
    if (is_unpaired) {
        const struct json *node = member(row->json, row->config, "label");
        if (!json_is_bool(node))
            return err_set(err, ERR_FORMAT,
                           "\"label\" is neither true nor false");
        *label = json_bool(node, false) ? LABEL_LIKED : LABEL_NOT_LIKED;
    }
    TRY(read_prompt(row, err));
    if (row->kind == DATASET_PROMPTS)
        return OK;
    return read_response(&row->r->response, row,
                         member(row->json, row->config, "completion"),
                         "\"completion\"", err);
}

/* Two responses, the first preferred; or, where demonstrations or prompts are
 * wanted, what they need. */
static enum status take_pair(struct row *row, const char *chosen,
                             const char *rejected, struct err *err)
{
    struct record *r = row->r;
    if (row->kind == DATASET_PROMPTS)
        return OK;
    if (row->kind == DATASET_DEMOS)
        return copy(&r->response, chosen, "a response", err);
    TRY(MEM_NEW(r->responses, 2, err));
    r->n_responses = 2;
    TRY(MEM_NEW(r->ranking, 2, err));
    r->ranking[0] = 1;
    r->ranking[1] = 2;
    TRY(copy(&r->responses[0], chosen, "a response", err));
    return copy(&r->responses[1], rejected, "a response", err);
}

/* Whole dialogues: the last messages are the responses, and what stands before
 * must be the same. */
static enum status split_dialogues(struct row *row, struct dialogue *chosen,
                                   struct dialogue *rejected, struct err *err)
{
    const char *better = dialogue_take_reply(chosen);
    const char *worse = dialogue_take_reply(rejected);
    if (better == NULL || worse == NULL)
        return err_set(err, ERR_FORMAT,
                       "\"%s\" does not end with a message of the assistant",
                       better == NULL ? "chosen" : "rejected");
    if (!dialogue_equal(chosen, rejected))
        return err_set(err, ERR_FORMAT,
                       "\"chosen\" and \"rejected\" differ before their last "
                       "message: they do not answer the same prompt");
    TRY(take_pair(row, better, worse, err));
    row->r->dialogue = *chosen;
    *chosen = (struct dialogue){0};
    return end_prompt(row->r, err);
}

static enum status read_dialogues(struct row *row, const struct json *chosen,
                                  const struct json *rejected, struct err *err)
{
    enum status status = OK;
    struct dialogue a = {0}, b = {0};
    if (row->format == FORMAT_HH) {
        if (!json_is_string(rejected))
            return err_set(err, ERR_FORMAT, "\"rejected\" is not a string");
        TRY_DONE(dialogue_parse_hh(&a, json_text(chosen, ""), err));
        TRY_DONE(dialogue_parse_hh(&b, json_text(rejected, ""), err));
    } else {
        TRY_DONE(dialogue_read(&a, chosen, "\"chosen\"", err));
        TRY_DONE(dialogue_read(&b, rejected, "\"rejected\"", err));
    }
    status = split_dialogues(row, &a, &b, err);
done:
    dialogue_free(&a);
    dialogue_free(&b);
    return status;
}

static enum status read_texts(struct row *row, const char *chosen,
                              const char *rejected, struct err *err)
{
    bool is_same = strcmp(chosen, rejected) == 0;
    /* A pair of one text is left out of rankings, wherever it is cut. */
    if (is_same && row->kind != DATASET_RANKINGS)
        return err_set(err, ERR_FORMAT,
                       "\"chosen\" and \"rejected\" are the same text: where "
                       "the prompt ends cannot be told");
    size_t n = dialogue_common_prompt(chosen, rejected);
    if (n == 0 && !is_same)
        return err_set(err, ERR_FORMAT,
                       "\"chosen\" and \"rejected\" have no common beginning "
                       "and \"%s\" is missing; --prompt-key names another key",
                       own_key(row->config, "prompt"));
    TRY(MEM_NEW(row->r->prompt, n + 1, err));
    memcpy(row->r->prompt, chosen, n);
    return take_pair(row, chosen + n, rejected + n, err);
}

static enum status read_implicit(struct row *row, struct err *err)
{
    const struct json *chosen = member(row->json, row->config, "chosen");
    const struct json *rejected = member(row->json, row->config, "rejected");
    if (row->format == FORMAT_HH || json_is_array(chosen))
        return read_dialogues(row, chosen, rejected, err);
    if (!json_is_string(chosen) || !json_is_string(rejected))
        return err_set(err, ERR_FORMAT,
                       "\"chosen\" and \"rejected\" are not both texts");
    return read_texts(row, json_text(chosen, ""), json_text(rejected, ""), err);
}

static enum status read_pair(struct row *row, struct err *err)
{
    enum status status = OK;
    const struct json *chosen = member(row->json, row->config, "chosen");
    const struct json *rejected = member(row->json, row->config, "rejected");
    char *better = NULL, *worse = NULL;
    /* With more than the answer they are whole dialogues. */
    if (json_is_array(chosen) && json_size(chosen) > 1)
        return read_dialogues(row, chosen, rejected, err);
    TRY(read_prompt(row, err));
    TRY_DONE(read_response(&better, row, chosen, "\"chosen\"", err));
    TRY_DONE(read_response(&worse, row, rejected, "\"rejected\"", err));
    status = take_pair(row, better, worse, err);
done:
    mem_free(better);
    mem_free(worse);
    return status;
}

static enum status read_messages(struct row *row, struct err *err)
{
    struct record *r = row->r;
    TRY(need_kind(row, !has_rankings(row), err));
    TRY(dialogue_read(&r->dialogue, member(row->json, row->config, "messages"),
                      "\"messages\"", err));
    const char *reply = dialogue_take_reply(&r->dialogue);
    TRY(need_kind(row, reply != NULL || row->kind != DATASET_DEMOS, err));
    if (reply != NULL && row->kind != DATASET_PROMPTS)
        TRY(copy(&r->response, reply, "a response", err));
    return end_prompt(r, err);
}

static enum status read_text(struct row *row, struct err *err)
{
    bool fits = row->kind == DATASET_DEMOS || row->kind == DATASET_ANY;
    TRY(need_kind(row, fits, err));
    row->r->is_raw = true;
    TRY(copy(&row->r->prompt, "", "a prompt", err));
    return copy_text(&row->r->response, member(row->json, row->config, "text"),
                     "\"text\"", err);
}

static enum status read_members(struct row *row, enum dataset_label *label,
                                struct err *err)
{
    switch (row->format) {
    case FORMAT_ANSWERS:
        return read_answers(row, err);
    case FORMAT_COMPLETION:
    case FORMAT_UNPAIRED:
        return read_completion(row, label, err);
    case FORMAT_PAIR:
        return read_pair(row, err);
    case FORMAT_IMPLICIT:
    case FORMAT_HH:
        return read_implicit(row, err);
    case FORMAT_MESSAGES:
        return read_messages(row, err);
    case FORMAT_TEXT:
        return read_text(row, err);
    case FORMAT_UNKNOWN:
    case FORMAT_OURS:
        break;
    }
    return read_ours(row, err);
}

enum status dataset_format_read(struct record *r, enum dataset_label *label,
                                const struct json *json, const char *number,
                                enum dataset_format format,
                                enum dataset_kind kind,
                                const struct dataset_config *c, struct err *err)
{
    struct row row = {
        .json = json, .config = c, .kind = kind, .format = format, .r = r};
    TRY(read_id(&row, number, err));
    TRY(read_members(&row, label, err));
    return read_extra(&row, err);
}
