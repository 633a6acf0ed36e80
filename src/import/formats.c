#include "import/formats.h"

#include <string.h>

#include "import/readers.h"

const struct format formats_table[] = {
    {"verl", "rollouts", "verl",
     "rollout dump (trainer.rollout_data_dir), one {step}.jsonl a step",
     YIELDS_ROWS, verl_sniff_rollouts, verl_read_rollouts},
    {"jsonl", "rows", "",
     "any JSON Lines or array of responses, named by --map", YIELDS_ROWS,
     generic_sniff_jsonl, generic_read_jsonl},
    {"csv", "rows", "", "any table of responses, named by --map", YIELDS_ROWS,
     generic_sniff_csv, generic_read_csv},
};

const size_t formats_count = sizeof formats_table / sizeof *formats_table;

const struct format *formats_find(const char *name)
{
    for (size_t i = 0; i < formats_count; i++)
        if (strcmp(formats_table[i].name, name) == 0)
            return &formats_table[i];
    return NULL;
}

enum status formats_need(const char *name, struct err *err)
{
    struct buf list;
    if (formats_find(name) != NULL || strcmp(name, "auto") == 0)
        return OK;
    buf_init(&list, 4096);
    formats_list(&list);
    (void)err_set(err, ERR_ARG, "unknown format '%.40s'; there are %s", name,
                  buf_text(&list));
    buf_free(&list);
    return ERR_ARG;
}

const struct format *formats_best(double *confidence, const char *name,
                                  const struct head *h)
{
    const struct format *best = NULL;
    *confidence = 0;
    for (size_t i = 0; i < formats_count; i++) {
        const struct format *f = &formats_table[i];
        bool is_asked = name == NULL || strcmp(f->name, name) == 0 ||
                        strcmp(f->name, "tensorboard") == 0;
        double sure = is_asked ? f->sniff(h) : 0;
        if (sure > *confidence) {
            *confidence = sure;
            best = f;
        }
    }
    return best;
}

void formats_list(struct buf *out)
{
    for (size_t i = 0; i < formats_count; i++)
        if (formats_find(formats_table[i].name) == &formats_table[i])
            buf_printf(out, "%s%s", i > 0 ? ", " : "", formats_table[i].name);
}
