#include "store/export_forms.h"

#include <string.h>

#define LINE_MAX_BYTES ((size_t)512 << 20)

/* ---- lines --------------------------------------------------------------- */

void export_form_open_line(struct export_form *f, struct json_writer *w)
{
    buf_clear(&f->line);
    json_writer_init(w, &f->line, false);
    json_open(w, '{');
}

enum status export_form_close_line(struct export_form *f, struct json_writer *w,
                                   struct err *err)
{
    json_close(w, '}');
    TRY(buf_status(&f->line, err));
    return f->fn(f->ctx, buf_text(&f->line), f->line.len, err);
}

static const char *text_of(const struct json *row, const char *key)
{
    return json_text(json_get(row, key), "");
}

/* ---- spot-checks of the policy ------------------------------------------- */

bool export_pair_read(struct export_pair *out, const struct json *row)
{
    const struct json *left = json_get(row, "left");
    const struct json *right = json_get(row, "right");
    if (left == NULL || strcmp(text_of(row, "kind"), "policy") != 0 ||
        json_int(json_get(row, "visit"), 0) != 1)
        return false;
    bool is_left = strcmp(text_of(left, "source"), "policy") == 0;
    const char *overall = text_of(row, "overall");
    bool is_a = strcmp(overall, "A") == 0;
    bool is_b = strcmp(overall, "B") == 0;
    *out = (struct export_pair){
        .row = row,
        .prompt = text_of(row, "prompt"),
        .policy = text_of(is_left ? left : right, "response"),
        .reference = text_of(is_left ? right : left, "response"),
        .judge = text_of(row, "judge"),
        .overall = overall,
        .is_left = is_left,
        .win = !is_a && !is_b    ? 0.5
               : is_a == is_left ? 1
                                 : 0,
    };
    return true;
}

/* ---- TRL, OpenRLHF ------------------------------------------------------- */

/* `at` is the place of the chosen and the rejected one, -1 of a pair. */
static enum status put_preference(struct export_form *f, const struct json *row,
                                  const char *chosen, const char *rejected,
                                  double margin, struct err *err)
{
    struct json_writer w;
    bool is_trl = f->config->format == EXPORT_TRL;
    bool is_pair = json_get(row, "pair_id") != NULL;
    export_form_open_line(f, &w);
    if (is_trl)
        json_field_text(&w, "id", text_of(row, is_pair ? "pair_id" : "id"));
    json_put_key(&w, "prompt");
    json_put_node(&w, json_get(row, "prompt"));
    json_field_text(&w, "chosen", chosen);
    json_field_text(&w, "rejected", rejected);
    if (margin > 0)
        json_field_number(&w, "margin", margin);
    else if (!is_trl)
        json_field_number(&w, "margin", 1);
    if (is_trl)
        json_field_text(&w, "rater", text_of(row, is_pair ? "judge" : "rater"));
    return export_form_close_line(f, &w, err);
}

static enum status put_preferences(struct export_form *f,
                                   const struct json *row, struct err *err)
{
    struct export_pair p;
    const struct json *rank = json_get(row, "ranking");
    const struct json *text = json_get(row, "responses");
    if (rank == NULL) {
        if (!export_pair_read(&p, row) || p.win == 0.5)
            return OK;
        bool is_won = p.win == 1;
        return put_preference(f, row, is_won ? p.policy : p.reference,
                              is_won ? p.reference : p.policy, 0, err);
    }
    double margin = json_number(json_get(row, "strength"), 0);
    for (size_t i = 0; i < json_size(rank); i++)
        for (size_t k = 0; k < json_size(rank); k++)
            if (json_int(json_at(rank, i), 0) < json_int(json_at(rank, k), 0))
                TRY(put_preference(f, row, json_text(json_at(text, i), ""),
                                   json_text(json_at(text, k), ""), margin,
                                   err));
    return OK;
}

/* ---- AlpacaEval ---------------------------------------------------------- */

static enum status put_annotation(struct export_form *f, const struct json *row,
                                  struct err *err)
{
    struct export_pair p;
    struct json_writer w;
    if (!export_pair_read(&p, row))
        return OK;
    export_form_open_line(f, &w);
    json_field_text(&w, "instruction", p.prompt);
    json_field_text(&w, "output_1", p.reference);
    json_field_text(&w, "generator_1", "reference");
    json_field_text(&w, "output_2", p.policy);
    json_field_text(&w, "generator_2", "policy");
    json_field_text(&w, "annotator", p.judge);
    json_field_number(&w, "preference", 1 + p.win);
    return export_form_close_line(f, &w, err);
}

/* ---- Chatbot Arena ------------------------------------------------------- */

static void put_conversation(struct json_writer *w, const char *key,
                             const char *prompt, const char *answer)
{
    const char *const role[] = {"user", "assistant"};
    const char *const text[] = {prompt, answer};
    json_put_key(w, key);
    json_open(w, '[');
    for (int i = 0; i < 2; i++) {
        json_open(w, '{');
        json_field_text(w, "role", role[i]);
        json_field_text(w, "content", text[i]);
        json_close(w, '}');
    }
    json_close(w, ']');
}

/* Markdown of a text, as style control counts it. */
struct style {
    int64_t h[6], ordered, unordered, stars, lines;
};

static void count_line(struct style *s, const char *line, size_t len)
{
    size_t at = 0, digits;
    while (at < len && (line[at] == ' ' || line[at] == '\t'))
        at++;
    size_t level = 0;
    while (at + level < len && line[at + level] == '#')
        level++;
    if (level >= 1 && level <= 6 && at + level < len && line[at + level] == ' ')
        s->h[level - 1]++;
    if (at + 1 < len && strchr("-*+", line[at]) != NULL && line[at + 1] == ' ')
        s->unordered++;
    for (digits = 0; at + digits < len && line[at + digits] >= '0' &&
                     line[at + digits] <= '9';
         digits++)
        ;
    if (digits > 0 && at + digits + 1 < len && line[at + digits] == '.' &&
        line[at + digits + 1] == ' ')
        s->ordered++;
}

/* Pairs of a mark of two characters. */
static int64_t count_pairs(const char *text, const char *mark)
{
    int64_t n = 0;
    for (const char *s = strstr(text, mark); s != NULL; s = strstr(s + 2, mark))
        n++;
    return n / 2;
}

static struct style style_of(const char *text)
{
    struct style s = {.stars = count_pairs(text, "**"),
                      .lines = count_pairs(text, "__")};
    for (const char *line = text; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        count_line(&s, line, len);
        line += len + (line[len] == '\n' ? 1 : 0);
    }
    return s;
}

static void put_style(struct json_writer *w, char side, const char *text,
                      int64_t tokens)
{
    static const char *const h[] = {"h1", "h2", "h3", "h4", "h5", "h6"};
    char sum[] = "sum_assistant_a_tokens", header[] = "header_count_a";
    char list[] = "list_count_a", bold[] = "bold_count_a";
    struct style s = style_of(text);
    sum[14] = header[13] = list[11] = bold[11] = side;
    if (tokens >= 0)
        json_field_int(w, sum, tokens);
    json_put_key(w, header);
    json_open(w, '{');
    for (int i = 0; i < 6; i++)
        json_field_int(w, h[i], s.h[i]);
    json_close(w, '}');
    json_put_key(w, list);
    json_open(w, '{');
    json_field_int(w, "ordered", s.ordered);
    json_field_int(w, "unordered", s.unordered);
    json_close(w, '}');
    json_put_key(w, bold);
    json_open(w, '{');
    json_field_int(w, "**", s.stars);
    json_field_int(w, "__", s.lines);
    json_close(w, '}');
}

static enum status put_battle(struct export_form *f, const struct json *row,
                              struct err *err)
{
    struct export_pair p;
    struct json_writer w;
    const struct json *side[] = {json_get(row, "left"), json_get(row, "right")};
    if (!export_pair_read(&p, row))
        return OK;
    const char *winner = strcmp(p.overall, "A") == 0   ? "model_a"
                         : strcmp(p.overall, "B") == 0 ? "model_b"
                         : strcmp(p.overall, "both_good") == 0
                             ? "tie"
                             : "tie (bothbad)";
    export_form_open_line(f, &w);
    json_field_text(&w, "question_id", text_of(row, "pair_id"));
    json_field_text(&w, "model_a", text_of(side[0], "source"));
    json_field_text(&w, "model_b", text_of(side[1], "source"));
    json_field_text(&w, "winner", winner);
    json_field_text(&w, "judge", p.judge);
    put_conversation(&w, "conversation_a", p.prompt,
                     text_of(side[0], "response"));
    put_conversation(&w, "conversation_b", p.prompt,
                     text_of(side[1], "response"));
    json_field_int(&w, "turn", 1);
    json_field_bool(&w, "anony", true);
    json_field_text(&w, "language", "unknown");
    json_field_number(&w, "tstamp",
                      json_number(json_get(row, "voted_at"), 0) / 1000);
    json_put_key(&w, "conv_metadata");
    json_open(&w, '{');
    for (int s = 0; s < 2; s++)
        put_style(&w, s == 0 ? 'a' : 'b', text_of(side[s], "response"),
                  json_int(json_get(side[s], "tokens"), -1));
    json_close(&w, '}');
    return export_form_close_line(f, &w, err);
}

/* ---- HelpSteer ----------------------------------------------------------- */

/* A word as a number, null when it was not said. */
static void put_word(struct json_writer *w, const char *key, const char *word,
                     const char *const *words, const int *number, int n)
{
    json_put_key(w, key);
    for (int i = 0; i < n; i++)
        if (strcmp(word, words[i]) == 0) {
            json_put_int(w, number[i]);
            return;
        }
    json_put_null(w);
}

static void put_mark(struct json_writer *w, const char *key,
                     const struct json *mark)
{
    json_put_key(w, key);
    if (json_is_number(mark))
        json_put_int(w, json_int(mark, 0));
    else
        json_put_null(w);
}

static enum status put_answer(struct export_form *f, const struct json *row,
                              bool is_left, struct err *err)
{
    static const char *const truth[] = {"no", "unsure", "yes"};
    static const int truth_number[] = {0, 2, 4};
    static const char *const fault[] = {"too_short", "right", "too_long"};
    static const int fault_number[] = {1, 2, 4};
    const struct json *side = json_get(row, is_left ? "left" : "right");
    const struct json *helpful =
        json_get(row, is_left ? "left_helpful" : "right_helpful");
    const struct json *direct =
        json_get(row, is_left ? "left_direct" : "right_direct");
    const char *correct =
        text_of(row, is_left ? "left_correct" : "right_correct");
    const char *length = text_of(row, is_left ? "left_length" : "right_length");
    struct json_writer w;
    if (!json_is_number(helpful) && !json_is_number(direct) && !*correct &&
        !*length)
        return OK;
    export_form_open_line(f, &w);
    json_field_text(&w, "prompt", text_of(row, "prompt"));
    json_field_text(&w, "response", text_of(side, "response"));
    put_mark(&w, "helpfulness", helpful);
    put_word(&w, "correctness", correct, truth, truth_number, 3);
    put_mark(&w, "coherence", NULL);
    put_mark(&w, "complexity", NULL);
    put_word(&w, "verbosity", length, fault, fault_number, 3);
    put_mark(&w, "direct", direct);
    json_field_text(&w, "length", *length ? length : NULL);
    json_field_text(&w, "source", text_of(side, "source"));
    json_field_text(&w, "judge", text_of(row, "judge"));
    return export_form_close_line(f, &w, err);
}

static enum status put_answers(struct export_form *f, const struct json *row,
                               struct err *err)
{
    if (json_get(row, "left") == NULL ||
        json_int(json_get(row, "visit"), 0) != 1)
        return OK;
    TRY(put_answer(f, row, true, err));
    return put_answer(f, row, false, err);
}

/* ---- all of them --------------------------------------------------------- */

void export_form_open(struct export_form *f, const struct export_config *c,
                      records_fn fn, void *ctx)
{
    *f = (struct export_form){.config = c, .fn = fn, .ctx = ctx};
    buf_init(&f->line, LINE_MAX_BYTES);
    buf_init(&f->pair, LINE_MAX_BYTES);
    buf_init(&f->example, LINE_MAX_BYTES);
    buf_init(&f->raters, LINE_MAX_BYTES);
    switch (c->format) {
    case EXPORT_TRL:
    case EXPORT_OPENRLHF:
        f->takes_rankings = true;
        f->convert = put_preferences;
        break;
    case EXPORT_ALPACAEVAL:
        f->convert = put_annotation;
        break;
    case EXPORT_ARENA:
        f->convert = put_battle;
        break;
    case EXPORT_COMPARATOR:
        f->convert = export_comparator_add;
        break;
    case EXPORT_CANONICAL:
    case EXPORT_SPOTCHECK:
    case EXPORT_RANKINGS:
    case EXPORT_HELPSTEER:
    case EXPORT_FORMATS:
        f->convert = put_answers;
        break;
    }
}

void export_form_close(struct export_form *f)
{
    buf_free(&f->line);
    buf_free(&f->pair);
    buf_free(&f->example);
    buf_free(&f->raters);
}

enum status export_form_begin(struct export_form *f, struct err *err)
{
    return f->config->format == EXPORT_COMPARATOR
               ? export_comparator_begin(f, err)
               : OK;
}

enum status export_form_end(struct export_form *f, struct err *err)
{
    return f->config->format == EXPORT_COMPARATOR
               ? export_comparator_end(f, err)
               : OK;
}
