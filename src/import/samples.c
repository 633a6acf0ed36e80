#include <math.h>
#include <stdio.h>
#include <string.h>

#include "import/readers.h"

/*
 * Replies of several policies to the same prompts, by the model's name:
 *     {"reference": [{"prompt","response","reward","kl"}, ...], "ppo": [...]}
 * and the verdicts of an LLM on them, each beside the reference's reply:
 *     {"ppo": {"judgments": [{"sample_id":0,"judgment":"tie"}, ...]}}
 * One policy is looked at: --map policy=NAME, or the only one, or "ppo".
 */

/* The name of the policy among the members of a document; NULL: not told. */
static const char *find_policy(const struct reader *r, const struct value *doc,
                               const char *reference)
{
    const char *name = reader_mapped(r, "policy"), *only = NULL;
    size_t n = 0;
    if (name != NULL)
        return name;
    for (const struct value *v = doc->first; v != NULL; v = v->next) {
        if (strcmp(v->key, reference) == 0)
            continue;
        if (strcmp(v->key, "ppo") == 0)
            return v->key;
        only = v->key;
        n++;
    }
    return n == 1 ? only : NULL;
}

static enum status need_policy(const struct value **out, const char **name,
                               struct reader *r, const struct value *doc,
                               const char *reference, struct err *err)
{
    *name = doc->kind == VALUE_OBJECT ? find_policy(r, doc, reference) : NULL;
    *out = *name != NULL ? value_get(doc, *name) : NULL;
    if (*out == NULL)
        return err_set(err, ERR_ARG,
                       "%s: it is not told which policy is meant: --map "
                       "policy=NAME",
                       r->path);
    for (const struct value *v = doc->first; v != NULL; v = v->next)
        if (v != *out && strcmp(v->key, reference) != 0)
            TRY(notes_field(&r->sink->notes, v->key, NULL, NULL,
                            "another policy; --map policy=NAME takes it", 1,
                            err));
    return notes_field(&r->sink->notes, *name, "policy", NULL, NULL, 1, err);
}

/* ---- the replies -------------------------------------------------------- */

static const struct notes_kl kl_of_samples = {
    .name = "kl",
    .kind = "reference",
    .estimator = "unknown",
    .aggregate = "unknown",
    .where = "metric",
    .sign = "log policy - log reference",
    .unit = "nats",
    .note = "of each held-out reply; whether it is a sum or a mean over tokens "
            "is not said"};

/* Replies are named by their place: the verdicts name them so. */
static void place_id(char out[32], size_t i)
{
    (void)snprintf(out, 32, "sample-%06zu", i);
}

static enum status put_reply(struct reader *r, const struct value *v, size_t i,
                             bool is_policy, struct err *err)
{
    struct import_reply reply;
    char id[32], extra[64] = "";
    double kl = value_number(value_get(v, "kl"));
    sink_reply_init(&reply);
    place_id(id, i);
    reply.is_policy = is_policy;
    reply.prompt_id = id;
    TRY(reader_text(&reply.prompt, r, value_get(v, "prompt"), err));
    TRY(reader_text(&reply.response, r, value_get(v, "response"), err));
    reply.score = value_number(value_get(v, "reward"));
    if (isfinite(kl))
        (void)snprintf(extra, sizeof extra, "\"extra\":{\"kl\":%.17g}", kl);
    reply.extra = extra;
    return sink_put_reply(r->sink, &reply, err);
}

static enum status put_replies(struct reader *r, const struct value *list,
                               bool is_policy, struct err *err)
{
    size_t i = 0;
    if (list == NULL || list->kind != VALUE_LIST)
        return err_set(err, ERR_FORMAT,
                       "%s:1: a policy whose replies are no "
                       "list",
                       r->path);
    for (const struct value *v = list->first; v != NULL; v = v->next) {
        enum status status = put_reply(r, v, i++, is_policy, err);
        if (status != OK) {
            (void)err_context(err, "%s:1: reply %zu", r->path, i);
            return status;
        }
    }
    return OK;
}

double samples_sniff(const struct head *h)
{
    const struct value *list =
        h->is_document ? sniff_member(h, "reference") : NULL;
    const struct value *first =
        list != NULL && list->kind == VALUE_LIST ? list->first : NULL;
    return value_get(first, "prompt") != NULL &&
                   value_get(first, "response") != NULL
               ? 0.9
               : 0;
}

enum status samples_read(struct reader *r, struct err *err)
{
    static const char *const names[] = {"prompt", "response", "reward"};
    static const char *const ours[] = {"prompt", "response", "score"};
    struct value doc;
    const struct value *policy, *other;
    const char *name, *reference = reader_mapped(r, "reference");
    reference = reference != NULL ? reference : "reference";
    TRY(reader_document(&doc, r, err));
    TRY(need_policy(&policy, &name, r, &doc, reference, err));
    other = value_get(&doc, reference);
    TRY(put_replies(r, policy, true, err));
    TRY(put_replies(r, other, false, err));
    for (size_t i = 0; i < 3; i++)
        TRY(notes_field(&r->sink->notes, names[i], ours[i], NULL, NULL,
                        policy->n + other->n, err));
    TRY(notes_field(&r->sink->notes, "kl", "extra", "nats",
                    "whether it is a sum or a mean over tokens is not said",
                    policy->n, err));
    return notes_kl(&r->sink->notes, &kl_of_samples, err);
}

/* ---- the verdicts ------------------------------------------------------- */

static bool win_of(double *win, const char *word)
{
    static const struct {
        const char *word;
        double win;
    } all[] = {{"win", 1}, {"tie", 0.5}, {"loss", 0}};
    for (size_t i = 0; word != NULL && i < 3; i++)
        if (strcmp(word, all[i].word) == 0) {
            *win = all[i].win;
            return true;
        }
    return false;
}

static enum status put_verdict(struct reader *r, const struct value *v,
                               const char *judge, struct err *err)
{
    struct import_vote vote;
    char id[32];
    int64_t sample = value_int(value_get(v, "sample_id"));
    const char *word = value_text(value_get(v, "judgment"));
    sink_vote_init(&vote);
    if (sample < 0)
        return err_set(err, ERR_FORMAT, "a judgment without a sample_id");
    if (!win_of(&vote.win, word))
        return sink_skip(r->sink, "a judgment that is no win, tie or loss",
                         err);
    place_id(id, (size_t)sample);
    vote.prompt_id = id;
    vote.kind = JUDGE_MODEL;
    vote.judge = judge;
    vote.side_unknown = true;
    return sink_put_vote(r->sink, &vote, err);
}

double samples_sniff_verdicts(const struct head *h)
{
    if (!h->is_document || h->row[0].kind != VALUE_OBJECT)
        return 0;
    const struct value *list = value_get(h->row[0].first, "judgments");
    return list != NULL && list->kind == VALUE_LIST &&
                   value_get(list->first, "judgment") != NULL
               ? 0.9
               : 0;
}

enum status samples_read_verdicts(struct reader *r, struct err *err)
{
    struct value doc;
    const struct value *policy;
    const char *name, *judge = reader_mapped(r, "judge");
    TRY(reader_document(&doc, r, err));
    TRY(need_policy(&policy, &name, r, &doc, "reference", err));
    const struct value *list = value_get(policy, "judgments");
    if (list == NULL || list->kind != VALUE_LIST)
        return err_set(err, ERR_FORMAT, "%s:1: no list of judgments of %.80s",
                       r->path, name);
    for (const struct value *v = list->first; v != NULL; v = v->next) {
        enum status status = put_verdict(r, v, judge, err);
        if (status != OK) {
            (void)err_context(err, "%s:1", r->path);
            return status;
        }
    }
    TRY(notes_field(&r->sink->notes, "judgment", "overall", NULL,
                    "of a model, not of people", list->n, err));
    return notes_field(&r->sink->notes, "flipped", NULL, NULL,
                       "whether the order was exchanged; which side the "
                       "policy's reply was on is not said",
                       list->n, err);
}
