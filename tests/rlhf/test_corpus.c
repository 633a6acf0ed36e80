/* Where responses end: EOS behind those that ended themselves, nothing behind
 * those that were cut. */
#include "rlhf/corpus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "desk.h"
#include "world/desk.h"

static struct err err;

static void must(enum status status)
{
    if (status != OK)
        fail_msg("%s: %s", err_name(status), err.text);
}

/* Encode JSON Lines with the desk's tokenizer. */
static enum status encode(struct corpus *corpus, const char *text,
                          enum dataset_kind kind)
{
    struct desk d;
    struct dataset data;
    struct tokenizer *tokenizer;
    desk_open(&d, 1);
    must(tokenizer_open(&tokenizer, desk_path(&d, "desk"), &err));
    must(dataset_parse(&data, text, strlen(text), "text", kind, &err));
    enum status status =
        corpus_encode(corpus, &data, tokenizer, DESK_EOS, 64, &err);
    dataset_free(&data);
    tokenizer_free(tokenizer);
    desk_close(&d);
    return status;
}

/* Compare what ends each sequence: 'e' EOS, 'c' a word, '-' no response. */
static void check(const char *text, enum dataset_kind kind, const char *ends)
{
    struct corpus corpus;
    must(encode(&corpus, text, kind));
    assert_int_equal(corpus.n_seq, strlen(ends));
    assert_int_equal(corpus.first[corpus.n_record], corpus.n_seq);
    for (size_t i = 0; i < corpus.n_seq; i++) {
        const struct sequence *s = &corpus.seq[i];
        assert_int_equal(s->prompt[0], DESK_CUST);
        assert_int_equal(s->prompt[s->len_prompt - 1], DESK_AGENT);
        if (ends[i] == '-') {
            assert_int_equal(s->len_response, 0);
            continue;
        }
        /* Three words, and EOS where there is one. */
        assert_int_equal(s->len_response, ends[i] == 'e' ? 4 : 3);
        for (size_t t = 0; t < 3; t++)
            assert_int_not_equal(s->response[t], DESK_EOS);
        if (ends[i] == 'e')
            assert_int_equal(s->response[3], DESK_EOS);
    }
    corpus_free(&corpus);
}

static void test_candidates(void **state)
{
    (void)state;
    check("{\"prompt\":\"please help.\",\"responses\":[\"best regards.\","
          "\"we are here\",\"kind regards.\"],\"ranking\":[1,3,2],"
          "\"finish\":[\"eos\",\"length\",\"eos\"]}\n"
          "{\"prompt\":\"thanks.\",\"responses\":[\"best regards.\","
          "\"we are here\"],\"ranking\":[1,2]}\n",
          DATASET_RANKINGS, "eceee");
}

static void test_single_responses(void **state)
{
    (void)state;
    check("{\"prompt\":\"thanks.\",\"response\":\"best regards.\"}\n"
          "{\"prompt\":\"thanks.\",\"response\":\"we are here\","
          "\"finish\":\"length\"}\n"
          "{\"prompt\":\"thanks.\",\"response\":\"we are here\","
          "\"finish\":\"eos\"}\n",
          DATASET_DEMOS, "ece");
    check("{\"prompt\":\"thanks.\"}\n", DATASET_PROMPTS, "-");
}

/* A whole text that is cut before its first token leaves no state to read; one
 * that ended has its end. */
static void test_no_tokens(void **state)
{
    (void)state;
    struct corpus corpus;
    must(encode(&corpus, "{\"text\":\"\"}\n", DATASET_ANY));
    assert_int_equal(corpus.seq[0].len_prompt, 0);
    assert_int_equal(corpus.seq[0].len_response, 1);
    corpus_free(&corpus);
    assert_int_equal(encode(&corpus,
                            "{\"id\":\"x\",\"text\":\"\","
                            "\"finish\":\"length\"}\n",
                            DATASET_ANY),
                     ERR_FORMAT);
    assert_non_null(strstr(err.text, "text: record 'x': "));
}

/* ---- what is too long --------------------------------------------------- */

struct loaded {
    struct desk desk;
    struct tokenizer *tokenizer;
    struct dataset data;
    struct corpus corpus;
};

/* Write a text into the desk's folder and load it. */
static enum status load(struct loaded *l, const char *text, const char *heldout,
                        enum dataset_kind kind, enum corpus_too_long too_long,
                        size_t max_tokens)
{
    const struct data_config c = {.too_long = (int)too_long};
    struct corpus_files files = {.kind = kind};
    char second[FILE_PATH_MAX];
    desk_open(&l->desk, 1);
    must(tokenizer_open(&l->tokenizer, desk_path(&l->desk, "desk"), &err));
    if (heldout != NULL) {
        must(file_write(desk_path(&l->desk, "heldout.jsonl"), heldout,
                        strlen(heldout), &err));
        must(file_join(second, "", desk_path(&l->desk, "heldout.jsonl"), &err));
        files.heldout = second;
    }
    must(file_write(desk_path(&l->desk, "data.jsonl"), text, strlen(text),
                    &err));
    files.path = desk_path(&l->desk, "data.jsonl");
    return corpus_load(&l->corpus, &l->data, &files, &c, l->tokenizer, DESK_EOS,
                       max_tokens, NULL, &err);
}

static void unload(struct loaded *l)
{
    corpus_free(&l->corpus);
    dataset_free(&l->data);
    tokenizer_free(l->tokenizer);
    desk_close(&l->desk);
    memset(l, 0, sizeof *l);
}

/* Sequences as text, special tokens too, with '/' behind each. */
static void check_sequences(const struct loaded *l, const char *want)
{
    struct buf out;
    buf_init(&out, 10000);
    for (size_t i = 0; i < l->corpus.n_seq; i++) {
        const struct sequence *s = &l->corpus.seq[i];
        for (size_t t = 0; t < s->len_prompt; t++)
            buf_printf(&out, "%s ",
                       tokenizer_token(l->tokenizer, s->prompt[t]));
        buf_puts(&out, "| ");
        for (size_t t = 0; t < s->len_response; t++)
            buf_printf(&out, "%s ",
                       tokenizer_token(l->tokenizer, s->response[t]));
        buf_puts(&out, "/ ");
    }
    assert_string_equal(buf_text(&out), want);
    buf_free(&out);
}

#define USER(x) "{\"role\":\"user\",\"content\":\"" x "\"}"
#define BOT(x) "{\"role\":\"assistant\",\"content\":\"" x "\"}"

/* 12 tokens: three of each question, four of each answer. */
static const char DIALOGUE[] =
    "{\"id\":\"x\",\"messages\":[" USER("please help") "," BOT(
        "we are here") "," USER("thanks") "," BOT("best regards.") "]}\n";

static void test_turns(void **state)
{
    (void)state;
    struct loaded l = {.tokenizer = NULL};
    must(load(&l, DIALOGUE, NULL, DATASET_DEMOS, TOO_LONG_REFUSE, 100));
    check_sequences(&l, "<cust> please help <agent> we are here <eos> <cust> "
                        "thanks <agent> | best regards . <eos> / ");
    assert_int_equal(l.corpus.n_truncated, 0);
    unload(&l);
    assert_int_equal(
        load(&l, DIALOGUE, NULL, DATASET_DEMOS, TOO_LONG_REFUSE, 14),
        ERR_LIMIT);
    assert_non_null(strstr(err.text, "record 'x': 15 tokens are more than the "
                                     "limit of 14"));
    unload(&l);
}

/* First the oldest turns go, then the end of the response, and with it what
 * would teach to stop there. */
static void test_truncate(void **state)
{
    (void)state;
    struct loaded l = {.tokenizer = NULL};
    for (size_t max = 14; max > 4; max -= 2) {
        must(load(&l, DIALOGUE, NULL, DATASET_DEMOS, TOO_LONG_TRUNCATE, max));
        assert_int_equal(l.corpus.n_truncated, 1);
        check_sequences(&l, max >= 8
                                ? "<cust> thanks <agent> | best regards . "
                                  "<eos> / "
                                : "<cust> thanks <agent> | best regards . / ");
        unload(&l);
    }
    must(load(&l, DIALOGUE, NULL, DATASET_DEMOS, TOO_LONG_TRUNCATE, 4));
    check_sequences(&l, "<cust> thanks <agent> | best / ");
    unload(&l);
    /* No room for a response. */
    must(load(&l, DIALOGUE, NULL, DATASET_DEMOS, TOO_LONG_TRUNCATE, 3));
    assert_int_equal(l.corpus.n_seq + l.data.n + l.corpus.n_truncated, 0);
    assert_int_equal(l.corpus.n_too_long, 1);
    unload(&l);
    /* All responses of a prompt stand behind the same turns. */
    must(load(
        &l,
        "{\"prompt\":[" USER("please help") "," BOT("we are here") "," USER(
            "thanks") "],\"chosen\":\"best regards.\","
                      "\"rejected\":\"we\"}\n",
        NULL, DATASET_RANKINGS, TOO_LONG_TRUNCATE, 13));
    check_sequences(&l, "<cust> thanks <agent> | best regards . <eos> / "
                        "<cust> thanks <agent> | we <eos> / ");
    unload(&l);
}

/* Records left out are left out of the data, too; what was not is as it was,
 * and the second file's records are the last. */
static void test_skip(void **state)
{
    (void)state;
    struct loaded l = {.tokenizer = NULL};
    static const char train[] =
        "{\"id\":\"a\",\"prompt\":\"thanks\",\"response\":\"we\"}\n"
        "{\"id\":\"b\",\"prompt\":\"thanks\",\"response\":\"we are here\"}\n"
        "{\"id\":\"c\",\"prompt\":\"thanks\",\"response\":\"here\"}\n";
    static const char heldout[] =
        "{\"id\":\"d\",\"prompt\":\"please please please\",\"response\":\"we\"}"
        "\n{\"id\":\"e\",\"prompt\":\"please\",\"response\":\"are\"}\n";
    must(load(&l, train, heldout, DATASET_DEMOS, TOO_LONG_SKIP, 5));
    check_sequences(&l, "<cust> thanks <agent> | we <eos> / <cust> thanks "
                        "<agent> | here <eos> / <cust> please <agent> | are "
                        "<eos> / ");
    assert_int_equal(l.data.n, 3);
    assert_int_equal(l.corpus.n_record, 3);
    assert_int_equal(l.corpus.n_train, 2);
    assert_int_equal(l.corpus.n_too_long, 2);
    assert_int_equal(l.data.count.read, 5);
    assert_string_equal(l.data.record[1].id, "c");
    assert_string_equal(l.data.record[2].id, "e");
    assert_int_equal(l.corpus.first[3], 3);
    unload(&l);
}

/* Whole texts have no prompt and no template; of prompts nothing else counts.
 */
static void test_kinds(void **state)
{
    (void)state;
    struct loaded l = {.tokenizer = NULL};
    must(load(&l, "{\"text\":\"we are here\"}\n", NULL, DATASET_DEMOS,
              TOO_LONG_REFUSE, 4));
    check_sequences(&l, "| we are here <eos> / ");
    unload(&l);
    must(load(&l,
              "{\"prompt\":\"thanks\",\"responses\":[\"we are here\",\"we\"]}",
              NULL, DATASET_PROMPTS, TOO_LONG_REFUSE, 3));
    check_sequences(&l, "<cust> thanks <agent> | / ");
    unload(&l);
}

static void write_lines(const struct desk *d, const char *name, size_t from,
                        size_t n)
{
    struct dataset all;
    struct buf out;
    must(dataset_read(&all, desk_path(d, "rankings.jsonl"), DATASET_RANKINGS,
                      &err));
    buf_init(&out, 1 << 24);
    for (size_t i = from; i < from + n; i++)
        dataset_write_record(&out, &all.record[i]);
    must(file_write(desk_path(d, name), out.data, out.len, &err));
    buf_free(&out);
    dataset_free(&all);
}

/* Extra records come first, held-out ones last, and the file in between gives
 * its name to all. */
static void test_files(void **state)
{
    (void)state;
    struct desk d;
    struct corpus corpus;
    struct dataset all, data;
    struct tokenizer *tokenizer;
    const struct data_config how = {.too_long = TOO_LONG_SKIP};
    size_t shared;
    desk_open(&d, 1);
    must(tokenizer_open(&tokenizer, desk_path(&d, "desk"), &err));
    must(dataset_read(&all, desk_path(&d, "rankings.jsonl"), DATASET_RANKINGS,
                      &err));
    write_lines(&d, "extra", 4, 3);
    write_lines(&d, "own", 0, 4);
    write_lines(&d, "heldout", 7, 2);
    const struct corpus_files files = {.path = desk_path(&d, "own"),
                                       .extra = desk_path(&d, "extra"),
                                       .heldout = desk_path(&d, "heldout"),
                                       .kind = DATASET_RANKINGS};
    must(corpus_load(&corpus, &data, &files, &how, tokenizer, DESK_EOS, 160,
                     NULL, &err));
    static const size_t order[] = {4, 5, 6, 0, 1, 2, 3, 7, 8};
    assert_int_equal(corpus.n_record, 9);
    assert_int_equal(corpus.n_extra, 3);
    assert_int_equal(corpus.n_train, 7);
    assert_int_equal(data.count.read, 9);
    assert_string_equal(data.path, desk_path(&d, "own"));
    for (size_t i = 0; i < 9; i++)
        assert_string_equal(data.record[i].id, all.record[order[i]].id);
    must(corpus_count_shared(&shared, &data, 3, 7, &err));
    size_t want = 0;
    for (size_t i = 0; i < 3; i++)
        want += strcmp(data.record[i].prompt, data.record[7].prompt) == 0 ||
                strcmp(data.record[i].prompt, data.record[8].prompt) == 0;
    assert_int_equal(shared, want);
    /* Of the whole against its last but one: itself at least. */
    must(corpus_count_shared(&shared, &data, 9, 8, &err));
    assert_true(shared >= 1 && shared < 9);
    must(corpus_count_shared(&shared, &data, 9, 9, &err));
    assert_int_equal(shared, 0);
    corpus_free(&corpus);
    dataset_free(&data);
    dataset_free(&all);
    const struct corpus_files lacking = {.path = desk_path(&d, "own"),
                                         .extra = desk_path(&d, "nowhere"),
                                         .kind = DATASET_RANKINGS};
    assert_int_equal(corpus_load(&corpus, &data, &lacking, &how, tokenizer,
                                 DESK_EOS, 160, NULL, &err),
                     ERR_MISSING);
    tokenizer_free(tokenizer);
    desk_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_candidates),
        cmocka_unit_test(test_single_responses),
        cmocka_unit_test(test_no_tokens),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_truncate),
        cmocka_unit_test(test_skip),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
