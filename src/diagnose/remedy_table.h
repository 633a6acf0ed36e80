/*
 * remedy_table.h - two tables: the changes that can be recommended, each a
 * change of plumb whatif, and which of them answer which rival.
 *
 * Sources of the trade-offs: the research notes' D.  Of the rivals' order: F2,
 * and D's default pair, one change of the reward and one of the optimiser or
 * the penalty, swapped where the evidence points elsewhere.
 */
#ifndef PLUMB_DIAGNOSE_REMEDY_TABLE_H
#define PLUMB_DIAGNOSE_REMEDY_TABLE_H

#include "diagnose/remedies.h"

/* How effects are predicted. */
enum remedy_model {
    REMEDY_MODEL_NONE,        // this run cannot say
    REMEDY_MODEL_PRICE,       // remedy_path.h, X the value
    REMEDY_MODEL_PRICE_NOW,   // as it is, once it acts
    REMEDY_MODEL_PRICE_FIRST, // as it was at the start
    REMEDY_MODEL_TARGET,
    REMEDY_MODEL_STOP,
    REMEDY_MODEL_PART,
    REMEDY_MODEL_BOUNDED,
    REMEDY_MODEL_LENGTH_OFF, // remedy_response.h
    REMEDY_MODEL_LENGTH_HALF,
    REMEDY_MODEL_JUDGES,
    REMEDY_MODEL_JUDGES_HALF,
    REMEDY_MODEL_BEST,
    REMEDY_MODELS
};

/* Where the change's value comes from. */
enum remedy_value {
    REMEDY_VALUE_NONE,
    REMEDY_VALUE_FIXED,       // the row's text
    REMEDY_VALUE_PRICE,       // a nat's worth at the KL wanted
    REMEDY_VALUE_KL,          // the KL wanted
    REMEDY_VALUE_TOKEN,       // what a token brings among reference replies
    REMEDY_VALUE_EPOCH,       // an earlier checkpoint of fine-tuning
    REMEDY_VALUE_CAP,         // tokens that 95 % of reference replies keep to
    REMEDY_VALUE_TEMPERATURE, // the one that is logged
    REMEDY_VALUE_MISSING_EOS, // twice what a missing EOS costs
};

/* When it can be used at all. */
enum remedy_condition {
    REMEDY_ALWAYS,
    REMEDY_IF_DESK,    // careful raters are at hand: the support desk
    REMEDY_IF_PENALTY, // the KL penalty is not known to be broken
    REMEDY_IF_REST,    // judges do not dislike what is left of the score when
                       // length is taken off it, as far as is known
    REMEDY_IF_SET,     // the setting is recorded and is another
};

struct remedy_row {
    const char *id; // as plumb whatif has it: a name, or a key
    const char *title, *tradeoff;
    const char *key[2]; // settings it makes: "reward.length_residual"
    const char *to[2];  // NULL: the value; "": what plumb whatif works out
    const char *fixed;  // of REMEDY_VALUE_FIXED
    const char
        *excludes; // a schedule of ppo that cannot be on beside it; -1 is
                   // off
    enum remedy_value value;
    enum remedy_model model;
    enum remedy_condition condition;
    enum remedy_measure target; // the measure it is meant to move
    bool is_reward_side;
    const char *command; // of a measurement: after the word plumb, with %s for
                         // the project; NULL: a change
};

extern const struct remedy_row remedy_rows[];
extern const size_t remedy_row_count;
const struct remedy_row *remedy_table_find(const char *id);

enum {
    REMEDY_CHOICES = 6
};

/* Ids in order of preference; the first list is against the rival itself, the
 * second goes beside it when no other rival is supported. */
struct remedy_answer {
    const char *rival;
    const char *first[REMEDY_CHOICES], *second[REMEDY_CHOICES];
};
const struct remedy_answer *remedy_table_answer(const char *rival);

#endif
