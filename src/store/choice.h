/*
 * choice.h - the words that stand in the database and in every file, and the
 * numbers they have in the program.  0 is "not given" where there may be
 * nothing.
 */
#ifndef PLUMB_STORE_CHOICE_H
#define PLUMB_STORE_CHOICE_H

#include <stddef.h>

enum judge_role {
    JUDGE_ADMIN,
    JUDGE_JUDGE,
    JUDGE_VIEWER
};
enum pool_task {
    POOL_RANKING,
    POOL_SPOTCHECK
};
enum item_kind {
    ITEM_NORMAL,
    ITEM_PLACEBO,   // spot-check: two of the reference's replies
    ITEM_REPEAT,    // another item again, sides swapped
    ITEM_IDENTICAL, // the candidates are one text
    ITEM_GOLD       // the answer is known
};
enum item_arm {
    ITEM_RANDOM,
    ITEM_ADAPTIVE
};
enum assign_state {
    ASSIGN_LEASED,
    ASSIGN_EXPIRED,
    ASSIGN_VOTED,
    ASSIGN_SKIPPED
};
enum vote_act {
    VOTE_CAST,
    VOTE_SKIP,
    VOTE_UNDO
};
enum vote_overall {
    VOTE_OVERALL_NONE,
    VOTE_A, // what is shown on the left is better
    VOTE_B,
    VOTE_BOTH_GOOD,
    VOTE_BOTH_BAD
};
enum vote_correct {
    VOTE_CORRECT_NONE,
    VOTE_CORRECT_YES,
    VOTE_CORRECT_NO,
    VOTE_CORRECT_UNSURE
};
enum vote_length {
    VOTE_LENGTH_NONE,
    VOTE_TOO_SHORT,
    VOTE_LENGTH_RIGHT,
    VOTE_TOO_LONG
};
enum vote_render {
    VOTE_PLAIN,
    VOTE_MARKDOWN
};
enum remark_kind {
    REMARK_COMMENT,
    REMARK_FLAG
};

/* The words of one enum, [i] for value i; NULL for "not given". */
struct choice {
    const char *what; // "kind", for messages
    const char *word[6];
    int n;
};

extern const struct choice choice_role, choice_task, choice_kind, choice_arm,
    choice_state, choice_act, choice_overall, choice_correct, choice_length,
    choice_render, choice_remark;

/* The value of a word, NULL being "not given"; -1 when it is none. */
int choice_find(const struct choice *c, const char *word);

/* The word of a value; it must be one. */
const char *choice_word(const struct choice *c, int value);

#endif
