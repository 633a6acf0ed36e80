#include "cli/option_rows.h"

static const struct option rows[] = {
    INT("watch.port", watch.port, "7587", 0, 65535,
        "where to listen; 0: any port that is free", FOR_WATCH, 0),
    TEXT("watch.listen", watch.listen, NULL,
         "numeric ADDRESS: let other machines in, by a link with a token; "
         "without it only this one can reach the page",
         FOR_WATCH, 0),
    TEXT("watch.host", watch.host, NULL,
         "a name or an address that browsers reach the server by, besides "
         "localhost; several times for several names",
         FOR_WATCH, 0),
    BOOL("watch.tls", watch.tls, "false",
         "behind a reverse proxy on this machine that speaks TLS: cookies and "
         "origins are https, and one signs in by a link",
         FOR_WATCH, 0),
    PATH("watch.judgements", 0, watch.judgements,
         "database that spot-checks are queued in and whose votes close an "
         "alarm; without it, the one in human/ of the run's project",
         FOR_WATCH, 0, PARENT_NONE),
    BOOL("watch.index", watch.index, "true",
         "keep an index of a run's curves beside it (.plumb-index), so that "
         "long ones open at once",
         FOR_WATCH, 0),
    BOOL("watch.tty", watch.tty, "false",
         "draw on the terminal instead of serving a page", FOR_WATCH, 0),
    BOOL("watch.once", watch.once, "false",
         "tty: one look, and an end; so where standard output is no terminal",
         FOR_WATCH, 0),
    BOOL("watch.queue", watch.queue, "false",
         "queue a blind spot-check of the runs whose paradox alarm is raised, "
         "and end",
         FOR_WATCH, 0),
    INT("watch.pairs", watch.pairs, "40", 1, 10000,
        "queue: pairs of policy and reference, and as many of placebo",
        FOR_WATCH, 0),
    PATH("watch.ui", 0, watch.ui,
         "serve the page from this folder, for who works on it", FOR_WATCH, 0,
         PARENT_NONE),
};

struct option_rows option_table_watch(void)
{
    return (struct option_rows){rows, sizeof rows / sizeof *rows};
}
