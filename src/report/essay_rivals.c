/* The explanations that compete: the first, those that hold beside it, those
 * that are still in the running. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/essay_internal.h"

/* What a rival says, in a title and in a sentence; of a bug what it spoils. */
struct plot {
    const char *id, *title, *how, *spoils;
};

static const struct plot plots[] = {
    {"R0", "Nothing that was looked for is wrong with this run",
     "the score rose, and people do not prefer what came before", NULL},
    {"R1",
     "The reward model pays for length beyond what people asked, and the "
     "policy collects",
     "the reward model likes length more than those it learnt from do, so "
     "length is a way to score that nobody wanted",
     NULL},
    {"R2",
     "People ranked longer replies higher, the reward model learnt it, "
     "and the policy delivers",
     "those who ranked liked length, the reward model learnt that, and the "
     "policy serves it",
     NULL},
    {"R3", "Drifting is cheap, so the policy drifts",
     "the penalty is right and its coefficient too low to hold the policy "
     "back",
     NULL},
    {"R4", "The KL penalty is written into the run and does not pull",
     "the penalty's gradient is not that of the KL",
     "everything about the penalty: there is none that acts. What was measured "
     "of replies, their scores and votes, stands"},
    {"R5", "The price of drifting fell while the policy drifted",
     "the coefficient, or what it is worth in units of reward, went down "
     "during training, so that the same drift became cheaper",
     NULL},
    {"R6", "The value model explains next to nothing of the returns",
     "the value model explains next to nothing of the returns, so that "
     "advantages are noisier than they need be",
     NULL},
    {"R7", "Replies were drawn at another temperature than was logged",
     "the tokens come from a flatter or steeper distribution than the one "
     "whose probabilities were recorded",
     "every logged log-probability: ratios, the KL and the penalty are about a "
     "policy that did not write the replies"},
    {"R8", "Replies do not end as they should",
     "the token that ends a reply is missing, cut off or not trained",
     "lengths, the place where the score is paid, and all that goes with "
     "stopping"},
    {"R9", "The reference is over-fitted, so every step away looks far",
     "the frozen model finds anything but its training replies improbable, so "
     "KL to it grows with any change",
     NULL},
    {"R10", "The KL grows because replies grow, and for no other reason",
     "KL is summed over tokens, so that longer replies have more of it at the "
     "same KL a token",
     NULL},
    {"R11", "The way the loss is added up makes replies longer",
     "averaging the loss within each reply makes a long bad reply cheaper "
     "token by token than a short one",
     NULL},
    {"R12", "The prompts changed, and with them the numbers",
     "later prompts are not those of the start, or not those held out, so that "
     "a change of the numbers need not be one of the policy",
     NULL},
    {"R13", "The spot-check is noise",
     "those who judge do not even agree with themselves, so that their votes "
     "carry nothing",
     NULL},
    {"R14", "The reward model is too weak to rank what the policy writes",
     "the reward model orders too few held-out pairs rightly to guide a policy",
     NULL},
    {"R15", "Sampler and trainer leave out different tokens",
     "a token that is never drawn still has probability in training, or the "
     "other way round",
     "every logged log-probability: the ratio, the KL and with it the penalty "
     "have an error that grows as the policy moves"},
};

static const struct plot *plot_of(const char *id)
{
    for (size_t i = 0; id != NULL && i < sizeof plots / sizeof *plots; i++)
        if (strcmp(plots[i].id, id) == 0)
            return &plots[i];
    return &plots[0];
}

const char *essay_rival_title(const char *id)
{
    return plot_of(id)->title;
}

const char *essay_rival_spoils(const char *id)
{
    return plot_of(id)->spoils;
}

/* Of an import R15 may be two engines whose numbers differ. */
static const char *how_of(const struct essay *y, const struct rival *r)
{
    if (y->e->import != NULL && strcmp(r->id, "R15") == 0)
        return "the engine that samples and the one that trains give the same "
               "tokens probabilities that differ by more than numerics, as "
               "where one of them leaves tokens out";
    return plot_of(r->id)->how;
}

/* ---- signs -------------------------------------------------------------- */

/* A count under a reference of its own. */
static struct essay_mark count(struct essay *y, const char *ref,
                               const char *what, size_t n)
{
    const struct estimate e = {(double)n, (double)NAN, (double)NAN, 0};
    return essay_value(y, ref, what, &e, FORM_COUNT);
}

/* "5 of its 8 signs", with marks. */
struct seen {
    char text[2048];
};

static struct seen seen(struct essay *y, const struct rival *r)
{
    struct seen out;
    char ref[32], what[160];
    (void)snprintf(ref, sizeof ref, "%s.seen", r->id);
    (void)snprintf(what, sizeof what, "%s (%s), signs seen", r->id, r->name);
    struct essay_mark some = count(y, ref, what, r->supported);
    (void)snprintf(ref, sizeof ref, "%s.signs", r->id);
    (void)snprintf(what, sizeof what, "%s (%s), signs looked for", r->id,
                   r->name);
    struct essay_mark all = count(y, ref, what, r->n_seen);
    (void)snprintf(out.text, sizeof out.text, "%s of its %s sign%s", some.text,
                   all.text, r->n_seen == 1 ? "" : "s");
    return out;
}

/* A command in backticks; what is none, as it stands. */
static struct essay_clean experiment(const struct rival *r)
{
    static const char command[] = "plumb ";
    struct essay_clean out, text = essay_clean(r->experiment);
    bool is_command = strncmp(text.text, command, sizeof command - 1) == 0;
    const char *tick = is_command ? "`" : "";
    (void)snprintf(out.text, sizeof out.text, "%s%.540s%s", tick, text.text,
                   tick);
    return out;
}

/* ---- the first, and those beside it ------------------------------------- */

static size_t count_beside(const struct essay *y)
{
    size_t n = 0;
    for (size_t i = 1; i < RIVALS; i++)
        n += y->d->rival[i].verdict == VERDICT_SUPPORTED;
    return n;
}

/* ", and R3 and R6 are supported beside it" */
static void list_beside(char *out, size_t size, const struct essay *y)
{
    size_t all = count_beside(y), n = 0, len = 0;
    out[0] = '\0';
    for (size_t i = 1; i < RIVALS; i++) {
        const struct rival *r = &y->d->rival[i];
        if (r->verdict != VERDICT_SUPPORTED || len + 80 > size)
            continue;
        len += (size_t)snprintf(out + len, size - len, "%s%.16s",
                                n == 0         ? "; "
                                : n + 1 == all ? " and "
                                               : ", ",
                                r->id);
        n++;
    }
    if (n > 0)
        (void)snprintf(out + len, size - len, " %s supported beside it",
                       n == 1 ? "is" : "are");
}

void essay_rival_first(struct essay *y, const char *lead)
{
    const struct rival *r = &y->d->rival[0];
    char beside[512];
    bool is_bug = y->d->verdict == DIAGNOSIS_BUG;
    list_beside(beside, sizeof beside, y);
    if (essay_say(y, r->id, "%s %s (%s): %s.", lead,
                  is_bug ? "one cause" : "consistent with one explanation",
                  r->id, how_of(y, r)))
        essay_say(y, r->id, "It shows %s and none against it%s.",
                  seen(y, r).text, beside);
}

/* How a supported rival goes with the first. */
static void relate(char out[160], const struct essay *y, const struct rival *r)
{
    const struct rival *first = &y->d->rival[0];
    bool is_healthy = strcmp(r->id, "R0") == 0;
    const char *before = "competes with ", *after = " for the same numbers";
    if (first->is_bug) {
        before = "rests on numbers that ";
        after = " may spoil";
    } else if (is_healthy) {
        before = "may hold with ";
        after = ", which then did no harm that people saw";
    } else if (r->is_permissive && first->is_permissive) {
        before = "is no cause and lets one act, as ";
        after = " does";
    } else if (r->is_permissive && strcmp(first->id, "R0") == 0) {
        before = "would let a cause act, and ";
        after = " has none";
    } else if (r->is_permissive) {
        before = "lets ";
        after = " act and competes with none";
    }
    (void)snprintf(out, 160, "%s%.16s%s", before, first->id, after);
}

static void tell_beside(struct essay *y, size_t i)
{
    const struct rival *r = &y->d->rival[i];
    const bool is_tied = r->tied_with < i;
    char how[160];
    relate(how, y, r);
    essay_say(y, r->id,
              "%s shows %s and says that %s; it %s%s%s, and %s would %s.",
              r->id, seen(y, r).text, how_of(y, r), how,
              is_tied ? ", ranks level with " : "",
              is_tied ? y->d->rival[r->tied_with].id : "", experiment(r).text,
              y->d->rival[0].is_bug ? "tell more" : "part them");
}

void essay_rivals_beside(struct essay *y)
{
    if (count_beside(y) == 0)
        return;
    essay_open(y, "What else is supported", ESSAY_NO_FIGURE);
    for (size_t i = 1; i < RIVALS; i++)
        if (y->d->rival[i].verdict == VERDICT_SUPPORTED)
            tell_beside(y, i);
}

/* ---- undecided ---------------------------------------------------------- */

void essay_rivals_running(struct essay *y)
{
    essay_open(y, "Who is in the running", ESSAY_NO_FIGURE);
    size_t told = 0;
    for (size_t i = 0; i < RIVALS; i++) {
        const struct rival *r = &y->d->rival[i];
        bool is_supported = r->verdict == VERDICT_SUPPORTED;
        if (r->id == NULL || r->contradicted > 0 || r->supported == 0 ||
            (told >= 3 && !is_supported))
            continue;
        char ref[32], what[160];
        (void)snprintf(ref, sizeof ref, "%s.open", r->id);
        (void)snprintf(what, sizeof what, "%s (%s), signs not measurable",
                       r->id, r->name);
        struct essay_mark open = count(y, ref, what, r->not_measurable);
        essay_advise(y,
                     "%s (%s) shows %s, %s that could not be measured and none "
                     "against it: %s; %s would tell more.",
                     r->id, r->name, seen(y, r).text, open.text, how_of(y, r),
                     experiment(r).text);
        told++;
    }
    if (told == 0 && y->e->import != NULL)
        essay_advise(y, "No explanation shows a sign and is not contradicted: "
                        "most of what would be a sign cannot be measured "
                        "here.");
    else if (told == 0)
        essay_advise(y, "Every explanation that was held against these numbers "
                        "is contradicted by some of them, or none of its signs "
                        "is there.");
}

/* ---- what is not known -------------------------------------------------- */

void essay_rivals_count(struct essay *y)
{
    size_t against = 0, open = 0;
    for (size_t i = 0; i < RIVALS; i++) {
        const struct rival *r = &y->d->rival[i];
        against += r->verdict == VERDICT_NOT_SUPPORTED;
        open += r->verdict == VERDICT_NOT_MEASURABLE;
    }
    essay_advise(
        y,
        "Of %s explanations held against these numbers %s are contradicted "
        "and %s undecided.",
        count(y, "rivals.all", "explanations in all", RIVALS).text,
        count(y, "rivals.against", "with signs against them", against).text,
        count(y, "rivals.open", "neither supported nor contradicted", open)
            .text);
}
