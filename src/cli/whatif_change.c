#include "cli/whatif_change.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cli/bundle.h"

#define SETTINGS(name, what, value, ...)                                       \
    {                                                                          \
        name, what, WHATIF_SETTINGS, value,                                    \
        {                                                                      \
            __VA_ARGS__                                                        \
        }                                                                      \
    }

const struct whatif_remedy whatif_remedies[] = {
    SETTINGS("beta", "another price of a nat of KL", NULL, {"ppo.beta", NULL}),
    SETTINGS("kl-target", "a price that follows a target of the KL", NULL,
             {"ppo.kl_control", "adaptive"}, {"ppo.kl_target", NULL},
             {"ppo.beta_end", "-1"}),
    SETTINGS("kl-budget", "a price that rises as far as the KL's target needs",
             NULL, {"ppo.kl_control", "budget"}, {"ppo.kl_target", NULL},
             {"ppo.beta_end", "-1"}),
    SETTINGS("kl-stop", "PPO stops where the KL passes a budget", NULL,
             {"ppo.kl_budget", NULL}),
    SETTINGS("k1-reward", "the KL penalty as k1 in the reward", "",
             {"ppo.kl_mode", "k1_reward"}),
    SETTINGS("k2-loss", "the KL penalty as k2 in the loss", "",
             {"ppo.kl_mode", "k2_loss"}),
    SETTINGS("clip", "other bounds of the ratio; inf is none", NULL,
             {"ppo.clip_low", NULL}, {"ppo.clip_high", NULL}),
    SETTINGS("objective", "clipped surrogate, or plain policy gradient", NULL,
             {"ppo.objective", NULL}),
    SETTINGS("lambda", "GAE: 0 trusts the value model, 1 the return", NULL,
             {"ppo.lambda", NULL}),
    SETTINGS("frozen-value", "a value model that does not learn", "",
             {"ppo.value_freeze", "true"}),
    SETTINGS("length-penalty", "a price of each token beyond the reference's",
             NULL, {"ppo.length_penalty", NULL}),
    {"bounded",
     "a score that saturates, at the same price of a nat",
     WHATIF_BOUNDED,
     "sigmoid",
     {{"ppo.score_shape", NULL}, {"ppo.beta", "0"}}},
    SETTINGS("balance", "reward pairs weighed so that length wins half", "",
             {"reward.balance", "length"}),
    SETTINGS("residual", "the reward's slope by length taken off it", "",
             {"reward.length_residual", "true"}),
    SETTINGS("two-heads", "a second head takes up what goes with length", "",
             {"reward.heads", "2"}),
    {"ensemble",
     "the least score of several reward models of other seeds",
     WHATIF_ENSEMBLE,
     "4",
     {{"ppo.ensemble", "min"}}},
    {"fresh-labels",
     "more rankings: careful ones of the policy's replies, or a file's",
     WHATIF_FRESH_LABELS,
     "careful",
     {{"reward.extra_data", NULL}}},
    {"best-of",
     "no PPO: the reference's best of several samples by the reward",
     WHATIF_BEST_OF,
     "8",
     {{"eval.best_of", NULL}}},
    {"interpolate",
     "parameters between the reference's (0) and the policy's (1)",
     WHATIF_INTERPOLATE,
     "0.5",
     {{"export.interpolate", NULL}}},
    {"sft-epoch",
     "policy and reference from an earlier epoch of fine-tuning",
     WHATIF_SFT_EPOCH,
     NULL,
     {{"ppo.model", NULL}}},
    {"relabel",
     "the same replies ranked by careful raters, or as a file says",
     WHATIF_RELABEL,
     "careful",
     {{"reward.data", NULL}}},
};
const size_t whatif_remedy_count =
    sizeof whatif_remedies / sizeof *whatif_remedies;

/* Equal when '-' and '_' are the same. */
static bool is_name(const char *name, const char *text, size_t len)
{
    if (strlen(name) != len)
        return false;
    for (size_t i = 0; i < len; i++)
        if (name[i] != (text[i] == '_' ? '-' : text[i]))
            return false;
    return true;
}

static const struct whatif_remedy *find_remedy(const char *text, size_t len)
{
    for (size_t i = 0; i < whatif_remedy_count; i++)
        if (is_name(whatif_remedies[i].name, text, len))
            return &whatif_remedies[i];
    return NULL;
}

static unsigned stage_of(const char *key)
{
    return strncmp(key, "reward.", 7) == 0 ? (unsigned)FOR_REWARD
           : strncmp(key, "ppo.", 4) == 0  ? (unsigned)FOR_PPO
                                           : 0U;
}

/* A setting that a run records and that is not made of others. */
static const struct option *find_row(const char *key, size_t len)
{
    bool is_hash;
    const struct option *row = options_find(key, len, &is_hash);
    bool is_ours = row != NULL && !is_hash && stage_of(row->key) != 0 &&
                   (row->marks & OPTION_RECORDED) &&
                   !bundle_is_chooser(row->key);
    return is_ours ? row : NULL;
}

/* The name most like what was typed, of a remedy or a setting; NULL when none
 * is near. */
static const char *nearest(const char *text, size_t len)
{
    char typed[64];
    const char *best = NULL;
    size_t least = len / 3 > 2 ? len / 3 + 1 : 3;
    if (len >= sizeof typed)
        return NULL;
    memcpy(typed, text, len);
    typed[len] = '\0';
    for (size_t i = 0; i < whatif_remedy_count; i++) {
        size_t d = options_distance(typed, whatif_remedies[i].name);
        if (d < least) {
            least = d;
            best = whatif_remedies[i].name;
        }
    }
    if (best != NULL)
        return best;
    best = options_nearest(text, len, 0, false);
    return best != NULL && find_row(best, strlen(best)) != NULL ? best : NULL;
}

static enum status unknown(const char *text, size_t len, struct err *err)
{
    const char *near = nearest(text, len);
    int shown = len < 60 ? (int)len : 60;
    if (near != NULL)
        return err_set(err, ERR_ARG,
                       "unknown change '%.*s'; did you mean '%s'?", shown, text,
                       near);
    return err_set(err, ERR_ARG,
                   "unknown change '%.*s': neither a setting of reward or ppo "
                   "nor one that --change list names",
                   shown, text);
}

/* ---- names --------------------------------------------------------------- */

/* A name that is one directory whatever the value is: of a path the last part,
 * and nothing that a shell or a file system would take amiss. */
static enum status make_name(char out[WHATIF_NAME_MAX], const char *name,
                             const char *value, struct err *err)
{
    const char *slash = value != NULL ? strrchr(value, '/') : NULL;
    const char *tail = slash != NULL ? slash + 1 : value;
    int n = snprintf(out, WHATIF_NAME_MAX, "%s%s%s", name,
                     value != NULL ? "=" : "", value != NULL ? tail : "");
    if (n < 0 || n >= WHATIF_NAME_MAX)
        return err_set(err, ERR_ARG, "%s: the value is too long", name);
    for (char *c = out; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && strchr(".-_=+,", *c) == NULL)
            *c = '_';
    return OK;
}

/* ---- reading ------------------------------------------------------------- */

/* Is every setting one that its row takes?  Told before anything is run. */
static enum status check_settings(const struct whatif_change *c,
                                  struct err *err)
{
    struct options o;
    TRY(options_init(&o, err));
    enum status status = OK;
    for (size_t i = 0; status == OK && i < c->n_set; i++) {
        const char *key = c->set[i].key;
        bool is_hash;
        const struct option *row = options_find(key, strlen(key), &is_hash);
        if (row == NULL)
            status = err_set(err, ERR_ARG, "%s: unknown setting", key);
        else
            status = options_set(&o, row, c->set[i].text, c->name, NULL, err);
    }
    options_free(&o);
    return status;
}

static enum status read_remedy(struct whatif_change *out,
                               const struct whatif_remedy *r, const char *value,
                               struct err *err)
{
    if (value == NULL && r->value == NULL)
        return err_set(err, ERR_ARG, "%s wants a value: --change %s=VALUE",
                       r->name, r->name);
    if (value != NULL && r->value != NULL && *r->value == '\0')
        return err_set(err, ERR_ARG, "%s takes no value, '%.40s' was given",
                       r->name, value);
    TRY(make_name(out->name, r->name, value, err));
    out->what = r->what;
    out->kind = r->kind;
    out->value = value != NULL ? value : r->value;
    for (size_t i = 0; i < WHATIF_SET_MAX && r->set[i].key != NULL; i++) {
        out->set[i].key = r->set[i].key;
        out->set[i].text = r->set[i].text ? r->set[i].text : out->value;
        out->n_set++;
        out->stages |= stage_of(r->set[i].key);
    }
    return OK;
}

static enum status read_setting(struct whatif_change *out,
                                const struct option *row, const char *value,
                                struct err *err)
{
    if (value == NULL && row->type == OPTION_BOOL)
        value = "true";
    if (value == NULL)
        return err_set(err, ERR_ARG, "%s wants a value: --change %s=VALUE",
                       row->key, row->key);
    TRY(make_name(out->name, row->key, value, err));
    out->what = row->help;
    out->value = value;
    out->set[0] = (struct whatif_set){row->key, value};
    out->n_set = 1;
    out->stages = stage_of(row->key);
    return OK;
}

enum status whatif_change_read(struct whatif_change *out, const char *text,
                               struct err *err)
{
    struct whatif_change c = {.kind = WHATIF_SETTINGS};
    const char *equals = strchr(text, '=');
    const char *value = equals != NULL ? equals + 1 : NULL;
    size_t len = equals != NULL ? (size_t)(equals - text) : strlen(text);
    const struct whatif_remedy *remedy = find_remedy(text, len);
    const struct option *row = find_row(text, len);
    if (value != NULL && *value == '\0')
        return err_set(err, ERR_ARG, "--change %.60s: no value", text);
    if (remedy != NULL)
        TRY(read_remedy(&c, remedy, value, err));
    else if (row != NULL)
        TRY(read_setting(&c, row, value, err));
    else
        return unknown(text, len, err);
    /* Another reward model is another reason to optimise anew. */
    if (c.stages & FOR_REWARD)
        c.stages |= FOR_PPO;
    TRY(check_settings(&c, err));
    *out = c;
    return OK;
}

void whatif_change_list(struct buf *out)
{
    for (size_t i = 0; i < whatif_remedy_count; i++) {
        const struct whatif_remedy *r = &whatif_remedies[i];
        char name[64];
        bool takes = r->value == NULL || *r->value != '\0';
        (void)snprintf(name, sizeof name, "%s%s", r->name,
                       !takes             ? ""
                       : r->value != NULL ? "[=VALUE]"
                                          : "=VALUE");
        buf_printf(out, "%-22s %s\n", name, r->what);
    }
}
