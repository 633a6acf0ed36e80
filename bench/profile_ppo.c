/*
 * profile_ppo.c - `plumb ppo` that tells where its iterations' time went.
 *
 *     profile_ppo ppo OPTION ...
 *
 * The program itself: --wrap of CMakeLists.txt lets the phases of an iteration
 * and every matrix product (gemm_clock.h) pass by clocks.  Behind the first
 * iteration, which does not count, and behind the last, oneDNN's peak is
 * measured (peak.h); the better one counts.  Then there stands on standard
 * output, of every phase:
 *
 *     seconds     of an iteration, on the clock
 *     share       of the iteration
 *     busy        time on processors / (seconds x threads)
 *     products    share of the time on processors that is in products
 *
 * and of every kind of product in it its share of that time, its GFLOP/s on a
 * core, and what that is of oneDNN's peak on a core for the same numbers, both
 * in time on processors, so that other programs disturb little.  "rest" is
 * traces, metrics and copies.
 */
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "gemm_clock.h"
#include "measure.h"
#include "peak.h"
#include "rlhf/ppo_internal.h"

enum phase {
    REST,
    ROLLOUT,
    SCORE,
    UPDATE,
    PHASES
};

struct spent {
    double wall, cpu;
    struct gemm_clock product[GEMM_CLOCK_KINDS];
};

static struct spent spent[PHASES];
static enum phase now;
static double since_wall, since_cpu;
static double peak[2]; // operations a second on a core: floats, bfloat16s

/* ---- the clocks ---------------------------------------------------------- */

static double cpu_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* What was spent since the last call belongs to the phase that was, which comes
 * back. */
static enum phase change(enum phase next)
{
    struct gemm_clock product[GEMM_CLOCK_KINDS];
    struct spent *s = &spent[now];
    enum phase was = now;
    double wall = measure_seconds(), cpu = cpu_seconds();

    gemm_clock_read(product);
    s->wall += wall - since_wall;
    s->cpu += cpu - since_cpu;
    for (int i = 0; i < GEMM_CLOCK_KINDS; i++) {
        s->product[i].seconds += product[i].seconds;
        s->product[i].operations += product[i].operations;
    }
    since_wall = wall;
    since_cpu = cpu;
    now = next;
    return was;
}

static void measure_peak(struct team *team)
{
    peak[0] = fmax(peak[0], peak_products(team, false).core);
    if (spent[UPDATE].product[GEMM_CLOCK_BF16].operations > 0)
        peak[1] = fmax(peak[1], peak_products(team, true).core);
}

/* ---- what is told -------------------------------------------------------- */

static void add(struct spent *to, const struct spent *s)
{
    to->wall += s->wall;
    to->cpu += s->cpu;
    for (int i = 0; i < GEMM_CLOCK_KINDS; i++) {
        to->product[i].seconds += s->product[i].seconds;
        to->product[i].operations += s->product[i].operations;
    }
}

static void print_phase(const char *name, const struct spent *s, double whole,
                        double iterations, size_t threads)
{
    static const char *const kinds[] = {"f32", "bf16", "own f32", "own bf16"};
    double products = 0;

    for (int i = 0; i < GEMM_CLOCK_KINDS; i++)
        products += s->product[i].seconds;
    (void)printf("%-8s %8.4f s %4.0f %% of time, busy %3.0f %%, products "
                 "%3.0f %%",
                 name, s->wall / iterations, 100 * s->wall / whole,
                 100 * s->cpu / (s->wall * (double)threads),
                 100 * products / s->cpu);
    for (int i = 0; i < GEMM_CLOCK_KINDS; i++) {
        const struct gemm_clock *p = &s->product[i];
        double rate = p->operations / p->seconds;
        if (p->operations > 0)
            (void)printf("; %s %.0f %% at %.1f GFLOP/s, %.0f %% of peak",
                         kinds[i], 100 * p->seconds / s->cpu, 1e-9 * rate,
                         100 * rate / peak[i % 2]);
    }
    (void)printf("\n");
}

static void print_profile(double iterations, size_t threads)
{
    static const char *const names[PHASES] = {"rest", "rollout", "score",
                                              "update"};
    struct spent all = {.wall = 0};

    for (int i = 0; i < PHASES; i++)
        add(&all, &spent[i]);
    (void)printf("formats %s\n",
                 all.product[GEMM_CLOCK_BF16].operations > 0 ? "bf16" : "f32");
    (void)printf("iterations %.0f, threads %zu\n", iterations, threads);
    (void)printf("peak of a core: f32 %.1f GFLOP/s", 1e-9 * peak[0]);
    if (peak[1] > 0)
        (void)printf(", bf16 %.1f GFLOP/s", 1e-9 * peak[1]);
    (void)printf("\n");
    for (int i = ROLLOUT; i < PHASES; i++)
        print_phase(names[i], &spent[i], all.wall, iterations, threads);
    print_phase(names[REST], &spent[REST], all.wall, iterations, threads);
    print_phase("all", &all, all.wall, iterations, threads);
}

/* ---- the phases ---------------------------------------------------------- */

/* The names are the linker's: see gemm_clock.c. */
/* NOLINTBEGIN(bugprone-reserved-identifier) */
__typeof__(rollout_sample) __real_rollout_sample, __wrap_rollout_sample;
__typeof__(rollout_compare) __real_rollout_compare, __wrap_rollout_compare;
__typeof__(rollout_values) __real_rollout_values, __wrap_rollout_values;
__typeof__(ppo_score_rollout) __real_ppo_score_rollout,
    __wrap_ppo_score_rollout;
__typeof__(ppo_update_run) __real_ppo_update_run, __wrap_ppo_update_run;
__typeof__(ppo_report_metrics) __real_ppo_report_metrics,
    __wrap_ppo_report_metrics;

enum status __wrap_rollout_sample(struct rollout *r, const struct model *policy,
                                  const struct sequence *prompts,
                                  size_t samples, const struct sampling *how,
                                  uint64_t seed, enum rng_purpose purpose,
                                  int64_t step, const struct context *context,
                                  struct err *err)
{
    enum phase was = change(ROLLOUT);
    enum status status = __real_rollout_sample(
        r, policy, prompts, samples, how, seed, purpose, step, context, err);
    (void)change(was);
    return status;
}

enum status __wrap_ppo_score_rollout(struct ppo *p, struct err *err)
{
    enum phase was = change(SCORE);
    enum status status = __real_ppo_score_rollout(p, err);
    (void)change(was);
    return status;
}

enum status
__wrap_rollout_compare(struct rollout *r, const struct model *policy,
                       const struct model *reference,
                       const struct model *previous, const struct model *value,
                       const struct scorer_rule *rule,
                       const struct context *context, struct err *err)
{
    enum phase was = change(SCORE);
    enum status status = __real_rollout_compare(r, policy, reference, previous,
                                                value, rule, context, err);
    (void)change(was);
    return status;
}

enum status __wrap_rollout_values(struct rollout *r, const struct model *value,
                                  const struct context *context,
                                  struct err *err)
{
    enum phase was = change(SCORE);
    enum status status = __real_rollout_values(r, value, context, err);
    (void)change(was);
    return status;
}

enum status __wrap_ppo_update_run(struct ppo_update_report *report,
                                  struct ppo *p, struct err *err)
{
    enum phase was = change(UPDATE);
    enum status status = __real_ppo_update_run(report, p, err);
    (void)change(was);
    return status;
}

/* The end of an iteration. */
enum status __wrap_ppo_report_metrics(struct ppo *p,
                                      const struct ppo_update_report *u,
                                      double gold, struct err *err)
{
    enum status status = __real_ppo_report_metrics(p, u, gold, err);
    bool is_last = p->step + 1 >= p->config->iterations;

    if (status != OK || (p->step > 0 && !is_last))
        return status;
    (void)change(REST);
    measure_peak(p->context->team);
    if (p->step > 0)
        print_profile((double)p->step, team_size(p->context->team));
    (void)change(REST);
    for (int i = 0; i < PHASES; i++)
        spent[i] = (struct spent){.wall = 0};
    return status;
}
/* NOLINTEND(bugprone-reserved-identifier) */
