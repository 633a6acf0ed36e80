/*
 * label.h - the server that people judge with: docs/label-http.md over a
 * project's database.
 *
 *     struct label *label;
 *     TRY(label_start(&label, db, &(struct label_config){0}, err));
 *     ... label_url(label) is where it is ...
 *     label_stop(label);
 *
 * A judge is shown `struct blind` (store/assign.h) and nothing else of an
 * item.  What changes something goes through one writer (store/writer.h), and
 * is answered when it is on the disk; what only reads is answered from a
 * connection of the server's own.
 *
 * WHEN IT WAS SHOWN.  A page tells, by the server's clock, when an item came
 * on its screen: it knows the difference to its own from the "now" of answers.
 * That is an estimate, so it is brought between the beginning of the lease and
 * the arrival of the act; of an act that is sent again, the arrival of the
 * first sending.  So the same act stays the same however late it is repeated.
 */
#ifndef PLUMB_SERVE_LABEL_H
#define PLUMB_SERVE_LABEL_H

#include "base/arena.h"
#include "serve/http.h"

struct label; // opaque: a server

struct label_config {
    const char *address; // as http_config has these
    uint16_t port;
    const char *const *host;
    size_t n_host;
    bool is_tls;
    struct http_limits limits;
    /* As in http_config, but that the thread may be any of the server's, one
     * at a time. */
    const struct context *context;

    /* The page; lasts as long as the server.  None: a page that says so. */
    const struct http_file *file;
    size_t n_file;
};

/* Serve the project that `db` is open on, which must outlive the server and
 * may be used for other things meanwhile, by one thread.  Failure: as
 * http_start() and db_open_again(). */
enum status label_start(struct label **out, const struct db *db,
                        const struct label_config *c,
                        struct err *err) MUST_CHECK;

/* Answer what is in flight, write what was sent, end.  Fine on NULL. */
void label_stop(struct label *label);

const char *label_url(const struct label *label);
struct http *label_http(const struct label *label);

/*
 * Files from a folder, for who works on the page: "/" is index.html, or
 * label.html; scripts, styles, pictures and texts have their own names.  They
 * are read once and last as long as the arena.  ERR_MISSING without a page.
 */
struct label_page {
    struct http_file *file;
    size_t n;
};
enum status label_page_read(struct label_page *out, struct arena *a,
                            const char *dir, struct err *err) MUST_CHECK;

#endif
