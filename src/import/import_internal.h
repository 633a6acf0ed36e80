/*
 * import_internal.h - what the parts of import.c share: which files there are
 * and what they are in import_files.c, the rest in import.c.
 */
#ifndef PLUMB_IMPORT_IMPORT_INTERNAL_H
#define PLUMB_IMPORT_IMPORT_INTERNAL_H

#include "base/comm.h"
#include "base/file.h"
#include "import/formats.h"
#include "import/import.h"
#include "import/trl_rewards.h"

/* A file to be read, and whether the user named it or its folder. */
struct source {
    char *path;
    bool is_named;
    bool is_tried;             // by its name alone it may be of `kind`
    const struct format *kind; // NULL: passed over
    struct json *done;         // its done.json; NULL: not read, or passed over
};

struct importing {
    const struct import_config *c;
    const struct context *context;
    struct source *source;
    size_t n, room;
    char state[FILE_PATH_MAX];
    struct comm *comm;  // whose ranks share the files
    struct notes notes; // of the whole
    char trainer[64];   // of the first kind that says one
    char format[64];
    struct trl_rewards rewards; // of completions
};

/* All files of the paths and their folders, in order; what stands there and is
 * no file is noted.  ERR_MISSING: there is none. */
enum status import_find_files(struct importing *m, struct err *err) MUST_CHECK;

/* What each of them is, by its beginning: a file of a folder that is nothing of
 * the format's is noted and passed over, one that was named is ERR_FORMAT. */
enum status import_look(struct importing *m, struct err *err) MUST_CHECK;

#endif
