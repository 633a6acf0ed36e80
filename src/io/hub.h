/*
 * hub.h - repositories that lie in the local cache of the Hugging Face hub.
 * Nothing is ever fetched.
 *
 * The cache is $HF_HUB_CACHE, else $HF_HOME/hub, else
 * $XDG_CACHE_HOME/huggingface/hub, else ~/.cache/huggingface/hub; a variable
 * that is empty counts as unset.  In its value a leading ~ stands for $HOME and
 * $NAME and ${NAME} for another variable, as huggingface_hub has it; what
 * cannot be expanded stays.  In it:
 *
 *     models--ORG--NAME/refs/main            40 hex digits: a commit
 *     models--ORG--NAME/snapshots/<commit>/  the files (links into blobs/)
 *
 * A repository is written ORG/NAME, or hf:[ORG/]NAME[@REVISION][:FILE] where
 * FILE is one GGUF file of several.  Parts are letters, digits and . _ - , at
 * most 96, without "--" and "..", as the hub has it; so neither a name nor
 * what stands in refs/ leads out of the cache.
 */
#ifndef PLUMB_IO_HUB_H
#define PLUMB_IO_HUB_H

#include <stdbool.h>

#include "base/err.h"
#include "base/file.h"

#define HUB_PART_MAX 97  // with the NUL
#define HUB_TEXT_MAX 512 // any name as text
#define HUB_FILE_MAX 128

struct hub_name {
    char org[HUB_PART_MAX]; // "" where there is none
    char name[HUB_PART_MAX];
    char revision[HUB_PART_MAX]; // branch, tag or commit; "": main
    char file[HUB_FILE_MAX];     // "": the repository
};

/* Read a name; ERR_ARG says what is wrong with it. */
enum status hub_parse(struct hub_name *out, const char *text,
                      struct err *err) MUST_CHECK;

/*
 * Does `text` mean a repository and no path?  It does when it starts with
 * "hf:" or reads ORG/NAME, nothing stands at that path and, for ORG/NAME, ORG
 * is no directory either.  Paths are relative to `dir` ("": the working
 * directory).
 */
bool hub_is_meant(const char *dir, const char *text);

/* "hf:org/name@revision:file", which hub_parse() reads back. */
void hub_print(char out[HUB_TEXT_MAX], const struct hub_name *n);

/* Where the cache is; it need not exist.  ERR_MISSING when no variable says. */
enum status hub_cache(char out[FILE_PATH_MAX], struct err *err) MUST_CHECK;

/*
 * The snapshot of a repository (a directory), or the file of it that the name
 * asks for.  ERR_MISSING as hub_missing() words it; ERR_FORMAT names a file of
 * refs/ that holds no commit.
 */
enum status hub_find(char out[FILE_PATH_MAX], const struct hub_name *n,
                     struct err *err) MUST_CHECK;

/*
 * ERR_MISSING: "ORG/NAME <what>; hf download ORG/NAME [FILE] [--revision R]".
 * The text ends in the command that gets what is absent.
 */
enum status hub_missing(struct err *err, const struct hub_name *n,
                        const char *what);

#endif
