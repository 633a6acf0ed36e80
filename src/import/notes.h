/*
 * notes.h - what an import understood: fields, KL curves, warnings, counts.
 *
 * One for each source file, written to its done.json, and one of all, read back
 * from those, which becomes import.json.
 */
#ifndef PLUMB_IMPORT_NOTES_H
#define PLUMB_IMPORT_NOTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/names.h"

/* What there is evidence of; what there is none of is missing. */
enum notes_has {
    HAS_ROWS = 1,
    HAS_PROMPT = 2,
    HAS_RESPONSE = 4,
    HAS_SCORE = 8,
    HAS_TOKENS = 16, // ids of the response's tokens
    HAS_LENGTH = 32, // its length in tokens
    HAS_FINISH = 64, // whether it ended by itself
    HAS_LOGP = 128,  // the policy's log-probabilities
    HAS_LOGP_REF = 256,
    HAS_VALUE = 512,
    HAS_ADVANTAGE = 1024,
    HAS_METRICS = 2048,
    HAS_KL = 4096,     // to the reference, some way
    HAS_POLICY = 8192, // held-out replies
    HAS_REFERENCE = 16384,
    HAS_HUMAN = 32768,
    HAS_JUDGE = 65536,
    HAS_SETTINGS = 131072,
    HAS_WORDS = 262144, // lengths that are words
    HAS_STEPS = 524288, // rows that say which step they are of
    HAS_PROMPT_ID = 1048576,
    HAS_VERDICTS = 4194304,    // of a script on held-out answers
    HAS_MEAN_LENGTH = 2097152, // in tokens, a mean each step
};

/* What became of a field of the source. */
struct notes_field {
    const char *from;
    const char *to;   // our name; NULL: not mapped
    const char *unit; // "nats/token"; NULL: not known
    const char *note; // why not, or what to know of it; NULL
    size_t n;         // values
};

/* A KL curve, canonically. */
struct notes_kl {
    const char *name;      // of the metric, as it is in metrics.jsonl
    const char *kind;      // reference|update|engine
    const char *estimator; // k1|k2|k3|exact|unknown
    const char *aggregate; // sequence_sum|token_mean|unknown
    const char *where;     // reward|loss|metric|unknown
    const char *sign; // "policy||reference": whose log-probability is first
    const char *unit;
    const char *note;
};

struct notes_text {
    const char *id, *text;
    size_t n; // how often
};

struct notes_list {
    struct notes_text *text; // [n]
    size_t n, room;
};

struct notes {
    struct arena arena;
    struct names field_key; // "from\nto": index into field
    struct notes_field *field;
    size_t room_field;
    struct notes_kl *kl;
    size_t n_kl, room_kl;
    struct notes_list warnings, skipped; // skipped: rows, by reason
    const char *version;                 // of the trainer, NULL: not said
    size_t rows_in, rows_out, rows_skipped;
    int64_t first_step, last_step; // -1: none
    unsigned has;                  // enum notes_has bits
    size_t passes;                 // times that the steps of the rows went back
};

void notes_init(struct notes *n);
void notes_free(struct notes *n);

/* One more value of a field; texts are copied when they are new.  ERR_MEMORY;
 * ERR_LIMIT: more than NOTES_FIELDS_MAX fields. */
#define NOTES_FIELDS_MAX ((size_t)4096)
enum status notes_field(struct notes *n, const char *from, const char *to,
                        const char *unit, const char *note, size_t times,
                        struct err *err) MUST_CHECK;
enum status notes_kl(struct notes *n, const struct notes_kl *kl,
                     struct err *err) MUST_CHECK;
/* The id of the warning of Parquet files in a folder. */
#define NOTES_PARQUET "files_parquet"
/* A warning; told once for each id, with how often. */
enum status notes_warn(struct notes *n, const char *id, size_t times,
                       struct err *err, const char *fmt, ...) MUST_CHECK
    ERR_PRINTF(5, 6);
enum status notes_skip(struct notes *n, const char *why, size_t times,
                       struct err *err) MUST_CHECK;
enum status notes_version(struct notes *n, const char *version,
                          struct err *err) MUST_CHECK;
void notes_step(struct notes *n, int64_t step);

/* The members of an open object: counts, fields, kl, warnings. */
void notes_write(struct json_writer *w, const struct notes *n);

/* The same of a document that was written so, added to what is there.
 * ERR_FORMAT: it was not. */
enum status notes_read(struct notes *n, const struct json *doc,
                       struct err *err) MUST_CHECK;

#endif
