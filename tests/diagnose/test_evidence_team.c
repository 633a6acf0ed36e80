/* test_evidence_team.c - rollouts read by several workers are those read by
 * one, damage and all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/parallel.h"
#include "diagnose/evidence.h"
#include "eval/files.h"
#include "io/trace.h"
#include "toy.h"

FILES_FIXTURE(dir)
static const struct bootstrap plan = {.seed = 1, .resamples = 200};

static const char *path_of(int k)
{
    char name[64];
    snprintf(name, sizeof name, "ppo/rollouts/%06d.jsonl.zst", k);
    return files_path(dir, name);
}

/* File `to` holds the rows of `from`, but the last `less` bytes of them. */
static void replace(int to, int from, size_t less)
{
    struct buf text;
    struct err err;
    buf_init(&text, (size_t)1 << 24);
    files_must(trace_read_file(&text, path_of(from), &err), &err);
    text.len -= less;
    files_must(trace_write_file(path_of(to), &text, &err), &err);
    buf_free(&text);
}

static void read_with(struct evidence *e, size_t workers)
{
    struct team *team = NULL;
    struct err err;
    if (workers > 0)
        files_must(team_create(&team, workers, &err), &err);
    files_must(evidence_read_with(e, dir, NULL, team, &plan, &err), &err);
    team_destroy(team);
}

static void same_names(const struct names *a, const struct names *b)
{
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++)
        assert_string_equal(a->text[i], b->text[i]);
}

static void same(const struct evidence *a, const struct evidence *b)
{
    const size_t numbers = offsetof(struct evidence_rollout, tokens);
    assert_int_equal(a->n_rollout, b->n_rollout);
    assert_int_equal(a->n_step, b->n_step);
    for (size_t i = 0; i < a->n_rollout; i++) {
        const struct evidence_rollout *x = &a->rollout[i];
        const struct evidence_rollout *y = &b->rollout[i];
        assert_memory_equal(x, y, offsetof(struct evidence_rollout, is_eos));
        assert_int_equal(x->is_eos, y->is_eos);
        assert_memory_equal((const char *)x + numbers,
                            (const char *)y + numbers, sizeof *x - numbers);
    }
    assert_memory_equal(a->step, b->step, a->n_step * sizeof *a->step);
    same_names(&a->rollout_prompt, &b->rollout_prompt);
    same_names(&a->tag, &b->tag);
    assert_int_equal(a->n_loss, b->n_loss);
    for (size_t i = 0; i < a->n_loss; i++)
        assert_string_equal(a->loss[i].why, b->loss[i].why);
}

/* More files than the workers take at a time; of them one is cut within a row,
 * two are of iterations that were before.
 * The file behind each is taken as if they were not there. */
static void test_workers(void **state)
{
    (void)state;
    struct toy t = toy_paradox(dir);
    struct evidence alone, e;
    t.iterations = 70;
    t.batch = 4;
    toy_write(&t);
    replace(5, 5, 40);
    replace(9, 2, 0);
    replace(66, 3, 0);
    read_with(&alone, 0);
    assert_int_equal(alone.n_step, 67);
    const struct evidence_loss *loss = evidence_damaged(&alone, "ppo/rollouts");
    assert_non_null(loss);
    assert_non_null(strstr(loss->why, "000005.jsonl.zst"));
    assert_non_null(strstr(loss->why,
                           "000009.jsonl.zst: line 1 is of iteration 2, and "
                           "rows of iteration 8 come before it"));
    assert_non_null(strstr(loss->why, "rows of iteration 65 come before it"));
    for (size_t workers = 1; workers <= 3; workers++) {
        read_with(&e, workers);
        same(&alone, &e);
        evidence_free(&e);
    }
    evidence_free(&alone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_workers, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
