/* test_batch.c - where tokens lie in a batch, that equal prompts lie there
 * once, and that hidden states and gradients are those of the same sequences
 * laid out one by one. */
#include "rig.h"

#include <string.h>

#include "rlhf/batch.h"

static const int32_t prompt_a[] = {3, 5, 1, 9, 2};
static const int32_t prompt_a_again[] = {3, 5, 1, 9, 2};
static const int32_t prompt_b[] = {3, 5, 1, 9, 4};
static const int32_t prompt_c[] = {7};
static const int32_t response[] = {10, 3, 6, 0, 8, 6, 2, 1};

#define PROMPT(p) .prompt = (p), .len_prompt = sizeof(p) / sizeof *(p)
#define RESPONSE(at, n) .response = response + (at), .len_response = (n)

/* A prompt three times, in two places of memory and not in a row, once with
 * nothing answered; two that differ in the last token; one twice. */
static const struct sequence some[] = {
    {PROMPT(prompt_a), RESPONSE(0, 4)},       //
    {PROMPT(prompt_b), RESPONSE(2, 3)},       //
    {PROMPT(prompt_a), RESPONSE(0, 0)},       //
    {PROMPT(prompt_c), RESPONSE(1, 7)},       //
    {PROMPT(prompt_a_again), RESPONSE(3, 5)}, //
    {PROMPT(prompt_c), RESPONSE(4, 1)},       //
};
#define SOME (sizeof some / sizeof *some)
#define SHARED (2 * 5 + 1) // tokens of prompts that are there already

static size_t length(const struct sequence *s)
{
    return s->len_prompt + s->len_response;
}

static size_t total(const struct sequence *s, size_t n)
{
    size_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += length(&s[i]);
    return sum;
}

/* Twins come together, where their first stood; short prompts stay. */
static void test_twins(void **state)
{
    enum {
        LONG = BATCH_SHARED_LEAST
    };
    static int32_t a[LONG], b[LONG + 1], c[LONG - 1];
    const struct sequence seq[] = {
        {PROMPT(c)}, {PROMPT(a)}, {PROMPT(b)}, {PROMPT(c)},
        {PROMPT(b)}, {PROMPT(a)}, {PROMPT(a)},
    };
    static const size_t wanted[] = {0, 1, 5, 6, 2, 4, 3};
    size_t index[] = {0, 1, 2, 3, 4, 5, 6};
    (void)state;
    batch_gather_twins(index, 7, seq);
    assert_memory_equal(index, wanted, sizeof wanted);
    /* Items in another order, and not all. */
    size_t some_index[] = {6, 3, 4, 1, 0};
    static const size_t some_wanted[] = {6, 1, 3, 4, 0};
    batch_gather_twins(some_index, 5, seq);
    assert_memory_equal(some_index, some_wanted, sizeof some_wanted);
    batch_gather_twins(NULL, 0, seq);
}

static void pack_it(struct batch *b, const struct sequence *seq, size_t n,
                    struct arena *arena)
{
    struct err err = {0};
    assert_int_equal(batch_pack_least(b, seq, n, 1, arena, &err), OK);
    for (size_t s = 0; s < n; s++) {
        for (size_t i = 0; i < length(&seq[s]); i++) {
            size_t row = batch_row(b, s, i), P = seq[s].len_prompt;
            assert_true(row < b->pack.N);
            assert_int_equal(b->pack.token[row],
                             i < P ? seq[s].prompt[i] : seq[s].response[i - P]);
            assert_int_equal(b->pack.position[row], i);
        }
        if (seq[s].len_prompt == 0)
            continue;
        for (size_t t = 0; t <= seq[s].len_response; t++)
            assert_int_equal(batch_state_row(b, s, t),
                             batch_row(b, s, seq[s].len_prompt - 1 + t));
        assert_int_equal(batch_last_row(b, s),
                         batch_row(b, s, length(&seq[s]) - 1));
    }
    assert_int_equal(b->pack.start[b->pack.n_seq], b->pack.N);
}

static void test_alone_as_before(void **state)
{
    const struct sequence seq[] = {{PROMPT(prompt_a), RESPONSE(0, 4)},
                                   {PROMPT(prompt_b), RESPONSE(1, 2)},
                                   {PROMPT(prompt_c), RESPONSE(0, 0)},
                                   {RESPONSE(5, 3)},
                                   {RESPONSE(5, 3)}};
    struct arena arena = {0};
    struct batch b;
    size_t at = 0;
    (void)state;
    pack_it(&b, seq, 5, &arena);
    assert_int_equal(b.pack.n_seq, 5);
    assert_null(b.pack.parent);
    for (size_t s = 0; s < 5; s++) {
        assert_int_equal(b.pack.start[s], at);
        at += length(&seq[s]);
    }
    pack_it(&b, seq, 0, &arena);
    assert_int_equal(b.pack.N, 0);
    arena_free(&arena);
}

static void test_equal_prompts_once(void **state)
{
    struct arena arena = {0};
    struct batch b;
    (void)state;
    pack_it(&b, some, SOME, &arena);
    assert_int_equal(b.pack.N, total(some, SOME) - SHARED);
    assert_int_equal(b.prompt_row[0], b.prompt_row[2]);
    assert_int_equal(b.prompt_row[0], b.prompt_row[4]);
    assert_int_not_equal(b.prompt_row[0], b.prompt_row[1]);
    assert_int_equal(b.prompt_row[3], b.prompt_row[5]);
    assert_int_equal(batch_last_row(&b, 2), b.prompt_row[0] + 4);
    /* Two parents and the one that stands alone. */
    size_t roots = 0;
    for (size_t s = 0; s < b.pack.n_seq; s++) {
        size_t parent = b.pack.parent[s];
        roots += parent == PACK_ROOT;
        assert_true(parent == PACK_ROOT ||
                    (parent < s && b.pack.parent[parent] == PACK_ROOT));
    }
    assert_int_equal(roots, 3);
    assert_int_equal(b.pack.n_seq, 2 + SOME);
    arena_free(&arena);
}

/* The same sequences laid out one by one. */
static void lay_out(struct rig_pack *p, const struct sequence *seq, size_t n)
{
    int32_t token[RIG_TOKENS_MAX];
    rig_pack_init(p);
    for (size_t s = 0; s < n; s++) {
        size_t P = seq[s].len_prompt;
        memcpy(token, seq[s].prompt, P * sizeof *token);
        memcpy(token + P, seq[s].response, seq[s].len_response * sizeof *token);
        rig_pack_add(p, token, length(&seq[s]));
    }
}

static void test_hidden_states(void **state)
{
    struct model_config c = rig_config();
    struct arena arena = {0};
    struct rig_pack p;
    struct model m;
    struct batch b;
    (void)state;
    rig_model(&m, &c, 3);
    pack_it(&b, some, SOME, &arena);
    lay_out(&p, some, SOME);
    float *got = mem_calloc(b.pack.N * c.C, sizeof *got);
    float *want = mem_calloc(p.pack.N * c.C, sizeof *want);
    assert_true(got != NULL && want != NULL);
    for (int keep = 0; keep < 2; keep++) {
        rig_hidden(got, &m, &b.pack, keep);
        rig_hidden(want, &m, &p.pack, keep);
        for (size_t s = 0; s < SOME; s++)
            for (size_t i = 0; i < length(&some[s]); i++) {
                double d = rig_distance(got + batch_row(&b, s, i) * c.C,
                                        want + (p.start[s] + i) * c.C, c.C);
                /* Normed values are of order 1. */
                assert_true(d <= 4 * RIG_ROUNDING);
            }
    }
    mem_free(got);
    mem_free(want);
    model_free(&m);
    arena_free(&arena);
}

/* Scores read from every state of every response: whole-tensor gradients. */
static void test_gradients(void **state)
{
    enum {
        STATES = 4 + 3 + 0 + 7 + 5 + 1 + SOME
    };
    struct model_config c = rig_config();
    struct arena arena = {0};
    struct rig_pack p;
    struct model m;
    struct batch b;
    size_t shared[STATES], apart[STATES], n = 0;
    float dscore[STATES];
    (void)state;
    c.head = HEAD_SCORE;
    rig_model(&m, &c, 4);
    pack_it(&b, some, SOME, &arena);
    lay_out(&p, some, SOME);
    for (size_t s = 0; s < SOME; s++)
        for (size_t t = 0; t <= some[s].len_response; t++) {
            shared[n] = batch_state_row(&b, s, t);
            apart[n] = p.start[s] + some[s].len_prompt - 1 + t;
            dscore[n] = n % 3 == 0 ? -0.7f : 0.1f * (float)(n + 1);
            n++;
        }
    assert_int_equal(n, STATES);
    float *got = mem_calloc(params_count(&c), sizeof *got);
    float *want = mem_calloc(params_count(&c), sizeof *want);
    assert_true(got != NULL && want != NULL);
    struct loss loss = {.row = shared, .dscore = dscore, .n_row = n};
    rig_gradient(got, &m, &b.pack, &loss);
    loss.row = apart;
    rig_gradient(want, &m, &p.pack, &loss);
    for (size_t i = 0; i < params_tensors(&c); i++) {
        struct param_view v = params_view(&c, i);
        double d =
            rig_relative(got + v.offset, want + v.offset, v.rows * v.cols);
        assert_true(d <= 2 * RIG_ROUNDING_GRADIENT);
    }
    mem_free(got);
    mem_free(want);
    model_free(&m);
    arena_free(&arena);
}

/* From BATCH_SHARED_LEAST tokens on, and not below. */
static void test_short_prompts_apart(void **state)
{
    int32_t prompt[BATCH_SHARED_LEAST] = {1};
    struct arena arena = {0};
    struct batch b;
    struct err err = {0};
    (void)state;
    for (size_t P = BATCH_SHARED_LEAST - 1; P <= BATCH_SHARED_LEAST; P++) {
        const struct sequence seq[] = {
            {.prompt = prompt, .len_prompt = P, RESPONSE(0, 4)},
            {.prompt = prompt, .len_prompt = P, RESPONSE(1, 3)}};
        assert_int_equal(batch_pack(&b, seq, 2, &arena, &err), OK);
        bool is_shared = P == BATCH_SHARED_LEAST;
        assert_int_equal(b.pack.N, total(seq, 2) - (is_shared ? P : 0));
    }
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_twins),
        cmocka_unit_test(test_alone_as_before),
        cmocka_unit_test(test_equal_prompts_once),
        cmocka_unit_test(test_short_prompts_apart),
        cmocka_unit_test(test_hidden_states),
        cmocka_unit_test(test_gradients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
