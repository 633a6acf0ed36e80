/*
 * Samples read back: which are kept, and what is refused of a hostile file.
 */
#include "eval/drawn.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "files.h"
#include "world/desk.h"

enum {
    PROMPTS = 4,
    POSITIONS = 60
};

static struct err err;
static const char *dir;
static struct setup setup; // as much of one as is looked at
static struct heldout_config config = {.n_prompts = PROMPTS};

static void must(enum status status)
{
    files_must(status, &err);
}

static int open_setup(void **state)
{
    (void)state;
    dir = files_dir();
    static uint8_t banned[DESK_VOCABULARY];
    static char path[512];
    const struct data_config how = {.template = NULL};
    (void)snprintf(path, sizeof path, "%s", files_path(dir, "prompts.jsonl"));
    must(desk_write_tokenizer(dir, &err));
    must(desk_write_prompts(path, TICKET_HELDOUT, PROMPTS, 1, &err));
    must(tokenizer_open(&setup.tokenizer, dir, &err));
    must(chat_open(&setup.chat, setup.tokenizer, NULL, NULL, &err));
    const struct corpus_files files = {.path = path, .kind = DATASET_PROMPTS};
    must(corpus_load(&setup.corpus, &setup.prompts, &files, &how,
                     setup.tokenizer, DESK_EOS, 40, NULL, &err));
    must(MEM_NEW(setup.prompt, PROMPTS, &err));
    for (size_t i = 0; i < PROMPTS; i++)
        setup.prompt[i] = setup.corpus.seq[i];
    banned[DESK_PAD] = 1;
    config.prompts = path;
    setup.config = &config;
    setup.reference.config.V = DESK_VOCABULARY;
    setup.reference.config.T_max = POSITIONS;
    setup.reference.banned = banned;
    return 0;
}

static int close_setup(void **state)
{
    (void)state;
    corpus_free(&setup.corpus);
    dataset_free(&setup.prompts);
    mem_free(setup.prompt);
    tokenizer_free(setup.tokenizer);
    files_remove(dir);
    return 0;
}

/* A line of samples.jsonl. */
static void put(struct buf *out, size_t prompt, const char *which, int sample,
                const char *tokens)
{
    buf_printf(out,
               "{\"prompt_id\":\"%s\",\"which\":\"%s\",\"sample\":%d,"
               "\"tokens\":%s,\"is_eos\":true,\"score\":0.5}\n",
               setup.prompts.record[prompt].id, which, sample, tokens);
}

static const char *write_buf(struct buf *text)
{
    const char *path = files_write(dir, "samples.jsonl", buf_text(text));
    buf_free(text);
    return path;
}

static void test_kept(void **state)
{
    (void)state;
    struct buf text;
    struct drawn d;
    buf_init(&text, 1 << 16);
    for (size_t p = PROMPTS; p-- > 0;)
        for (int k = 0; k < 3; k++) {
            put(&text, p, "policy", k, "[20,21,22,1]");
            put(&text, p, "reference", k, "[30,1]");
        }
    const char *path = write_buf(&text);
    must(drawn_read(&d, &setup, path, 3, 2, &err));
    assert_int_equal(d.n, 3 * 2 * 2);
    for (size_t i = 0; i < d.n; i++) {
        const struct drawn_reply *r = &d.reply[i];
        assert_int_equal(r->prompt, 2 - i / 4);
        assert_int_equal(r->sample, i % 4 / 2);
        assert_int_equal(r->is_policy, i % 2 == 0);
        assert_true(r->is_eos && r->score == 0.5);
        assert_ptr_equal(r->seq.prompt, setup.prompt[r->prompt].prompt);
        assert_int_equal(r->seq.len_response, r->is_policy ? 4 : 2);
        assert_int_equal(r->seq.response[0], r->is_policy ? 20 : 30);
        assert_int_equal(r->seq.response[r->seq.len_response - 1], 1);
    }
    drawn_keep(&d, false);
    assert_int_equal(d.n, 6);
    for (size_t i = 0; i < d.n; i++)
        assert_false(d.reply[i].is_policy);
    drawn_free(&d);
}

static void test_refusals(void **state)
{
    (void)state;
    struct drawn d;
    struct buf text;
    static const struct {
        const char *which, *tokens;
        enum status want;
    } row[] = {
        {"policy", "[20,413]", ERR_FORMAT},
        {"policy", "[-1]", ERR_FORMAT},
        {"policy", "[2.5]", ERR_FORMAT},
        {"policy", "[\"a\"]", ERR_FORMAT},
        {"policy", "[18446744073709551616]", ERR_FORMAT},
        {"policy", "[]", ERR_FORMAT},
        {"policy", "\"20\"", ERR_FORMAT},
        {"policy", "null", ERR_FORMAT},
        {"policy", "[0]", ERR_MISMATCH},
        {"somebody", "[20]", ERR_FORMAT},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        buf_init(&text, 1 << 16);
        put(&text, 0, "policy", 0, "[20]");
        put(&text, 0, row[i].which, 1, row[i].tokens);
        const char *path = write_buf(&text);
        enum status got = drawn_read(&d, &setup, path, 4, 4, &err);
        if (got != row[i].want)
            fail_msg("%s: %s", row[i].tokens, err_name(got));
        assert_non_null(strstr(err.text, "samples.jsonl:2"));
    }
    /* More than the models' positions. */
    buf_init(&text, 1 << 16);
    buf_puts(&text, "{\"prompt_id\":\"heldout-000000\",\"which\":\"policy\","
                    "\"sample\":0,\"tokens\":[20");
    for (int i = 0; i < POSITIONS; i++)
        buf_puts(&text, ",20");
    buf_puts(&text, "]}\n");
    assert_int_equal(drawn_read(&d, &setup, write_buf(&text), 4, 4, &err),
                     ERR_FORMAT);
    assert_non_null(strstr(err.text, "60 positions"));
    assert_int_equal(
        drawn_read(&d, &setup,
                   files_write(dir, "samples.jsonl",
                               "{\"prompt_id\":\"other\",\"which\":\"policy\","
                               "\"sample\":0,\"tokens\":[20]}\n"),
                   4, 4, &err),
        ERR_MISMATCH);
    assert_non_null(strstr(err.text, "'other' is not in"));
    assert_int_equal(drawn_read(&d, &setup,
                                files_write(dir, "samples.jsonl", "\n"), 4, 4,
                                &err),
                     ERR_MISSING);
    assert_int_equal(drawn_read(&d, &setup, "/nowhere", 4, 4, &err),
                     ERR_MISSING);
}

static void test_text(void **state)
{
    (void)state;
    struct buf out;
    struct ids ids = {.n = 0};
    const char *text = "we have a new blender.";
    must(chat_encode_response(setup.tokenizer, &setup.chat, text, DESK_EOS,
                              &ids, &err));
    const struct sequence seq = {.response = ids.id, .len_response = ids.n};
    buf_init(&out, 1 << 16);
    must(drawn_text(&out, &setup, &seq, &err));
    assert_string_equal(buf_text(&out), text);
    buf_free(&out);
    ids_free(&ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, open_setup, close_setup);
}
