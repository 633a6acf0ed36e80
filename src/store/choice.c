#include "store/choice.h"

#include <assert.h>
#include <string.h>

const struct choice choice_role = {"role", {"admin", "judge", "viewer"}, 3};
const struct choice choice_task = {"task", {"ranking", "spotcheck"}, 2};
const struct choice choice_kind = {
    "kind", {"normal", "placebo", "repeat", "identical", "gold"}, 5};
const struct choice choice_arm = {"arm", {"random", "adaptive"}, 2};
const struct choice choice_state = {
    "state", {"leased", "expired", "voted", "skipped"}, 4};
const struct choice choice_act = {"act", {"vote", "skip", "undo"}, 3};
const struct choice choice_overall = {
    "overall", {NULL, "A", "B", "both_good", "both_bad"}, 5};
const struct choice choice_correct = {
    "correct", {NULL, "yes", "no", "unsure"}, 4};
const struct choice choice_length = {
    "length", {NULL, "too_short", "right", "too_long"}, 4};
const struct choice choice_render = {"render", {"plain", "markdown"}, 2};
const struct choice choice_remark = {"remark", {"comment", "flag"}, 2};

int choice_find(const struct choice *c, const char *word)
{
    for (int i = 0; i < c->n; i++) {
        if (word == NULL ? c->word[i] == NULL
                         : c->word[i] != NULL && strcmp(c->word[i], word) == 0)
            return i;
    }
    return -1;
}

const char *choice_word(const struct choice *c, int value)
{
    assert(value >= 0 && value < c->n);
    return c->word[value];
}
