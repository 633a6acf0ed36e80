#include "diagnose/measurements.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* What each makes, and what somebody has to do first where that is not
 * possible. */
static const struct {
    const char *id, *files, *later;
} table[MEASUREMENTS] = {
    [MEASUREMENT_TRACE] = {"trace", "ppo/rollouts",
                           "train again with every iteration's rollouts on "
                           "disk, once what ppo/config.yaml names is there"},
    [MEASUREMENT_EVAL] = {"eval", "eval/",
                          "compare policy and reference, once their "
                          "checkpoints and the reward model are there"},
    [MEASUREMENT_PANEL] = {"panel", "human/",
                           "have the pairs judged blind by a new panel, once "
                           "plumb eval has drawn them"},
    [MEASUREMENT_PROBE] = {"probe", "probes/",
                           "ask the models what only they can answer, once "
                           "plumb eval has been run"},
};

const char *measurements_id(enum measurement m)
{
    return table[m].id;
}

const char *measurements_title_later(enum measurement m)
{
    return table[m].later;
}

/* ---- what is there ------------------------------------------------------ */

static bool is_absent(char out[FILE_PATH_MAX], const struct evidence *e,
                      const char *name)
{
    char path[FILE_PATH_MAX];
    if (file_join(path, e->project, name, NULL) == OK && file_exists(path))
        return false;
    (void)snprintf(out, FILE_PATH_MAX, "%s", name);
    return true;
}

/* A path that ppo/config.yaml names is taken from its folder. */
static bool lacks_setting(char out[FILE_PATH_MAX], const struct evidence *e,
                          const char *key)
{
    char path[FILE_PATH_MAX];
    const char *text = evidence_text(e, "ppo", key);
    if (text == NULL) {
        (void)snprintf(out, FILE_PATH_MAX, "%s in ppo/config.yaml", key);
        return true;
    }
    if ((text[0] != '.' && text[0] != '/') ||
        (file_join(path, e->run, text, NULL) == OK && file_exists(path)))
        return false;
    (void)snprintf(out, FILE_PATH_MAX, "%s, which is %s", text, key);
    return true;
}

static bool lacks_models(char out[FILE_PATH_MAX], const struct evidence *e)
{
    return is_absent(out, e, "ppo/config.yaml") ||
           lacks_setting(out, e, "ppo.model") ||
           lacks_setting(out, e, "ppo.reward_model") ||
           lacks_setting(out, e, "ppo.prompts");
}

static bool lacks_policy(char out[FILE_PATH_MAX], const struct evidence *e)
{
    int64_t *step = NULL;
    size_t n = 0;
    if (run_checkpoints(&step, &n, e->run, NULL) == OK)
        mem_free(step);
    if (n > 0)
        return false;
    (void)snprintf(out, FILE_PATH_MAX, "a checkpoint in ppo/checkpoints");
    return true;
}

static bool lacks_eval(char out[FILE_PATH_MAX], const struct evidence *e)
{
    return is_absent(out, e, "eval/settings.json") ||
           is_absent(out, e, "eval/samples.jsonl");
}

bool measurements_lack(char out[FILE_PATH_MAX], enum measurement m,
                       const struct evidence *e)
{
    switch (m) {
    case MEASUREMENT_TRACE:
        return lacks_models(out, e);
    case MEASUREMENT_EVAL:
        return lacks_models(out, e) || lacks_policy(out, e);
    case MEASUREMENT_PANEL:
        return is_absent(out, e, "eval/samples.jsonl");
    case MEASUREMENT_PROBE:
        return lacks_eval(out, e) || lacks_models(out, e) ||
               lacks_policy(out, e);
    case MEASUREMENTS:
        break;
    }
    return false;
}

bool measurements_lack_whatif(char out[FILE_PATH_MAX], const struct evidence *e)
{
    return lacks_eval(out, e) || lacks_models(out, e) ||
           is_absent(out, e, "reward/config.yaml") ||
           is_absent(out, e, "sft/config.yaml");
}

/* ---- what is wanted ----------------------------------------------------- */

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool mentions(const char *text, const char *what)
{
    return text != NULL && strstr(text, what) != NULL;
}

/* A row that is not measurable asks for the files that are lost, and where none
 * is, for more prompts. */
static void count_needs(size_t asked[MEASUREMENTS], const struct finding *f,
                        const struct evidence *e)
{
    bool is_lost = false;
    if (f == NULL || f->verdict != VERDICT_NOT_MEASURABLE)
        return;
    for (size_t k = 0; k < MEASUREMENTS; k++) {
        for (size_t i = 0; i < e->n_loss; i++) {
            const struct evidence_loss *l = &e->loss[i];
            if (l->is_part || !begins(l->what, table[k].files) ||
                (!mentions(f->data, l->what) && !mentions(f->needs, l->what)))
                continue;
            asked[k]++;
            is_lost = true;
            break;
        }
    }
    if (!is_lost && finding_has_interval(&f->e))
        asked[mentions(f->data, "human/") ? MEASUREMENT_PANEL
                                          : MEASUREMENT_EVAL]++;
}

static bool is_in(const enum measurement *list, size_t n, enum measurement m)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == m)
            return true;
    return false;
}

size_t measurements_add(enum measurement list[MEASUREMENTS], size_t n,
                        enum measurement m, const struct evidence *e)
{
    char what[FILE_PATH_MAX];
    if (is_in(list, n, m))
        return n;
    if ((m == MEASUREMENT_PANEL || m == MEASUREMENT_PROBE) &&
        lacks_eval(what, e))
        n = measurements_add(list, n, MEASUREMENT_EVAL, e);
    if (m == MEASUREMENT_EVAL && lacks_policy(what, e) &&
        !lacks_models(what, e))
        n = measurements_add(list, n, MEASUREMENT_TRACE, e);
    list[n++] = m;
    return n;
}

size_t measurements_wanted(enum measurement out[MEASUREMENTS],
                           const struct evidence *e, const struct rows *rows,
                           const struct rival *rivals)
{
    size_t asked[MEASUREMENTS] = {0}, n = 0;
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < rivals[i].n_seen; k++)
            count_needs(asked, rivals_row(rows, rivals[i].seen[k].sign.row), e);
    for (size_t round = 0; round < MEASUREMENTS; round++) {
        size_t best = 0;
        for (size_t k = 1; k < MEASUREMENTS; k++)
            if (asked[k] > asked[best])
                best = k;
        if (asked[best] == 0)
            break;
        n = measurements_add(out, n, (enum measurement)best, e);
        asked[best] = 0;
    }
    return n;
}
