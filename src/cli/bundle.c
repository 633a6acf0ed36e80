#include "cli/bundle.h"

#include <string.h>

#include "rlhf/preset.h"

#define END                                                                    \
    {                                                                          \
        NULL, NULL                                                             \
    }

/* Every scenario keeps enough checkpoints for a curve of the run. */
static const struct preset_row demo[] = {
    {"ppo.save_every", "5"},
    END,
};

/* Hurried raters and a weak penalty: reward up, gold down, replies longer. */
static const struct preset_row paradox[] = {
    {"rater.hurried", "0.7"},
    {"ppo.beta", "0.02"},
    END,
};

/* Careful raters, enough of them, and a penalty that holds. */
static const struct preset_row healthy[] = {
    {"rater.hurried", "0"},
    {"ppo.beta", "0.15"},
    END,
};

/* Careful raters, but a reward model that saw too little to learn what they
 * look at. */
static const struct preset_row weak_rm[] = {
    {"rater.hurried", "0"},
    {"reward.max_steps", "250"},
    {"ppo.beta", "0.02"},
    END,
};

/* The whole path in well under a minute; too small to show the result. */
static const struct preset_row quick[] = {
    {"world.demos", "4000"},        {"sft.epochs", "3"},
    {"world.rank_prompts", "1200"}, {"reward.epochs", "1"},
    {"ppo.iterations", "20"},       {"ppo.norm_prompts", "64"},
    {"ppo.save_every", "4"},        {"eval.n_prompts", "64"},
    {"probe.n_prompts", "32"},      {"probe.training_prompts", "64"},
    {"probe.demos", "200"},         {"probe.push_prompts", "16"},
    {"diagnose.resamples", "500"},  END,
};

bool bundle_is_chooser(const char *key)
{
    return strcmp(key, "ppo.preset") == 0 ||
           strcmp(key, "demo.scenario") == 0 || strcmp(key, "demo.quick") == 0;
}

static enum status lay(struct options *o, const struct preset_row *row,
                       const char *name, struct err *err)
{
    for (; row->key; row++) {
        bool is_hash;
        const struct option *known =
            options_find(row->key, strlen(row->key), &is_hash);
        if (!known)
            return err_set(err, ERR_ARG, "%s: unknown key '%s'", name,
                           row->key);
        TRY(options_set(o, known, row->value, name, NULL, err));
    }
    return OK;
}

enum status bundle_apply(struct options *o, struct err *err)
{
    static const struct preset_row *const scenario[] = {
        [DEMO_PARADOX] = paradox,
        [DEMO_HEALTHY] = healthy,
        [DEMO_WEAK_RM] = weak_rm,
    };
    enum preset preset = (enum preset)o->v.ppo_preset;
    size_t n;
    const struct preset_row *row = preset_rows(preset, &n);
    for (size_t i = 0; i < n; i++) {
        const struct preset_row one[] = {row[i], END};
        TRY(lay(o, one, preset_name(preset), err));
    }
    if (!o->is_demo)
        return OK;
    TRY(lay(o, demo, "demo", err));
    TRY(lay(o, scenario[o->v.demo.scenario], "scenario", err));
    return o->v.demo.quick ? lay(o, quick, "quick", err) : OK;
}
