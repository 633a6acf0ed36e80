/*
 * export_comparator.c - LLM Comparator's document, of one example a line:
 * score + is for A, the policy; +-1 for a side, 0 for neither; an example's is
 * the mean of its raters'.
 */
#include <string.h>

#include "store/export_forms.h"

static enum status hand_out(struct export_form *f, const struct buf *text,
                            struct err *err)
{
    TRY(buf_status(text, err));
    return f->fn(f->ctx, buf_text(text), text->len, err);
}

enum status export_comparator_begin(struct export_form *f, struct err *err)
{
    buf_clear(&f->line);
    buf_puts(&f->line,
             "{\"metadata\":{\"source_path\":\"plumb\","
             "\"custom_fields_schema\":[{\"name\":\"tokens\","
             "\"type\":\"per_model_number\"}]},"
             "\"models\":[{\"name\":\"policy\"},{\"name\":\"reference\"}],"
             "\"examples\":[");
    return hand_out(f, &f->line, err);
}

/* The pair gathered so far, as an example. */
static enum status end_example(struct export_form *f, struct err *err)
{
    struct json_writer w;
    if (f->n == 0)
        return OK;
    buf_clear(&f->line);
    if (f->examples++ > 0)
        buf_putc(&f->line, ',');
    json_writer_init(&w, &f->line, false);
    json_open(&w, '{');
    json_put_key(&w, "score");
    json_put_number(&w, f->score / (double)f->n);
    buf_putc(&f->line, ',');
    buf_append(&f->line, f->example.data, f->example.len);
    buf_puts(&f->line, ",\"individual_rater_scores\":[");
    buf_append(&f->line, f->raters.data, f->raters.len);
    buf_puts(&f->line, "]}");
    TRY(buf_status(&f->example, err));
    TRY(buf_status(&f->raters, err));
    f->n = 0;
    f->score = 0;
    return hand_out(f, &f->line, err);
}

/* The members of an example that are its pair's. */
static void begin_example(struct export_form *f, const struct export_pair *p,
                          const char *id)
{
    struct json_writer w;
    const struct json *left = json_get(p->row, "left");
    const struct json *right = json_get(p->row, "right");
    buf_clear(&f->pair);
    buf_puts(&f->pair, id);
    buf_clear(&f->raters);
    buf_clear(&f->example);
    json_writer_init(&w, &f->example, false);
    json_open(&w, '{');
    json_field_text(&w, "input_text", p->prompt);
    json_put_key(&w, "tags");
    json_open(&w, '[');
    json_close(&w, ']');
    json_field_text(&w, "output_text_a", p->policy);
    json_field_text(&w, "output_text_b", p->reference);
    json_put_key(&w, "custom_fields");
    json_open(&w, '{');
    json_put_key(&w, "tokens");
    json_open(&w, '[');
    json_put_number(
        &w, json_number(json_get(p->is_left ? left : right, "tokens"), 0));
    json_put_number(
        &w, json_number(json_get(p->is_left ? right : left, "tokens"), 0));
    json_close(&w, ']');
    json_close(&w, '}');
    json_close(&w, '}');
    /* Members alone: the braces are end_example()'s. */
    if (f->example.code == OK && f->example.len > 2) {
        memmove(f->example.data, f->example.data + 1, f->example.len - 2);
        f->example.len -= 2;
    }
}

enum status export_comparator_add(struct export_form *f, const struct json *row,
                                  struct err *err)
{
    struct export_pair p;
    struct json_writer w;
    const char *id = json_text(json_get(row, "pair_id"), "");
    if (!export_pair_read(&p, row))
        return OK;
    if (f->n == 0 || strcmp(buf_text(&f->pair), id) != 0) {
        TRY(end_example(f, err));
        begin_example(f, &p, id);
    }
    double score = p.win == 0.5 ? 0 : p.win == 1 ? 1 : -1;
    if (f->n++ > 0)
        buf_putc(&f->raters, ',');
    f->score += score;
    json_writer_init(&w, &f->raters, false);
    json_open(&w, '{');
    json_field_number(&w, "score", score);
    json_field_text(&w, "rating_label",
                    score > 0   ? "A is better"
                    : score < 0 ? "B is better"
                                : "A is about the same as B");
    json_field_bool(&w, "is_flipped", !p.is_left);
    json_field_text(&w, "rationale", json_text(json_get(row, "reason"), ""));
    json_field_text(&w, "rater", p.judge);
    json_close(&w, '}');
    return buf_status(&f->raters, err);
}

enum status export_comparator_end(struct export_form *f, struct err *err)
{
    TRY(end_example(f, err));
    buf_clear(&f->line);
    buf_puts(&f->line, "]}");
    return hand_out(f, &f->line, err);
}
