/*
 * fuzz_flat.c - any bytes as another trainer's settings, in each syntax, and
 * through all rules.
 *
 * What is read keeps within its bounds, what is refused says where, and what a
 * rule says can be written as JSON and as text.
 */
#include <string.h>

#include "base/json.h"
#include "diagnose/lint.h"
#include "fuzz.h"
#include "io/flat.h"

#define OUT_MAX ((size_t)64 << 20)

static void check_entries(const struct flat *f)
{
    FUZZ_CHECK(f->n <= FLAT_ENTRIES_MAX && (f->n == 0 || f->n_groups > 0));
    for (size_t i = 0; i < f->n; i++) {
        const struct flat_entry *e = &f->entry[i];
        FUZZ_CHECK(strlen(e->key) < FLAT_KEY_MAX && e->group < f->n_groups);
        FUZZ_CHECK(e->text == NULL || strlen(e->text) <= FLAT_TEXT_MAX);
        FUZZ_CHECK(e->line > 0 && !(e->is_unknown && e->text != NULL));
        FUZZ_CHECK(flat_find(f, e->group, e->key) >= e);
    }
}

static void check_findings(const struct lint *l)
{
    struct buf out;
    struct json_writer w;
    struct json *j;
    buf_init(&out, OUT_MAX);
    json_writer_init(&w, &out, false);
    lint_document(&w, l, "fuzz");
    FUZZ_CHECK(buf_status(&out, NULL) == OK);
    FUZZ_CHECK(json_parse(&j, buf_text(&out), out.len, "fuzz", NULL) == OK);
    json_free(j);
    buf_clear(&out);
    lint_text(&out, l, "fuzz");
    FUZZ_CHECK(buf_status(&out, NULL) == OK);
    buf_free(&out);
    for (size_t i = 0; i < l->n; i++)
        FUZZ_CHECK(*l->finding[i].why != '\0' && l->finding[i].fix != NULL);
}

static void check_rules(const struct flat *f, enum lint_trainer trainer)
{
    struct err err = {OK, ""};
    struct lint l;
    enum status status = lint_run(&l, f, trainer, "fuzz", &err);
    FUZZ_CHECK(status == OK || (status == ERR_FORMAT && err.text[0] != '\0'));
    if (status != OK)
        return;
    FUZZ_CHECK(trainer == LINT_AUTO || l.trainer == trainer);
    check_findings(&l);
    lint_free(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char *const name[] = {"f", "f.json", "f.yaml", "f.sh"};
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        struct err err = {OK, ""};
        struct flat f;
        enum status status =
            flat_parse(&f, (const char *)data, len, name[i], &err);
        FUZZ_CHECK(status == OK || status == ERR_FORMAT || status == ERR_LIMIT);
        FUZZ_CHECK(status == OK || err.text[0] != '\0');
        if (status != OK)
            continue;
        if (f.n < 200) // quadratic, and of small use beyond
            check_entries(&f);
        check_rules(&f, LINT_AUTO);
        if (len > 0)
            check_rules(&f, (enum lint_trainer)(data[0] % LINT_TRAINERS));
        flat_free(&f);
    }
    return 0;
}
