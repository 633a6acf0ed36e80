#include "diagnose/elsewhere.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "diagnose/lint_internal.h"
#include "diagnose/remedy_value.h"

/* ---- what a row rests on ------------------------------------------------ */

enum {
    WANTED_MAX = 5
};

/* Any of the items would help; ITEMS ends a list.  Rows that are not here rest
 * on what only the models can answer, or on nothing that is missing. */
static const struct {
    const char *row;
    enum imported_item item[WANTED_MAX];
} table[] = {
    {"V1", {ITEM_LOGPROBS, ITEM_REFERENCE, ITEMS}},
    {"V2", {ITEM_LOGPROBS, ITEM_TOKENS, ITEMS}},
    {"V3", {ITEM_REFERENCE, ITEMS}},
    {"V4", {ITEM_REFERENCE, ITEMS}},
    {"V5", {ITEM_REFERENCE, ITEM_KL, ITEMS}},
    {"V6", {ITEM_FINISH, ITEMS}},
    {"S1", {ITEM_ORIGINALS, ITEM_HELDOUT, ITEM_SCORES, ITEMS}},
    {"S2a", {ITEM_ORIGINALS, ITEM_HELDOUT, ITEM_LENGTHS, ITEMS}},
    {"S2b", {ITEM_VOTES, ITEMS}},
    {"S3", {ITEM_KL, ITEM_METRICS, ITEM_REFERENCE, ITEMS}},
    {"G", {ITEM_VOTES, ITEM_ORIGINALS, ITEM_HELDOUT, ITEMS}},
    {"a2", {ITEM_ORIGINALS, ITEM_HELDOUT, ITEM_VOTES, ITEMS}},
    {"a3", {ITEM_EVALUATIONS, ITEM_VOTES, ITEMS}},
    {"b2", {ITEM_METRICS, ITEM_KL, ITEMS}},
    {"c2", {ITEM_KL, ITEM_ORIGINALS, ITEM_HELDOUT, ITEM_REFERENCE, ITEMS}},
    {"c3", {ITEM_KL, ITEM_REFERENCE, ITEMS}},
    {"worse", {ITEM_VOTES, ITEMS}},
    {"noise", {ITEM_VOTES, ITEMS}},
    {"sides", {ITEM_VOTES, ITEMS}},
    {"agreement", {ITEM_VOTES, ITEMS}},
    {"value", {ITEM_VALUES, ITEM_METRICS, ITEMS}},
    {"baseline", {ITEM_VALUES, ITEMS}},
    {"aggregation", {ITEM_VALUES, ITEMS}},
    {"clip", {ITEM_VALUES, ITEM_METRICS, ITEMS}},
    {"limit", {ITEM_FINISH, ITEMS}},
    {"estimators", {ITEM_REFERENCE, ITEMS}},
    {"eos_paid", {ITEM_REFERENCE, ITEMS}},
    {"paid", {ITEM_REFERENCE, ITEMS}},
    {"sampler_start", {ITEM_LOGPROBS, ITEM_TOKENS, ITEMS}},
    {"beta_path", {ITEM_SETTINGS, ITEM_METRICS, ITEMS}},
    {"trend_reward", {ITEM_METRICS, ITEM_SCORES, ITEMS}},
    {"trend_kl", {ITEM_KL, ITEM_METRICS, ITEMS}},
    {"trend_length", {ITEM_LENGTHS, ITEM_TEXTS, ITEM_METRICS, ITEMS}},
    {"trend_entropy", {ITEM_METRICS, ITEMS}},
    {"trend_clip", {ITEM_METRICS, ITEMS}},
    {"trend_cut", {ITEM_FINISH, ITEM_METRICS, ITEMS}},
    {"late_fall", {ITEM_EVALUATIONS, ITEM_METRICS, ITEM_SCORES, ITEMS}},
    {"score_length", {ITEM_SCORES, ITEM_TEXTS, ITEMS}},
    {"trend_repeat", {ITEM_TEXTS, ITEMS}},
    {"judge_gain", {ITEM_ORIGINALS, ITEM_HELDOUT, ITEM_SCORES, ITEMS}},
};

#define TABLE_N (sizeof table / sizeof *table)

static const enum imported_item *items_of(size_t *n, const char *row)
{
    *n = 0;
    for (size_t i = 0; i < TABLE_N; i++) {
        if (strcmp(table[i].row, row) != 0)
            continue;
        while (*n < WANTED_MAX && table[i].item[*n] != ITEMS)
            ++*n;
        return table[i].item;
    }
    return NULL;
}

/* Does it send the reader to Plumb's own files, which nobody will make? */
static bool asks_for_ours(const char *needs)
{
    static const char *const ours[] = {"plumb ", "probes/", "eval/", "ppo/",
                                       "human/"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strstr(needs, ours[i]) != NULL)
            return true;
    return false;
}

/* What is missing for a row and how to get it; false: nothing that is known. */
static bool say_missing(char *out, size_t room, const struct finding *f,
                        const struct imported *x)
{
    static const enum imported_item lengths[] = {ITEM_LENGTHS};
    size_t n;
    const enum imported_item *list = items_of(&n, f->id);
    if (list != NULL && strstr(f->needs, "lengths in tokens") != NULL) {
        list = lengths;
        n = 1;
    }
    const struct imported_missing *m =
        list != NULL ? imported_find(x, list, n) : NULL;
    out[0] = '\0';
    if (list == NULL)
        return false;
    if (m == NULL)
        remedy_value_append(out, room, "%s, which this import lacks",
                            imported_item_words(list[0]));
    else
        remedy_value_append(out, room, "%.120s, which this import lacks",
                            m->what);
    if (m != NULL && m->flag != NULL)
        remedy_value_append(out, room, "; %.80s writes it with %.200s",
                            x->trainer, m->flag);
    else if (m != NULL && m->note[0] != '\0')
        remedy_value_append(out, room, ": %.220s", m->note);
    return true;
}

static void tell_needs(struct finding *f, const struct imported *x)
{
    char missing[FINDING_TEXT_MAX], before[FINDING_TEXT_MAX];
    bool is_ours = asks_for_ours(f->needs);
    bool is_known = say_missing(missing, sizeof missing, f, x);
    (void)snprintf(before, sizeof before, "%s", f->needs);
    if (is_known && (is_ours || before[0] == '\0'))
        finding_lack(f, "%s", missing);
    else if (is_known)
        finding_lack(f, "%.200s (%.300s)", before, missing);
    else if (is_ours)
        finding_lack(f,
                     "this takes the models themselves; nothing that %.80s "
                     "writes tells it",
                     x->trainer);
}

void elsewhere_needs(struct finding *row, size_t n, const struct evidence *e)
{
    for (size_t i = 0; i < n && e->import != NULL; i++)
        if (row[i].id != NULL && row[i].verdict == VERDICT_NOT_MEASURABLE &&
            !isfinite(row[i].e.estimate))
            tell_needs(&row[i], e->import);
}

/* ---- experiments -------------------------------------------------------- */

const char *elsewhere_experiment(const char *rival)
{
    static const struct {
        const char *rival, *text;
    } list[] = {
        {"R0", "replies to more held-out prompts"},
        {"R1", "training again on the score less its slope on length"},
        {"R2", "training again on rankings made anew by careful raters"},
        {"R3", "training again with a larger KL coefficient"},
        {"R4", "training again with the KL as k1 in the reward"},
        {"R5", "training again with a KL coefficient and a scale of scores "
               "that stay"},
        {"R6", "training again with lambda 1"},
        {"R7", "training again with log-probabilities at the temperature that "
               "is sampled"},
        {"R8", "training again with a charge for responses that do not end"},
        {"R9", "training again from an earlier checkpoint of fine-tuning"},
        {"R10", "training again with one limit on the length of responses"},
        {"R11", "training again with losses averaged over all tokens"},
        {"R12", "training again on shuffled prompts"},
        {"R13", "having the pairs judged by another blind panel"},
        {"R14", "a reward model trained on fresh rankings of what the policy "
                "writes"},
        {"R15", "training again with the same tokens left out in sampling and "
                "in scoring"},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (strcmp(list[i].rival, rival) == 0)
            return list[i].text;
    return "training again with one change";
}

#define ENGINES_DIFFER "sampling and training give tokens other probabilities"
#define ENGINES_AGREE                                                          \
    "make sampling and training agree: one temperature and the same tokens "   \
    "left out in both, a higher precision, or truncated importance weights "   \
    "against the sampler's log-probabilities"

/* Is R15 seen by the engines' mismatch? */
static bool is_of_engines(const struct rival *r, const struct finding *v1)
{
    return strcmp(r->id, "R15") == 0 && v1 != NULL &&
           v1->verdict == VERDICT_NOT_SUPPORTED;
}

void elsewhere_rival(struct rival *r, const struct finding *v1)
{
    r->experiment = elsewhere_experiment(r->id);
    if (is_of_engines(r, v1))
        r->name = ENGINES_DIFFER;
}

/* ---- settings ----------------------------------------------------------- */

/* Ours, and what trainers may call it. */
static const struct {
    const char *ours;
    enum lint_setting setting[2];
} settings[] = {
    {"ppo.beta", {LINT_REWARD_COEF, LINT_LOSS_COEF}},
    {"ppo.kl_target", {LINT_TARGET, LINT_TARGET}},
    {"ppo.kl_mode", {LINT_REWARD_ESTIMATOR, LINT_LOSS_ESTIMATOR}},
    {"ppo.lambda", {LINT_LAMBDA, LINT_LAMBDA}},
    {"ppo.temperature", {LINT_TEMPERATURE, LINT_TEMPERATURE}},
    {"ppo.max_new", {LINT_LENGTH, LINT_LENGTH}},
    {"ppo.missing_eos", {LINT_EOS_PENALTY, LINT_EOS_PENALTY}},
    {"ppo.loss_aggregation", {LINT_AGGREGATION, LINT_AGGREGATION}},
};

/* Is it in the recorded configuration, where an import puts the trainer's own
 * under "imported"? */
static bool is_recorded(const char *key, const struct evidence *e)
{
    char imported[128];
    int n = snprintf(imported, sizeof imported, "imported.%s", key);
    return evidence_text(e, "ppo", key) != NULL ||
           (n > 0 && (size_t)n < sizeof imported &&
            evidence_text(e, "ppo", imported) != NULL);
}

/* The name that the trainer has for one of our settings, as it is recorded. */
static const char *key_of(const char *ours, const struct evidence *e)
{
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        for (int t = 0; t < LINT_TRAINERS; t++)
            for (size_t k = 0; k < 2; k++) {
                const struct lint_key *key =
                    lint_key_of((enum lint_trainer)t, settings[i].setting[k]);
                if (strcmp(settings[i].ours, ours) == 0 && key->key != NULL &&
                    is_recorded(key->key, e))
                    return key->key;
            }
    return NULL;
}

/* Lines "- ppo.beta: 0.05" of settings that the trainer has become its own;
 * others go, since the title says what they mean. */
static void translate(struct remedy *r, const struct evidence *e)
{
    char out[REMEDY_TEXT_MAX] = "";
    for (const char *line = r->change; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        char key[64] = "";
        if (len > 2)
            (void)snprintf(key, sizeof key, "%.*s",
                           (int)strcspn(line + 2, ":\n"), line + 2);
        const char *theirs = key_of(key, e);
        if (theirs != NULL && strlen(key) + 2 <= len)
            remedy_value_append(out, sizeof out, "%s%.2s%s%.*s",
                                out[0] != '\0' ? "\n" : "", line, theirs,
                                (int)(len - 2 - strlen(key)),
                                line + 2 + strlen(key));
        line += len + (line[len] == '\n');
    }
    (void)snprintf(r->change, sizeof r->change, "%s", out);
}

/* ---- remedies ----------------------------------------------------------- */

/* Rows among the signs of the first three rivals that an item would help. */
static size_t count_rows(char *names, size_t room,
                         const struct imported_missing *m,
                         const struct rows *rows, const struct rival *rivals)
{
    size_t count = 0;
    names[0] = '\0';
    for (size_t t = 0; t < TABLE_N; t++) {
        const struct finding *f = rivals_row(rows, table[t].row);
        bool is_sign = false, is_helped = false;
        for (size_t i = 0; i < 3; i++)
            for (size_t k = 0; k < rivals[i].n_seen; k++)
                is_sign = is_sign ||
                          strcmp(rivals[i].seen[k].sign.row, table[t].row) == 0;
        for (size_t k = 0; k < WANTED_MAX && table[t].item[k] != ITEMS; k++)
            is_helped = is_helped || table[t].item[k] == m->item;
        if (f == NULL || f->verdict != VERDICT_NOT_MEASURABLE ||
            isfinite(f->e.estimate) || !is_sign || !is_helped)
            continue;
        remedy_value_append(names, room, "%s%s", count > 0 ? " " : "", f->id);
        count++;
    }
    return count;
}

static void write_missing(struct remedy *r, const struct imported_missing *m,
                          const char *names, const struct imported *x,
                          const struct rival *first)
{
    *r = (struct remedy){.id = m->item < ITEMS ? imported_item_name(m->item)
                                               : "missing",
                         .title = m->wish,
                         .how = m->flag != NULL ? REMEDY_FLAG : REMEDY_WORDS,
                         .purpose = REMEDY_MEASURE};
    for (int k = 0; k < REMEDY_MEASURES; k++)
        r->effect[k].predicted = r->effect[k].observed = summary_nothing();
    (void)snprintf(r->against, sizeof r->against, "%s",
                   first->is_held_back ? "what is open" : first->id);
    remedy_value_append(r->command, sizeof r->command, "%s", imported_how(m));
    if (first->is_held_back)
        remedy_value_append(r->why, sizeof r->why,
                            "no explanation shows more than one sign");
    else
        remedy_value_append(
            r->why, sizeof r->why,
            "%s (%s) stands first and is not decided: %zu of its signs are for "
            "it, %zu against, %zu cannot be measured",
            first->id, first->name, first->supported, first->contradicted,
            first->not_measurable);
    if (names[0] != '\0')
        remedy_value_append(r->why, sizeof r->why,
                            "; of the first three it "
                            "would tell %s",
                            names);
    else if (m->use[0] != '\0')
        remedy_value_append(r->why, sizeof r->why, "; it would tell %.200s",
                            m->use);
    remedy_value_append(r->tradeoff, sizeof r->tradeoff,
                        m->flag != NULL
                            ? "%.80s has to run with it, and what it writes "
                              "takes disk"
                            : "what %.80s does not write by itself has to be "
                              "made",
                        x->trainer);
    remedy_value_append(
        r->missing, sizeof r->missing,
        "a measurement changes nothing; there is nothing to predict");
}

/* The cheapest that help a row, then the cheapest of the others. */
static size_t take_missing(struct remedy out[REMEDIES],
                           const struct evidence *e, const struct rows *rows,
                           const struct rival *rivals)
{
    const struct imported *x = e->import;
    char names[160];
    size_t n = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < x->n_missing && n < REMEDIES; i++) {
            const struct imported_missing *m = &x->missing[i];
            bool is_helping =
                count_rows(names, sizeof names, m, rows, rivals) > 0;
            if (is_helping == (pass == 0))
                write_missing(&out[n++], m, names, x, &rivals[0]);
        }
    return n;
}

void elsewhere_remedies(struct remedy out[REMEDIES], const struct evidence *e,
                        const struct rows *rows, const struct rival *rivals,
                        enum remedy_purpose purpose)
{
    size_t taken =
        purpose == REMEDY_MEASURE ? take_missing(out, e, rows, rivals) : 0;
    if (purpose == REMEDY_REPAIR &&
        is_of_engines(&rivals[0], rivals_row(rows, "V1"))) {
        out[0].id = "engines";
        out[0].title = ENGINES_AGREE;
        out[0].name[0] = out[0].change[0] = '\0';
    }
    for (size_t i = taken; i < REMEDIES; i++) {
        struct remedy *r = &out[i];
        translate(r, e);
        r->command[0] = r->verify[0] = '\0';
        r->how = REMEDY_WORDS;
        if (asks_for_ours(r->missing))
            (void)snprintf(r->missing, sizeof r->missing,
                           "what was imported does not tell its effects");
        if (purpose == REMEDY_MEASURE)
            (void)snprintf(r->why, sizeof r->why,
                           "nothing else is known to be missing that would "
                           "tell; this can be tried without training again");
        if (r->purpose == REMEDY_REPAIR && r->change[0] != '\0')
            remedy_value_append(r->command, sizeof r->command,
                                "%.80s again with this change alone, over "
                                "three seeds",
                                e->import->trainer);
        else if (r->purpose == REMEDY_REPAIR)
            remedy_value_append(r->command, sizeof r->command,
                                "%.80s again with this alone changed, over "
                                "three seeds; it has no setting for it that "
                                "was recorded",
                                e->import->trainer);
    }
}
