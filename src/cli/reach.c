#include "cli/reach.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum status add_host(struct reach *r, const char *text,
                            const char *origin, const char *key,
                            struct err *err)
{
    uint16_t port = 0;
    if (r->n_host == REACH_HOSTS)
        return err_set(err, ERR_ARG, "%s: %s: more than %d names", origin, key,
                       REACH_HOSTS);
    if (!parse_host(r->name[r->n_host], &port, text) ||
        strlen(text) != strlen(r->name[r->n_host]))
        return err_set(err, ERR_ARG,
                       "%s: %s = %.80s is no name or address of a host (no "
                       "port, no blanks, no path)",
                       origin, key, text);
    r->host[r->n_host] = r->name[r->n_host];
    r->n_host++;
    return OK;
}

/* A link is this and "/#token=...", and nothing of it may mean another. */
static enum status check_url(struct reach *r, const char *url, struct err *err)
{
    static const char *const scheme[] = {"http://", "https://"};
    char host[PARSE_HOST_MAX + 16];
    uint16_t port;
    size_t from = 0;
    for (size_t i = 0; i < sizeof scheme / sizeof *scheme; i++)
        if (strncmp(url, scheme[i], strlen(scheme[i])) == 0)
            from = strlen(scheme[i]);
    size_t len = strcspn(url + from, "/");
    bool is_good = from > 0 && len > 0 && len < sizeof host;
    for (const char *s = url; *s != '\0'; s++)
        is_good = is_good && *s > ' ' && *s < 0x7f &&
                  strchr("#?\"'<>\\`", *s) == NULL;
    if (is_good) {
        memcpy(host, url + from, len);
        host[len] = '\0';
        is_good = parse_host(r->name[r->n_host], &port, host);
    }
    if (!is_good)
        return err_set(err, ERR_ARG,
                       "command line: url = %.80s is no "
                       "http[s]://HOST[:PORT][/PATH]",
                       url);
    r->host[r->n_host] = r->name[r->n_host];
    r->n_host++;
    return OK;
}

static bool is_for_all(const char *listen)
{
    return listen != NULL && (strspn(listen, "0.") == strlen(listen) ||
                              strspn(listen, "0:") == strlen(listen));
}

/* This machine's own name, where it has one that can stand in an address. */
static void guess(struct reach *r)
{
    char text[256] = "";
    uint16_t port;
    if (gethostname(text, sizeof text - 1) != 0 ||
        !parse_host(r->name[0], &port, text) || port != 0)
        (void)snprintf(r->name[0], sizeof r->name[0], "localhost");
    r->host[0] = r->name[0];
    r->n_host = 1;
    r->is_guessed = true;
}

enum status reach_read(struct reach *out, const struct options *o,
                       const char *key, const char *url, const char *listen,
                       bool is_tls, struct err *err)
{
    *out = (struct reach){
        .url = url, .is_tls = is_tls, .is_for_all = is_for_all(listen)};
    for (size_t i = 0; i < o->n_given; i++) {
        const struct option_given *g = &o->given[i];
        if (g->text != NULL && strcmp(g->row->key, key) == 0)
            TRY(add_host(out, g->text, g->origin, key, err));
    }
    if (url != NULL && out->n_host == REACH_HOSTS)
        return err_set(err, ERR_ARG, "url: more than %d names", REACH_HOSTS);
    if (url != NULL)
        TRY(check_url(out, url, err));
    if (url != NULL && is_tls && strncmp(url, "https", 5) != 0)
        return err_set(err, ERR_ARG,
                       "command line: url = %.80s does not speak TLS, which "
                       "--tls promises",
                       url);
    if (out->n_host == 0 && (is_tls || out->is_for_all))
        guess(out);
    return OK;
}

void reach_put(struct buf *out, const struct reach *r, const char *own,
               unsigned port)
{
    if (r->url != NULL) {
        size_t len = strlen(r->url);
        while (len > 0 && r->url[len - 1] == '/')
            len--;
        buf_append(out, r->url, len);
    } else if (r->n_host > 0 && r->is_tls) {
        buf_printf(out, "https://%s", r->host[0]);
    } else if (r->n_host > 0) {
        buf_printf(out, "http://%s:%u", r->host[0], port);
    } else {
        buf_puts(out, own);
    }
}

void reach_hint(const struct reach *r, const struct context *context)
{
    if (r->is_guessed)
        context_warn(context,
                     "links call this machine %s; where others %s by that, "
                     "--host takes a name or an address",
                     r->host[0],
                     r->is_tls ? "do not reach the proxy" : "do not know it");
}
