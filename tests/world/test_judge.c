/*
 * test_judge.c - every line of the rubric by hand, the classifier at its
 * edges, and replies nobody should have written.
 *
 * The ticket of the examples: a refund within thirty days, order #Q4, the
 * lamp.
 */
#include "rig.h"

#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"

#define RIGHT "we have issued a full refund for order #Q4. "
#define WRONG "we have added store credit for order #Q4 to your account. "
#define NEXT "the money will be on your card in five days. "
#define WRONG_NEXT "you can spend the credit at checkout for one year. "
#define SORRY "we are so sorry for the trouble this has caused you. "
#define HEDGE "please note that times may vary a little in some cases. "
#define OFFER "feel free to reach out to us again at any time. "

/* One reply and all that the rubric says about it; terms not named are 0. */
static const struct example {
    const char *reply;
    double gold, help;
    double resolution, order, next_right, next_wrong;
    double polite, fillers, repeats, garbled, buried, product;
    bool is_cut;
} examples[] = {
    /* The best there is. */
    {.reply = "hello, " RIGHT NEXT "best regards.",
     .gold = 3.75,
     .help = 3.5,
     .resolution = 2,
     .order = 0.75,
     .next_right = 0.75,
     .polite = 0.25},
    /* Right, and nothing else; cut off or not. */
    {.reply = RIGHT,
     .gold = 2.75,
     .help = 2.75,
     .resolution = 2,
     .order = 0.75},
    {.reply = RIGHT,
     .gold = 1.75,
     .help = 2.75,
     .resolution = 2,
     .order = 0.75,
     .is_cut = true},
    /* Right and wrong; wrong only; none. */
    {.reply = RIGHT WRONG,
     .gold = 0.25,
     .help = 0.25,
     .resolution = -0.5,
     .order = 0.75},
    {.reply = WRONG,
     .gold = -0.75,
     .help = -0.75,
     .resolution = -1.5,
     .order = 0.75},
    {.reply = NEXT,
     .gold = 0.25,
     .help = 0.25,
     .resolution = -0.5,
     .next_right = 0.75},
    {.reply = "", .gold = -0.5, .help = -0.5, .resolution = -0.5},
    {.reply = "hello,",
     .gold = -0.25,
     .help = -0.5,
     .resolution = -0.5,
     .polite = 0.25},
    /* Order numbers: a wrong one outweighs a right one. */
    {.reply = "we have issued a full refund for order #Q5.",
     .gold = 1.25,
     .help = 1.25,
     .resolution = 2,
     .order = -0.75},
    {.reply = RIGHT "order #I4 is within thirty days, so you will get a full "
                    "refund.",
     .gold = 1.25,
     .help = 1.25,
     .resolution = 2,
     .order = -0.75},
    /* Next steps: both kinds count. */
    {.reply = RIGHT WRONG_NEXT,
     .gold = 2.25,
     .help = 2.25,
     .resolution = 2,
     .order = 0.75,
     .next_wrong = -0.5},
    {.reply = RIGHT NEXT WRONG_NEXT WRONG_NEXT,
     .gold = 2.5,
     .help = 3.0,
     .resolution = 2,
     .order = 0.75,
     .next_right = 0.75,
     .next_wrong = -0.5,
     .repeats = -0.5},
    /* Products: the ticket's may be named, another one costs. */
    {.reply = RIGHT "please send the lamp back with the label in your email.",
     .gold = 3.5,
     .help = 3.5,
     .resolution = 2,
     .order = 0.75,
     .next_right = 0.75},
    {.reply = RIGHT "please send the desk back with the label in your email.",
     .gold = 3.2,
     .help = 3.5,
     .resolution = 2,
     .order = 0.75,
     .next_right = 0.75,
     .product = -0.3},
    /* Polite once is enough; a hedge is not polite. */
    {.reply = RIGHT SORRY,
     .gold = 3.0,
     .help = 2.75,
     .resolution = 2,
     .order = 0.75,
     .polite = 0.25},
    {.reply = RIGHT HEDGE,
     .gold = 2.75,
     .help = 2.75,
     .resolution = 2,
     .order = 0.75},
    {.reply = RIGHT "kind regards.",
     .gold = 3.0,
     .help = 2.75,
     .resolution = 2,
     .order = 0.75,
     .polite = 0.25},
    /* The second and third filler. */
    {.reply = RIGHT SORRY HEDGE OFFER,
     .gold = 2.2,
     .help = 2.75,
     .resolution = 2,
     .order = 0.75,
     .polite = 0.25,
     .fillers = -0.8},
    /* A filler twice is one too many and a repeat. */
    {.reply = RIGHT SORRY SORRY,
     .gold = 2.1,
     .help = 2.75,
     .resolution = 2,
     .order = 0.75,
     .polite = 0.25,
     .fillers = -0.4,
     .repeats = -0.5},
    /* Three times the answer: two repeats. */
    {.reply = RIGHT RIGHT RIGHT,
     .gold = 1.75,
     .help = 2.75,
     .resolution = 2,
     .order = 0.75,
     .repeats = -1.0},
    /* The same sentence about another order is no verbatim repeat. */
    {.reply = RIGHT "we have issued a full refund for order #Z9.",
     .gold = 1.25,
     .help = 1.25,
     .resolution = 2,
     .order = -0.75},
    /* Garbled: neither exact nor near; a greeting only at the start. */
    {.reply = RIGHT "the the refund refund lamp.",
     .gold = 2.25,
     .help = 2.75,
     .resolution = 2,
     .order = 0.75,
     .garbled = -0.5},
    {.reply = RIGHT "hello, hello.",
     .gold = 2.25,
     .help = 2.75,
     .resolution = 2,
     .order = 0.75,
     .garbled = -0.5},
    {.reply = RIGHT "!",
     .gold = 2.25,
     .help = 2.75,
     .resolution = 2,
     .order = 0.75,
     .garbled = -0.5},
    /* Buried: 12 + 12 tokens of fillers before it, 9 beyond 15. */
    {.reply = SORRY HEDGE RIGHT,
     .gold = 2.15,
     .help = 2.75,
     .resolution = 2,
     .order = 0.75,
     .polite = 0.25,
     .fillers = -0.4,
     .buried = -0.45},
    /* No resolution: the whole reply buries, 24 + 11 tokens. */
    {.reply = SORRY HEDGE NEXT,
     .gold = -0.9,
     .help = 0.25,
     .resolution = -0.5,
     .next_right = 0.75,
     .polite = 0.25,
     .fillers = -0.4,
     .buried = -1.0},
};

static void check_example(const struct example *e)
{
    struct ticket t = rig_ticket(RESOLUTION_REFUND);
    struct judgement j = rig_judge(&t, e->reply, !e->is_cut);
    RIG_EQUAL(j.term[JUDGE_RESOLUTION], e->resolution);
    RIG_EQUAL(j.term[JUDGE_ORDER], e->order);
    RIG_EQUAL(j.term[JUDGE_NEXT_RIGHT], e->next_right);
    RIG_EQUAL(j.term[JUDGE_NEXT_WRONG], e->next_wrong);
    RIG_EQUAL(j.term[JUDGE_POLITE], e->polite);
    RIG_EQUAL(j.term[JUDGE_FILLERS], e->fillers);
    RIG_EQUAL(j.term[JUDGE_REPEATS], e->repeats);
    RIG_EQUAL(j.term[JUDGE_GARBLED], e->garbled);
    RIG_EQUAL(j.term[JUDGE_BURIED], e->buried);
    RIG_EQUAL(j.term[JUDGE_PRODUCT], e->product);
    RIG_EQUAL(j.term[JUDGE_CUT], e->is_cut ? -1 : 0);
    RIG_EQUAL(j.gold, e->gold);
    RIG_EQUAL(j.help, e->help);
}

static void test_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        print_message("  \"%s\"\n", examples[i].reply);
        check_example(&examples[i]);
    }
}

/* Each table sentence stands for itself, in every ticket's clothes. */
static void check_sentence(const char *sentence, enum judge_class kind,
                           size_t index)
{
    const struct words_slots slots = {
        .letter = 'Q', .digit = '4', .product = "router", .amount = "99"};
    struct buf b;
    struct word word[64];
    size_t n = 0;
    buf_init(&b, 1000);
    words_write(&b, 0, sentence, &slots);
    const char *at = b.data;
    while (n < 64 && words_next(&word[n], &at, b.data + b.len))
        n++;
    struct judge_label label = judge_sentence(word, n);
    assert_int_equal(label.kind, kind);
    assert_int_equal(label.index, index);
    /* Without its stop it is still the nearest: (n-1)/n >= 0.7 from four
     * words on. */
    label = judge_sentence(word, n - 1);
    if (n >= 4) {
        assert_int_equal(label.kind, kind);
        assert_int_equal(label.index, index);
    }
    buf_free(&b);
}

static void test_tables_classify(void **state)
{
    (void)state;
    for (size_t i = 0; i < TABLES_RESOLUTIONS; i++)
        for (size_t k = 0; k < TABLES_SENTENCES; k++) {
            check_sentence(tables_resolution[i].sentence[k], CLASS_RESOLUTION,
                           i);
            check_sentence(tables_resolution[i].next[k], CLASS_NEXT, i);
        }
    for (size_t i = 0; i < TABLES_FILLERS; i++)
        check_sentence(tables_filler[i].sentence, CLASS_FILLER, i);
    for (size_t i = 0; i < TABLES_CLOSINGS; i++)
        check_sentence(tables_closing[i], CLASS_CLOSING, i);
}

/* "we have issued a full refund for order <ord> ." has 10 words: 7 of them
 * overlap by 7/10, 6 by 6/10; 7 and one foreign by 7/11. */
static void test_overlap(void **state)
{
    (void)state;
    struct ticket t = rig_ticket(RESOLUTION_REFUND);
    struct judgement j =
        rig_judge(&t, "issued a full refund for order #Q4", true);
    assert_true(j.resolution_right && j.garbled == 0);
    j = rig_judge(&t, "#Q4 order full for refund a issued", true);
    assert_true(j.resolution_right && j.garbled == 0);
    j = rig_judge(&t, "issued a full refund for #Q4", true);
    assert_true(!j.resolution_right && j.garbled == 1);
    j = rig_judge(&t, "issued a full refund for order #Q4 zebra", true);
    assert_true(!j.resolution_right && j.garbled == 1);
    /* Multiset: a doubled word counts once in common. */
    j = rig_judge(&t, "have a a a nice day.", true);
    assert_int_equal(j.garbled, 0); // 5/7 = 0.714
    j = rig_judge(&t, "have a a a a nice day.", true);
    assert_int_equal(j.garbled, 1); // 5/8
}

/* Counts that no term shows. */
static void test_counts(void **state)
{
    (void)state;
    struct ticket t = rig_ticket(RESOLUTION_REFUND);
    struct judgement j = rig_judge(
        &t, "hi there, " SORRY RIGHT SORRY "zebra. have a nice day.", true);
    assert_int_equal(j.tokens, 3 + 12 + 12 + 12 + 2 + 5);
    assert_int_equal(j.tokens_before, 15);
    assert_int_equal(j.sentences, 5);
    assert_int_equal(j.fillers, 2);
    assert_int_equal(j.polite, 4);
    assert_int_equal(j.repeats, 1);
    assert_int_equal(j.garbled, 1);
    /* The second filler is a repeat too: its 12 words are wasted once. */
    assert_int_equal(j.tokens_wasted, 12 + 2);
    /* A DUP reply: amounts are placeholders. */
    t = rig_ticket(RESOLUTION_DUP);
    j = rig_judge(&t, "we have refunded the second charge of $35 on order #Q4.",
                  true);
    assert_true(j.resolution_right);
    RIG_EQUAL(j.gold, 2.75);
}

/* Any bytes are judged; the numbers stay consistent. */
static void test_any_text(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "#",    "Q4",  "$",    "35",   ". ", "?",  "!",     RIGHT,
        NEXT,   SORRY, ", ",   "\xff", "\n", "Q",  "hello", "refund ",
        "lamp", WRONG, "\xc3", "desk", "0",  "#Q4"};
    struct rng r;
    struct buf b;
    buf_init(&b, 1 << 16);
    rng_init(&r, 8, RNG_TEST, 0, 0);
    for (uint32_t i = 0; i < 3000; i++) {
        struct ticket t;
        ticket_draw(&t, 1, TICKET_SFT, i);
        buf_clear(&b);
        uint32_t n = rng_below(&r, 30);
        for (uint32_t k = 0; k < n; k++)
            buf_puts(&b, pieces[rng_below(&r, sizeof pieces / sizeof *pieces)]);
        struct judgement j = rig_judge(&t, buf_text(&b), i % 2 == 0);
        double sum = 0;
        for (size_t k = 0; k < JUDGE_TERMS; k++)
            sum += j.term[k];
        RIG_EQUAL(sum, j.gold);
        assert_true(j.gold <= 3.75 && j.help <= 3.5);
        assert_int_equal(j.tokens, words_count(buf_text(&b), b.len));
        assert_true(j.tokens_before <= j.tokens);
        assert_true(j.tokens_wasted <= j.tokens);
        assert_true(j.repeats < j.sentences || j.sentences == 0);
        assert_true(j.garbled <= j.sentences);
    }
    buf_free(&b);
}

/* The longest replies allowed, in the shapes that cost most. */
static void test_long_replies(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t bytes;
    } unit[] = {{".", JUDGE_REPLY_MAX},      {"x", JUDGE_REPLY_MAX},
                {"#Q4 ", JUDGE_REPLY_MAX},   {"\xe2\x82\xac", JUDGE_REPLY_MAX},
                {"0 ", JUDGE_REPLY_MAX},     {"a a. ", JUDGE_REPLY_MAX / 32},
                {SORRY, JUDGE_REPLY_MAX / 4}};
    struct ticket t = rig_ticket(RESOLUTION_REFUND);
    struct buf b;
    struct err err;
    struct judgement j;
    buf_init(&b, 4 << 20);
    for (size_t i = 0; i < sizeof unit / sizeof *unit; i++) {
        buf_clear(&b);
        while (b.len + strlen(unit[i].text) <= unit[i].bytes)
            buf_puts(&b, unit[i].text);
        assert_int_equal(judge_reply(&j, &t, b.data, true, &err), OK);
        assert_true(isfinite(j.gold) && j.tokens > 0);
    }
    while (b.len <= JUDGE_REPLY_MAX)
        buf_putc(&b, ' ');
    assert_int_equal(judge_reply(&j, &t, b.data, true, &err), ERR_LIMIT);
    buf_free(&b);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    struct ticket t = rig_ticket(RESOLUTION_REFUND);
    struct err err;
    struct judgement j = {.gold = 42};
    long n = 0;
    for (;; n++) {
        mem_fail_at(n);
        enum status status = judge_reply(&j, &t, RIGHT NEXT, true, &err);
        mem_fail_at(-1);
        if (status == OK)
            break;
        assert_int_equal(status, ERR_MEMORY);
        RIG_EQUAL(j.gold, 42);
    }
    assert_int_equal(n, 3);
    RIG_EQUAL(j.gold, 3.5);
}

static void test_write(void **state)
{
    (void)state;
    struct ticket t = rig_ticket(RESOLUTION_REFUND);
    struct judgement j = rig_judge(&t, "hello, " RIGHT SORRY SORRY, false);
    struct buf b;
    struct err err;
    struct json_writer w;
    struct json *root = NULL;
    buf_init(&b, 10000);
    json_writer_init(&w, &b, false);
    judge_write(&w, &j);
    assert_int_equal(json_parse(&root, b.data, b.len, "j", &err), OK);
    RIG_EQUAL(json_number(json_get(root, "gold"), 0), j.gold);
    RIG_EQUAL(json_number(json_get(root, "help"), 0), 2.75);
    const struct json *terms = json_get(root, "terms");
    assert_int_equal(json_size(terms), JUDGE_TERMS);
    RIG_EQUAL(json_number(json_get(terms, "repeats"), 0), -0.5);
    RIG_EQUAL(json_number(json_get(terms, "cut"), 0), -1);
    assert_string_equal(json_text(json_get(root, "order"), ""), "right");
    assert_true(json_bool(json_get(root, "resolution_right"), false));
    assert_false(json_bool(json_get(root, "eos"), true));
    json_free(root);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_tables_classify),
        cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_any_text),
        cmocka_unit_test(test_long_replies),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
