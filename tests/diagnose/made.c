#include "made.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "eval/files.h"

static void add_replies(struct made *m)
{
    for (size_t p = 0; p < MADE_PROMPTS; p++)
        for (size_t k = 0; k < 2 * MADE_EACH; k++) {
            bool is_policy = k >= MADE_EACH;
            double x = (double)(k % MADE_EACH) - 1, z = x == 0 ? -2 : 1;
            m->reply[m->e.n_reply++] = (struct evidence_reply){
                .prompt = p,
                .is_policy = is_policy,
                .score = is_policy ? 2 : 0.8 * x + 0.6 * z / sqrt(3),
                .tokens = is_policy ? 200 : 100 + 10 * x,
                .kl = is_policy ? 4 : NAN,
                .gold = NAN,
                .weak_gold = NAN,
            };
        }
}

struct made *made_new(const char *dir)
{
    static struct made m;
    static const char *const ids[] = {"S1", "S2a", "S2b", "S3", "S3p", "G"};
    static const char *const why[] = {"a1", "a2", "a3", "b1", "b2",
                                      "b3", "c1", "c2", "c3"};
    memset(&m, 0, sizeof m);
    snprintf(m.e.project, sizeof m.e.project, "%s", dir);
    m.e.plan = (struct bootstrap){.seed = 1, .resamples = 200, .level = 0.95};
    m.e.n_prompts = MADE_PROMPTS;
    m.e.pair.n = MADE_PROMPTS; // one pair a prompt
    m.e.reply = m.reply;
    m.e.vote = m.vote;
    m.e.setting = m.setting;
    add_replies(&m);
    for (size_t i = 0; i < GATES; i++)
        m.gate[i] = finding_new("V1", "", "", "");
    m.gate[GATE_PENALTY] = finding_new("V7", "", "", "");
    for (size_t i = 0; i < OBSERVED; i++)
        m.observed[i] = finding_new(ids[i], "", "", "");
    for (size_t i = 0; i < MECHANISMS; i++)
        m.mechanism[i] = finding_new(why[i], "", "", "");
    finding_add_number(&m.observed[0], "score_delta", 2, MADE_PROMPTS);
    finding_add_number(&m.observed[0], "sd_within", 1, MADE_PROMPTS);
    m.rows = (struct rows){m.gate, m.observed, m.mechanism, &m.leads};
    return &m;
}

void made_set(struct made *m, const char *stage, const char *key,
              const char *text)
{
    assert_true(m->e.n_setting < MADE_SETTINGS);
    m->setting[m->e.n_setting++] = (struct evidence_setting){stage, key, text};
}

void made_rank(struct made *m, const char *first, const char *second)
{
    rivals_judge(m->rival, &m->rows);
    const char *const want[] = {first, second};
    size_t at = 0;
    for (size_t w = 0; w < 2 && want[w] != NULL; w++)
        for (size_t i = at; i < RIVALS; i++) {
            if (strcmp(m->rival[i].id, want[w]) != 0)
                continue;
            struct rival r = m->rival[i];
            m->rival[i] = m->rival[at];
            r.verdict = VERDICT_SUPPORTED;
            m->rival[at++] = r;
        }
    for (size_t i = at; i < RIVALS; i++)
        m->rival[i].verdict = VERDICT_NOT_SUPPORTED;
}

void made_choose(struct remedy out[REMEDIES], struct made *m,
                 enum remedy_purpose purpose)
{
    struct err err;
    size_t n;
    files_must(
        remedies_choose(out, &n, &m->e, &m->rows, m->rival, purpose, &err),
        &err);
    assert_int_equal(n, REMEDIES);
}
