#include "import/people.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "import/sink_internal.h"

#define ID_MAX ((size_t)1 << 20)
#define EVERY "*" // as the reference: every other model

void people_pair_init(struct people_pair *pair)
{
    const struct people_side nothing = {.n_tokens = -1,
                                        .direct = (double)NAN,
                                        .helpful = (double)NAN,
                                        .correct = (double)NAN,
                                        .too_long = (double)NAN};
    *pair = (struct people_pair){.side = {nothing, nothing}};
}

void people_verdict_init(struct people_verdict *v)
{
    *v = (struct people_verdict){.win = (double)NAN,
                                 .probability = (double)NAN,
                                 .left = -1,
                                 .kind = PEOPLE_KIND_UNKNOWN,
                                 .visit = 1};
}

const char *people_named(const struct reader *r, const char *part)
{
    const char *option = r->people == NULL             ? NULL
                         : strcmp(part, "policy") == 0 ? r->people->policy
                                                       : r->people->reference;
    return option != NULL ? option : reader_mapped(r, part);
}

/* ---- which model is which ----------------------------------------------- */

/* Is one of the words a word of the name ("sft-v2" has "sft")? */
static bool has_word(const char *name, const char *const *words, size_t n)
{
    char word[32];
    size_t len = 0;
    for (const char *c = name;; c++) {
        bool is_in = isalnum((unsigned char)*c) != 0;
        if (is_in && len < sizeof word - 1)
            word[len++] = (char)tolower((unsigned char)*c);
        if (is_in)
            continue;
        word[len] = '\0';
        for (size_t i = 0; i < n; i++)
            if (strcmp(word, words[i]) == 0)
                return true;
        len = 0;
        if (*c == '\0')
            return false;
    }
}

static bool is_like_reference(const char *name)
{
    static const char *const words[] = {"reference", "ref",     "baseline",
                                        "sft",       "initial", "init"};
    return has_word(name, words, sizeof words / sizeof *words);
}

/* ERR_ARG with the names. */
static enum status ask(const struct people *p, const char *what,
                       struct err *err)
{
    struct buf list;
    buf_init(&list, 512);
    for (size_t i = 0; i < p->model.n && list.len < 240; i++)
        buf_printf(&list, "%s%.80s", i > 0 ? ", " : "", p->model.text[i]);
    if (buf_status(&list, NULL) == OK && p->model.n > 1 && list.len >= 240)
        buf_printf(&list, " and more (%zu)", p->model.n);
    (void)err_set(err, ERR_ARG, "%s: %s: its models are %s", p->r->path, what,
                  buf_text(&list));
    buf_free(&list);
    return ERR_ARG;
}

static enum status say(struct people *p, const char *why, struct err *err)
{
    return notes_warn(&p->r->sink->notes, "models", 1, err,
                      "the policy is %.80s, the reference %.80s: %s", p->policy,
                      p->reference, why);
}

/* The other of two, or NULL when `name` is neither. */
static const char *other_of(const struct people *p, const char *name)
{
    for (size_t i = 0; i < 2; i++)
        if (strcmp(p->model.text[i], name) == 0)
            return p->model.text[1 - i];
    return NULL;
}

static enum status choose_of_two(struct people *p, struct err *err)
{
    const char *const *name = (const char *const *)p->model.text;
    if (p->policy != NULL || p->reference != NULL) {
        const char **unsaid = p->policy == NULL ? &p->policy : &p->reference;
        *unsaid = other_of(p, p->policy != NULL ? p->policy : p->reference);
        return *unsaid != NULL
                   ? OK
                   : ask(p, "--policy or --reference is none of them", err);
    }
    if (p->first_is_reference && p->on_side[0].n == 1 && p->on_side[1].n == 1) {
        p->reference = p->on_side[0].text[0];
        p->policy = p->on_side[1].text[0];
        return say(p, "the second reply of a pair is the tested one", err);
    }
    bool is_like[2] = {is_like_reference(name[0]), is_like_reference(name[1])};
    if (is_like[0] == is_like[1])
        return ask(p, "--policy NAME or --reference NAME is wanted", err);
    p->reference = name[is_like[0] ? 0 : 1];
    p->policy = name[is_like[0] ? 1 : 0];
    return say(p, "by their names", err);
}

static enum status choose(struct people *p, struct err *err)
{
    bool is_one_said = p->policy != NULL || p->reference != NULL;
    if (p->model.n == 0)
        return OK;
    if (p->model.n == 2)
        return choose_of_two(p, err);
    if (p->model.n > 2 && p->policy != NULL && p->reference == NULL &&
        p->first_is_reference && p->on_side[0].n == 1) {
        p->reference = p->on_side[0].text[0];
        return OK;
    }
    if (p->model.n > 2)
        return ask(p, "--policy NAME and --reference NAME (or '*') are wanted",
                   err);
    const char *name = p->model.text[0];
    const char *said = p->policy != NULL ? p->policy : p->reference;
    if (is_one_said && strcmp(said, name) == 0)
        return OK;
    if (is_one_said)
        return ask(p,
                   p->policy == NULL ? "--policy NAME is wanted, too"
                                     : "--reference NAME is wanted, too",
                   err);
    if (is_like_reference(name))
        p->reference = name;
    else if (strcmp(name, "policy") == 0)
        p->policy = name;
    else
        return ask(p, "--policy NAME or --reference NAME is wanted", err);
    return OK;
}

static enum status add_name(struct people *p, size_t side, const char *name,
                            struct err *err)
{
    size_t index;
    if (name == NULL || p->model.n >= PEOPLE_MODELS_MAX)
        return OK;
    TRY(names_add(&p->on_side[side], &index, name, err));
    return names_add(&p->model, &index, name, err);
}

/* ---- walks -------------------------------------------------------------- */

static enum status take_row(struct reader *r, void *ctx,
                            const struct value *row, size_t line,
                            struct err *err)
{
    struct people *p = ctx;
    (void)r;
    (void)line;
    row = value_only(row);
    if (row == NULL || row->kind != VALUE_OBJECT)
        return err_set(err, ERR_FORMAT, "a row that is no object");
    return p->take(p, row, err);
}

static enum status walk_rows(struct people *p, struct err *err)
{
    struct head h;
    TRY(sniff_open(&h, p->r->path, err));
    bool is_table = h.n_columns > 0;
    sniff_close(&h);
    return is_table ? reader_table(p->r, take_row, p, err)
                    : reader_rows(p->r, take_row, p, err);
}

static enum status walk(struct people *p, struct err *err)
{
    TRY(p->walk != NULL ? p->walk(p, err) : walk_rows(p, err));
    return p->end != NULL ? p->end(p, err) : OK;
}

static enum status walk_both(struct people *p, struct err *err)
{
    p->policy = people_named(p->r, "policy");
    p->reference = people_named(p->r, "reference");
    if (p->policy == NULL || p->reference == NULL) {
        p->is_naming = true;
        TRY(walk(p, err));
        TRY(choose(p, err));
        p->is_naming = false;
    }
    TRY(walk(p, err));
    if (p->matched > 0 || p->model.n == 0)
        return OK;
    struct err list = {.code = OK};
    (void)ask(p, "no reply or pair of --policy and --reference is here", &list);
    return notes_warn(&p->r->sink->notes, "models_unmatched", 1, err, "%s",
                      list.text);
}

enum status people_read(struct people *p, struct reader *r, struct err *err)
{
    p->r = r;
    buf_init(&p->id, ID_MAX);
    enum status status = walk_both(p, err);
    names_free(&p->model);
    names_free(&p->on_side[0]);
    names_free(&p->on_side[1]);
    seen_free(&p->seen);
    buf_free(&p->id);
    return status;
}

/* ---- putting ------------------------------------------------------------ */

/* The number of a reply among those of its prompt and side, by its text. */
static enum status number_reply(int64_t *sample, bool *is_new, struct people *p,
                                bool is_policy, const char *response,
                                struct err *err)
{
    uint32_t *number, *count;
    const char *const text[] = {buf_text(&p->id), is_policy ? "p" : "r",
                                response};
    TRY(seen_at(&number, &p->seen, seen_key(text, 3), is_new, err));
    if (!*is_new) {
        *sample = *number;
        return OK;
    }
    TRY(seen_at(&count, &p->seen, seen_key(text, 2), NULL, err));
    *sample = (*count)++;
    TRY(seen_at(&number, &p->seen, seen_key(text, 3), NULL, err));
    *number = (uint32_t)*sample;
    return OK;
}

/* A side's reply, unless it came before. */
static enum status put_side(struct import_side *out, struct people *p,
                            const struct people_pair *pair, size_t k,
                            bool is_policy, struct err *err)
{
    const struct people_side *side = &pair->side[k];
    struct import_reply reply;
    bool is_new;
    *out = (struct import_side){.response = side->response,
                                .sample = -1,
                                .direct = side->direct,
                                .helpful = side->helpful,
                                .correct = side->correct,
                                .too_long = side->too_long};
    if (side->response == NULL)
        return OK;
    TRY(number_reply(&out->sample, &is_new, p, is_policy, side->response, err));
    if (!is_new)
        return OK;
    sink_reply_init(&reply);
    reply.is_policy = is_policy;
    reply.prompt_id = buf_text(&p->id);
    reply.prompt = pair->prompt;
    reply.response = side->response;
    reply.sample = out->sample;
    reply.n_tokens = side->n_tokens;
    reply.extra = side->extra;
    reply.is_once = true;
    return sink_put_reply(p->r->sink, &reply, err);
}

static enum status keep_id(struct people *p, const struct people_pair *pair,
                           struct err *err)
{
    const char *id = sink_id(p->r->sink, pair->prompt_id, pair->prompt);
    buf_clear(&p->id);
    buf_puts(&p->id, id);
    return buf_status(&p->id, err);
}

static bool is_name(const char *name, const char *model)
{
    return name != NULL && model != NULL && strcmp(name, model) == 0;
}

static bool is_reference(const struct people *p, const char *model)
{
    return is_name(p->reference, model) || is_name(p->reference, EVERY);
}

enum status people_put_reply(struct people *p, const struct people_pair *pair,
                             struct err *err)
{
    const char *model = pair->side[0].model;
    struct import_side side;
    TRY(add_name(p, 0, model, err));
    if (p->is_naming)
        return OK;
    bool is_policy = is_name(p->policy, model);
    if (!is_policy && !is_reference(p, model))
        return sink_skip(p->r->sink, "a reply of another model", err);
    p->matched++;
    TRY(keep_id(p, pair, err));
    return put_side(&side, p, pair, 0, is_policy, err);
}

static enum status kind_of(enum import_judge *out, const struct people *p,
                           const struct people_verdict *v, struct err *err)
{
    int said = p->r->people != NULL ? p->r->people->judge_kind : 0;
    if (said == 0 && v->kind == PEOPLE_KIND_UNKNOWN)
        return err_set(err, ERR_ARG,
                       "nothing says whether people judged: --judge-kind "
                       "human, model or script does");
    *out =
        said != 0 ? (enum import_judge)(said - 1) : (enum import_judge)v->kind;
    return OK;
}

static enum status put_vote(struct people *p, const struct people_pair *pair,
                            const struct people_verdict *v, size_t tested,
                            struct import_vote *vote, struct err *err)
{
    struct buf id;
    enum status status = OK;
    TRY(kind_of(&vote->kind, p, v, err));
    buf_init(&id, ID_MAX);
    vote->pair_id = pair->pair_id;
    if (vote->pair_id == NULL && is_name(p->reference, EVERY)) {
        buf_printf(&id, "%s/%s", buf_text(&p->id),
                   pair->side[1 - tested].model);
        status = buf_status(&id, err);
        vote->pair_id = buf_text(&id);
    }
    vote->prompt_id = buf_text(&p->id);
    vote->prompt = pair->prompt;
    vote->judge = v->judge;
    vote->is_left = v->left < 0 ? tested == 0 : v->left == (int)tested;
    vote->side_unknown = v->left < 0;
    vote->win = tested == 0 ? v->win : 1 - v->win;
    vote->probability = tested == 0 ? v->probability : 1 - v->probability;
    vote->both_bad = v->both_bad;
    vote->visit = v->visit;
    vote->rationale = v->rationale;
    if (status == OK)
        status = sink_put_vote(p->r->sink, vote, err);
    buf_free(&id);
    return status;
}

enum status people_put(struct people *p, const struct people_pair *pair,
                       const struct people_verdict *v, struct err *err)
{
    const char *const name[] = {pair->side[0].model, pair->side[1].model};
    struct import_vote vote;
    for (size_t k = 0; k < 2; k++)
        TRY(add_name(p, k, name[k], err));
    if (p->is_naming)
        return OK;
    if (name[0] == NULL || name[1] == NULL || strcmp(name[0], name[1]) == 0)
        return sink_skip(p->r->sink, "a pair whose models are not two", err);
    size_t tested = is_name(p->policy, name[0]) ? 0 : 1;
    if (!is_name(p->policy, name[tested]) || !is_reference(p, name[1 - tested]))
        return sink_skip(p->r->sink, "a pair of other models", err);
    p->matched++;
    sink_vote_init(&vote);
    TRY(keep_id(p, pair, err));
    TRY(put_side(&vote.tested, p, pair, tested, true, err));
    TRY(put_side(&vote.other, p, pair, 1 - tested, false, err));
    return v != NULL && !isnan(v->win)
               ? put_vote(p, pair, v, tested, &vote, err)
               : OK;
}

enum status people_skip(struct people *p, const char *why, struct err *err)
{
    return p->is_naming ? OK : sink_skip(p->r->sink, why, err);
}

enum status people_note(struct people *p, const char *from, const char *to,
                        const char *unit, const char *note, struct err *err)
{
    return p->is_naming
               ? OK
               : notes_field(&p->r->sink->notes, from, to, unit, note, 1, err);
}

/* ---- fields -------------------------------------------------------------- */

const struct value *people_field(const char **name, const struct people *p,
                                 const struct value *row, const char *ours,
                                 const char *const *names)
{
    const char *mapped = reader_mapped(p->r, ours);
    const char *const only[] = {mapped, NULL};
    for (names = mapped != NULL ? only : names; *names != NULL; names++) {
        const struct value *v = value_path(row, *names);
        if (v != NULL && v->kind != VALUE_NULL) {
            *name = *names;
            return v;
        }
    }
    *name = NULL;
    return NULL;
}

enum status people_text(const char **out, struct people *p,
                        const struct value *row, const char *ours,
                        const char *const *names, struct err *err)
{
    const char *name;
    const struct value *v = people_field(&name, p, row, ours, names);
    *out = NULL;
    if (v == NULL)
        return OK;
    TRY(people_note(p, name, ours, NULL, NULL, err));
    return reader_text(out, p->r, v, err);
}

enum status people_prompt(const char **out, struct people *p,
                          const struct value *row, struct err *err)
{
    static const char *const names[] = {"instruction", "prompt", NULL};
    static const char *const more[] = {"input", NULL};
    const char *input;
    struct buf text;
    TRY(people_text(out, p, row, "prompt", names, err));
    if (*out == NULL || reader_mapped(p->r, "prompt") != NULL)
        return OK;
    TRY(people_text(&input, p, row, "prompt (second part)", more, err));
    if (input == NULL || input[0] == '\0')
        return OK;
    buf_init(&text, 2 * IMPORT_LINE_MAX);
    buf_printf(&text, "%s\n\n%s", *out, input);
    enum status status = buf_status(&text, err);
    if (status == OK)
        status = arena_text(out, &p->r->arena, buf_text(&text), text.len, err);
    buf_free(&text);
    return status;
}

enum status people_sides(struct people_pair *pair, const char *field[2],
                         struct people *p, const struct value *row,
                         struct err *err)
{
    static const char *const prompts[] = {
        "prompt", "instruction", "question", "input", "query", "text", NULL};
    static const char *const ours[2][2] = {{"response_a", "model_a"},
                                           {"response_b", "model_b"}};
    static const char *const replies[2][10] = {
        {"response_a", "response_1", "response1", "response-1", "output_1",
         "answer_a", "answer1", "text1", "left", NULL},
        {"response_b", "response_2", "response2", "response-2", "output_2",
         "answer_b", "answer2", "text2", "right", NULL}};
    static const char *const models[2][6] = {
        {"model_a", "model_1", "model1", "generator_1", "model_left", NULL},
        {"model_b", "model_2", "model2", "generator_2", "model_right", NULL}};
    TRY(people_text(&pair->prompt, p, row, "prompt", prompts, err));
    for (size_t k = 0; k < 2; k++) {
        struct people_side *side = &pair->side[k];
        TRY(people_text(&side->response, p, row, ours[k][0], replies[k], err));
        TRY(people_text(&side->model, p, row, ours[k][1], models[k], err));
        (void)people_field(&field[k], p, row, ours[k][0], replies[k]);
        if (side->model == NULL)
            side->model = field[k];
        if (side->model == NULL)
            return err_set(err, ERR_ARG,
                           "the two replies are not found: --map "
                           "response_a=FIELD --map response_b=FIELD");
    }
    return OK;
}

/* ---- verdicts in words -------------------------------------------------- */

bool people_word(struct people_verdict *v, const char *word,
                 const char *const name[2])
{
    static const struct {
        const char *word;
        double win;
        bool both_bad;
    } known[] = {
        {"model_a", 1, false},
        {"model_b", 0, false},
        {"model_1", 1, false},
        {"model_2", 0, false},
        {"response_a", 1, false},
        {"response_b", 0, false},
        {"response_1", 1, false},
        {"response_2", 0, false},
        {"output_1", 1, false},
        {"output_2", 0, false},
        {"left", 1, false},
        {"right", 0, false},
        {"first", 1, false},
        {"second", 0, false},
        {"a", 1, false},
        {"b", 0, false},
        {"a-is-better", 1, false},
        {"a-is-slightly-better", 1, false},
        {"b-is-better", 0, false},
        {"b-is-slightly-better", 0, false},
        {"tie", 0.5, false},
        {"draw", 0.5, false},
        {"equal", 0.5, false},
        {"same", 0.5, false},
        {"both_good", 0.5, false},
        {"both_bad", 0.5, true},
        {"tie (bothbad)", 0.5, true},
        {"bothbad", 0.5, true},
    };
    char lower[32];
    size_t n = strlen(word);
    for (size_t k = 0; k < 2; k++)
        if (is_name(name[k], word) && !is_name(name[1 - k], word)) {
            v->win = k == 0 ? 1 : 0;
            return true;
        }
    if (n >= sizeof lower)
        return false;
    for (size_t i = 0; i <= n; i++)
        lower[i] = (char)tolower((unsigned char)word[i]);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(lower, known[i].word) == 0) {
            v->win = known[i].win;
            v->both_bad = known[i].both_bad;
            return true;
        }
    return false;
}
