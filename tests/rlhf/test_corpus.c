/* Where responses end: EOS behind those that ended themselves, nothing behind
 * those that were cut. */
#include "rlhf/corpus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "desk.h"
#include "world/desk.h"

static struct err err;

static void must(enum status status)
{
    if (status != OK)
        fail_msg("%s: %s", err_name(status), err.text);
}

/* Encode JSON Lines with the desk's tokenizer and compare what ends each
 * sequence: 'e' EOS, 'c' a word, '-' no response. */
static void check(const char *text, enum dataset_kind kind, const char *ends)
{
    struct desk d;
    struct dataset data;
    struct tokenizer *tokenizer;
    struct corpus corpus;
    desk_open(&d, 1);
    must(tokenizer_open(&tokenizer, desk_path(&d, "desk"), &err));
    must(dataset_parse(&data, text, strlen(text), "text", kind, &err));
    must(corpus_encode(&corpus, &data, tokenizer, DESK_EOS, 64, &err));
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
    dataset_free(&data);
    tokenizer_free(tokenizer);
    desk_close(&d);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_candidates),
        cmocka_unit_test(test_single_responses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
