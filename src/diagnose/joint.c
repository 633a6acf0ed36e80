#include "diagnose/joint.h"

#include <math.h>

#include "base/mem.h"
#include "diagnose/pairs.h"
#include "stat/calibrate.h"

/* The slope with its draws; known = false when it had to be taken as 1. */
struct slope {
    struct estimate a;
    double *draws; // NULL: taken as known
    bool is_known;
};

static struct calibrate_pairs view(const struct pairs *p)
{
    return (struct calibrate_pairs){.n = p->n,
                                    .n_prompts = p->n_prompts,
                                    .prompt = p->prompt,
                                    .score_difference = p->d_score,
                                    .win = p->chosen};
}

static enum status find_slope(struct slope *out, const struct evidence *e,
                              struct err *err)
{
    enum status status = OK;
    struct pairs rankings;
    struct err why;
    *out = (struct slope){.a = {1, (double)NAN, (double)NAN, 0}};
    TRY(pairs_of_rankings(&rankings, e, err));
    struct calibrate_pairs pairs = view(&rankings);
    if (rankings.n == 0)
        goto done;
    TRY_DONE(MEM_NEW(out->draws, e->plan.resamples, err));
    status = calibrate_slope(&out->a, out->draws, &pairs, &e->plan, &why);
    if (status == OK && finding_has_interval(&out->a)) {
        out->is_known = true;
        goto done;
    }
    if (status == ERR_MEMORY)
        *err = why;
    else
        status = OK; // every pair right: no slope is large enough
    mem_free(out->draws);
    *out = (struct slope){.a = {1, (double)NAN, (double)NAN, 0}};
done:
    pairs_free(&rankings);
    return status;
}

static void say(struct finding *f, const struct calibrate_gap *g,
                const struct slope *a)
{
    char text[64], predicted[64], observed[64];
    finding_add(f, "predicted", &g->predicted);
    finding_add(f, "observed", &g->observed);
    finding_add(f, "shorter_third", &g->tercile[0]);
    finding_add(f, "middle_third", &g->tercile[1]);
    finding_add(f, "longer_third", &g->tercile[2]);
    finding_add(f, "gradient", &g->gradient);
    finding_add_number(f, "cut_shorter", g->cut[0], g->pairs);
    finding_add_number(f, "cut_longer", g->cut[1], g->pairs);
    finding_add(f, "slope", &a->a);
    finding_say(f,
                "by its own calibration%s the reward model expects the policy "
                "to win %s of the pairs, judges grant %s: a gap of %s",
                a->is_known ? "" : " (not measured, taken as 1)",
                finding_percent(predicted, &g->predicted),
                finding_percent(observed, &g->observed),
                finding_percent(text, &g->gap));
}

enum status joint_judge(struct finding *out, const struct evidence *e,
                        struct err *err)
{
    enum status status = OK;
    struct finding f = finding_new(
        "G", "the reward model promises more than people grant",
        "predicted minus human win rate",
        "human/spotcheck.jsonl, eval/samples.jsonl, probes/pairs.json");
    struct pairs votes = {.n = 0};
    struct slope a = {.draws = NULL};
    struct calibrate_gap gap;
    TRY_DONE(pairs_of_votes(&votes, e, false, err));
    if (votes.n == 0) {
        finding_lack(&f, "blind votes on pairs of a policy's and a "
                         "reference's reply, both scored; about 200 pairs");
        *out = f;
        goto done;
    }
    TRY_DONE(find_slope(&a, e, err));
    struct calibrate_pairs pairs = view(&votes);
    TRY_DONE(calibrate_measure_gap(&gap, &pairs, votes.d_tokens, a.a.estimate,
                                   a.draws, &e->plan, err));
    finding_judge(&f, &gap.gap, 0, 0.05);
    say(&f, &gap, &a);
    *out = f;
done:
    pairs_free(&votes);
    mem_free(a.draws);
    return status;
}
