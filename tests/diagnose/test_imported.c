/*
 * test_imported.c - import.json: what is taken from it, what damages it, and
 * that advice on another trainer's run never sends to Plumb's own commands or
 * to a folder.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "diagnose/elsewhere.h"
#include "diagnose/foreign.h"
#include "eval/files.h"

FILES_FIXTURE(dir)

static struct evidence e;
static struct diagnosis d;

static double ramp(size_t column, size_t i)
{
    return (double)(column + 1) * (double)i;
}

static const char *const scores[] = {"objective/scores", NULL};

static void test_taken(void **state)
{
    (void)state;
    char members[8192];
    snprintf(members, sizeof members,
             "\"fields\":[{\"from\":\"score\",\"to\":\"score\",\"unit\":null,"
             "\"n\":7},{\"from\":\"gts\",\"to\":null,\"unit\":\"text\",\"n\":7,"
             "\"note\":\"the right answer\"}],\"kl\":[{\"name\":\"a\",\"kind\":"
             "\"engine\",\"estimator\":\"unknown\",\"aggregate\":"
             "\"token_mean\",\"where\":\"metric\",\"sign\":\"sampler - "
             "trainer\",\"unit\":\"nats/token\",\"note\":null},{\"name\":\"b\","
             "\"kind\":\"what\",\"estimator\":\"k9\"}],\"warnings\":[{\"id\":"
             "\"twice\",\"text\":\"steps 4 to 6 are there twice\",\"n\":3},"
             "\"plain\"],%s",
             foreign_missing);
    foreign_import(dir, members);
    foreign_metrics(dir, 8, 1, scores, ramp);
    foreign_diagnose(&e, &d, dir);
    const struct imported *x = e.import;
    assert_non_null(x);
    assert_false(x->is_damaged);
    assert_string_equal(x->trainer, "verl");
    assert_null(x->version);
    assert_int_equal(x->n_field, 2);
    assert_null(x->field[1].to);
    assert_string_equal(x->field[1].note, "the right answer");
    assert_int_equal(x->n_kl, 2);
    assert_int_equal(x->kl[0].kind, KL_ENGINE);
    assert_int_equal(x->kl[1].kind, KL_KIND_UNKNOWN);
    assert_int_equal(x->kl[1].estimator, KL_ESTIMATOR_UNKNOWN);
    assert_int_equal(x->n_warning, 2);
    assert_string_equal(x->warning[0], "steps 4 to 6 are there twice");
    assert_int_equal(x->n_missing, 6);
    assert_int_equal(x->missing[1].item, ITEM_LENGTHS);
    assert_string_equal(imported_how(&x->missing[1]),
                        "trainer.logger=console,file");
    assert_string_equal(imported_how(&x->missing[2]),
                        "a field with the reason");
    assert_int_equal(e.n_loss, 0); // nothing that it lacks is lost
    foreign_free(&e, &d);
}

/* The cheapest way to something is the first in the list. */
static void test_cheapest(void **state)
{
    (void)state;
    static const enum imported_item either[] = {ITEM_VOTES, ITEM_LENGTHS};
    static const enum imported_item none[] = {ITEM_TOKENS};
    foreign_import(dir, foreign_missing);
    foreign_metrics(dir, 8, 1, scores, ramp);
    foreign_diagnose(&e, &d, dir);
    assert_int_equal(imported_find(e.import, either, 2)->item, ITEM_LENGTHS);
    assert_null(imported_find(e.import, none, 1));
    assert_int_equal(d.n_remedies, REMEDIES);
    for (size_t i = 0; i < REMEDIES; i++) {
        assert_int_equal(d.remedy[i].purpose, REMEDY_MEASURE);
        assert_string_not_equal(d.remedy[i].command, "");
    }
    foreign_free(&e, &d);
}

static void put_document(struct buf *out)
{
    struct json_writer w;
    buf_init(out, (size_t)1 << 24);
    json_writer_init(&w, out, false);
    diagnose_write(&w, &d, &e);
    diagnose_summary(out, &d, &e);
    assert_int_equal(buf_status(out, NULL), OK);
}

/* No command of Plumb's and no folder, whatever there is of the run. */
static void must_stay_elsewhere(void)
{
    static const char *const never[] = {
        "plumb eval", "plumb probe",  "plumb ppo",  "plumb reward",
        "plumb sft",  "plumb whatif", "plumb world"};
    struct buf out;
    put_document(&out);
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        if (strstr(buf_text(&out), never[i]) != NULL)
            fail_msg("it says: %.200s", strstr(buf_text(&out), never[i]));
    assert_null(strstr(buf_text(&out), dir));
    buf_free(&out);
}

static void test_advice(void **state)
{
    (void)state;
    struct buf rows;
    foreign_import(dir, foreign_missing);
    foreign_metrics(dir, 8, 1, scores, ramp);
    foreign_diagnose(&e, &d, dir);
    must_stay_elsewhere();
    foreign_free(&e, &d);
    foreign_import(dir, NULL); // which knows of nothing missing
    foreign_diagnose(&e, &d, dir);
    must_stay_elsewhere();
    foreign_free(&e, &d);
    buf_init(&rows, 4096);
    foreign_row(&rows, 3, 0, 0, 1, "one two", "");
    foreign_rollouts(dir, 3, &rows);
    buf_clear(&rows);
    foreign_row(&rows, 9, 0, 0, 1, "one two", "\"len_unit\":\"miles\"");
    foreign_rollouts(dir, 9, &rows); // damaged: used without it
    buf_free(&rows);
    foreign_diagnose(&e, &d, dir);
    assert_int_equal(e.n_rollout, 1);
    must_stay_elsewhere();
    foreign_free(&e, &d);
}

/* A file that is not what it should be: the run is another trainer's all the
 * same, nothing of the file is believed, and it is on the list. */
static void test_damaged(void **state)
{
    (void)state;
    static const char *const text[] = {
        "",
        "{",
        "[]",
        "7",
        "{\"trainer\":7}",
        "{\"format\":[]}",
        "{\"fields\":{}}",
        "{\"fields\":[7]}",
        "{\"fields\":[{\"from\":7}]}",
        "{\"kl\":[null]}",
        "{\"kl\":[{\"kind\":{}}]}",
        "{\"kl\":[{\"name\":\"a\",\"sign\":1}]}",
        "{\"warnings\":[3]}",
        "{\"warnings\":\"w\"}",
        "{\"missing\":[{\"flag\":true}]}",
        "{\"missing\":[[]]}",
        "{\"trainer\":\"a\",\"trainer\":\"b\"}",
    };
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
        foreign_metrics(dir, 8, 1, scores, ramp);
        files_write(dir, "import.json", text[i]);
        foreign_diagnose(&e, &d, dir);
        assert_non_null(e.import);
        if (!e.import->is_damaged)
            fail_msg("'%s' is believed", text[i]);
        assert_int_equal(e.import->n_kl + e.import->n_missing, 0);
        assert_non_null(evidence_lost(&e, "import.json"));
        must_stay_elsewhere();
        foreign_free(&e, &d);
    }
}

/* Texts without end and a great many items; control characters. */
static void test_hostile(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, (size_t)1 << 24);
    buf_puts(&b, "\"warnings\":[");
    for (size_t i = 0; i < 20000; i++)
        buf_printf(&b, "%s\"warning %zu\"", i > 0 ? "," : "", i);
    buf_puts(&b, "],\"missing\":[{\"id\":\"\",\"what\":\"\",\"flag\":\"\"},"
                 "{\"id\":\"kl\",\"what\":\"%s%n \\u001b[31m<b>\",\"flag\":"
                 "\"$(rm) \\u009b `x`\"}]");
    foreign_import(dir, buf_text(&b));
    foreign_metrics(dir, 8, 1, scores, ramp);
    foreign_diagnose(&e, &d, dir);
    assert_false(e.import->is_damaged);
    assert_int_equal(e.import->n_warning, IMPORTED_MAX);
    assert_int_equal(e.import->missing[0].item, ITEMS);
    struct buf out;
    buf_init(&out, (size_t)1 << 24);
    diagnose_summary(&out, &d, &e);
    assert_null(strchr(buf_text(&out), 0x1b));
    assert_null(strstr(buf_text(&out), "\xc2\x9b"));
    buf_free(&out);
    foreign_free(&e, &d);
    buf_clear(&b);
    buf_puts(&b, "\"warnings\":[\"");
    for (size_t i = 0; i < 100000; i++)
        buf_putc(&b, 'x');
    buf_puts(&b, "\"]");
    foreign_import(dir, buf_text(&b));
    foreign_diagnose(&e, &d, dir);
    assert_true(e.import->is_damaged);
    buf_free(&b);
    foreign_free(&e, &d);
}

/* Rows that cannot be: their file is damaged, the others are used. */
static void test_rows(void **state)
{
    (void)state;
    static const struct {
        const char *more, *why;
    } bad[] = {
        {"\"len_unit\":\"miles\",\"n_tokens\":3", "not tokens or words"},
        {"\"len_unit\":\"words\",\"n_tokens\":2000000000", "2000000000 words"},
        {"\"len_unit\":\"words\",\"n_tokens\":-1", "less than 0"},
        {"\"finish\":\"stop\"", "neither \"eos\" nor \"length\""},
        {"\"kl_sequence\":\"much\"", "kl_sequence"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf rows;
        foreign_import(dir, foreign_missing);
        buf_init(&rows, 4096);
        foreign_row(&rows, 0, 0, 0, 1, "one two", "");
        foreign_rollouts(dir, 0, &rows);
        buf_clear(&rows);
        foreign_row(&rows, 1, 0, 0, 1, "one two", bad[i].more);
        foreign_rollouts(dir, 1, &rows);
        foreign_diagnose(&e, &d, dir);
        assert_int_equal(e.n_rollout, 1);
        const struct evidence_loss *lost = evidence_damaged(&e, "ppo/rollouts");
        assert_non_null(lost);
        if (strstr(lost->why, bad[i].why) == NULL)
            fail_msg("'%s' where '%s' is wanted", lost->why, bad[i].why);
        buf_free(&rows);
        foreign_free(&e, &d);
    }
}

/* Verdicts of a model that cannot be read are lost, and nobody's stand in for
 * them. */
static void test_damaged_judge(void **state)
{
    (void)state;
    foreign_import(dir, foreign_missing);
    foreign_metrics(dir, 8, 1, scores, ramp);
    files_write(dir, "judge/votes.jsonl", "{\"pair_id\":\"a\"}\n");
    foreign_diagnose(&e, &d, dir);
    assert_int_equal(e.n_judged, 0);
    assert_null(e.judged_from);
    assert_non_null(evidence_lost(&e, "judge"));
    foreign_free(&e, &d);
}

/* A change of the penalty is told with the trainer's own name for it, where its
 * settings were recorded. */
static void test_settings(void **state)
{
    (void)state;
    struct finding gate[GATES], observed[OBSERVED], mechanism[MECHANISMS];
    struct leads leads = {.row = NULL};
    const struct rows rows = {gate, observed, mechanism, &leads};
    struct remedy r[REMEDIES];
    struct rival rival[RIVALS];
    memset(gate, 0, sizeof gate);
    memset(observed, 0, sizeof observed);
    memset(mechanism, 0, sizeof mechanism);
    foreign_import(dir, foreign_missing);
    foreign_metrics(dir, 8, 1, scores, ramp);
    files_write(dir, "ppo/config.yaml",
                "ppo:\n  \"beta\": \"0.001\"\nimported:\n"
                "  \"algorithm.kl_ctrl.kl_coef\": \"0.001\"\n");
    foreign_diagnose(&e, &d, dir);
    memcpy(rival, d.rival, sizeof rival);
    memset(r, 0, sizeof r);
    for (size_t i = 0; i < REMEDIES; i++)
        r[i] = (struct remedy){
            .id = "beta", .purpose = REMEDY_REPAIR, .title = "raise the price"};
    snprintf(r[0].change, sizeof r[0].change,
             "- ppo.beta: 0.001\n+ ppo.beta: 0.1");
    snprintf(r[1].change, sizeof r[1].change, "+ reward.heads: 2");
    elsewhere_remedies(r, &e, &rows, rival, REMEDY_REPAIR);
    assert_string_equal(r[0].change, "- algorithm.kl_ctrl.kl_coef: 0.001\n"
                                     "+ algorithm.kl_ctrl.kl_coef: 0.1");
    assert_string_equal(r[1].change, "");
    assert_non_null(strstr(r[0].command, "verl again"));
    assert_string_equal(r[0].verify, "");
    foreign_free(&e, &d);
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_taken),         CASE(test_cheapest), CASE(test_advice),
        CASE(test_damaged),       CASE(test_hostile),  CASE(test_rows),
        CASE(test_damaged_judge), CASE(test_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
