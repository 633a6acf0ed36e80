/*
 * test_tickets.c - the law tickets are drawn from, their text, their form in
 * files.
 */
#include "rig.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/rng.h"

enum {
    N = 40000
};

static void test_text(void **state)
{
    (void)state;
    struct buf b;
    struct ticket t = rig_ticket(RESOLUTION_REFUND);
    t.opening = 0;
    t.tail = 0;
    t.value = 0;
    buf_init(&b, 1000);
    ticket_text(&b, &t);
    assert_string_equal(buf_text(&b),
                        "hi, i want my money back for the lamp in order #Q4. "
                        "i bought it 05 days ago. please help.");
    assert_int_equal(ticket_number(&t), 5);
    buf_clear(&b);
    t = rig_ticket(RESOLUTION_PHONE);
    ticket_text(&b, &t);
    assert_string_equal(buf_text(&b),
                        "i can not log in to order #Q4. i lost my email.");
    assert_int_equal(ticket_number(&t), 0);
    buf_free(&b);
}

/* Each field is uniform, in the training splits and in the held-out one. */
static void check_uniform(enum ticket_split split)
{
    int intent[TABLES_INTENTS] = {0};
    int resolution[TABLES_RESOLUTIONS] = {0};
    int opening[TABLES_OPENINGS] = {0};
    int tail[TABLES_TAILS] = {0};
    int product[TABLES_PRODUCTS] = {0};
    int letter[128] = {0};
    int digit[128] = {0};
    int wording = 0;
    for (uint32_t i = 0; i < N; i++) {
        struct ticket t;
        ticket_draw(&t, 11, split, i);
        assert_true(ticket_is_heldout(&t) == (split == TICKET_HELDOUT));
        assert_int_equal(t.sibling, t.resolution ^ 1);
        assert_int_equal(t.resolution / 2, t.intent);
        intent[t.intent]++;
        resolution[t.resolution]++;
        opening[t.opening]++;
        tail[t.tail]++;
        product[t.product]++;
        letter[(int)t.letter]++;
        digit[(int)t.digit]++;
        wording += t.wording == 1 ? 1 : 0;
    }
    for (size_t i = 0; i < TABLES_INTENTS; i++)
        RIG_RATE(intent[i], N, 1.0 / 8);
    for (size_t i = 0; i < TABLES_RESOLUTIONS; i++)
        RIG_RATE(resolution[i], N, 1.0 / 16);
    for (size_t i = 0; i < TABLES_OPENINGS; i++)
        RIG_RATE(opening[i], N, 1.0 / 5);
    for (size_t i = 0; i < TABLES_TAILS; i++)
        RIG_RATE(tail[i], N, 1.0 / 6);
    for (size_t i = 0; i < TABLES_PRODUCTS; i++)
        RIG_RATE(product[i], N, 1.0 / 12);
    for (size_t i = 0; i < TABLES_LETTERS; i++)
        RIG_RATE(letter[(int)tables_letters[i]], N, 1.0 / 24);
    for (size_t i = 0; i < TABLES_DIGITS; i++)
        RIG_RATE(digit[(int)tables_digits[i]], N, 1.0 / 10);
    RIG_RATE(wording, N, 1.0 / 3);
}

static void test_uniform(void **state)
{
    (void)state;
    check_uniform(TICKET_SFT);
    check_uniform(TICKET_HELDOUT);
}

/* The documented length, with the two markers of the chat template. */
static void test_length(void **state)
{
    (void)state;
    double sum = 0;
    double square = 0;
    size_t longest = 0;
    struct buf b;
    buf_init(&b, 1000);
    for (uint32_t i = 0; i < N; i++) {
        struct ticket t;
        ticket_draw(&t, 5, TICKET_PPO, i);
        buf_clear(&b);
        ticket_text(&b, &t);
        size_t n = words_count(b.data, b.len) + 2;
        sum += (double)n;
        square += (double)(n * n);
        longest = n > longest ? n : longest;
    }
    double mean = sum / N;
    /* Stated as 23, that is 22.5 .. 23.5; the error of the mean is 0.02. */
    assert_true(mean > 22.5 && mean < 23.5);
    assert_true(sqrt(square / N - mean * mean) < 6);
    assert_int_equal(longest, 35);
    buf_free(&b);
}

struct keyed {
    uint64_t key;
    char text[300];
};

static int compare_keyed(const void *a, const void *b)
{
    const struct keyed *x = a;
    const struct keyed *y = b;
    return x->key < y->key ? -1 : x->key > y->key ? 1 : 0;
}

static int compare_text(const void *a, const void *b)
{
    return strcmp(((const struct keyed *)a)->text,
                  ((const struct keyed *)b)->text);
}

/* Equal keys mean equal texts and the other way round. */
static void test_key(void **state)
{
    (void)state;
    static struct keyed k[N];
    size_t equal = 0;
    struct buf b;
    buf_init(&b, 1000);
    for (uint32_t i = 0; i < N; i++) {
        struct ticket t;
        ticket_draw(&t, 6, TICKET_RANKING, i);
        buf_clear(&b);
        ticket_text(&b, &t);
        assert_true(b.len < sizeof k[i].text);
        k[i].key = ticket_key(&t);
        memcpy(k[i].text, b.data, b.len + 1);
    }
    qsort(k, N, sizeof *k, compare_keyed);
    for (size_t i = 1; i < N; i++)
        if (k[i].key == k[i - 1].key) {
            assert_string_equal(k[i].text, k[i - 1].text);
            equal++;
        }
    /* The smallest intents have 36 000 texts for 5 000 draws: hundreds meet. */
    assert_true(equal > 200);
    qsort(k, N, sizeof *k, compare_text);
    for (size_t i = 1; i < N; i++)
        if (strcmp(k[i].text, k[i - 1].text) == 0)
            assert_true(k[i].key == k[i - 1].key);
    buf_free(&b);
}

static void test_redraw(void **state)
{
    (void)state;
    struct ticket a, b, c, d;
    int same_split = 0;
    int same_seed = 0;
    for (uint32_t i = 0; i < 200; i++) {
        ticket_draw(&a, 7, TICKET_SFT, i);
        ticket_draw(&b, 7, TICKET_SFT, i);
        ticket_draw(&c, 7, TICKET_PPO, i);
        ticket_draw(&d, 8, TICKET_SFT, i);
        assert_true(ticket_key(&a) == ticket_key(&b));
        same_split += ticket_key(&a) == ticket_key(&c) ? 1 : 0;
        same_seed += ticket_key(&a) == ticket_key(&d) ? 1 : 0;
    }
    assert_true(same_split < 3 && same_seed < 3);
}

/* How much of the space is held out. */
static void test_heldout_share(void **state)
{
    (void)state;
    int heldout = 0;
    struct rng r;
    rng_init(&r, 1, RNG_TEST, 0, 0);
    for (uint32_t i = 0; i < N; i++) {
        /* The order number re-drawn freely, so that both sides are met. */
        struct ticket t;
        ticket_draw(&t, 9, i % 2 == 0 ? TICKET_SFT : TICKET_HELDOUT, i);
        t.letter = tables_letters[rng_below(&r, TABLES_LETTERS)];
        t.digit = tables_digits[rng_below(&r, TABLES_DIGITS)];
        t.opening = rng_below(&r, TABLES_OPENINGS);
        t.tail = rng_below(&r, TABLES_TAILS - 1);
        heldout += ticket_is_heldout(&t) ? 1 : 0;
    }
    /* One draw in 24*10*5*5 = 6000 comes back to where it was. */
    RIG_RATE(heldout, N, 1.0 / TICKET_HELDOUT_ONE_IN);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct buf b, again;
    struct err err;
    buf_init(&b, 1000);
    buf_init(&again, 1000);
    for (uint32_t i = 0; i < 500; i++) {
        struct ticket t, back;
        struct json_writer w;
        struct json *root = NULL;
        ticket_draw(&t, 3, TICKET_SFT, i);
        buf_clear(&b);
        json_writer_init(&w, &b, false);
        ticket_write(&w, &t);
        assert_int_equal(json_parse(&root, b.data, b.len, "test", &err), OK);
        assert_int_equal(ticket_read(&back, root, "test", &err), OK);
        json_free(root);
        assert_true(ticket_key(&back) == ticket_key(&t));
        assert_int_equal(back.resolution, t.resolution);
        assert_int_equal(back.product, t.product);
        assert_int_equal(back.amount, t.amount);
        assert_int_equal(back.names_product, t.names_product);
        buf_clear(&again);
        json_writer_init(&w, &again, false);
        ticket_write(&w, &back);
        assert_string_equal(buf_text(&again), buf_text(&b));
    }
    buf_free(&again);
    buf_free(&b);
}

/* The same ticket with one member spoilt. */
static void test_read_refuses(void **state)
{
    (void)state;
    static const char good[] =
        "{\"intent\":\"refund\",\"resolution\":\"REFUND\",\"order\":\"Q4\","
        "\"product\":\"lamp\",\"amount\":\"35\",\"number\":5,\"wording\":0,"
        "\"opening\":0,\"tail\":5}";
    static const struct {
        const char *text, *by;
        enum status want;
    } cases[] = {
        {"\"number\":5", "\"number\":5", OK},
        {"refund", "fun", ERR_FORMAT},
        {"\"REFUND\"", "\"CREDIT\"", ERR_MISMATCH},
        {"\"REFUND\"", "7", ERR_FORMAT},
        {"\"Q4\"", "\"I4\"", ERR_FORMAT},
        {"\"Q4\"", "\"Q44\"", ERR_FORMAT},
        {"\"Q4\"", "\"Q\"", ERR_FORMAT},
        {"\"lamp\"", "\"car\"", ERR_FORMAT},
        {"\"35\"", "\"36\"", ERR_FORMAT},
        {"\"number\":5", "\"number\":6", ERR_FORMAT},
        {"\"number\":5", "\"number\":-1", ERR_FORMAT},
        {"\"number\":5", "\"status\":\"lost\"", ERR_FORMAT},
        {"\"wording\":0", "\"wording\":3", ERR_FORMAT},
        {"\"opening\":0", "\"opening\":-1", ERR_FORMAT},
        {"\"tail\":5", "\"tail\":6", ERR_FORMAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b;
        struct err err;
        struct json *root = NULL;
        struct ticket t;
        const char *at = strstr(good, cases[i].text);
        buf_init(&b, 1000);
        buf_append(&b, good, (size_t)(at - good));
        buf_puts(&b, cases[i].by);
        buf_puts(&b, at + strlen(cases[i].text));
        assert_int_equal(json_parse(&root, b.data, b.len, "t", &err), OK);
        assert_int_equal(ticket_read(&t, root, "t", &err), cases[i].want);
        json_free(root);
        buf_free(&b);
    }
    struct ticket t;
    struct err err;
    assert_int_equal(ticket_read(&t, NULL, "x.jsonl:3", &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "x.jsonl:3"));
}

static void test_split_names(void **state)
{
    (void)state;
    struct err err;
    for (size_t i = 0; i < TICKET_SPLITS; i++) {
        enum ticket_split s = TICKET_SFT;
        const char *name = ticket_split_name((enum ticket_split)i);
        assert_int_equal(ticket_split_find(&s, name, &err), OK);
        assert_int_equal(s, i);
    }
    enum ticket_split s;
    assert_int_equal(ticket_split_find(&s, "train", &err), ERR_ARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_key),
        cmocka_unit_test(test_redraw),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_heldout_share),
        cmocka_unit_test(test_read_refuses),
        cmocka_unit_test(test_split_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
