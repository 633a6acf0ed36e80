/*
 * reach.h - how browsers get to a page that is served here: where it listens,
 * the names it answers to, the address that stands in links.
 *
 * The address is --url as it was given; else https://HOST with --tls, where a
 * proxy speaks for it, or http://HOST:PORT, HOST being the first --host.  With
 * neither a server for this machine alone is at its own address.  One that
 * others can reach, or that a proxy speaks for, would have none that they can
 * use (0.0.0.0, 127.0.0.1), so it goes by this machine's name, and a hint says
 * so.
 */
#ifndef PLUMB_CLI_REACH_H
#define PLUMB_CLI_REACH_H

#include "base/buf.h"
#include "base/context.h"
#include "cli/options.h"
#include "serve/parse.h"

#define REACH_HOSTS 32

struct reach {
    const char *url; // NULL: not given; of the options
    bool is_tls;
    bool is_for_all; // listens on all addresses
    bool is_guessed; // its name is this machine's own
    /* For a server's configuration: what it answers to. */
    const char *host[REACH_HOSTS];
    size_t n_host;
    char name[REACH_HOSTS][PARSE_HOST_MAX + 1]; // in lower case
};

/*
 * Take what was given for option `key` ("label.host"), and the address `url`,
 * which may be NULL and whose host is one more name.  `listen` is the address
 * that is listened on; NULL: this machine's own.  The structure is not moved
 * afterwards.  ERR_ARG when a name is none, or the address is not
 * http[s]://HOST[:PORT][/PATH] of visible ASCII.
 */
enum status reach_read(struct reach *out, const struct options *o,
                       const char *key, const char *url, const char *listen,
                       bool is_tls, struct err *err) MUST_CHECK;

/* The address for links, without a slash at its end; `own` is the server's. */
void reach_put(struct buf *out, const struct reach *r, const char *own,
               unsigned port);

/* What is to be told of a name that was guessed. */
void reach_hint(const struct reach *r, const struct context *context);

#endif
