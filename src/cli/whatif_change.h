/*
 * whatif_change.h - the changes that plumb whatif can try: one table of named
 * remedies, and every recorded setting of reward and ppo by its key.
 *
 *     beta=0.2        a remedy that needs a value
 *     relabel         one that has its own, or takes none
 *     ppo.beta=0.2    a setting
 *
 * '-' and '_' are the same in names.
 */
#ifndef PLUMB_CLI_WHATIF_CHANGE_H
#define PLUMB_CLI_WHATIF_CHANGE_H

#include "base/buf.h"
#include "cli/options.h"

enum whatif_kind {
    WHATIF_SETTINGS,     // nothing but settings
    WHATIF_RELABEL,      // other rankings of the same replies
    WHATIF_FRESH_LABELS, // rankings of the policy's replies, beside the others
    WHATIF_SFT_EPOCH,    // the policy starts from an earlier checkpoint of SFT
    WHATIF_BOUNDED,      // a bound score, and beta in its unit
    WHATIF_ENSEMBLE,     // several reward models
    WHATIF_BEST_OF,      // no policy but the reference
    WHATIF_INTERPOLATE   // no training but a mixture
};

enum {
    WHATIF_NAME_MAX = 120, // bytes of a change's name, as a directory has it
    WHATIF_SET_MAX = 3     // settings of one remedy
};

/* A setting that a remedy makes. */
struct whatif_set {
    const char *key;
    const char *text; // NULL: the change's value
};

struct whatif_remedy {
    const char *name, *what;
    enum whatif_kind kind;
    const char *value; // without one given: this; "": it takes none; NULL: it
                       // must be given
    struct whatif_set set[WHATIF_SET_MAX];
};
extern const struct whatif_remedy whatif_remedies[];
extern const size_t whatif_remedy_count;

/* A change as somebody asked for it.  Strings are the table's or parts of the
 * text it was read from, which must outlive it. */
struct whatif_change {
    char name[WHATIF_NAME_MAX]; // "beta=0.2": also its directory
    const char *what;
    enum whatif_kind kind;
    const char *value; // NULL: none
    struct whatif_set set[WHATIF_SET_MAX];
    size_t n_set;
    unsigned stages; // FOR_REWARD and FOR_PPO bits: what runs again; none: the
                     // change is one of the finished models alone
};

/*
 * Read "NAME" or "NAME=VALUE".  ERR_ARG: "unknown change 'bta'; did you mean
 * 'beta'?", a value that is absent, out of range or not wanted.
 */
enum status whatif_change_read(struct whatif_change *out, const char *text,
                               struct err *err) MUST_CHECK;

/* The remedies as a list for a terminal, appended. */
void whatif_change_list(struct buf *out);

#endif
