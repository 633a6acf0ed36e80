#include "serve/parse.h"

#include <string.h>
#include <strings.h>

#include "base/utf8.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_plain(char c)
{
    return is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

/* ---- path --------------------------------------------------------------- */

/* Where the segment that begins at `from` ends. */
static size_t segment_end(const char *path, size_t len, size_t from)
{
    while (from < len && path[from] != '/')
        from++;
    return from;
}

static bool is_dots(const char *segment, size_t n)
{
    return (n == 1 && segment[0] == '.') ||
           (n == 2 && segment[0] == '.' && segment[1] == '.');
}

bool parse_path_ok(const char *path, size_t len)
{
    if (len == 0 || path[0] != '/')
        return false;
    for (size_t i = 1; i <= len;) {
        size_t end = segment_end(path, len, i);
        if (is_dots(path + i, end - i) || (end == i && end < len))
            return false;
        for (; i < end; i++)
            if (!is_plain(path[i]))
                return false;
        i = end + 1;
    }
    return true;
}

static bool read_int(struct parse_arg *arg, const char *s, size_t n)
{
    int64_t x = 0;
    if (n == 0 || n > 19 || s[0] == '0')
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!is_digit(s[i]))
            return false;
        int digit = s[i] - '0';
        if (x > (INT64_MAX - digit) / 10)
            return false;
        x = x * 10 + digit;
    }
    arg->number = x;
    return true;
}

static bool read_arg(struct parse_arg *arg, const char *type, size_t n_type,
                     const char *s, size_t n)
{
    if (n == 0 || n > PARSE_NAME_MAX || s[0] == '.')
        return false;
    for (size_t i = 0; i < n; i++)
        if (!is_plain(s[i]))
            return false;
    arg->number = 0;
    memcpy(arg->name, s, n);
    arg->name[n] = '\0';
    return n_type != 5 || memcmp(type, "{int}", 5) != 0 || read_int(arg, s, n);
}

bool parse_match(struct parse_arg arg[PARSE_ARGS_MAX], const char *pattern,
                 const char *path, size_t len)
{
    size_t n_pattern = strlen(pattern), n_arg = 0, p = 1, i = 1;
    if (n_pattern == 0 || len == 0 || path[0] != '/')
        return false;
    while (p <= n_pattern && i <= len) {
        size_t p_end = segment_end(pattern, n_pattern, p);
        size_t i_end = segment_end(path, len, i);
        if (pattern[p] == '{') {
            if (n_arg == PARSE_ARGS_MAX ||
                !read_arg(&arg[n_arg++], pattern + p, p_end - p, path + i,
                          i_end - i))
                return false;
        } else if (p_end - p != i_end - i ||
                   memcmp(pattern + p, path + i, i_end - i) != 0) {
            return false;
        }
        p = p_end + 1;
        i = i_end + 1;
    }
    return p > n_pattern && i > len;
}

bool parse_pattern_ok(const char *pattern)
{
    size_t len = strlen(pattern), n_arg = 0;
    if (len == 0 || pattern[0] != '/')
        return false;
    for (size_t i = 1; i <= len;) {
        size_t end = segment_end(pattern, len, i), n = end - i;
        const char *s = pattern + i;
        if (s[0] == '{') {
            bool known = (n == 5 && memcmp(s, "{int}", 5) == 0) ||
                         (n == 6 && memcmp(s, "{name}", 6) == 0);
            if (!known || ++n_arg > PARSE_ARGS_MAX)
                return false;
        } else {
            if (is_dots(s, n) || (n == 0 && end < len))
                return false;
            for (size_t k = 0; k < n; k++)
                if (!is_plain(s[k]))
                    return false;
        }
        i = end + 1;
    }
    return true;
}

/* ---- query -------------------------------------------------------------- */

static int hex(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decode one piece in place; it only gets shorter. */
static bool decode(char *text)
{
    char *to = text;
    for (const char *s = text; *s != '\0'; s++) {
        if (*s == '%') {
            int high = hex(s[1]), low = high < 0 ? -1 : hex(s[2]);
            if (low < 0)
                return false;
            unsigned char byte = (unsigned char)(high * 16 + low);
            memcpy(to++, &byte, 1);
            s += 2;
        } else if (*s == '+') {
            *to++ = ' ';
        } else {
            *to++ = *s;
        }
    }
    size_t len = (size_t)(to - text);
    *to = '\0';
    for (size_t i = 0; i < len;) {
        size_t n = utf8_length(text + i, len - i, NULL);
        if (n == 0 || (unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
        i += n;
    }
    return true;
}

bool parse_query(struct parse_query *out, char *text)
{
    out->n = 0;
    while (*text != '\0') {
        char *next = strchr(text, '&');
        if (next != NULL)
            *next++ = '\0';
        char *value = strchr(text, '=');
        if (value == NULL || out->n == PARSE_QUERY_MAX)
            return false;
        *value++ = '\0';
        if (!decode(text) || !decode(value) || text[0] == '\0' ||
            parse_query_find(out, text) != NULL)
            return false;
        out->pair[out->n].key = text;
        out->pair[out->n++].value = value;
        if (next == NULL)
            return true;
        text = next;
        if (*text == '\0')
            return false;
    }
    return true;
}

const char *parse_query_find(const struct parse_query *q, const char *key)
{
    for (size_t i = 0; i < q->n; i++)
        if (strcmp(q->pair[i].key, key) == 0)
            return q->pair[i].value;
    return NULL;
}

/* ---- headers ------------------------------------------------------------ */

bool parse_cookie(const char **value, size_t *len, const char *header,
                  const char *name)
{
    size_t n_name = strlen(name);
    bool found = false;
    for (const char *s = header; *s != '\0';) {
        s += strspn(s, " \t;");
        size_t n = strcspn(s, ";");
        if (n > n_name && s[n_name] == '=' && memcmp(s, name, n_name) == 0) {
            if (found)
                return false;
            found = true;
            *value = s + n_name + 1;
            *len = n - n_name - 1;
            while (*len > 0 &&
                   ((*value)[*len - 1] == ' ' || (*value)[*len - 1] == '\t'))
                (*len)--;
        }
        s += n;
    }
    return found;
}

/* The port behind a host: nothing, or ':' and 1 to 65535. */
static bool read_port(uint16_t *port, const char *s)
{
    uint32_t x = 0;
    *port = 0;
    if (*s == '\0')
        return true;
    size_t n = strlen(++s);
    if (s[-1] != ':' || n == 0 || n > 5)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!is_digit(s[i]))
            return false;
        x = x * 10 + (uint32_t)(s[i] - '0');
    }
    *port = (uint16_t)x;
    return x > 0 && x <= UINT16_MAX;
}

bool parse_host(char host[PARSE_HOST_MAX + 1], uint16_t *port,
                const char *header)
{
    static const char small[] = "abcdefghijklmnopqrstuvwxyz";
    bool is_v6 = header[0] == '[';
    size_t n = is_v6 ? strcspn(header, "]") + 1 : strcspn(header, ":");
    if (n == 0 || n > PARSE_HOST_MAX || n > strlen(header))
        return false;
    for (size_t i = is_v6 ? 1 : 0; i < n - (is_v6 ? 1 : 0); i++) {
        char c = header[i];
        bool ok = is_v6 ? hex(c) >= 0 || c == ':' || c == '.'
                        : is_letter(c) || is_digit(c) || c == '-' || c == '.';
        if (!ok)
            return false;
    }
    for (size_t i = 0; i < n; i++) {
        char c = header[i];
        host[i] = c;
        if (c >= 'A' && c <= 'Z')
            host[i] = small[c - 'A'];
    }
    host[n] = '\0';
    return read_port(port, header + n);
}

bool parse_origin_is(const char *origin, const char *scheme, const char *host)
{
    size_t n = strlen(scheme);
    return strncasecmp(origin, scheme, n) == 0 &&
           strncmp(origin + n, "://", 3) == 0 &&
           strcasecmp(origin + n + 3, host) == 0;
}

bool parse_type_is_json(const char *type)
{
    static const char json[] = "application/json", utf8[] = "charset=utf-8";
    if (strncasecmp(type, json, sizeof json - 1) != 0)
        return false;
    type += sizeof json - 1;
    type += strspn(type, " \t");
    if (*type == '\0')
        return true;
    if (*type++ != ';')
        return false;
    type += strspn(type, " \t");
    return strcasecmp(type, utf8) == 0;
}

bool parse_etag_in(const char *list, const char *etag)
{
    size_t n_etag = strlen(etag);
    for (const char *s = list; *s != '\0';) {
        s += strspn(s, " \t,");
        size_t n = strcspn(s, " \t,");
        const char *tag = n > 2 && memcmp(s, "W/", 2) == 0 ? s + 2 : s;
        size_t n_tag = n - (size_t)(tag - s);
        if ((n_tag == n_etag && memcmp(tag, etag, n_tag) == 0) ||
            (n == 1 && *s == '*'))
            return true;
        s += n;
    }
    return false;
}
