/*
 * tokens.h - rows whose texts are token ids.
 */
#ifndef PLUMB_IMPORT_TOKENS_H
#define PLUMB_IMPORT_TOKENS_H

#include "import/rowmap.h"

/* An id for a prompt that is only token ids: a hash of them. */
enum status tokens_prompt_id(const char **out, struct reader *r,
                             const double *token, size_t n,
                             struct err *err) MUST_CHECK;

/* rowmap_read(), and prompt_id from the ids in the member `prompt` where there
 * is no other. */
enum status tokens_row(struct import_row *out, struct reader *r,
                       const struct value *row, const struct rule *rules,
                       size_t n, const char *prompt,
                       struct err *err) MUST_CHECK;

/* Ids in a list of numbers: those where mask (or NULL) is not 0.  ERR_FORMAT
 * naming `what` where one is none. */
enum status tokens_take(const int32_t **out, size_t *n_out, struct reader *r,
                        const double *token, const double *mask, size_t n,
                        const char *what, struct err *err) MUST_CHECK;

/* The same of numbers that are as many. */
enum status tokens_floats(const float **out, struct reader *r, const double *x,
                          const double *mask, size_t n,
                          struct err *err) MUST_CHECK;

/* A flat document as settings: {"a": {"b": 1}} is a.b = 1. */
enum status tokens_settings(struct reader *r, const struct value *v,
                            const char *prefix, unsigned depth,
                            struct err *err) MUST_CHECK;

#endif
