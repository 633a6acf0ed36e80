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
         "a name or an address that browsers reach the server by, besides "
         "localhost; several times for several names",
         FOR_LABEL, 0),
    BOOL("label.tls", label.tls, "false",
         "behind a reverse proxy on this machine that speaks TLS: cookies and "
         "origins are https, X-Forwarded-For is believed",
         FOR_LABEL, 0),
    PATH("label.ui", 0, label.ui,
         "serve the page from this folder, for who works on it", FOR_LABEL, 0,
         PARENT_NONE),

    /* what is asked */
    TEXT("label.pool", label.pool, NULL,
         "load: the pool, made when absent; standing, export: this one alone",
         FOR_LABEL, 0),
    CHOICE("label.task", label.task, "ranking", "ranking|spotcheck",
           "load: replies to be put in order, or a reply of the policy and "
           "one of the reference to be compared, blind",
           FOR_LABEL, 0),
    INT("label.overlap", label.overlap, "0", 0, 1000,
        "load: judges of each item; 0: one, or what the pool has", FOR_LABEL,
        0),
    REAL("label.lease", label.lease, "0", 0, 1e6,
         "load: minutes that an item stays in a judge's hands; 0: 30, or what "
         "the pool has",
         FOR_LABEL, 0),
    REAL("label.random_share", label.random_share, "-1", -1, 1,
         "load: share of the records with a priority that are asked at random "
         "all the same; -1: 0.2, or what the pool has",
         FOR_LABEL, 0),
    PATH("label.guide", 0, label.guide,
         "load: what judges are told, a text file", FOR_LABEL, 0, PARENT_NONE),
    INT("label.pairs", label.pairs, "0", 0, 1000000,
        "load: items at most, from several samples of a prompt where a "
        "spot-check has them; 0: one for each prompt",
        FOR_LABEL, 0),
    REAL("label.placebo", label.placebo, "0.5", 0, 1,
         "load: share of a spot-check that compares two replies of the "
         "reference, to tell an effect from noise",
         FOR_LABEL, 0),
    REAL("label.repeats", label.repeats, "0.05", 0, 1,
         "load: share of items asked again, with the sides swapped", FOR_LABEL,
         0),
    INT("label.gap", label.gap, "20", 1, 1000000,
        "load: items between the two at least", FOR_LABEL, 0),
    REAL("label.identical", label.identical, "0.01", 0, 1,
         "load: share of items added whose replies are one text", FOR_LABEL, 0),
    PATH("label.gold", 0, label.gold,
         "load: items with a known answer, mixed in", FOR_LABEL, 0,
         PARENT_NONE),

    /* what comes out */
    CHOICE("label.format", label.format, "canonical",
           "canonical|spotcheck|rankings|trl|openrlhf|alpacaeval|arena|"
           "comparator|helpsteer",
           "export: whose form; docs/label.md says what each holds and loses",
           FOR_LABEL, 0),
    BOOL("label.redact", label.redact, "false",
         "export: without judges' names, reasons and remarks", FOR_LABEL, 0),

    /* replies drawn here, and which of them are asked about first */
    PATH("label.policy", 0, label.policy,
         "load: draw the replies from this model or run, in place of FILE",
         FOR_LABEL, 0, PARENT_MODEL),
    PATH("label.reference", 0, label.reference,
         "load: and from this one; a spot-check without it takes the run's own "
         "reference, a ranking none",
         FOR_LABEL, 0, PARENT_SFT),
    PATH("label.prompts", 0, label.prompts,
         "load: the prompts they answer, JSON Lines", FOR_LABEL, 0,
         PARENT_FILE),
    TEXT("label.reward_model", label.reward_model, NULL,
         "load: reward model or its run, which says the scores of what is "
         "drawn; choose, load --adaptive: whose uncertainty counts, several "
         "with commas between",
         FOR_LABEL, 0),
    INT("label.samples", label.samples, "0", 0, 64,
        "load: replies drawn to a prompt: of a ranking in all, by turns where "
        "there is a reference, 0: 4; of a spot-check of the policy, and twice "
        "as many of the reference, 0: as many as --pairs needs",
        FOR_LABEL, 0),
    INT("label.max_new", label.max_new, "0", 0, 65536,
        "load: tokens of a drawn reply at most; 0: as in the policy's run, "
        "else 96",
        FOR_LABEL, 0),
    REAL("label.temperature", label.temperature, "1", 0, 100,
         "load: of drawing; 0 is greedy", FOR_LABEL, 0),
    REAL("label.top_p", label.top_p, "1", 0.001, 1,
         "load: nucleus: draw from the likeliest tokens that hold this "
         "probability",
         FOR_LABEL, 0),
    BOOL("label.adaptive", label.adaptive, "false",
         "load: ask first what a reward model would learn most from, but for "
         "the random share; choose does it again",
         FOR_LABEL, 0),

    /* people */
    TEXT("label.name", label.name, NULL, "invite, revoke: a judge's name",
         FOR_LABEL, 0),
    CHOICE("label.role", label.role, "judge", "admin|judge|viewer",
           "invite: judge votes, viewer sees how it stands, admin does both "
           "and invites",
           FOR_LABEL, 0),
    BOOL("label.once", label.once, "false",
         "invite: the link is good once, for one browser", FOR_LABEL, 0),
    BOOL("label.force", label.force, "false",
         "revoke: the last administrator, too", FOR_LABEL, 0),
    TEXT("label.url", label.url, NULL,
         "the server's address as browsers reach it, for links, "
         "http[s]://HOST[:PORT][/PATH]; without it, the first --host, else "
         "this machine's; https with --tls",
         FOR_LABEL, 0),
};

struct option_rows option_table_label(void)
{
    return (struct option_rows){rows, sizeof rows / sizeof *rows};
}
