/*
 * tables.h - every sentence the support desk knows, in one place.
 *
 * A sentence is written as words separated by single spaces, punctuation
 * being words of their own.  Placeholders stand for what differs between
 * tickets:
 *
 *     <ord>   an order number, "# L d": a letter and a digit
 *     <prod>  a product
 *     <n>     a number of days or months, two digits
 *     <amt>   an amount, "$ a"
 *     <st>    a status phrase of the ticket's intent
 *
 * Tickets, replies, the judge and the vocabulary all read these tables, so a
 * sentence exists once.  Everything here is constant; nothing can fail.
 */
#ifndef PLUMB_WORLD_TABLES_H
#define PLUMB_WORLD_TABLES_H

#include <stddef.h>

/* What a customer wants. */
enum intent {
    INTENT_REFUND,
    INTENT_LATE,
    INTENT_DAMAGED,
    INTENT_CHARGE,
    INTENT_CANCEL,
    INTENT_PASSWORD,
    INTENT_ADDRESS,
    INTENT_WARRANTY,
};

/* What the desk can do; two for each intent, side by side, so that the
 * sibling (the typical wrong answer) of r is r ^ 1. */
enum resolution {
    RESOLUTION_REFUND,
    RESOLUTION_CREDIT,
    RESOLUTION_WAIT,
    RESOLUTION_RESHIP,
    RESOLUTION_REPLACE,
    RESOLUTION_REPAIR,
    RESOLUTION_HOLD,
    RESOLUTION_DUP,
    RESOLUTION_CANCEL,
    RESOLUTION_PRORATE,
    RESOLUTION_LINK,
    RESOLUTION_PHONE,
    RESOLUTION_ADDR,
    RESOLUTION_REROUTE,
    RESOLUTION_FREEFIX,
    RESOLUTION_PAIDFIX,
};

/* What a sentence that does not help is for. */
enum filler {
    FILLER_APOLOGY,
    FILLER_THANKS,
    FILLER_ASSURANCE,
    FILLER_HEDGE,
    FILLER_UPSELL,
    FILLER_OFFER,
};

enum {
    TABLES_INTENTS = 8,
    TABLES_RESOLUTIONS = 16,
    TABLES_SENTENCES = 2, // per resolution, and as many next steps
    TABLES_WORDINGS = 3,  // per intent
    TABLES_VALUES = 12,   // at most, per intent
    TABLES_STATUSES = 2,  // per intent that has statuses
    TABLES_FILLERS = 18,
    TABLES_OPENINGS = 5,
    TABLES_TAILS = 6,
    TABLES_GREETINGS = 3,
    TABLES_CLOSINGS = 3,
    TABLES_PRODUCTS = 12,
    TABLES_AMOUNTS = 10,
    TABLES_LETTERS = 24,
    TABLES_DIGITS = 10,
    TABLES_WORDS_MIN = 3,  // words in the shortest sentence, its stop included
    TABLES_WORDS_MAX = 20, // and, at most, in the longest
};

/* An intent: how customers put it, and the condition that decides. */
struct tables_intent {
    const char *name;
    const char *wording[TABLES_WORDINGS];
    /* Days or months the customer may state; n_value is 0 where a status
     * decides. */
    int value[TABLES_VALUES];
    size_t n_value;
    int limit; // value <= limit: the first resolution, else the second
    const char *status[TABLES_STATUSES]; // first resolution, second
};

/* A resolution: how the desk states it, and what happens next. */
struct tables_resolution {
    const char *name;
    const char *condition; // of the ticket: "days<=30"
    const char *sentence[TABLES_SENTENCES];
    const char *next[TABLES_SENTENCES];
};

struct tables_filler {
    const char *sentence;
    enum filler kind;
};

extern const struct tables_intent tables_intent[TABLES_INTENTS];
extern const struct tables_resolution tables_resolution[TABLES_RESOLUTIONS];
extern const struct tables_filler tables_filler[TABLES_FILLERS];

/* "" among the openings and tails means: none. */
extern const char *const tables_opening[TABLES_OPENINGS];
extern const char *const tables_tail[TABLES_TAILS];
extern const char *const tables_greeting[TABLES_GREETINGS];
extern const char *const tables_closing[TABLES_CLOSINGS];
extern const char *const tables_product[TABLES_PRODUCTS];
extern const char *const tables_amount[TABLES_AMOUNTS];

/* Letters and digits of order numbers; used nowhere else. */
extern const char tables_letters[TABLES_LETTERS + 1];
extern const char tables_digits[TABLES_DIGITS + 1];

#endif
