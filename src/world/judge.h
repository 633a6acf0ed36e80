/*
 * judge.h - what a reply is really worth: the desk's rubric, in the open.
 *
 * A reply is cut into sentences at . ? ! (a trailing fragment is one too),
 * after one greeting at its very start.  In each sentence "# L d" becomes
 * <ord>, "$ a" <amt> and a product <prod>; it is then what the table sentence
 * says that it equals, or else the one it overlaps most by multiset Jaccard
 * (words in common / words in either, at least 0.7), or else garbled.
 *
 *     resolution   right only +2.0, right and wrong -0.5, wrong only -1.5,
 *                  none -0.5
 *     order        right and no wrong one +0.75, any wrong -0.75, none 0
 *     product      one named that is not the ticket's -0.3
 *     next_right   the right next step is there +0.75
 *     next_wrong   any wrong next step is there -0.5
 *     polite       at least one greeting, closing or filler that apologises,
 *                  thanks, assures or offers +0.25
 *     fillers      each filler sentence beyond the first -0.4
 *     repeats      each sentence that was there before, word for word -0.5
 *     garbled      each garbled sentence -0.5
 *     buried       each token before the first resolution beyond 15 -0.05
 *                  (without a resolution: of the whole reply)
 *     cut          the reply did not end by itself -1.0
 *
 * gold is the sum, at most 3.75; help is resolution + order + next_right +
 * next_wrong, the part that is of direct use.
 */
#ifndef PLUMB_WORLD_JUDGE_H
#define PLUMB_WORLD_JUDGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"
#include "world/tickets.h"

#define JUDGE_REPLY_MAX ((size_t)1 << 20) // bytes of a reply

enum judge_term {
    JUDGE_RESOLUTION,
    JUDGE_ORDER,
    JUDGE_PRODUCT,
    JUDGE_NEXT_RIGHT,
    JUDGE_NEXT_WRONG,
    JUDGE_POLITE,
    JUDGE_FILLERS,
    JUDGE_REPEATS,
    JUDGE_GARBLED,
    JUDGE_BURIED,
    JUDGE_CUT,
};

enum {
    JUDGE_TERMS = 11
};

enum judge_fact {
    FACT_NONE,
    FACT_RIGHT,
    FACT_WRONG
};

struct judgement {
    double gold, help;
    double term[JUDGE_TERMS]; // what each line of the rubric gave
    bool resolution_right, resolution_wrong; // stated at least once
    enum judge_fact order;                   // WRONG: any wrong one
    bool product_wrong;
    bool next_right, next_wrong;
    bool is_eos;
    size_t sentences; // without the greeting
    size_t fillers;   // filler sentences, repeated ones included
    size_t polite;    // polite elements
    size_t repeats;
    size_t garbled;
    size_t tokens;        // words of the reply
    size_t tokens_before; // words before the first resolution sentence, all
                          // when there is none
    size_t tokens_wasted; // words in fillers beyond the first, in repeats and
                          // in garbled sentences
};

/*
 * Judge a reply to a ticket.
 *
 *   reply   any text at all, up to JUDGE_REPLY_MAX bytes; never trusted
 *   is_eos  the reply ended by itself, not at the length limit
 *
 * ERR_LIMIT when the reply is too long, ERR_MEMORY.  O(n log n) in the
 * length; no state, safe from several threads.
 */
enum status judge_reply(struct judgement *out, const struct ticket *t,
                        const char *reply, bool is_eos,
                        struct err *err) MUST_CHECK;

/* The judgement as an object: {"gold","help","terms":{...},
 * "resolution_right",...}. */
void judge_write(struct json_writer *w, const struct judgement *j);

/* What a sentence was taken for. */
enum judge_class {
    CLASS_RESOLUTION, // index: enum resolution
    CLASS_NEXT,       // index: enum resolution
    CLASS_FILLER,     // index: into tables_filler
    CLASS_CLOSING,    // index: into tables_closing
    CLASS_GARBLED,
};

struct judge_label {
    enum judge_class kind;
    size_t index;
};

/* Classify one sentence of n words. */
struct judge_label judge_sentence(const struct word *word, size_t n);

#endif
