/*
 * flat.h - the settings of another program as a flat list, whatever syntax
 * they are written in.
 *
 *     struct flat f;
 *     TRY(flat_read(&f, path, err));
 *     ... f.entry[0..f.n) ...
 *     flat_free(&f);
 *
 * Syntaxes, told by the end of the name or else by the text:
 *
 *     JSON     {"actor": {"lr": 1e-6}}           actor.lr = 1e-6
 *     YAML     actor: {lr: 1e-6}                 actor.lr = 1e-6
 *              - actor.lr=1e-6               actor.lr = 1e-6
 *     command  python train.py --actor-lr 1e-6   actor_lr = 1e-6
 *              ... actor.lr=1e-6                 actor.lr = 1e-6
 *
 * YAML that is one list of "key=value" is Hydra's overrides.yaml, read as the
 * words of a command.
 *
 * JSON and YAML: a list of plain values is one text with blanks between its
 * items ("-10 10"); a list that holds more has keys with an index in them
 * ("jobs.0.lr").
 *
 * Command: a shell script, or only its words.  Understood are quotes,
 * comments, lines continued by a backslash, several commands, variables and
 * arrays that the text itself sets ($A, ${A}, ${A:-default}, ${A[@]}).  Of a
 * flag the value is the word behind it, with all that follow while both are
 * numbers ("--range -10 10"), and "true" where there is none; dashes within
 * its name become underscores.  Each command is a group of its own; a command
 * that has settings only goes on with the group before it.
 *
 * What the text does not say is unknown and never guessed: a variable that is
 * set elsewhere or in a branch, the output of a command, ${...} of YAML and
 * "???", a value longer than FLAT_TEXT_MAX.
 *
 * Files come from anywhere, so all is bounded: FLAT_FILE_MAX bytes (also of
 * what compressed data expand to), FLAT_DEPTH_MAX levels, FLAT_ENTRIES_MAX
 * settings and as many words, FLAT_KEY_MAX bytes of a key.  Aliases of YAML,
 * second documents, NUL bytes and invalid UTF-8 are refused.
 *
 * Failure: ERR_FORMAT, or ERR_LIMIT for the bounds, "FILE:LINE: ..."; a file
 * that is absent or unreadable as stream_open() says it.
 */
#ifndef PLUMB_IO_FLAT_H
#define PLUMB_IO_FLAT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

#define FLAT_FILE_MAX ((size_t)1 << 20)
#define FLAT_DEPTH_MAX 32
#define FLAT_ENTRIES_MAX 20000
#define FLAT_KEY_MAX 256
#define FLAT_TEXT_MAX 1024

enum flat_syntax {
    FLAT_JSON,
    FLAT_YAML,
    FLAT_COMMAND,
};

struct flat_entry {
    const char *key;
    const char *text; // NULL: null, or unknown
    bool is_unknown;
    size_t line;  // 1-based
    size_t group; // which command; 0 in JSON and YAML
};

/* A command: the words that are no settings ("python3 -m trl.cli"). */
struct flat_group {
    const char *words;
    size_t line;
};

struct flat {
    enum flat_syntax syntax;
    struct flat_entry *entry; // in the order of the text
    size_t n, room;
    struct flat_group *group; // at least one where there is an entry
    size_t n_groups, room_groups;
    struct arena text; // owns every string
};

/* A file, plain or compressed, "-" for standard input. */
enum status flat_read(struct flat *out, const char *path,
                      struct err *err) MUST_CHECK;

/* From memory; `name` stands for the file. */
enum status flat_parse(struct flat *out, const char *text, size_t len,
                       const char *name, struct err *err) MUST_CHECK;

/* The last entry of a key in a group, as later settings win; or NULL. */
const struct flat_entry *flat_find(const struct flat *f, size_t group,
                                   const char *key);

/* The configuration that Weights & Biases keeps of a run has each value in a
 * box of its own: "actor.value.lr" becomes "actor.lr".  Only of YAML. */
enum status flat_unbox(struct flat *f, struct err *err) MUST_CHECK;

/* Fine on a zeroed struct. */
void flat_free(struct flat *f);

#endif
