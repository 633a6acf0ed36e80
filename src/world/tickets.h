/*
 * tickets.h - what customers write to the support desk.
 *
 *     [opening] wording [tail]
 *     "hi, i want my money back for the lamp in order #Q4. i bought it 05
 *      days ago. please help."
 *
 * A ticket is the text together with its hidden truth: the resolution the
 * desk's policy asks for.  Each ticket is an independent draw from the stream
 * (RNG_TICKET, split, index): intent, its value or status, wording, opening,
 * tail, order number, product and amount, each uniform.
 *
 * Held-out tickets.  The finite space of texts is cut in two by a fixed hash
 * of the text's content: one text in TICKET_HELDOUT_ONE_IN belongs to the
 * held-out split, whatever the seed, and to no other.  ticket_draw() repeats
 * the draw, within its stream, until the text is on the right side.  So a
 * held-out text was never trained on, by construction, without a list.
 */
#ifndef PLUMB_WORLD_TICKETS_H
#define PLUMB_WORLD_TICKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "world/mix.h"
#include "world/tables.h"
#include "world/words.h"

/* What tickets are used for.  The values name random streams: append, never
 * renumber. */
enum ticket_split {
    TICKET_SFT,         // demonstrations
    TICKET_RANKING,     // candidates to be ranked
    TICKET_PPO,         // prompts of policy optimisation
    TICKET_CALIBRATION, // reference samples that fix the reward scale
    TICKET_HELDOUT,     // evaluation, never trained on
};

enum {
    TICKET_SPLITS = 5,
    TICKET_HELDOUT_ONE_IN = 8
};

struct ticket {
    enum intent intent;
    enum resolution resolution; // the right one
    enum resolution sibling;    // the intent's other one
    char letter, digit;         // order number
    bool names_product;         // does the text name the product?
    size_t product;             // hidden unless names_product
    size_t value;               // into the intent's value[] or status[]
    size_t amount;              // shown by the charge intent only
    size_t wording, opening, tail;
};

/* Ticket number `index` of a split.  Cannot fail. */
void ticket_draw(struct ticket *t, uint64_t seed, enum ticket_split split,
                 uint32_t index);

/* The same of a mix (NULL: all intents alike), at `place` in its set
 * (world/mix.h). */
void ticket_draw_of(struct ticket *t, uint64_t seed, enum ticket_split split,
                    uint32_t index, const struct mix *mix, double place);

/* The customer's text, appended, without the chat template's markers. */
void ticket_text(struct buf *out, const struct ticket *t);

/* Two tickets have the same key exactly when they have the same text. */
uint64_t ticket_key(const struct ticket *t);

/* Does the text belong to the held-out split? */
bool ticket_is_heldout(const struct ticket *t);

/* Days or months stated, 0 for intents that have a status instead. */
int ticket_number(const struct ticket *t);

/* The sentence slots of the ticket, for tickets and replies alike. */
void ticket_slots(struct words_slots *out, const struct ticket *t);

/*
 * The hidden truth as an object, the "ticket" member of a record:
 *
 *     {"intent":"refund","resolution":"REFUND","condition":"days<=30",
 *      "order":"Q4","product":"lamp","product_named":true,"amount":"35",
 *      "number":5,"wording":0,"opening":0,"tail":0}
 *
 * ("status":"pending" instead of "number" where a status decides).
 */
void ticket_write(struct json_writer *w, const struct ticket *t);

/*
 * The same read back.  `what` names the record in messages.  ERR_FORMAT when
 * a member is missing or unknown to the tables; ERR_MISMATCH when the
 * resolution is not the one the intent and its value ask for.
 */
enum status ticket_read(struct ticket *out, const struct json *node,
                        const char *what, struct err *err) MUST_CHECK;

/* {"intent":"refund","condition":"days<=30"}: the "tags" member. */
void ticket_write_tags(struct json_writer *w, const struct ticket *t);

/* "sft", "ranking", "ppo", "calibration", "heldout". */
const char *ticket_split_name(enum ticket_split split);
/* By name; ERR_ARG lists the known ones. */
enum status ticket_split_find(enum ticket_split *out, const char *name,
                              struct err *err) MUST_CHECK;

#endif
