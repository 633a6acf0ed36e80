/*
 * http_check.c - what is refused before a handler sees it.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "serve/http_internal.h"

#define LINES_MAX 64
#define DEPTH_MAX 16
#define VALUES_MAX 65536

/* ---- headers ------------------------------------------------------------ */

struct count {
    size_t lines, bytes;
    const char *name; // to be counted
    size_t times;
    const char *value;
};

static enum MHD_Result count(void *ctx, enum MHD_ValueKind kind,
                             const char *key, const char *value)
{
    struct count *c = ctx;
    (void)kind;
    c->lines++;
    c->bytes += strlen(key) + (value != NULL ? strlen(value) : 0) + 4;
    if (c->name != NULL && strcasecmp(key, c->name) == 0) {
        c->times++;
        c->value = value;
    }
    return MHD_YES;
}

static struct count look(const struct http_request *r, const char *name)
{
    struct count c = {.name = name};
    (void)MHD_get_connection_values(r->mhd, MHD_HEADER_KIND, count, &c);
    return c;
}

const char *http_header(const struct http_request *r, const char *name)
{
    struct count c = look(r, name);
    return c.times == 1 ? c.value : NULL;
}

static bool refuse(struct http_request *r, unsigned code, const char *what)
{
    http_reply_error(r, code, what);
    return false;
}

static bool check_lines(struct http_request *r)
{
    static const char *const once[] = {
        "Host",   "Content-Length", "Content-Type",  "Transfer-Encoding",
        "Origin", "Cookie",         "Last-Event-ID", "X-Plumb-CSRF",
    };
    struct count all = look(r, NULL);
    if (all.lines > LINES_MAX ||
        all.bytes + strlen(r->uri) > r->http->config.limits.head_max)
        return refuse(r, 431, "the request's head is too large");
    for (size_t i = 0; i < sizeof once / sizeof *once; i++)
        if (look(r, once[i]).times > 1)
            return refuse(r, 400, "a header came twice");
    return true;
}

static bool check_length(struct http_request *r)
{
    const char *text = http_header(r, "Content-Length");
    uint64_t len = 0;
    r->close_after = look(r, "Transfer-Encoding").times > 0;
    for (const char *s = text; s != NULL && *s != '\0'; s++) {
        if (*s < '0' || *s > '9' || len > UINT32_MAX) {
            r->close_after = true;
            return refuse(r, 400, "Content-Length is no length");
        }
        len = len * 10 + (uint64_t)(*s - '0');
    }
    r->body_len = (size_t)len;
    r->close_after |= len > 0;
    return true;
}

/* ---- the line ----------------------------------------------------------- */

static bool check_method(struct http_request *r, const char *method)
{
    static const struct {
        const char *name;
        enum http_method method;
    } known[] = {{"GET", HTTP_GET},
                 {"HEAD", HTTP_GET},
                 {"POST", HTTP_POST},
                 {"PUT", HTTP_PUT},
                 {"DELETE", HTTP_DELETE}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, method) == 0)
            r->method = known[i].method;
    return true;
}

static bool is_file(const struct http_request *r)
{
    const struct http_config *c = &r->http->config;
    for (size_t i = 0; i < c->n_file; i++)
        if (strcmp(c->file[i].path, r->uri) == 0)
            return true;
    return false;
}

/* A file is the same whatever stands behind it: who was sent a link may have it
 * with a "?from=mail" that the mail program put there. */
static bool check_uri(struct http_request *r)
{
    char *query = strchr(r->uri, '?');
    r->path_len = query != NULL ? (size_t)(query - r->uri) : strlen(r->uri);
    if (!parse_path_ok(r->uri, r->path_len))
        return refuse(r, 400, "the path is not one of ours");
    r->uri[r->path_len] = '\0';
    if (query == NULL || parse_query(&r->query, query + 1))
        return true;
    r->query.n = 0;
    return is_file(r) || refuse(r, 400, "the query cannot be read");
}

/* An address as it stands in Host; no name can be made to look like one. */
static bool is_literal(const char *host)
{
    unsigned char bytes[16];
    return host[0] == '[' || inet_pton(AF_INET, host, bytes) == 1;
}

static bool host_is_ours(const struct http *http, const char *host)
{
    static const char *const loopback[] = {"localhost", "127.0.0.1", "[::1]"};
    const struct http_config *c = &http->config;
    for (size_t i = 0; i < sizeof loopback / sizeof *loopback; i++)
        if (strcmp(host, loopback[i]) == 0)
            return true;
    for (size_t i = 0; i < c->n_host; i++)
        if (strcmp(host, c->host[i]) == 0)
            return true;
    return http->any_literal && is_literal(host);
}

static bool check_host(struct http_request *r)
{
    char host[PARSE_HOST_MAX + 1];
    uint16_t port;
    const char *header = http_header(r, "Host");
    if (header == NULL || !parse_host(host, &port, header))
        return refuse(r, 400, "no Host that can be read");
    if (!host_is_ours(r->http, host))
        return refuse(r, 421, "this server does not answer to that name");
    return true;
}

/* ---- routes ------------------------------------------------------------- */

static void find_route(struct http_request *r, unsigned *allowed)
{
    const struct http_config *c = &r->http->config;
    *allowed = 0;
    for (size_t i = 0; i < c->n_file; i++) {
        if (strcmp(c->file[i].path, r->uri) != 0)
            continue;
        *allowed |= HTTP_GET;
        if (r->method == HTTP_GET) {
            r->file = &c->file[i];
            return;
        }
    }
    for (size_t i = 0; i < c->n_route; i++) {
        struct parse_arg arg[PARSE_ARGS_MAX] = {{.number = 0}};
        const struct http_route *route = &c->route[i];
        if (!parse_match(arg, route->pattern, r->uri, r->path_len))
            continue;
        *allowed |= route->method;
        if (r->method == route->method) {
            memcpy(r->arg, arg, sizeof arg);
            r->route = route;
            return;
        }
    }
}

static bool refuse_route(struct http_request *r, unsigned allowed)
{
    char text[64];
    if (allowed == 0)
        return refuse(r, 404, "there is nothing here");
    (void)snprintf(text, sizeof text, "%s%s%s%s",
                   (allowed & HTTP_GET) != 0 ? ", GET, HEAD" : "",
                   (allowed & HTTP_POST) != 0 ? ", POST" : "",
                   (allowed & HTTP_PUT) != 0 ? ", PUT" : "",
                   (allowed & HTTP_DELETE) != 0 ? ", DELETE" : "");
    http_add_header(r, "Allow", text + 2);
    return refuse(r, 405, "not by this method");
}

/* ---- how often ---------------------------------------------------------- */

/* The bytes that stand for an address: of IPv6 the network. */
static size_t address_key(unsigned char key[16], const struct sockaddr *a)
{
    if (a->sa_family == AF_INET) {
        memcpy(key, &((const struct sockaddr_in *)(const void *)a)->sin_addr,
               4);
        return 4;
    }
    memcpy(key, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, 8);
    return 8;
}

static bool is_loopback(const struct sockaddr *a)
{
    unsigned char key[16];
    if (address_key(key, a) == 4)
        return key[0] == 127;
    return IN6_IS_ADDR_LOOPBACK(
        &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr);
}

/* The client that the proxy on this machine speaks for: the last address it
 * put into X-Forwarded-For; those before it are the client's own words. */
static size_t forwarded_key(unsigned char key[16], const struct http_request *r)
{
    struct count c = look(r, "X-Forwarded-For");
    const char *text = c.value;
    if (c.times != 1 || text == NULL)
        return 0;
    const char *comma = strrchr(text, ',');
    text = comma != NULL ? comma + 1 : text;
    text += strspn(text, " \t");
    if (inet_pton(AF_INET, text, key) == 1)
        return 4;
    return inet_pton(AF_INET6, text, key) == 1 ? 8 : 0;
}

static bool check_rate(struct http_request *r)
{
    unsigned char key[16] = {0};
    size_t len = 0;
    int64_t wait = 0, now = http_tick();
    bool ok;
    if (r->who.is_known) {
        ok = rate_take(r->http->by_session, r->who.session,
                       sizeof r->who.session, now, &wait);
    } else {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        const struct sockaddr *peer = info != NULL ? info->client_addr : NULL;
        if (r->http->config.is_tls && peer != NULL && is_loopback(peer))
            len = forwarded_key(key, r);
        if (len == 0 && peer != NULL)
            len = address_key(key, peer);
        ok = rate_take(r->http->by_address, key, len, now, &wait);
    }
    if (ok)
        return true;
    char seconds[24];
    (void)snprintf(seconds, sizeof seconds, "%lld",
                   (long long)(wait + 999) / 1000);
    http_add_header(r, "Retry-After", seconds);
    return refuse(r, 429, "too many requests");
}

/* ---- all of it ---------------------------------------------------------- */

static bool check_announced_body(struct http_request *r)
{
    size_t max = r->route != NULL ? r->route->body_max : 0;
    if (look(r, "Transfer-Encoding").times > 0)
        return refuse(r, 411, "a body needs a Content-Length");
    if (r->body_len > max)
        return refuse(r, 413, "the body is too large");
    if (max == 0)
        return true;
    const char *type = http_header(r, "Content-Type");
    if (type == NULL || !parse_type_is_json(type))
        return refuse(r, 415, "the body must be application/json");
    buf_init(&r->bytes, max);
    return true;
}

bool http_check_head(struct http_request *r, const char *method,
                     const char *version)
{
    unsigned allowed = 0, code = 0;
    const char *why = "not allowed";
    const struct http_guard *guard = r->http->config.guard;
    if (!check_lines(r) || !check_length(r))
        return false;
    if (strcmp(version, "HTTP/1.1") != 0)
        return refuse(r, 400, "not HTTP/1.1");
    if (!check_method(r, method) || !check_uri(r) || !check_host(r))
        return false;
    find_route(r, &allowed);
    if (r->route != NULL && guard != NULL)
        code = guard->admit(guard->ctx, r, r->route, &r->who, &why);
    if (!check_rate(r))
        return false;
    if (r->route == NULL && r->file == NULL)
        return refuse_route(r, allowed);
    if (code != 0)
        return refuse(r, code, why);
    if (!check_announced_body(r))
        return false;
    if (r->http->is_stopping)
        return refuse(r, 503, "the server is stopping");
    r->close_after = false;
    return true;
}

bool http_check_body(struct http_request *r)
{
    struct err err = {OK, ""};
    if (r->route == NULL || r->route->body_max == 0)
        return true;
    const char *text = buf_text(&r->bytes);
    if (buf_status(&r->bytes, &err) != OK ||
        json_check_shape(text, r->bytes.len, DEPTH_MAX, VALUES_MAX, "body",
                         &err) != OK ||
        json_parse(&r->body, text, r->bytes.len, "body", &err) != OK) {
        http_reply_status(r, err.code, &err);
        return false;
    }
    if (!json_is_object(r->body))
        return refuse(r, 400, "the body must be a JSON object");
    return true;
}
