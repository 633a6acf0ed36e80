/*
 * test_world.c - sets of prompts: different from each other, held-out ones
 * never trained on.
 */
#include "rig.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "world/world.h"

static int compare_keys(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y ? 1 : 0;
}

/* How many texts of the sets appear more than once in all of them. */
static size_t count_repeats(const struct world_set *const *set, size_t n)
{
    static uint64_t key[40000];
    size_t total = 0;
    size_t repeats = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < set[i]->n; j++)
            key[total++] = ticket_key(&set[i]->ticket[j]);
    qsort(key, total, sizeof *key, compare_keys);
    for (size_t i = 1; i < total; i++)
        repeats += key[i] == key[i - 1] ? 1 : 0;
    return repeats;
}

static void test_sets(void **state)
{
    (void)state;
    struct err err;
    struct world_set sft, ppo, heldout, other, more;
    assert_int_equal(world_prompts(&sft, 1, TICKET_SFT, 12000, NULL, 0, &err),
                     OK);
    assert_int_equal(world_prompts(&ppo, 1, TICKET_PPO, 4000, NULL, 0, &err),
                     OK);
    assert_int_equal(
        world_prompts(&heldout, 1, TICKET_HELDOUT, 2000, NULL, 0, &err), OK);
    assert_int_equal(
        world_prompts(&other, 2, TICKET_HELDOUT, 2000, NULL, 0, &err), OK);
    const struct world_set *one[] = {&sft};
    const struct world_set *apart[] = {&sft, &heldout};
    const struct world_set *chance[] = {&sft, &ppo};
    const struct world_set *seeds[] = {&heldout, &other};
    assert_int_equal(count_repeats(one, 1), 0);
    assert_int_equal(count_repeats(apart, 2), 0);
    /* Splits that are only drawn apart do meet by chance, which shows that
     * the two zeros above are worth something. */
    assert_true(count_repeats(chance, 2) > 0);
    assert_true(count_repeats(seeds, 2) > 0);
    const struct world_set *avoid[] = {&heldout};
    assert_int_equal(
        world_prompts(&more, 2, TICKET_HELDOUT, 2000, avoid, 1, &err), OK);
    const struct world_set *kept[] = {&heldout, &more};
    assert_int_equal(count_repeats(kept, 2), 0);
    world_set_free(&sft);
    world_set_free(&ppo);
    world_set_free(&heldout);
    world_set_free(&other);
    world_set_free(&more);
}

/* A longer set begins with the shorter one. */
static void test_prefix(void **state)
{
    (void)state;
    struct err err;
    struct world_set a, b;
    assert_int_equal(world_prompts(&a, 4, TICKET_RANKING, 50, NULL, 0, &err),
                     OK);
    assert_int_equal(world_prompts(&b, 4, TICKET_RANKING, 900, NULL, 0, &err),
                     OK);
    for (size_t i = 0; i < a.n; i++)
        assert_true(ticket_key(&a.ticket[i]) == ticket_key(&b.ticket[i]));
    world_set_free(&a);
    world_set_free(&b);
    assert_int_equal(world_prompts(&a, 4, TICKET_PPO, 0, NULL, 0, &err), OK);
    assert_int_equal(a.n, 0);
    world_set_free(&a);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    struct err err;
    struct world_set a;
    for (long i = 0; i < 2; i++) {
        mem_fail_at(i);
        assert_int_equal(world_prompts(&a, 4, TICKET_PPO, 5, NULL, 0, &err),
                         ERR_MEMORY);
        mem_fail_at(-1);
    }
    assert_int_equal(
        world_prompts(&a, 4, TICKET_PPO, SIZE_MAX / 2, NULL, 0, &err),
        ERR_LIMIT);
}

/* A restricted set has the intents asked for, each as often. */
static void test_intents(void **state)
{
    (void)state;
    struct err err;
    struct world_set a;
    struct mix mix;
    double count[TABLES_INTENTS] = {0};
    assert_int_equal(mix_parse(&mix, "warranty,late,charge", 0, &err), OK);
    assert_int_equal(world_prompts_of(&a, 4, TICKET_PPO, 3000, &mix, &err), OK);
    for (size_t i = 0; i < a.n; i++)
        count[a.ticket[i].intent]++;
    RIG_RATE(count[INTENT_WARRANTY], 3000, 1.0 / 3);
    RIG_RATE(count[INTENT_LATE], 3000, 1.0 / 3);
    RIG_EQUAL(count[INTENT_WARRANTY] + count[INTENT_LATE] +
                  count[INTENT_CHARGE],
              3000);
    world_set_free(&a);
}

/* All intents without a shift are the set without a mix. */
static void test_whole_mix(void **state)
{
    (void)state;
    struct err err;
    struct world_set a, b;
    struct mix mix;
    assert_int_equal(mix_parse(&mix, NULL, 0, &err), OK);
    assert_int_equal(world_prompts_of(&a, 4, TICKET_PPO, 500, &mix, &err), OK);
    assert_int_equal(world_prompts(&b, 4, TICKET_PPO, 500, NULL, 0, &err), OK);
    for (size_t i = 0; i < a.n; i++)
        assert_true(ticket_key(&a.ticket[i]) == ticket_key(&b.ticket[i]));
    world_set_free(&a);
    world_set_free(&b);
}

/* Share of the second half of the intents among tickets first..last-1. */
static double second_half(const struct world_set *s, size_t first, size_t last)
{
    double n = 0;
    for (size_t i = first; i < last; i++)
        n += s->ticket[i].intent >= INTENT_CANCEL;
    return n;
}

/* A shift of 0.8: from 10 % to 90 %, on a straight line. */
static void test_shift(void **state)
{
    (void)state;
    struct err err;
    struct world_set a;
    struct mix mix;
    assert_int_equal(mix_parse(&mix, "", 0.8, &err), OK);
    assert_int_equal(world_prompts_of(&a, 4, TICKET_PPO, 4000, &mix, &err), OK);
    for (size_t k = 0; k < 4; k++)
        RIG_RATE(second_half(&a, 1000 * k, 1000 * k + 1000), 1000,
                 0.2 + 0.2 * (double)k);
    world_set_free(&a);
    mix.shift = 1;
    assert_int_equal(world_prompts_of(&a, 4, TICKET_PPO, 400, &mix, &err), OK);
    assert_true(a.ticket[0].intent < INTENT_CANCEL);
    assert_true(a.ticket[399].intent >= INTENT_CANCEL);
    world_set_free(&a);
}

static void test_mix_refuses(void **state)
{
    (void)state;
    struct err err;
    struct mix mix;
    assert_int_equal(mix_parse(&mix, "refund,lat", 0, &err), ERR_ARG);
    assert_non_null(strstr(err.text, "'lat'"));
    assert_non_null(strstr(err.text, "late"));
    assert_int_equal(mix_parse(&mix, "refund,,late", 0, &err), ERR_ARG);
    assert_int_equal(mix_parse(&mix, "late,refund,late", 0, &err), ERR_ARG);
    assert_non_null(strstr(err.text, "twice"));
    assert_int_equal(mix_parse(&mix, "late", 0.1, &err), ERR_ARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets),          cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_out_of_memory), cmocka_unit_test(test_intents),
        cmocka_unit_test(test_whole_mix),     cmocka_unit_test(test_shift),
        cmocka_unit_test(test_mix_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
