/*
 * test_trace_read.c - rows back as they were written, what may be absent, what
 * is refused and where, and the files of a run in order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "io/trace_read.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define ARRAYS 12
#define TOKENS_MAX 300

static char root[] = "/tmp/plumb-test-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(root) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return file_remove(root, NULL) == OK ? 0 : -1;
}

static const char *at(const char *name)
{
    static char path[FILE_PATH_MAX];
    assert_int_equal(file_join(path, root, name, NULL), OK);
    return path;
}

/* The arrays of a row in one order. */
static const float **array_of(struct trace_row *row, size_t i)
{
    const float **const all[ARRAYS] = {
        &row->logp_sample, &row->logp,      &row->logp_ref,
        &row->kl,          &row->entropy,   &row->p_eos,
        &row->p_eos_ref,   &row->value,     &row->reward,
        &row->reward_kl,   &row->advantage, &row->advantage_white};
    return all[i];
}

/* ---- there and back ----------------------------------------------------- */

struct sample {
    struct trace_row row;
    int32_t token[TOKENS_MAX];
    float number[ARRAYS][TOKENS_MAX];
    char text[200], extra[100];
    double gold;
};

/* Row i of a made-up file: random bits for numbers, some arrays and texts
 * absent. */
static void make_row(struct sample *x, uint32_t i)
{
    static const char *const tags[] = {NULL, "{\"intent\":\"refund\"}",
                                       "[1,{\"a\":\"\xC3\xA9\"}]"};
    struct rng r;
    rng_init(&r, 1, RNG_TEST, 6, i);
    (void)snprintf(x->text, sizeof x->text, "reply %u\n\t\"\\/ \x01 \xC3\xA9",
                   i);
    x->gold = rng_normal(&r);
    (void)snprintf(x->extra, sizeof x->extra,
                   "\"note\":{\"a\":[1]},\"gold\":%.17g", x->gold);
    x->row = (struct trace_row){
        .run = "ppo",
        .step = (int64_t)i,
        .prompt_id = i % 3 == 0 ? "" : "p-1",
        .sample = (int64_t)i * 7,
        .prompt = i % 5 == 0 ? NULL : "where is \"it\"?",
        .response = x->text,
        .tags = tags[i % 3],
        .extra = x->extra,
        .is_eos = i % 2 == 0,
        .score_raw = rng_normal(&r),
        .score = i % 7 == 0 ? (double)NAN : rng_normal(&r) * 1e-30,
        .beta = 0.05,
        .temperature = 1,
        .template_hash = i % 4 == 0 ? NULL : "abc",
        .len = rng_below(&r, TOKENS_MAX),
        .token = i % 11 == 0 ? NULL : x->token,
    };
    for (size_t t = 0; t < x->row.len; t++)
        x->token[t] = (int32_t)(rng_u32(&r) >> 1);
    for (size_t k = 0; k < ARRAYS; k++) {
        bool is_there = i % 13 == 0 || rng_below(&r, 8) > 0;
        *array_of(&x->row, k) = is_there ? x->number[k] : NULL;
        for (size_t t = 0; t < x->row.len; t++) {
            uint32_t bits = rng_u32(&r);
            memcpy(&x->number[k][t], &bits, sizeof bits);
        }
    }
}

static void same_text(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        assert_ptr_equal(a, b);
    else
        assert_string_equal(a, b);
}

static void same_double(double a, double b)
{
    if (isnan(a) && isnan(b))
        return;
    assert_memory_equal(&a, &b, sizeof a);
}

static void check_row(const struct trace_view *v, struct sample *x)
{
    struct trace_row got = v->row, *row = &x->row;
    bool has_arrays = row->token != NULL;
    same_text(got.run, row->run);
    same_text(got.prompt_id, row->prompt_id);
    same_text(got.prompt, row->prompt);
    same_text(got.response, row->response);
    same_text(got.tags, row->tags);
    same_text(got.template_hash, row->template_hash);
    assert_null(got.extra);
    assert_true(got.step == row->step && got.sample == row->sample);
    assert_true(got.is_eos == row->is_eos);
    same_double(got.score_raw, row->score_raw);
    same_double(got.score, row->score);
    same_double(got.beta, row->beta);
    same_double(got.temperature, row->temperature);
    for (size_t k = 0; k < ARRAYS; k++)
        has_arrays = has_arrays || *array_of(row, k) != NULL;
    assert_int_equal(got.len, has_arrays ? row->len : 0);
    assert_true((got.token == NULL) == (row->token == NULL));
    if (row->token != NULL)
        assert_memory_equal(got.token, row->token, got.len * 4);
    for (size_t k = 0; k < ARRAYS; k++) {
        const float *a = *array_of(&got, k), *b = *array_of(row, k);
        assert_true((a == NULL) == (b == NULL));
        for (size_t t = 0; b != NULL && t < got.len; t++) {
            if (isfinite(b[t]))
                assert_memory_equal(&a[t], &b[t], sizeof a[t]);
            else
                assert_true(isnan(a[t])); // written as null
        }
    }
    same_double(v->extra[0], (double)NAN);
    same_double(v->extra[1], x->gold);
}

static void test_round_trip(void **state)
{
    (void)state;
    static const char *const names[] = {"help", "gold"};
    static struct sample x;
    struct buf text;
    struct trace_reader *r;
    const struct trace_view *v;
    buf_init(&text, (size_t)1 << 25);
    for (uint32_t i = 0; i < 200; i++) {
        make_row(&x, i);
        trace_write_row(&text, &x.row);
    }
    assert_int_equal(text.code, OK);
    static const char *const files[] = {"a.jsonl", "a.jsonl.zst"};
    for (size_t k = 0; k < COUNT(files); k++) {
        const char *path = at(files[k]);
        struct err err = {OK, ""};
        if (k == 0)
            assert_int_equal(file_write(path, text.data, text.len, NULL), OK);
        else
            assert_int_equal(trace_write_file(path, &text, NULL), OK);
        assert_int_equal(trace_reader_open(&r, path, names, 2, &err), OK);
        for (uint32_t i = 0; i < 200; i++) {
            if (trace_reader_next(r, &v, &err) != OK)
                fail_msg("%s", err.text);
            assert_non_null(v);
            assert_int_equal(v->line, i + 1);
            assert_string_equal(v->file, path);
            make_row(&x, i);
            check_row(v, &x);
        }
        for (int again = 0; again < 2; again++) {
            assert_int_equal(trace_reader_next(r, &v, &err), OK);
            assert_null(v);
        }
        trace_reader_close(r);
    }
    buf_free(&text);
}

/* ---- one row ------------------------------------------------------------ */

static enum status read_text(struct trace_reader **r,
                             const struct trace_view **v, const char *text,
                             struct err *err)
{
    static const char *const names[] = {"gold"};
    struct stream *s;
    TRY(stream_open_bytes(&s, text, strlen(text), 1 << 24, "f", err));
    TRY(trace_reader_open_stream(r, s, names, 1, err));
    return trace_reader_next(*r, v, err);
}

#define NEEDED                                                                 \
    "\"step\":3,\"prompt_id\":\"p\",\"sample\":1,\"finish\":\"length\""

static void test_absent(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{" NEEDED "}",
        "\n {\"finish\":\"length\",\"what\":{\"step\":[7]},\"sample\":1.0,"
        "\"prompt_id\":\"p\",\"step\":\"3\"} ",
        "{" NEEDED ",\"run\":null,\"prompt\":null,\"response\":null,"
        "\"tokens\":null,\"tags\":null,\"score_raw\":null,\"score\":null,"
        "\"beta\":null,\"temperature\":null,\"template_hash\":null,"
        "\"logp\":null,\"kl\":null,\"gold\":null}\n"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct trace_reader *r = NULL;
        const struct trace_view *v = NULL;
        struct err err = {OK, ""};
        if (read_text(&r, &v, texts[i], &err) != OK)
            fail_msg("%s", err.text);
        const struct trace_row *row = &v->row;
        assert_true(row->step == 3 && row->sample == 1 && !row->is_eos);
        assert_string_equal(row->prompt_id, "p");
        assert_true(!row->run && !row->prompt && !row->response && !row->tags &&
                    !row->template_hash && !row->token);
        assert_true(isnan(row->score_raw) && isnan(row->score) &&
                    isnan(row->beta) && isnan(row->temperature) &&
                    isnan(v->extra[0]));
        assert_int_equal(row->len, 0);
        for (size_t k = 0; k < ARRAYS; k++) {
            struct trace_row copy = *row;
            assert_null(*array_of(&copy, k));
        }
        trace_reader_close(r);
    }
}

static void test_lenient(void **state)
{
    (void)state;
    struct trace_reader *r = NULL;
    const struct trace_view *v = NULL;
    assert_int_equal(read_text(&r, &v,
                               "{" NEEDED
                               ",\"l\\u006fgp\":[NaN,\"-1.5\",-Infinity],"
                               "\"tokens\":[\"1\",2,3.0],\"score\":\"inf\","
                               "\"gold\":\"0.25\"}",
                               NULL),
                     OK);
    assert_int_equal(v->row.len, 3);
    assert_true(isnan(v->row.logp[0]) && v->row.logp[1] == -1.5F &&
                v->row.logp[2] == -INFINITY);
    assert_true(v->row.token[0] == 1 && v->row.token[2] == 3);
    assert_true(isinf(v->row.score) && v->extra[0] == 0.25);
    trace_reader_close(r);
}

/* Rows of other trainers: no tokens, a length all the same, no end known. */
static void test_imported(void **state)
{
    (void)state;
    struct trace_reader *r = NULL;
    const struct trace_view *v = NULL;
    struct buf again;
    static const char text[] =
        "{\"run\":\"ppo\",\"step\":3,\"prompt_id\":\"p\",\"sample\":1,"
        "\"prompt\":null,\"response\":\"a b\",\"n_tokens\":2,"
        "\"len_unit\":\"words\",\"kl_sequence\":0.5,\"score_raw\":1,"
        "\"score\":1,\"beta\":null,\"temperature\":null,"
        "\"template_hash\":null}\n";
    assert_int_equal(read_text(&r, &v, text, NULL), OK);
    assert_true(v->row.finish_unknown && v->row.len == 0);
    assert_true(v->row.n_tokens == 2 && *v->row.kl_sequence == 0.5);
    assert_string_equal(v->row.len_unit, "words");
    buf_init(&again, 1 << 16);
    trace_write_row(&again, &v->row);
    assert_string_equal(buf_text(&again), text);
    buf_free(&again);
    trace_reader_close(r);
    assert_int_equal(read_text(&r, &v, "{" NEEDED "}", NULL), OK);
    assert_true(!v->row.finish_unknown && v->row.kl_sequence == NULL);
    assert_null(v->row.len_unit);
    trace_reader_close(r);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *said;
    } cases[] = {
        {"{\"step\":3}", "f:1: \"prompt_id\" is missing"},
        {"\n\n{\"step\":3,\"prompt_id\":\"p\"}", "f:3: \"sample\" is missing"},
        {"[]", "f:1: row: byte 0: an object is expected"},
        {"{\"step\":null}",
         "f:1: \"step\": byte 8: an integer of 64 bits is expected"},
        {"{\"step\":1.5}",
         "f:1: \"step\": byte 8: an integer of 64 bits is expected"},
        {"{\"step\":-1}", "f:1: \"step\": byte 8: less than 0"},
        {"{\"step\":1,\"step\":1}", "f:1: \"step\" comes twice"},
        {"{\"prompt_id\":null}",
         "f:1: \"prompt_id\": byte 13: a string is expected"},
        {"{\"finish\":\"stop\"}",
         "f:1: \"finish\": byte 10: neither \"eos\" nor \"length\""},
        {"{\"finish\":true}", "f:1: \"finish\": byte 10: a string is "
                              "expected"},
        {"{\"logp\":[1,2],\"kl\":[1,2,3]}",
         "f:1: \"kl\" has 3 items, \"logp\" 2"},
        {"{\"logp\":[],\"tokens\":[1]}",
         "f:1: \"tokens\" has 1 items, \"logp\" 0"},
        {"{\"tokens\":[1,-1]}", "f:1: \"tokens\": byte 10: a token less "
                                "than 0"},
        {"{\"tokens\":[1,4294967296]}",
         "f:1: \"tokens\": byte 13: an integer of 32 bits is expected"},
        {"{\"tokens\":[null]}",
         "f:1: \"tokens\": byte 11: an integer of 64 bits is expected"},
        {"{\"logp\":[1,true]}", "f:1: \"logp\": byte 11: a number is "
                                "expected"},
        {"{\"logp\":0.5}", "f:1: \"logp\": byte 8: an array is expected"},
        {"{\"logp\":[0.5}", "f:1: \"logp\": byte 12: ',' or ']' is "
                            "expected"},
        {"{\"gold\":[1]}", "f:1: \"gold\": byte 8: a number is expected"},
        {"{\"score\":{}}", "f:1: \"score\": byte 9: a number is expected"},
        {"{\"tags\":{\"a\"}}", "f:1: \"tags\": byte 12: ':' is expected"},
        {"{\"run\":1}", "f:1: \"run\": byte 7: a string is expected"},
        {"{\"note\":[1,]}", "f:1: row: byte 11: a value is expected"},
        {"{" NEEDED "} {}", "f:1: row: byte 56: something follows the value"},
        {"{" NEEDED "", "f:1: row: byte 54: ',' or '}' is expected"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct trace_reader *r = NULL;
        const struct trace_view *v = NULL;
        struct err err = {OK, ""};
        assert_int_equal(read_text(&r, &v, cases[i].text, &err), ERR_FORMAT);
        assert_string_equal(err.text, cases[i].said);
        assert_null(v);
        trace_reader_close(r);
    }
}

/* Texts that take all the room a line may give them. */
static void test_room(void **state)
{
    (void)state;
    struct trace_reader *r = NULL;
    const struct trace_view *v = NULL;
    assert_int_equal(read_text(&r, &v,
                               "{\"run\":\"\",\"prompt_id\":\"\",\"prompt\":"
                               "\"\",\"response\":\"\",\"tags\":0,\"template_"
                               "hash\":\"\",\"step\":0,\"sample\":0,\"finish\":"
                               "\"eos\",\"tokens\":[1,2,3,4,5,6,7,8,9,0],"
                               "\"kl\":[1,2,3,4,5,6,7,8,9,0]}",
                               NULL),
                     OK);
    assert_int_equal(v->row.len, 10);
    assert_string_equal(v->row.tags, "0");
    trace_reader_close(r);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const taken[] = {"gold", "logp"};
    const char *many[TRACE_NAMES_MAX + 1];
    struct trace_reader *r;
    struct err err = {OK, ""};
    assert_int_equal(file_write(at("e.jsonl"), "", 0, NULL), OK);
    assert_int_equal(trace_reader_open(&r, at("e.jsonl"), taken, 2, &err),
                     ERR_ARG);
    assert_non_null(strstr(err.text, "\"logp\""));
    for (size_t i = 0; i < COUNT(many); i++)
        many[i] = "gold";
    assert_int_equal(
        trace_reader_open(&r, at("e.jsonl"), many, COUNT(many), &err), ERR_ARG);
    assert_int_equal(trace_reader_open(&r, at("none.jsonl"), NULL, 0, &err),
                     ERR_MISSING);
}

/* ---- a run -------------------------------------------------------------- */

static void put(const char *name, int step, int rows)
{
    struct buf text;
    buf_init(&text, 100000);
    for (int i = 0; i < rows; i++) {
        const struct trace_row row = {
            .step = step, .prompt_id = "p", .sample = i};
        trace_write_row(&text, &row);
    }
    if (file_ends_with(name, ".zst"))
        assert_int_equal(trace_write_file(at(name), &text, NULL), OK);
    else
        assert_int_equal(file_write(at(name), buf_text(&text), text.len, NULL),
                         OK);
    buf_free(&text);
}

static void test_run(void **state)
{
    (void)state;
    struct trace_reader *r;
    const struct trace_view *v;
    struct err err = {OK, ""};
    char run[FILE_PATH_MAX];
    (void)snprintf(run, sizeof run, "%s", at("run"));
    assert_int_equal(file_make_dir(run, NULL), OK);
    assert_int_equal(trace_reader_open_run(&r, run, NULL, 0, &err),
                     ERR_MISSING);
    assert_non_null(strstr(err.text, "has no rollouts/; plumb ppo"));
    assert_int_equal(file_make_dir(at("run/rollouts"), NULL), OK);
    put("run/rollouts/notes.jsonl", 99, 1);
    put("run/rollouts/000002.jsonl.zst.tmp", 98, 1);
    put("run/rollouts/0000000000000000000000.jsonl", 97, 1);
    assert_int_equal(trace_reader_open_run(&r, run, NULL, 0, &err),
                     ERR_MISSING);
    assert_non_null(strstr(err.text, "holds no rollouts"));

    /* By number, not by name; empty files and plain ones among them. */
    put("run/rollouts/000002.jsonl.zst", 2, 3);
    put("run/rollouts/1000000.jsonl.zst", 1000000, 1);
    put("run/rollouts/999999.jsonl", 999999, 2);
    put("run/rollouts/000001.jsonl.zst", 1, 2);
    put("run/rollouts/000003.jsonl.zst", 3, 0);
    static const int steps[] = {1, 1, 2, 2, 2, 999999, 999999, 1000000};
    assert_int_equal(trace_reader_open_run(&r, run, NULL, 0, &err), OK);
    for (size_t i = 0; i < COUNT(steps); i++) {
        if (trace_reader_next(r, &v, &err) != OK)
            fail_msg("%s", err.text);
        assert_non_null(v);
        assert_int_equal(v->row.step, steps[i]);
    }
    assert_non_null(strstr(v->file, "run/rollouts/1000000.jsonl.zst"));
    assert_int_equal(v->line, 1);
    assert_int_equal(trace_reader_next(r, &v, &err), OK);
    assert_null(v);
    trace_reader_close(r);

    put("run/rollouts/2.jsonl", 2, 1);
    assert_int_equal(trace_reader_open_run(&r, run, NULL, 0, &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "are of one step"));
    assert_int_equal(file_remove(at("run/rollouts/2.jsonl"), NULL), OK);

    /* A damaged file is an error, not the end. */
    assert_int_equal(
        file_truncate(at("run/rollouts/000002.jsonl.zst"), 20, NULL), OK);
    assert_int_equal(trace_reader_open_run(&r, run, NULL, 0, &err), OK);
    assert_int_equal(trace_reader_next(r, &v, &err), OK);
    assert_int_equal(trace_reader_next(r, &v, &err), OK);
    assert_int_equal(trace_reader_next(r, &v, &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "000002.jsonl.zst"));
    trace_reader_close(r);
}

/* ---- tags --------------------------------------------------------------- */

static void test_tags(void **state)
{
    (void)state;
    static const char tags[] =
        "{\"a\":[1,\"x\"],\"int\\u0065nt\":\"re\\nfund\","
        "\"n\":-2.50,\"b\":true,\"z\":null,\"e\":\"\"}";
    char out[16] = "kept";
    assert_true(trace_tag(out, sizeof out, tags, "intent"));
    assert_string_equal(out, "re\nfund");
    assert_true(trace_tag(out, sizeof out, tags, "n"));
    assert_string_equal(out, "-2.50");
    assert_true(trace_tag(out, sizeof out, tags, "b"));
    assert_string_equal(out, "true");
    assert_true(trace_tag(out, sizeof out, tags, "e"));
    assert_string_equal(out, "");
    assert_false(trace_tag(out, sizeof out, tags, "a"));
    assert_false(trace_tag(out, sizeof out, tags, "z"));
    assert_false(trace_tag(out, sizeof out, tags, "x"));
    assert_false(trace_tag(out, 5, tags, "n"));
    assert_true(trace_tag(out, 6, tags, "n"));
    assert_false(trace_tag(out, sizeof out, NULL, "n"));
    assert_false(trace_tag(out, sizeof out, "[\"n\"]", "n"));
    assert_false(trace_tag(out, sizeof out, "{\"n\":\"\\x\"}", "n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_absent),
        cmocka_unit_test(test_lenient),    cmocka_unit_test(test_imported),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_room),
        cmocka_unit_test(test_names),      cmocka_unit_test(test_run),
        cmocka_unit_test(test_tags),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
