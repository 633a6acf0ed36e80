/*
 * test_world.c - sets of prompts: different from each other, held-out ones
 * never trained on.
 */
#include "rig.h"

#include <stdlib.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
