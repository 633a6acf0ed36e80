#include "rig.h"

#include <math.h>

struct ticket rig_ticket(enum resolution r)
{
    struct ticket t = {0};
    /* The first ticket of the stream with this resolution, then overwritten
     * where it can be seen. */
    for (uint32_t i = 0; i == 0 || t.resolution != r; i++)
        ticket_draw(&t, 1, TICKET_SFT, i);
    t.letter = 'Q';
    t.digit = '4';
    t.product = 3;
    t.amount = 4;
    t.opening = 4;
    t.tail = 5;
    t.wording = 0;
    t.names_product = words_has(tables_intent[t.intent].wording[0], "<prod>");
    return t;
}

void rig_rate(double k, double n, double p, const char *file, int line)
{
    double bound = RIG_SIGMAS * sqrt(n * p * (1 - p));
    if (!(fabs(k - n * p) <= bound)) {
        print_error("%g of %g is a rate of %g, wanted %g (bound on the count "
                    "%g)\n",
                    k, n, k / n, p, bound);
        _fail(file, line);
    }
}

void rig_mean(double mean, double sd, double n, double mu, const char *file,
              int line)
{
    double bound = RIG_SIGMAS * sd / sqrt(n);
    if (!(fabs(mean - mu) <= bound)) {
        print_error("mean %g, wanted %g within %g\n", mean, mu, bound);
        _fail(file, line);
    }
}

void rig_equal(double a, double b, const char *file, int line)
{
    if (!(fabs(a - b) <= 1e-12)) {
        print_error("%.17g is not %.17g\n", a, b);
        _fail(file, line);
    }
}

struct judgement rig_judge(const struct ticket *t, const char *reply,
                           bool is_eos)
{
    struct judgement j;
    struct err err;
    assert_int_equal(judge_reply(&j, t, reply, is_eos, &err), OK);
    return j;
}
