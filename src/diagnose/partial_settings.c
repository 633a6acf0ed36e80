/* What plumb lint says of an imported run's settings, as a row among the
 * others. */
#include <string.h>

#include "diagnose/partial.h"

enum {
    NAMED_MAX = 4 // findings that the sentence names
};

static void name_findings(struct buf *out, const struct lint *l)
{
    size_t named = 0;
    for (size_t i = 0; i < l->n && named < NAMED_MAX; i++) {
        const struct lint_finding *f = &l->finding[i];
        if (f->severity == LINT_NOTE)
            continue;
        buf_printf(out, "%s%s (%.60s = %.40s)", named++ == 0 ? ": " : ", ",
                   f->id, f->key, f->value != NULL ? f->value : "none");
    }
}

/* Is it about the KL penalty?  Rules of one family begin alike. */
static bool is_of_penalty(const char *rule)
{
    static const char *const begins[] = {"k1-in-loss", "k3-in-reward",
                                         "penalty-",   "controller-",
                                         "target-",    "estimator-"};
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
        if (strncmp(rule, begins[i], strlen(begins[i])) == 0)
            return true;
    return false;
}

enum status partial_settings(struct leads *leads, const struct evidence *e,
                             struct err *err)
{
    const struct imported *x = e->import;
    struct finding *f;
    struct buf names;
    if (!x->is_linted)
        return OK;
    size_t errors = lint_count(&x->lint, LINT_ERROR);
    size_t warnings = lint_count(&x->lint, LINT_WARNING);
    bool is_penalty = errors > 0 && is_of_penalty(x->lint.finding[0].id);
    TRY(leads_add(&f, leads, is_penalty ? "settings_penalty" : "settings",
                  is_penalty ? "the KL penalty does not act as it is set"
                             : "a setting keeps what was asked for from acting",
                  "error(s) of plumb lint", "ppo/config.yaml", err));
    f->e.estimate = (double)errors;
    f->e.n = x->lint.n;
    f->null = 0;
    f->verdict = errors > 0 ? VERDICT_SUPPORTED : VERDICT_NOT_SUPPORTED;
    finding_add_number(f, "warnings", (double)warnings, x->lint.n);
    buf_init(&names, (size_t)1 << 12);
    name_findings(&names, &x->lint);
    finding_say(f, "plumb lint finds %zu error%s and %zu warning%s%s", errors,
                errors == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s",
                buf_text(&names));
    buf_free(&names);
    return OK;
}
