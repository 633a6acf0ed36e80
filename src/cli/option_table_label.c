#include "cli/option_rows.h"

static const struct option rows[] = {
    /* serving */
    INT("label.port", label.port, "7586", 0, 65535,
        "where to listen; 0: any port that is free", FOR_LABEL, 0),
    TEXT("label.listen", label.listen, NULL,
         "ADDRESS or ADDRESS:PORT, numeric, [::]:7586 for instance: let other "
         "machines in; without it only this one can reach the server",
         FOR_LABEL, 0),
    TEXT("label.host", label.host, NULL,
         "a name that browsers reach the server by, besides localhost; several "
         "times for several names",
         FOR_LABEL, 0),
    BOOL("label.tls", label.tls, "false",
         "behind a reverse proxy on this machine that speaks TLS: cookies and "
         "origins are https, X-Forwarded-For is believed",
         FOR_LABEL, 0),
    PATH("label.ui", 0, label.ui,
         "serve the page from this folder, for who works on it", FOR_LABEL, 0,
         PARENT_NONE),

    /* people */
    TEXT("label.name", label.name, NULL, "invite, revoke: a judge's name",
         FOR_LABEL, 0),
    CHOICE("label.role", label.role, "judge", "admin|judge|viewer",
           "invite: judge votes, viewer sees how it stands, admin does both "
           "and invites",
           FOR_LABEL, 0),
    BOOL("label.once", label.once, "false",
         "invite: the link is good once, for one browser", FOR_LABEL, 0),
    TEXT("label.url", label.url, NULL,
         "invite: the server's address as the judge reaches it; without it, "
         "the address of --port on this machine",
         FOR_LABEL, 0),
};

struct option_rows option_table_label(void)
{
    return (struct option_rows){rows, sizeof rows / sizeof *rows};
}
