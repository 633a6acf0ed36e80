/*
 * test_api_defaults.c - the defaults that plumb.h writes down are those of the
 * command line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <plumb.h>

#include "cli/options.h"

static void defaults(void **state)
{
    (void)state;
    struct options o;
    struct err err;
    const struct plumb_sampling s = PLUMB_SAMPLING_DEFAULT;
    const struct plumb_diagnose_options d = PLUMB_DIAGNOSE_DEFAULT;
    const struct plumb_load l = PLUMB_LOAD_DEFAULT;
    assert_int_equal(options_init(&o, &err), OK);
    assert_int_equal(options_apply(&o, &err), OK);
    assert_int_equal(s.size, sizeof s);
    assert_int_equal(s.seed, o.v.common.seed);
    assert_int_equal(s.samples, o.v.generate.samples);
    assert_int_equal(s.max_new, o.v.generate.max_new);
    assert_true(s.temperature == o.v.generate.temperature);
    assert_true(s.top_p == o.v.generate.top_p);
    assert_int_equal(s.top_k, o.v.generate.top_k);
    assert_int_equal(d.size, sizeof d);
    assert_int_equal(d.seed, o.v.common.seed);
    assert_int_equal(d.resamples, o.v.diagnose.resamples);
    assert_int_equal(l.size, sizeof l);
    assert_int_equal(l.is_bf16, o.v.common.precision);
    assert_int_equal(l.computes_bf16, o.v.common.compute);
    options_free(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
