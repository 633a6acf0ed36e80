/*
 * test_desk.c - the tokenizer against io/tokenizer, and the files of the
 * data line from prompts to spot-checks.
 */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/rng.h"
#include "io/chat.h"
#include "io/dataset.h"
#include "io/tokenizer.h"
#include "world/desk.h"
#include "world/replies.h"

static char folder[] = "/tmp/plumb-desk-XXXXXX";

static const char *path_in(const char *name)
{
    static char path[4][FILE_PATH_MAX];
    static int turn;
    struct err err;
    turn = (turn + 1) % 4;
    assert_int_equal(file_join(path[turn], folder, name, &err), OK);
    return path[turn];
}

static struct tokenizer *open_tokenizer(void)
{
    struct buf json, config;
    struct err err;
    struct tokenizer *t = NULL;
    buf_init(&json, 1 << 20);
    buf_init(&config, 1 << 20);
    assert_int_equal(desk_tokenizer(&json, &config, &err), OK);
    assert_int_equal(tokenizer_parse(&t, json.data, json.len, config.data,
                                     config.len, "desk", &err),
                     OK);
    buf_free(&config);
    buf_free(&json);
    return t;
}

static void test_vocabulary(void **state)
{
    (void)state;
    struct tokenizer *t = open_tokenizer();
    assert_int_equal(tokenizer_size(t), 413);
    assert_int_equal(tokenizer_size(t), DESK_VOCABULARY);
    assert_int_equal(tokenizer_id(t, "<pad>"), 0);
    assert_int_equal(tokenizer_id(t, "<eos>"), 1);
    assert_int_equal(tokenizer_id(t, "<cust>"), 2);
    assert_int_equal(tokenizer_id(t, "<agent>"), 3);
    /* The order of the tables: specials, letters, digits, amounts, words. */
    assert_int_equal(tokenizer_id(t, "A"), 4);
    assert_int_equal(tokenizer_id(t, "Z"), 27);
    assert_int_equal(tokenizer_id(t, "0"), 28);
    assert_int_equal(tokenizer_id(t, "15"), 38);
    assert_int_equal(tokenizer_id(t, "99"), 47);
    assert_int_equal(tokenizer_id(t, "we"), 48);
    assert_int_equal(tokenizer_id(t, "router"), 412);
    assert_int_equal(tokenizer_id(t, "I"), -1);
    assert_int_equal(tokenizer_id(t, "<unk>"), -1);
    /* What a policy may not say is special, and eos is not among it. */
    static const int32_t banned[] = {DESK_PAD, DESK_CUST, DESK_AGENT};
    for (size_t i = 0; i < sizeof banned / sizeof *banned; i++) {
        assert_true(tokenizer_is_special(t, banned[i]));
        assert_int_not_equal(banned[i], DESK_EOS);
    }
    enum chat_template chat = CHAT_NONE;
    struct err err;
    assert_int_equal(chat_detect(&chat, t, &err), OK);
    assert_int_equal(chat, CHAT_SUPPORT);
    tokenizer_free(t);
}

/* Text to ids and back is the same text, and ids are as many as words. */
static void check_text(const struct tokenizer *t, const char *text)
{
    struct ids ids = {0};
    struct buf back;
    struct err err;
    buf_init(&back, 1 << 16);
    assert_int_equal(tokenizer_encode(t, text, strlen(text), false, &ids, &err),
                     OK);
    assert_int_equal(ids.n, words_count(text, strlen(text)));
    assert_int_equal(tokenizer_decode(t, ids.id, ids.n, true, &back, &err), OK);
    assert_string_equal(buf_text(&back), text);
    buf_free(&back);
    ids_free(&ids);
}

static void check_sentence(const struct tokenizer *t, const char *sentence,
                           const struct words_slots *slots)
{
    struct buf b;
    buf_init(&b, 1 << 12);
    words_write(&b, 0, sentence, slots);
    check_text(t, buf_text(&b));
    buf_free(&b);
}

static void test_tables_round_trip(void **state)
{
    (void)state;
    struct tokenizer *t = open_tokenizer();
    for (uint32_t i = 0; i < 40; i++) {
        struct ticket ticket;
        struct words_slots slots;
        ticket_draw(&ticket, 1, TICKET_SFT, i);
        ticket_slots(&slots, &ticket);
        slots.status = "lost";
        for (size_t r = 0; r < TABLES_RESOLUTIONS; r++)
            for (size_t k = 0; k < TABLES_SENTENCES; k++) {
                check_sentence(t, tables_resolution[r].sentence[k], &slots);
                check_sentence(t, tables_resolution[r].next[k], &slots);
            }
        for (size_t k = 0; k < TABLES_FILLERS; k++)
            check_sentence(t, tables_filler[k].sentence, &slots);
    }
    tokenizer_free(t);
}

static void test_texts_round_trip(void **state)
{
    (void)state;
    struct tokenizer *t = open_tokenizer();
    struct buf b;
    buf_init(&b, 1 << 12);
    for (uint32_t i = 0; i < 3000; i++) {
        struct ticket ticket;
        struct rng r;
        ticket_draw(&ticket, 1, (enum ticket_split)(i % TICKET_SPLITS), i);
        buf_clear(&b);
        ticket_text(&b, &ticket);
        check_text(t, buf_text(&b));
        rng_init(&r, 1, RNG_REPLY, 0, i);
        buf_clear(&b);
        reply_draw(&b, &ticket, &r);
        check_text(t, buf_text(&b));
    }
    buf_free(&b);
    tokenizer_free(t);
}

/* Any sequence a policy can emit: decoding and splitting again finds as many
 * words as there were tokens, so the judge's counts are token counts. */
static void test_any_ids(void **state)
{
    (void)state;
    struct tokenizer *t = open_tokenizer();
    struct rng r;
    rng_init(&r, 4, RNG_TEST, 0, 0);
    for (int round = 0; round < 2000; round++) {
        int32_t id[40];
        size_t n = 1 + rng_below(&r, 40);
        struct buf b;
        struct err err;
        buf_init(&b, 1 << 12);
        for (size_t i = 0; i < n; i++)
            id[i] = (int32_t)(4 + rng_below(&r, DESK_VOCABULARY - 4));
        assert_int_equal(tokenizer_decode(t, id, n, true, &b, &err), OK);
        assert_int_equal(words_count(b.data, b.len), n);
        check_text(t, buf_text(&b));
        buf_free(&b);
    }
    tokenizer_free(t);
}

static void read_all(struct buf *out, const char *name)
{
    struct err err;
    buf_init(out, 64 << 20);
    assert_int_equal(file_read(out, path_in(name), &err), OK);
}

static void test_prompts_and_demos(void **state)
{
    (void)state;
    struct err err;
    struct dataset d;
    struct buf a, b;
    assert_int_equal(
        desk_write_prompts(path_in("p.jsonl"), TICKET_HELDOUT, 300, 5, &err),
        OK);
    assert_int_equal(
        desk_write_prompts(path_in("q.jsonl"), TICKET_HELDOUT, 300, 5, &err),
        OK);
    assert_int_equal(desk_write_demos(path_in("d.jsonl"), 300, 5, &err), OK);
    read_all(&a, "p.jsonl");
    read_all(&b, "q.jsonl");
    assert_string_equal(buf_text(&a), buf_text(&b));
    buf_free(&a);
    buf_free(&b);
    assert_int_equal(
        dataset_read(&d, path_in("p.jsonl"), DATASET_PROMPTS, &err), OK);
    assert_int_equal(d.n, 300);
    assert_string_equal(d.record[17].id, "heldout-000017");
    assert_null(d.record[17].response);
    assert_non_null(strstr(d.record[17].extra, "\"ticket\""));
    assert_non_null(strstr(d.record[17].extra, "\"tags\""));
    dataset_free(&d);
    assert_int_equal(dataset_read(&d, path_in("d.jsonl"), DATASET_DEMOS, &err),
                     OK);
    for (size_t i = 0; i < d.n; i++) {
        struct json *extra = NULL;
        struct ticket t;
        const char *text = d.record[i].extra;
        struct buf prompt;
        assert_int_equal(json_parse(&extra, text, strlen(text), "extra", &err),
                         OK);
        assert_int_equal(
            ticket_read(&t, json_get(extra, "ticket"), "record", &err), OK);
        buf_init(&prompt, 1 << 12);
        ticket_text(&prompt, &t);
        assert_string_equal(buf_text(&prompt), d.record[i].prompt);
        buf_free(&prompt);
        json_free(extra);
        struct judgement j = rig_judge(&t, d.record[i].response, true);
        assert_int_equal(j.garbled, 0);
    }
    dataset_free(&d);
}

/* Candidates of n prompts, four demonstrations each; "finish" of the last
 * says that it was cut. */
static void write_candidates(const char *name, size_t n, uint32_t stream)
{
    static const char finish[] = "[\"eos\",\"eos\",\"eos\",\"length\"]";
    struct buf out, text;
    struct err err;
    buf_init(&out, 64 << 20);
    buf_init(&text, 1 << 12);
    for (uint32_t i = 0; i < n; i++) {
        struct json_writer w;
        struct ticket t;
        char id[24];
        ticket_draw(&t, 2, TICKET_HELDOUT, i);
        (void)snprintf(id, sizeof id, "heldout-%06u", i);
        json_writer_init(&w, &out, false);
        json_open(&w, '{');
        json_field_text(&w, "id", id);
        buf_clear(&text);
        ticket_text(&text, &t);
        json_field_text(&w, "prompt", buf_text(&text));
        json_put_key(&w, "responses");
        json_open(&w, '[');
        for (uint32_t k = 0; k < 4; k++) {
            struct rng r;
            rng_init(&r, 2, RNG_REPLY, stream + k, i);
            buf_clear(&text);
            reply_draw(&text, &t, &r);
            json_put_text(&w, buf_text(&text));
        }
        json_close(&w, ']');
        json_put_key(&w, "finish");
        json_put_raw(&w, finish, strlen(finish));
        json_put_key(&w, "ticket");
        ticket_write(&w, &t);
        json_close(&w, '}');
        buf_putc(&out, '\n');
    }
    assert_int_equal(file_write(path_in(name), out.data, out.len, &err), OK);
    buf_free(&text);
    buf_free(&out);
}

static void test_rank_file(void **state)
{
    (void)state;
    struct err err;
    struct dataset d;
    struct rater_config c = rater_default();
    int hurried = 0;
    int last_is_last = 0;
    write_candidates("c.jsonl", 400, 1);
    assert_int_equal(
        desk_rank_file(path_in("c.jsonl"), path_in("r.jsonl"), &c, 3, &err),
        OK);
    assert_int_equal(
        dataset_read(&d, path_in("r.jsonl"), DATASET_RANKINGS, &err), OK);
    assert_int_equal(d.n, 400);
    for (size_t i = 0; i < d.n; i++) {
        int seen = 0;
        assert_int_equal(d.record[i].n_responses, 4);
        for (size_t k = 0; k < 4; k++)
            seen |= 1 << d.record[i].ranking[k];
        assert_int_equal(seen, 2 + 4 + 8 + 16);
        hurried += strstr(d.record[i].extra, "\"rater\":\"hurried\"") ? 1 : 0;
    }
    RIG_RATE(hurried, 400, 0.7);
    dataset_free(&d);
    /* Ranking a file of rankings again replaces what it said. */
    c.hurried = 0;
    assert_int_equal(
        desk_rank_file(path_in("r.jsonl"), path_in("s.jsonl"), &c, 3, &err),
        OK);
    assert_int_equal(
        dataset_read(&d, path_in("s.jsonl"), DATASET_RANKINGS, &err), OK);
    for (size_t i = 0; i < d.n; i++) {
        assert_null(strstr(d.record[i].extra, "hurried"));
        last_is_last += d.record[i].ranking[3] == 4 ? 1 : 0;
    }
    /* A reply that was cut loses a whole point, and careful raters see it. */
    assert_true(last_is_last > 100 + RIG_SIGMAS * 8.7);
    dataset_free(&d);
    c.tau = -1;
    assert_int_equal(
        desk_rank_file(path_in("c.jsonl"), path_in("x.jsonl"), &c, 3, &err),
        ERR_ARG);
    assert_false(file_exists(path_in("x.jsonl")));
}

static void test_judge_file(void **state)
{
    (void)state;
    struct err err;
    struct buf a;
    static const char text[] =
        "{\"id\":\"a\",\"prompt\":\"p\",\"response\":\"we have issued a full "
        "refund for order #Q4.\",\"finish\":\"length\",\"judgement\":{\"gold\":"
        "99},\"ticket\":{\"intent\":\"refund\",\"resolution\":\"REFUND\","
        "\"order\":\"Q4\",\"product\":\"lamp\",\"amount\":\"35\",\"number\":5,"
        "\"wording\":0,\"opening\":0,\"tail\":5}}\n";
    assert_int_equal(file_write(path_in("j.jsonl"), text, strlen(text), &err),
                     OK);
    assert_int_equal(
        desk_judge_file(path_in("j.jsonl"), path_in("k.jsonl"), &err), OK);
    read_all(&a, "k.jsonl");
    assert_non_null(strstr(buf_text(&a), "\"gold\":1.75"));
    assert_null(strstr(buf_text(&a), "99"));
    buf_free(&a);
    write_candidates("c.jsonl", 3, 1);
    assert_int_equal(
        desk_judge_file(path_in("c.jsonl"), path_in("k.jsonl"), &err), OK);
    read_all(&a, "k.jsonl");
    size_t judged = 0;
    for (const char *p = a.data; (p = strstr(p, "\"gold\"")) != NULL; p++)
        judged++;
    assert_int_equal(judged, 12);
    buf_free(&a);
}

/* Bad records stop the file, and nothing is left where it would have been. */
static void test_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum status want;
        const char *word;
    } cases[] = {
        {"{\"id\":\"a7\",\"prompt\":\"p\",\"response\":\"r\"}\n", ERR_FORMAT,
         "a7"},
        {"{\"id\":\"a7\",\"prompt\":\"p\",\"ticket\":{}}\n", ERR_FORMAT,
         "no response"},
        {"{\"id\":\"a7\",\"prompt\":\"p\",\"response\":\"r\",\"ticket\":{}}\n",
         ERR_FORMAT, "a7"},
        {"{\"prompt\":\"p\"", ERR_FORMAT, "b.jsonl"},
    };
    struct err err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(file_write(path_in("b.jsonl"), cases[i].text,
                                    strlen(cases[i].text), &err),
                         OK);
        assert_int_equal(
            desk_judge_file(path_in("b.jsonl"), path_in("y.jsonl"), &err),
            cases[i].want);
        if (strstr(err.text, cases[i].word) == NULL)
            fail_msg("'%s' does not say '%s'", err.text, cases[i].word);
        assert_false(file_exists(path_in("y.jsonl")));
    }
    assert_int_equal(
        desk_judge_file(path_in("none.jsonl"), path_in("y.jsonl"), &err),
        ERR_MISSING);
}

static void test_spotcheck_file(void **state)
{
    (void)state;
    struct err err;
    struct buf a;
    struct panel_config c = panel_default();
    write_candidates("policy.jsonl", 256, 1);
    write_candidates("reference.jsonl", 256, 11);
    assert_int_equal(desk_spotcheck_file(path_in("policy.jsonl"),
                                         path_in("reference.jsonl"),
                                         path_in("spot.jsonl"), &c, 1, &err),
                     OK);
    read_all(&a, "spot.jsonl");
    size_t lines = 0;
    for (size_t i = 0; i < a.len; i++)
        lines += a.data[i] == '\n' ? 1 : 0;
    assert_int_equal(lines, 512 + 512 + 128);
    buf_free(&a);
    write_candidates("policy.jsonl", 255, 1);
    assert_int_equal(desk_spotcheck_file(path_in("policy.jsonl"),
                                         path_in("reference.jsonl"),
                                         path_in("z.jsonl"), &c, 1, &err),
                     ERR_MISMATCH);
    assert_false(file_exists(path_in("z.jsonl")));
}

static void test_tokenizer_files(void **state)
{
    (void)state;
    struct err err;
    struct tokenizer *t = NULL;
    const char *dir = path_in("tok");
    assert_int_equal(desk_write_tokenizer(dir, &err), OK);
    assert_int_equal(tokenizer_open(&t, dir, &err), OK);
    assert_int_equal(tokenizer_size(t), 413);
    tokenizer_free(t);
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    struct err err;
    return file_remove(folder, &err) == OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vocabulary),
        cmocka_unit_test(test_tables_round_trip),
        cmocka_unit_test(test_texts_round_trip),
        cmocka_unit_test(test_any_ids),
        cmocka_unit_test(test_tokenizer_files),
        cmocka_unit_test(test_prompts_and_demos),
        cmocka_unit_test(test_rank_file),
        cmocka_unit_test(test_judge_file),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_spotcheck_file),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
