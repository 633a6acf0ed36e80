/*
 * import.h - other trainers' files become a project that plumb diagnose reads.
 *
 *     reader of a format  --rows, metrics, replies, votes-->  sink
 *     sink   one folder a source file, D/import.state/0000/   (import/sink.h)
 *     gather all of them, once every file is read             (import/gather.h)
 *
 * What is written to the project D:
 *
 *     ppo/rollouts/000123.jsonl.zst  responses (io/trace.h), n_tokens, len_unit
 *                                    and kl_sequence where they have no tokens
 *     ppo/metrics.jsonl              step-level values, under our names where
 *                                    they are the same quantity, else theirs
 *     ppo/config.yaml                settings, ours and theirs
 *     eval/samples.jsonl             replies of policy and reference
 *     eval/verdicts.jsonl            right or wrong, by a script, for a model
 *                                    or checkpoint and each held-out question
 *     human/spotcheck.jsonl          votes of people
 *     judge/votes.jsonl              verdicts of models and scripts: never
 *                                    counted as people's
 *     import.json                    what was understood, field by field
 *                                    (docs/import.md has the schema)
 *
 * Memory does not grow with the texts: rows go to the disk as they come, and
 * what is kept of each row of one step while that step is put together is 40
 * bytes; of each value of a metric 16, and 16 more while they are sorted.
 *
 * An import that was stopped goes on with is_resumed: source files that were
 * read to their end are not read again.  They must be the same (SHA-256).
 */
#ifndef PLUMB_IMPORT_IMPORT_H
#define PLUMB_IMPORT_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/context.h"
#include "base/err.h"

/* Longest line or row that is read. */
#define IMPORT_LINE_MAX ((size_t)64 << 20)
#define IMPORT_FILES_MAX ((size_t)100000)
#define IMPORT_MAPS_MAX 64

/* "score=reward": the source's field `from` is our `to`. */
struct import_map {
    const char *to, *from;
};

/* What the user says of replies of several models and of their judges. */
struct import_people {
    const char *policy, *reference; // names of models, or NULL
    int judge_kind;                 // 0: as the file says; else 1 + enum
                                    // import_judge: human, model, script
};

struct import_config {
    const char *format;      // a name of the table, or "auto"
    const char *const *path; // [n_paths] files and folders
    size_t n_paths;
    const char *out; // the project
    struct import_map map[IMPORT_MAPS_MAX];
    size_t n_maps;
    struct import_people people;
    size_t skip_bad; // rows of a file that may be left out, each noted
    bool is_resumed;
    bool is_overwriting; // an import that is there goes
};

/*
 * Read all files and write the project.  Appends the text of import.json to
 * `document` (may be NULL).
 *
 * ERR_ARG: no such format, no such field, a project that is there; ERR_MISSING:
 * no such file; ERR_FORMAT, ERR_LIMIT, ERR_MISMATCH "file:line: ..." for data
 * that cannot be what the format says.  What was read to its end stays for
 * is_resumed.
 */
enum status import_run(struct buf *document, const struct import_config *c,
                       const struct context *context,
                       struct err *err) MUST_CHECK;

/*
 * What a file is: {"format","kind","confidence","rows_sampled","fields",
 * "map_with"} as one line of JSON, appended; "format" is null where no format
 * fits, and "map_with" then the one that reads it by --map, or null.
 */
enum status import_sniff(struct buf *out, const char *path,
                         struct err *err) MUST_CHECK;

#endif
