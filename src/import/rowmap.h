/*
 * rowmap.h - from the fields of a foreign row to a response of ours, by a table
 * of names.
 *
 *     static const struct rule rules[] = {
 *         {"input", TO_PROMPT, "text", NULL},
 *         {"score", TO_SCORE, "score", "before the KL penalty"},
 *     };
 *     TRY(rowmap_read(&out, r, row, rules, n, err));
 *     TRY(sink_put_row(r->sink, &out, err));
 *
 * What the user maps (--map) goes before the table; dots in its source lead
 * into objects.  A field without a rule is kept in the row's "extra" when it is
 * a number, true or false, or a short text, and else is noted as not mapped.
 */
#ifndef PLUMB_IMPORT_ROWMAP_H
#define PLUMB_IMPORT_ROWMAP_H

#include "import/reader.h"

enum target {
    TO_NOTHING, // known, and no use: the note says why
    TO_STEP,
    TO_PROMPT_ID,
    TO_SAMPLE,
    TO_PROMPT,
    TO_RESPONSE,
    TO_SCORE,     // and score_raw, where nothing else gives it
    TO_SCORE_RAW, // the reward model's own
    TO_GOLD,      // what the score is a proxy of
    TO_FINISH,    // a word, or true: ended by itself
    TO_TRUNCATED, // true: it did not
    TO_TOKENS,
    TO_N_TOKENS,
    TO_KL_SEQUENCE,
    TO_LOGP_SAMPLE,
    TO_LOGP,
    TO_LOGP_REF,
    TO_KL,
    TO_ENTROPY,
    TO_VALUE,
    TO_REWARD,
    TO_REWARD_KL,
    TO_ADVANTAGE, // of each token; one number: kept in extra
    TO_TAG,       // the prompt's stratum
    TO_EXTRA,
    TARGETS
};

struct rule {
    const char *from;
    enum target to;
    const char *unit, *note; // NULL
};

/* Our name of a target ("score"); NULL for TO_NOTHING. */
const char *rowmap_name(enum target to);

/* Is there a target, or another thing that a format can map, of this name? */
bool rowmap_knows(const char *name);

/*
 * Read a row; texts and arrays last until the reader's next one.  ERR_FORMAT
 * where a field cannot be what it is said to be: a step that is no number.
 */
enum status rowmap_read(struct import_row *out, struct reader *r,
                        const struct value *row, const struct rule *rules,
                        size_t n, struct err *err) MUST_CHECK;

#endif
