/*
 * The page of a small project written by hand: what must be on it, what must
 * never be, and what happens when files are missing or broken.
 */
#include "report/report.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "report/measure.h"
#include "report/replies.h"

static struct err err;
static char dir[256];

static void must(enum status status)
{
    if (status != OK)
        fail_msg("%s: %s", err_name(status), err.text);
}

static const char *place(const char *name)
{
    static char path[512];
    assert_true(snprintf(path, sizeof path, "%s/%s", dir, name) > 0);
    return path;
}

static void put(const char *name, const struct buf *text)
{
    must(buf_status(text, &err));
    must(file_write(place(name), text->data, text->len, &err));
}

static void put_text(const char *name, const char *text)
{
    must(file_write(place(name), text, strlen(text), &err));
}

static const char heldout[] =
    "{\"schema\":\"plumb.heldout/1\",\"plumb_version\":\"9.8.7\",\"seed\":41,"
    "\"scenario\":\"paradox\",\"policy\":\"ppo/checkpoints/000060\","
    "\"settings\":{\"prompts\":12,\"samples\":2,\"temperature\":1},"
    "\"observations\":{\"reward_up\":true,\"human_down\":false,"
    "\"verbosity_up\":true,\"kl_up\":null},"
    "\"rm_delta\":{\"estimate\":1.2345,\"low\":0.11,\"high\":2.2,\"n\":211},"
    "\"rm_win_rate\":{\"estimate\":0.9123,\"low\":0.8,\"high\":1,\"n\":212},"
    "\"gold_delta\":{\"estimate\":-0.7654,\"low\":-1.5,\"high\":null,\"n\":3},"
    "\"length_ratio\":{\"estimate\":1.9283,\"low\":1.8,\"high\":2,\"n\":213},"
    "\"kl_sequence_final\":{\"estimate\":6.5432,\"low\":6,\"high\":7,\"n\":9},"
    "\"kl_trend\":{\"estimate\":0.0987,\"low\":-1e-7,\"high\":0.2,\"n\":7},"
    "\"kl_sequence\":[{\"iteration\":0,\"estimate\":0,\"low\":0,\"high\":0,"
    "\"n\":7},{\"iteration\":30,\"estimate\":5.551,\"low\":5.11,\"high\":6.03,"
    "\"n\":7}],"
    "\"panel\":{\"pairs\":77,\"placebo_pairs\":66,"
    "\"win_rate\":{\"estimate\":0.4321,\"low\":0.4,\"high\":0.5,\"n\":8}},"
    "\"serving\":{\"settings\":{\"temperature\":0.71,\"top_p\":0.87},"
    "\"rm_delta\":{\"estimate\":1.4142,\"low\":1,\"high\":2,\"n\":6}},"
    "\"something_new\":{\"deeply\":{\"nested\":"
    "{\"estimate\":123.45,\"low\":4321,\"high\":2e-9,\"n\":5}}}}";

static void write_curve(void)
{
    static const char *const key[] = {"score", "gold", "len", "kl_sequence"};
    static const double value[2][4] = {{0, 1.9, 33, 0}, {1.2, 1.1, 60, 5.5}};
    struct buf out;
    struct json_writer w;
    buf_init(&out, 1 << 16);
    json_writer_init(&w, &out, true);
    json_open(&w, '{');
    json_put_key(&w, "checkpoints");
    json_open(&w, '[');
    for (int c = 0; c < 2; c++) {
        json_open(&w, '{');
        json_field_int(&w, "iteration", 30 * c);
        for (int k = 0; k < 4; k++) {
            json_put_key(&w, key[k]);
            json_open(&w, '{');
            json_field_number(&w, "estimate", value[c][k]);
            json_field_number(&w, "low", value[c][k] - 0.2);
            json_field_number(&w, "high", value[c][k] + 0.2);
            json_field_int(&w, "n", 12);
            json_close(&w, '}');
        }
        json_close(&w, '}');
    }
    json_close(&w, ']');
    json_close(&w, '}');
    put("eval/curve.json", &out);
    buf_free(&out);
}

/* 12 prompts; the policy's reward gain on prompt p is p. */
static void write_samples(const char *response)
{
    struct buf out;
    struct json_writer w;
    buf_init(&out, 1 << 20);
    for (int p = 0; p < 12; p++) {
        for (int which = 0; which < 2; which++) {
            char id[16];
            const float kl[] = {0.01F, 4.25F, 0.5F};
            const float logp[] = {-0.1F, -2.5F, -0.25F};
            assert_true(snprintf(id, sizeof id, "prompt-%02d", p) > 0);
            json_writer_init(&w, &out, false);
            json_open(&w, '{');
            json_field_text(&w, "prompt_id", id);
            json_field_text(&w, "prompt", response);
            json_field_text(&w, "which", which == 0 ? "policy" : "reference");
            json_field_int(&w, "sample", 0);
            json_field_text(&w, "response", response);
            json_field_number(&w, "score", which == 0 ? p : 0);
            json_field_int(&w, "len", 3);
            json_field_bool(&w, "is_eos", true);
            if (which == 0) {
                json_put_key(&w, "pieces");
                json_open(&w, '[');
                json_put_text(&w, "we");
                json_put_text(&w, response);
                json_put_text(&w, "<eos>");
                json_close(&w, ']');
                json_field_floats(&w, "kl", kl, 3);
                json_field_floats(&w, "logp", logp, 3);
                json_field_floats(&w, "logp_ref", logp, 3);
            }
            json_close(&w, '}');
            buf_putc(&out, '\n');
        }
    }
    put("eval/samples.jsonl", &out);
    buf_free(&out);
}

static int open_project(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    assert_true(snprintf(dir, sizeof dir, "%s/plumb-test-XXXXXX",
                         tmp != NULL ? tmp : "/tmp") > 0);
    assert_non_null(mkdtemp(dir));
    must(file_make_dir(place("eval"), &err));
    must(file_make_dir(place("ppo"), &err));
    put_text("eval/heldout.json", heldout);
    write_curve();
    write_samples("sorry about the delay");
    put_text("ppo/metrics.jsonl",
             "{\"step\":1,\"objective/scores\":0.1,\"kl/sequence\":0.2}\n"
             "{\"step\":2,\"objective/scores\":0.3,\"kl/sequence\":null}\n");
    put_text("ppo/config.yaml", "seed: 41\nppo:\n  beta: 0.0213\n");
    return 0;
}

static int close_project(void **state)
{
    (void)state;
    must(file_remove(dir, &err));
    return 0;
}

/* The page, in a buffer the caller frees. */
static void render(struct buf *page)
{
    buf_init(page, 1 << 24);
    must(report_page(page, dir, NULL, NULL, &err));
}

static void assert_has(const struct buf *page, const char *text)
{
    if (strstr(buf_text(page), text) == NULL)
        fail_msg("the page lacks '%s'", text);
}

static void assert_lacks(const struct buf *page, const char *text)
{
    if (strstr(buf_text(page), text) != NULL)
        fail_msg("the page has '%s'", text);
}

/* Every number of the document, as the table of all numbers prints it. */
static void assert_numbers(const struct buf *page, const struct json *node)
{
    if (json_is_number(node)) {
        char cell[64];
        double x = json_number(node, 0);
        char whole[32];
        (void)snprintf(whole, sizeof whole, "%.0f", x);
        bool is_whole = x == floor(x) && fabs(x) < 1e15;
        (void)snprintf(cell, sizeof cell, ">%s<",
                       is_whole ? whole : measure_digits(x).text);
        assert_has(page, cell);
    } else if (json_is_object(node)) {
        for (const void *it = json_first(node); it != NULL;
             it = json_next(node, it))
            assert_numbers(page, json_value(it));
    } else if (json_is_array(node)) {
        /* "iteration" is part of a name there. */
        for (size_t i = 0; i < json_size(node); i++)
            assert_numbers(page, json_get(json_at(node, i), "estimate"));
    }
}

static void test_every_number(void **state)
{
    (void)state;
    struct buf page;
    struct json *doc;
    render(&page);
    must(json_parse(&doc, heldout, strlen(heldout), "heldout", &err));
    assert_numbers(&page, doc);
    assert_has(&page, "something_new.deeply.nested");
    assert_has(&page, "kl_sequence.at iteration 30");
    json_free(doc);
    buf_free(&page);
}

static void test_structure(void **state)
{
    (void)state;
    static const char *const wanted[] = {
        "<!DOCTYPE html>",
        "<html lang=\"en\">",
        "name=\"viewport\"",
        "prefers-color-scheme:dark",
        "@media print",
        "The reward went up",
        "only longer",
        "whether the policy still drifts is open",
        "Scenario paradox, seed 41",
        "chip yes\">Reward up<",
        "chip no\">Not judged worse<",
        "chip open\">KL trend: undecided<",
        "+1.23",
        "<svg class=\"chart\"",
        "Six pairs of replies",
        "Temperature 0.71, top-p 0.87",
        "+1.41",
        "ppo.beta",
        "0.0213",
        "sft/config.yaml is absent",
        "eval/samples.jsonl",
        "What this does not tell",
        "One run is one seed",
        "plumb 9.8.7",
        "KL 4.250 nats; log-prob -2.50, reference -2.50",
    };
    struct buf page;
    render(&page);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        assert_has(&page, wanted[i]);
    /* Six drawings: four curves, drift, lengths. */
    int drawings = 0;
    for (const char *at = strstr(buf_text(&page), "<svg"); at != NULL;
         at = strstr(at + 1, "<svg"))
        drawings++;
    assert_int_equal(drawings, 6);
    int pairs = 0;
    for (const char *at = strstr(buf_text(&page), "class=\"pair\""); at != NULL;
         at = strstr(at + 1, "class=\"pair\""))
        pairs++;
    assert_int_equal(pairs, REPLIES_SHOWN);
    /* A table scrolls in its own box, so that a narrow page does not. */
    static const char box[] = "<div class=\"wide\">";
    int tables = 0;
    for (const char *at = buf_text(&page); (at = strstr(at, "<table")) != NULL;
         at++) {
        const char *end = at;
        while (end > buf_text(&page) && end[-1] == '\n')
            end--;
        assert_memory_equal(end - strlen(box), box, strlen(box));
        tables++;
    }
    assert_true(tables >= 4);
    buf_free(&page);
}

static void test_self_contained(void **state)
{
    (void)state;
    static const char *const never[] = {
        "http:", "https:", "<script", "javascript:", "src=",
        "href=", "url(",   "@import", "<link",       "<iframe"};
    struct buf page;
    render(&page);
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        assert_lacks(&page, never[i]);
    /* Nor where the project lies on this machine. */
    assert_lacks(&page, dir);
    buf_free(&page);
}

/* The middle pair of each sixth of twelve: prompts 1, 3, ..., 11. */
static void test_choice(void **state)
{
    (void)state;
    struct inputs in;
    size_t policy[REPLIES_SHOWN];
    size_t reference[REPLIES_SHOWN];
    size_t n;
    must(inputs_read(&in, dir, &err));
    must(replies_choose(policy, reference, &n, &in, &err));
    assert_int_equal(n, REPLIES_SHOWN);
    for (size_t k = 0; k < n; k++) {
        assert_int_equal(policy[k], 2 * (2 * k + 1));
        assert_int_equal(reference[k], policy[k] + 1);
    }
    inputs_free(&in);
    assert_int_equal(replies_shade(0), 0);
    assert_int_equal(replies_shade(0.02), 1);
    assert_int_equal(replies_shade(2.9), 4);
    assert_int_equal(replies_shade(3), 5);
    assert_int_equal(replies_shade((double)NAN), 0);
}

static void test_hostile_text(void **state)
{
    (void)state;
    static const char *const hostile[] = {
        "<script>alert(1)</script>",
        "</p></main></body><img src=x onerror=alert(1)>",
        "\" onmouseover=\"alert(1)",
        "<!-- <style>body{display:none}</style>",
    };
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        struct buf page;
        write_samples(hostile[i]);
        put_text("ppo/config.yaml", "name: <script>alert(2)</script>\n");
        render(&page);
        assert_lacks(&page, "<script");
        assert_lacks(&page, "<img");
        assert_lacks(&page, "<!--");
        assert_lacks(&page, "\" onmouseover");
        /* What is meant to be seen is still there. */
        assert_has(&page, i == 2 ? "onmouseover" : "&lt;");
        buf_free(&page);
    }
    write_samples("sorry about the delay");
}

static void test_same_bytes(void **state)
{
    (void)state;
    struct buf one;
    struct buf two;
    render(&one);
    must(report_write(dir, NULL, NULL, &err));
    buf_init(&two, 1 << 24);
    must(file_read(&two, place("report.html"), &err));
    assert_int_equal(one.len, two.len);
    assert_memory_equal(one.data, two.data, one.len);
    buf_free(&one);
    buf_free(&two);
}

/* Every allocation in turn is refused: an error, no crash, no leak, and never
 * half a page taken for a whole one.  Strides grow, since a page makes
 * thousands. */
static void test_memory(void **state)
{
    (void)state;
    enum status status = ERR_MEMORY;
    long refused = 0;
    for (long at = 0; status != OK; at += 1 + at / 16) {
        struct buf page;
        buf_init(&page, 1 << 24);
        mem_fail_at(at);
        status = report_page(&page, dir, NULL, NULL, &err);
        bool is_reached = mem_count() > at;
        mem_fail_at(-1);
        if (is_reached)
            assert_int_equal(status, ERR_MEMORY);
        refused += is_reached;
        buf_free(&page);
    }
    assert_true(refused > 50);
}

/* A reward model that guesses is called so, in the first card and in a section
 * of its own, with the length rule beside it. */
static void test_reward_model_that_guesses(void **state)
{
    (void)state;
    static const char document[] =
        "{\"reward_heldout\":{\"settings\":{\"pairs\":1234,\"prompts\":77},"
        "\"length_rule\":\"more tokens\","
        "\"accuracy\":{\"estimate\":0.512,\"low\":0.48,\"high\":0.54,"
        "\"n\":77},\"length_rule_accuracy\":{\"estimate\":0.567,\"low\":0.5,"
        "\"high\":0.6,\"n\":77},\"accuracy_over_length_rule\":"
        "{\"estimate\":-0.055,\"low\":-0.1,\"high\":0.01,\"n\":77},"
        "\"verdict\":\"the reward model cannot be told from guessing\"}}";
    struct buf page;
    put_text("eval/heldout.json", document);
    render(&page);
    const char *first = strstr(buf_text(&page), "cannot be told from guessing");
    assert_non_null(first);
    assert_non_null(strstr(first + 1, "cannot be told from guessing"));
    assert_has(&page, "On 1234 pairs of 77 prompts");
    assert_has(&page, "51.2");
    assert_has(&page, "56.7");
    assert_has(&page, "5.5\xC2\xA0points");
    buf_free(&page);
    put_text("eval/heldout.json", heldout);
    render(&page);
    assert_has(&page, "is not known here");
    assert_lacks(&page, "guessing");
    buf_free(&page);
}

/* A run of anybody's, judged by a second reward model: it is named for what it
 * is wherever its numbers stand, and nothing speaks of a rubric. */
static void test_weak_gold(void **state)
{
    (void)state;
    static const char document[] =
        "{\"observations\":{\"reward_up\":true,\"human_down\":true},"
        "\"human_down_from\":\"weak gold\","
        "\"gold_win_rate\":{\"estimate\":null,\"low\":null,\"high\":null,"
        "\"n\":0},"
        "\"weak_gold\":{\"label\":\"weak gold: a second reward model (trained "
        "on disjoint pairs)\",\"model\":\"rm2\","
        "\"delta\":{\"estimate\":-0.31,\"low\":-0.5,\"high\":-0.1,\"n\":64},"
        "\"win_rate\":{\"estimate\":0.388,\"low\":0.3,\"high\":0.46,"
        "\"n\":64},\"correlation\":{\"estimate\":0.217,\"low\":0.1,"
        "\"high\":0.3,\"n\":64}},\"panel\":null}";
    struct buf page;
    must(file_remove(place("eval/curve.json"), &err));
    put_text("eval/heldout.json", document);
    render(&page);
    assert_has(&page, "a second reward model finds the replies worse");
    assert_has(&page, "2. The weak gold");
    assert_has(&page, "38.8\xC2\xA0%");
    assert_has(&page, "+0.22");
    assert_has(&page, "rests on weak gold: a second reward model");
    assert_has(&page, "Weak gold is a model too");
    assert_has(&page, "weak_gold.correlation");
    assert_lacks(&page, "gold_win_rate");
    assert_lacks(&page, "gold rubric");
    assert_lacks(&page, "Gold judgement");
    assert_lacks(&page, "support desk");
    buf_free(&page);
    put_text("eval/heldout.json", heldout);
    write_curve();
}

/* Without anything but the measures there is still a page, which says what it
 * lacks. */
static void test_missing_files(void **state)
{
    (void)state;
    struct buf page;
    must(file_remove(place("eval/curve.json"), &err));
    must(file_remove(place("eval/samples.jsonl"), &err));
    must(file_remove(place("ppo"), &err));
    render(&page);
    assert_has(&page, "there is no eval/curve.json");
    assert_lacks(&page, "<svg");
    assert_lacks(&page, "Thick curves");
    assert_has(&page, "holds no pair of replies");
    assert_has(&page, "ppo/config.yaml is absent");
    buf_free(&page);
    put_text("eval/heldout.json", "{}");
    render(&page);
    assert_has(&page, "Nobody was asked");
    assert_has(&page, "Whether the reward went up is open");
    assert_has(&page, "nobody judged the replies");
    assert_has(&page, "Nothing here stands in for their judgement");
    assert_lacks(&page, "gold</");
    buf_free(&page);
    put_text("eval/heldout.json",
             "{\"observations\":{\"human_down\":true},\"gold_win_rate\":"
             "{\"estimate\":0.3,\"low\":0.2,\"high\":0.4,\"n\":50}}");
    render(&page);
    assert_has(&page, "the gold rubric finds the replies worse");
    assert_lacks(&page, "the judges");
    buf_free(&page);
    put_text("eval/samples.jsonl", "{\"prompt_id\":3}\n");
    buf_init(&page, 1 << 24);
    assert_int_equal(report_page(&page, dir, NULL, NULL, &err), ERR_FORMAT);
    must(file_remove(place("eval/heldout.json"), &err));
    must(file_remove(place("report.html"), &err));
    assert_int_equal(report_write(dir, NULL, NULL, &err), ERR_MISSING);
    assert_non_null(strstr(err.text, "plumb eval"));
    assert_false(file_exists(place("report.html")));
    buf_free(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_number),
        cmocka_unit_test(test_structure),
        cmocka_unit_test(test_self_contained),
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_hostile_text),
        cmocka_unit_test(test_reward_model_that_guesses),
        cmocka_unit_test(test_weak_gold),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_missing_files),
    };
    return cmocka_run_group_tests(tests, open_project, close_project);
}
