/*
 * parse.h - the pieces of a request, from bytes that anybody may have sent.
 *
 * Pure functions on text, fuzzed by tests/fuzz/fuzz_http.c.  They refuse more
 * than RFC 9110 does: what our own pages never send is not worth telling from
 * an attack.  "False" is a 400 or a 404, there is nothing to explain.
 */
#ifndef PLUMB_SERVE_PARSE_H
#define PLUMB_SERVE_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PARSE_ARGS_MAX 4   // typed segments of a pattern
#define PARSE_NAME_MAX 64  // bytes of a {name}
#define PARSE_QUERY_MAX 16 // keys of a query
#define PARSE_HOST_MAX 253 // bytes of a host name

/* ---- path ---------------------------------------------------------------- */

/*
 * Is it a path that we could ever have made?  It begins with '/', and has only
 * letters, digits and "-._~/", so that nothing in it is encoded and a name has
 * one spelling; no segment is "." or "..", and none but the last is empty.
 */
bool parse_path_ok(const char *path, size_t len);

/* What a pattern's typed segments stood for, from the left. */
struct parse_arg {
    char name[PARSE_NAME_MAX + 1]; // as it was written, also of an {int}
    int64_t number;                // of an {int}, else 0
};

/*
 * Does a path have a pattern's form?  Segments of a pattern are literal or
 *
 *     {int}   digits without a leading zero, 1 to 2^63 - 1
 *     {name}  1 to PARSE_NAME_MAX bytes, of which the first is no '.'
 */
bool parse_match(struct parse_arg arg[PARSE_ARGS_MAX], const char *pattern,
                 const char *path, size_t len);

/* Is it a pattern: parse_path_ok() but for its typed segments, of which there
 * are PARSE_ARGS_MAX at most? */
bool parse_pattern_ok(const char *pattern);

/* ---- query --------------------------------------------------------------- */

struct parse_query {
    struct {
        const char *key, *value; // into the text that was parsed
    } pair[PARSE_QUERY_MAX];
    size_t n;
};

/*
 * "a=1&b=x%20y", decoded in place; '+' is a space.  Refused are a key twice or
 * empty, too many, a '%' without two digits, and what is decoded to invalid
 * UTF-8 or to control characters.  An empty text is an empty query.
 */
bool parse_query(struct parse_query *out, char *text);

/* The value of a key, NULL when absent. */
const char *parse_query_find(const struct parse_query *q, const char *key);

/* ---- headers ------------------------------------------------------------- */

/*
 * A cookie's value from a Cookie header, as a place in it.  False when absent
 * or there twice: of two, one was planted by a neighbour on this host.
 */
bool parse_cookie(const char **value, size_t *len, const char *header,
                  const char *name);

/*
 * The host of a Host header ("localhost:8080", "[::1]:8080") in lower case
 * without the port.  False when it is none; *port is 0 when not given.
 */
bool parse_host(char host[PARSE_HOST_MAX + 1], uint16_t *port,
                const char *header);

/* Is an Origin header "SCHEME://HOST" of this very Host header? */
bool parse_origin_is(const char *origin, const char *scheme, const char *host);

/* Is a Content-Type "application/json", of UTF-8 where it says? */
bool parse_type_is_json(const char *type);

/* Does an If-None-Match list hold this entity tag, or "*"? */
bool parse_etag_in(const char *list, const char *etag);

#endif
