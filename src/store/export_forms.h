/*
 * export_forms.h - what export.c shares with the forms themselves: a record of
 * records.h comes in, lines of another tool's form go out.
 */
#ifndef PLUMB_STORE_EXPORT_FORMS_H
#define PLUMB_STORE_EXPORT_FORMS_H

#include "base/buf.h"
#include "base/json.h"
#include "store/export.h"

struct export_form {
    const struct export_config *config;
    records_fn fn;
    void *ctx;
    bool takes_rankings;
    enum status (*convert)(struct export_form *f, const struct json *row,
                           struct err *err);
    struct buf line;
    /* comparator: the pair whose raters are gathered. */
    struct buf pair, example, raters;
    double score; // sum over `n` raters
    int64_t n, examples;
};

void export_form_open(struct export_form *f, const struct export_config *c,
                      records_fn fn, void *ctx);
void export_form_close(struct export_form *f);

/* What stands before the first record, and behind the last one. */
enum status export_form_begin(struct export_form *f,
                              struct err *err) MUST_CHECK;
enum status export_form_end(struct export_form *f, struct err *err) MUST_CHECK;

/* An object for the next line, and handing the line out. */
void export_form_open_line(struct export_form *f, struct json_writer *w);
enum status export_form_close_line(struct export_form *f, struct json_writer *w,
                                   struct err *err) MUST_CHECK;

/* A first visit to a pair of policy and reference: its answers as seen by
 * source.  False for every other record. */
struct export_pair {
    const struct json *row;
    const char *prompt, *policy, *reference, *judge, *overall;
    bool is_left; // the policy's answer was
    double win;   // 1 when the policy's was chosen, 0 the other's, 1/2
};
bool export_pair_read(struct export_pair *out, const struct json *row);

/* LLM Comparator's document (export_comparator.c). */
enum status export_comparator_begin(struct export_form *f,
                                    struct err *err) MUST_CHECK;
enum status export_comparator_add(struct export_form *f, const struct json *row,
                                  struct err *err) MUST_CHECK;
enum status export_comparator_end(struct export_form *f,
                                  struct err *err) MUST_CHECK;

#endif
