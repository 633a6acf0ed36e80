#include <plumb.h>

#include <assert.h>

#include "api/call.h"
#include "base/mem.h"
#include "report/diagnosing.h"

#define DOCUMENT_MAX ((size_t)64 << 20)
#define SEED_MAX ((uint64_t)1 << 53)

static_assert((int)PLUMB_INCONCLUSIVE == (int)DIAGNOSIS_INCONCLUSIVE &&
                  (int)PLUMB_HEALTHY == (int)DIAGNOSIS_HEALTHY &&
                  (int)PLUMB_PARADOX == (int)DIAGNOSIS_PARADOX &&
                  (int)PLUMB_OTHER == (int)DIAGNOSIS_OTHER &&
                  (int)PLUMB_BUG == (int)DIAGNOSIS_BUG,
              "the library's verdicts are those of the diagnosis");

struct plumb_diagnosis {
    struct diagnosing d;
};

const char *plumb_verdict_name(int verdict)
{
    if (verdict < PLUMB_INCONCLUSIVE || verdict > PLUMB_BUG)
        return "unknown verdict";
    return diagnose_verdict((enum diagnosis_verdict)verdict);
}

static enum status read_options(struct bootstrap *plan, const char **human,
                                const struct plumb_diagnose_options *given,
                                struct err *err)
{
    const struct plumb_diagnose_options usual = PLUMB_DIAGNOSE_DEFAULT;
    struct plumb_diagnose_options o = usual;
    TRY(call_options(&o, sizeof o, given, "options", err));
    if (o.seed == 0)
        o.seed = usual.seed;
    if (o.resamples == 0)
        o.resamples = usual.resamples;
    if (o.seed >= SEED_MAX)
        return err_set(err, ERR_ARG, "options.seed is not below 2^53");
    if (o.resamples < 100 || o.resamples > 1000000)
        return err_set(err, ERR_ARG,
                       "options.resamples = %zu: want 100 to 1000000",
                       o.resamples);
    *plan = (struct bootstrap){.seed = o.seed, .resamples = o.resamples};
    *human = o.human;
    return OK;
}

/* What a call to diagnose is given. */
struct wanted {
    struct plumb_context *context;
    const char *path;
    const struct plumb_diagnose_options *options;
    struct plumb_diagnosis **out;
};

static enum status diagnose_path(void *arg, struct err *err)
{
    const struct wanted *w = arg;
    struct bootstrap plan;
    const char *human;
    struct plumb_diagnosis *d;
    TRY(call_need(w->path, "path", err));
    TRY(call_need(w->out, "out", err));
    TRY(read_options(&plan, &human, w->options, err));
    TRY(MEM_NEW(d, 1, err));
    enum status status =
        diagnosing_open(&d->d, w->path, human, w->context->team, &plan, err);
    if (status != OK) {
        mem_free(d);
        return status;
    }
    *w->out = d;
    return OK;
}

int plumb_diagnose(struct plumb_context *context, const char *path,
                   const struct plumb_diagnose_options *options,
                   struct plumb_diagnosis **out, struct plumb_error *error)
{
    struct wanted w = {context, path, options, out};
    return call_run_with(context, diagnose_path, &w, error);
}

void plumb_diagnosis_free(struct plumb_diagnosis *diagnosis)
{
    if (diagnosis == NULL)
        return;
    diagnosing_close(&diagnosis->d);
    mem_free(diagnosis);
}

int plumb_diagnosis_verdict(const struct plumb_diagnosis *diagnosis)
{
    return diagnosis != NULL ? (int)diagnosis->d.d.verdict : PLUMB_INCONCLUSIVE;
}

const char *plumb_diagnosis_rival(const struct plumb_diagnosis *diagnosis)
{
    return diagnosis != NULL ? diagnosis->d.d.rival[0].id : "";
}

/* What is done with a diagnosis: a document made, or files written. */
struct telling {
    const struct plumb_diagnosis *diagnosis;
    char **out;
};

static enum status write_json(void *arg, struct err *err)
{
    const struct telling *t = arg;
    struct buf text;
    TRY(call_need(t->diagnosis, "diagnosis", err));
    TRY(call_need(t->out, "out", err));
    buf_init(&text, DOCUMENT_MAX);
    enum status status = diagnosing_document(&text, &t->diagnosis->d, err);
    char *copy = status == OK ? mem_strdup(buf_text(&text)) : NULL;
    buf_free(&text);
    TRY(status);
    if (copy == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: the document");
    *t->out = copy;
    return OK;
}

int plumb_diagnosis_json(const struct plumb_diagnosis *diagnosis, char **out,
                         struct plumb_error *error)
{
    struct telling t = {diagnosis, out};
    return call_run(write_json, &t, error);
}

static enum status save(void *arg, struct err *err)
{
    const struct telling *t = arg;
    TRY(call_need(t->diagnosis, "diagnosis", err));
    return diagnosing_save(&t->diagnosis->d, err);
}

int plumb_diagnosis_save(const struct plumb_diagnosis *diagnosis,
                         struct plumb_error *error)
{
    struct telling t = {.diagnosis = diagnosis};
    return call_run(save, &t, error);
}
