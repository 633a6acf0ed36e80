/*
 * pattern.h - regular expressions as the Hugging Face tokenizers library
 * reads them, on PCRE2.
 *
 * That library compiles with Oniguruma's Ruby syntax.  A construct that means
 * the same to PCRE2 passes; \w and \s are spelled out as the classes
 * Oniguruma has for them; every other construct is refused by name.  Matching
 * is on code points, ^ and $ hold at line ends, and the work of a match is
 * bounded (ERR_LIMIT).  \p{L}, \p{N} and \p{M} have what that library's tables
 * (Unicode 16) have; else characters that are newer than PCRE2's Unicode
 * tables belong to no class.
 *
 *     struct pattern_scan scan;
 *     TRY(pattern_scan_init(&scan, p, err));
 *     pattern_scan_start(&scan, text, len);
 *     bool found = true;
 *     while (found && status == OK)
 *         status = pattern_scan_next(&scan, &found, &begin, &end, err);
 *     pattern_scan_free(&scan);
 *
 * A pattern is immutable and may be shared by threads; a scan may not.
 */
#ifndef PLUMB_IO_PATTERN_H
#define PLUMB_IO_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct pattern;

/* Compile.  `what` ("x.json: pre_tokenizer 'Split'") goes into messages.
 * ERR_MISMATCH: a construct that is not supported; ERR_FORMAT: no regular
 * expression at all. */
enum status pattern_regex(struct pattern **out, const char *regex,
                          const char *what, struct err *err) MUST_CHECK;
/* The same for text that stands for itself. */
enum status pattern_literal(struct pattern **out, const char *text,
                            const char *what, struct err *err) MUST_CHECK;
void pattern_free(struct pattern *p);

struct pattern_scan {
    const struct pattern *pattern;
    void *match; // PCRE2's match data
    const char *text;
    size_t len;
    size_t at;       // where the next search starts
    size_t last_end; // end of the match before, SIZE_MAX when none
};

enum status pattern_scan_init(struct pattern_scan *s, const struct pattern *p,
                              struct err *err) MUST_CHECK;
void pattern_scan_free(struct pattern_scan *s);

/* Begin with a text, which must be valid UTF-8 and outlive the scan. */
void pattern_scan_start(struct pattern_scan *s, const char *text, size_t len);

/*
 * The next match, text[begin..end).  Matches do not overlap; an empty match
 * right behind the match before is passed over.  *found is false at the end.
 */
enum status pattern_scan_next(struct pattern_scan *s, bool *found,
                              size_t *begin, size_t *end,
                              struct err *err) MUST_CHECK;

#endif
