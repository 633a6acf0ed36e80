#include "diagnose/foreign.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "eval/files.h"

const char foreign_missing[] =
    "\"missing\":["
    "{\"id\":\"texts\",\"what\":\"the responses that were trained on\","
    "\"for\":\"what the reward model paid for\","
    "\"flag\":\"trainer.rollout_data_dir=DIR\"},"
    "{\"id\":\"lengths\",\"what\":\"response lengths in tokens\",\"for\":"
    "\"whether KL and reward grew with length alone\","
    "\"flag\":\"trainer.logger=console,file\"},"
    "{\"id\":\"finish\",\"what\":\"whether a response ended by itself\","
    "\"for\":\"whether EOS was unlearned\",\"flag\":null,"
    "\"note\":\"a field with the reason\"},"
    "{\"id\":\"logp_ref\",\"what\":\"the reference's log-probabilities\","
    "\"for\":\"the price of each token\",\"flag\":null,\"note\":\"no trainer "
    "that is read writes them\"},"
    "{\"id\":\"heldout\",\"what\":\"held-out replies of the policy\",\"for\":"
    "\"whether the reward rose elsewhere\","
    "\"flag\":\"trainer.validation_data_dir=DIR\"},"
    "{\"id\":\"human\",\"what\":\"what people say\",\"for\":\"whether answers "
    "got better\",\"flag\":null,\"note\":\"a blind spot-check\"}]";

/* The folders of a project. */
static void make_dirs(const char *dir)
{
    static const char *const name[] = {"ppo/rollouts", "eval", "human",
                                       "judge"};
    struct err err;
    for (size_t i = 0; i < sizeof name / sizeof *name; i++)
        files_must(file_make_dir(files_path(dir, name[i]), &err), &err);
}

void foreign_import(const char *dir, const char *members)
{
    struct buf b;
    make_dirs(dir);
    buf_init(&b, (size_t)1 << 24);
    buf_puts(&b, "{\"format\":\"verl_rollouts\",\"trainer\":\"verl\","
                 "\"version\":null");
    if (members != NULL)
        buf_printf(&b, ",%s", members);
    buf_puts(&b, "}\n");
    files_write(dir, "import.json", buf_text(&b));
    buf_free(&b);
}

void foreign_metrics(const char *dir, size_t n, size_t every,
                     const char *const *column, foreign_fn fn)
{
    struct buf b;
    make_dirs(dir);
    buf_init(&b, (size_t)1 << 24);
    for (size_t i = 0; i < n; i++) {
        buf_printf(&b, "{\"step\":%zu", i * every);
        for (size_t c = 0; column[c] != NULL; c++)
            if (!isnan(fn(c, i)))
                buf_printf(&b, ",\"%s\":%.6g", column[c], fn(c, i));
        buf_puts(&b, "}\n");
    }
    files_write(dir, "ppo/metrics.jsonl", buf_text(&b));
    buf_free(&b);
}

void foreign_text(struct buf *out, size_t n, bool is_repeating, unsigned seed)
{
    static const char *const phrase[] = {"we", "value", "your", "time"};
    for (size_t i = 0; i < n; i++) {
        if (is_repeating && i >= 8)
            buf_printf(out, "%s ", phrase[i % 4]);
        else
            buf_printf(out, "w%ux%zu ", seed, i);
    }
    buf_puts(out, "end.");
}

void foreign_row(struct buf *out, int step, int prompt, int sample,
                 double score, const char *text, const char *more)
{
    buf_printf(out,
               "{\"step\":%d,\"prompt_id\":\"p%03d\",\"sample\":%d,"
               "\"prompt\":\"Question %d?\",\"response\":\"%s\"%s%s",
               step, prompt, sample, prompt, text, more[0] != '\0' ? "," : "",
               more);
    if (!isnan(score))
        buf_printf(out, ",\"score\":%.6g", score);
    buf_puts(out, "}\n");
}

void foreign_rollouts(const char *dir, int step, const struct buf *rows)
{
    char name[64];
    (void)snprintf(name, sizeof name, "ppo/rollouts/%06d.jsonl", step);
    files_write(dir, name, buf_text(rows));
}

double foreign_normal(unsigned long long *state)
{
    double sum = -6; // of twelve uniform ones: variance 1
    for (int i = 0; i < 12; i++) {
        *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
        sum += (double)(*state >> 11) * 0x1p-53;
    }
    return sum;
}

void foreign_diagnose(struct evidence *e, struct diagnosis *d, const char *dir)
{
    static const struct bootstrap plan = {.seed = 1, .resamples = 400};
    struct err err;
    files_must(evidence_read(e, dir, &plan, &err), &err);
    files_must(diagnose(d, e, &err), &err);
}

const struct finding *foreign_row_of(const struct diagnosis *d, const char *id)
{
    const struct rows rows = diagnose_rows(d);
    const struct finding *f = rivals_row(&rows, id);
    if (f == NULL)
        fail_msg("no row '%s'", id);
    return f;
}

bool foreign_mentions(const char *text, const char *what)
{
    return strstr(text, what) != NULL;
}

bool foreign_is_number(double x)
{
    return isfinite(x);
}

enum verdict foreign_verdict_of(const struct diagnosis *d, const char *id)
{
    return foreign_row_of(d, id)->verdict;
}

void foreign_free(struct evidence *e, struct diagnosis *d)
{
    diagnose_free(d);
    evidence_free(e);
}
