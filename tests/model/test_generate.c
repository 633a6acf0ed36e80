/*
 * Generation: its log-probs are those of the training forward, its tokens
 * depend on nothing but the job, and it ends where it should.
 */
#include "rig.h"

#include <math.h>
#include <string.h>

#include "model/generate.h"

#define JOBS 37
#define NEW 12

/* Jobs over a few prompts of uneven length, some of them the same. */
struct jobs {
    int32_t prompt[JOBS][8];
    int32_t token[JOBS][NEW];
    float logp[JOBS][NEW];
    struct generate_job job[JOBS];
};

static void jobs_init(struct jobs *j, size_t V)
{
    memset(j, 0, sizeof *j);
    for (size_t i = 0; i < JOBS; i++) {
        size_t kind = i % 9;

        for (size_t t = 0; t < 8; t++)
            j->prompt[i][t] = (int32_t)((kind * 5 + t * 3 + 1) % V);
        j->job[i] = (struct generate_job){
            .prompt = j->prompt[i],
            .len_prompt = 1 + kind % 8,
            .token = j->token[i],
            .logp = j->logp[i],
        };
        rng_init(&j->job[i].rng, 11, RNG_TEST, 7, (uint32_t)i);
    }
}

static void run(struct generate_job *job, size_t n, const struct model *m,
                const struct sampling *s, size_t workers)
{
    struct context context = {0};
    struct err err = {0};

    assert_int_equal(team_create(&context.team, workers, &err), OK);
    if (generate_run(job, n, m, s, &context, &err) != OK)
        fail_msg("%s", err.text);
    team_destroy(context.team);
}

static void some_model_of(struct model *m, const struct model_config *c)
{
    rig_model(m, c, 8);
    m->banned = mem_calloc(c->V, 1);
    m->banned[0] = 1;
    m->banned[6] = 1;
}

static void some_model(struct model *m)
{
    struct model_config c = rig_config();

    some_model_of(m, &c);
}

struct check {
    float *logp;
    const struct model *m;
    const struct pack *pack;
    const int32_t *target;
    float temperature;
};

static enum status training_logp(void *ctx, struct arena *arena,
                                 struct err *err)
{
    const struct check *k = ctx;
    struct lmhead head = model_lmhead(k->m, k->temperature);
    struct activations a;
    float *scratch;

    TRY(activations_place(&a, k->m, k->pack->N, true, arena, err));
    TRY(transformer_forward(&a, k->m, k->pack, arena, err));
    TRY(ARENA_NEW(arena, scratch, lmhead_scratch(head.V, head.C), err));
    return lmhead_forward(k->logp, NULL, NULL, &head, a.hidden, k->target,
                          k->pack->N, -1, scratch, err);
}

/* Two log-probabilities, each from logits that may be off. */
static void check_near(float a, float b)
{
    double size = 1 + fabs((double)b);

    assert_true(fabs((double)a - (double)b) <= 2 * RIG_ROUNDING * size);
}

/* What the sampler recorded is what training computes for the same tokens. */
static void check_logp(const struct jobs *j, const struct model *m,
                       double temperature)
{
    for (size_t i = 0; i < JOBS; i++) {
        const struct generate_job *job = &j->job[i];
        float logp[RIG_TOKENS_MAX];
        int32_t target[RIG_TOKENS_MAX];
        struct err err = {0};
        struct rig_pack p;
        int32_t all[8 + NEW];
        struct check k = {logp, m, &p.pack, target, (float)temperature};

        memcpy(all, job->prompt, job->len_prompt * sizeof *all);
        memcpy(all + job->len_prompt, job->token, job->len * sizeof *all);
        rig_pack_init(&p);
        rig_pack_add(&p, all, job->len_prompt + job->len - 1);
        for (size_t n = 0; n < p.pack.N; n++) // the prompt's own may be banned
            target[n] = n + 1 < job->len_prompt ? 1 : all[n + 1];
        assert_int_equal(rig_run(training_logp, &k, &err), OK);
        for (size_t t = 0; t < job->len; t++)
            check_near(job->logp[t], logp[job->len_prompt - 1 + t]);
    }
}

static void test_logp_is_training_logp(void **state)
{
    struct sampling s = {.temperature = 0.7, .top_p = 1, .max_new = NEW};
    struct jobs j;
    struct model m;

    (void)state;
    some_model(&m);
    jobs_init(&j, m.config.V);
    run(j.job, JOBS, &m, &s, 1);
    check_logp(&j, &m, 0.7);
    /* Cutting the distribution changes what is drawn, not how it counts. */
    s.top_k = 4;
    s.top_p = 0.9;
    jobs_init(&j, m.config.V);
    run(j.job, JOBS, &m, &s, 1);
    check_logp(&j, &m, 0.7);
    s = (struct sampling){.temperature = 0, .top_p = 1, .max_new = NEW};
    jobs_init(&j, m.config.V);
    run(j.job, JOBS, &m, &s, 1);
    check_logp(&j, &m, 1);
    model_free(&m);
}

/* The cache gives what a whole pass gives, whatever stands in the layers. */
static void test_every_architecture(void **state)
{
    struct sampling s = {.temperature = 0.7, .top_p = 1, .max_new = NEW};

    (void)state;
    for (size_t i = 0; i <= arch_count(); i++) {
        struct model_config c =
            rig_config_of(arch_get(i % arch_count())->model_type);
        struct jobs j;
        struct model m;

        if (i == arch_count()) {
            c.attention_bias = true;
            c.stretch = (struct rope_stretch){ROPE_LLAMA3, 4, 0.4, 2, 8};
        }
        some_model_of(&m, &c);
        jobs_init(&j, m.config.V);
        run(j.job, JOBS, &m, &s, 1);
        check_logp(&j, &m, 0.7);
        model_free(&m);
    }
}

/* Any of several tokens ends a response, and only the tokens listed. */
static void test_stops(void **state)
{
    struct sampling s = {.temperature = 1.5, .top_p = 1, .max_new = NEW};
    struct model m;
    struct jobs j;
    size_t by_stop = 0;

    (void)state;
    some_model(&m);
    m.config.n_stop = 2;
    m.config.stop[0] = 3;
    m.config.stop[1] = 9;
    jobs_init(&j, m.config.V);
    run(j.job, JOBS, &m, &s, 1);
    for (size_t i = 0; i < JOBS; i++) {
        const struct generate_job *job = &j.job[i];

        for (size_t t = 0; t < job->len; t++) {
            int32_t id = job->token[t];
            bool stops = id == m.config.eos || id == 3 || id == 9;

            assert_int_equal(stops, t + 1 == job->len && job->is_eos);
            by_stop += id == 3 || id == 9;
        }
    }
    assert_true(by_stop > 0);
    model_free(&m);
}

static void assert_same_jobs(const struct jobs *a, const struct jobs *b)
{
    assert_memory_equal(a->token, b->token, sizeof a->token);
    assert_memory_equal(a->logp, b->logp, sizeof a->logp);
    for (size_t i = 0; i < JOBS; i++) {
        assert_int_equal(a->job[i].len, b->job[i].len);
        assert_int_equal(a->job[i].is_eos, b->job[i].is_eos);
        assert_memory_equal(&a->job[i].rng, &b->job[i].rng,
                            sizeof a->job[i].rng);
    }
}

/* The same bits from one, two and five workers, and when run again. */
static void test_workers(void **state)
{
    static const size_t workers[] = {1, 2, 5};
    struct sampling s = {
        .temperature = 1, .top_p = 0.95, .max_new = NEW, .group = 4};
    static struct jobs one;
    static struct jobs other;
    struct model m;

    (void)state;
    some_model(&m);
    jobs_init(&one, m.config.V);
    run(one.job, JOBS, &m, &s, 1);
    for (size_t i = 0; i < 3; i++) {
        jobs_init(&other, m.config.V);
        run(other.job, JOBS, &m, &s, workers[i]);
        assert_same_jobs(&one, &other);
    }
    model_free(&m);
}

/* Same tokens, log-probs, end and state of the stream. */
static void assert_same_job(const struct generate_job *a,
                            const struct generate_job *b)
{
    assert_int_equal(a->len, b->len);
    assert_int_equal(a->is_eos, b->is_eos);
    assert_memory_equal(a->token, b->token, a->len * sizeof *a->token);
    assert_memory_equal(a->logp, b->logp, a->len * sizeof *a->logp);
    assert_memory_equal(&a->rng, &b->rng, sizeof a->rng);
}

/* A response has the same bits alone, in other company, in another order, in
 * fewer slots than there are jobs and on several workers. */
static void check_company(const struct model *m)
{
    struct sampling s = {.temperature = 1, .top_p = 1, .max_new = NEW};
    static struct jobs all, again;
    static struct generate_job turned[JOBS];

    jobs_init(&all, m->config.V);
    run(all.job, JOBS, m, &s, 1);
    jobs_init(&again, m->config.V);
    for (size_t i = 0; i < JOBS; i++) {
        run(&again.job[i], 1, m, &s, 1);
        assert_same_job(&again.job[i], &all.job[i]);
    }
    jobs_init(&again, m->config.V);
    for (size_t i = 0; i < JOBS; i += 7)
        run(&again.job[i], JOBS - i < 7 ? JOBS - i : 7, m, &s, 2);
    for (size_t i = 0; i < JOBS; i++)
        assert_same_job(&again.job[i], &all.job[i]);
    jobs_init(&again, m->config.V);
    for (size_t i = 0; i < JOBS; i++)
        turned[i] = again.job[JOBS - 1 - i];
    s.group = 5;
    run(turned, JOBS, m, &s, 3);
    for (size_t i = 0; i < JOBS; i++)
        assert_same_job(&turned[JOBS - 1 - i], &all.job[i]);
}

static void test_company(void **state)
{
    (void)state;
    for (size_t i = 0; i < arch_count(); i++) {
        struct model_config c = rig_config_of(arch_get(i)->model_type);
        struct model m;

        some_model_of(&m, &c);
        check_company(&m);
        model_free(&m);
    }
}

/* The same of a base frozen in bfloat16 under an adapter, whose log-probs are
 * those of training, too. */
static void test_frozen(void **state)
{
    struct sampling s = {.temperature = 0.7, .top_p = 1, .max_new = NEW};
    struct lora_config lora = {.rank = 3, .alpha = 4, .targets = LORA_ALL};
    static struct jobs j;
    struct err err = {0};
    struct model m;

    (void)state;
    some_model(&m);
    assert_int_equal(model_freeze(&m, &err), OK);
    assert_int_equal(model_adapt(&m, &lora, 5, &err), OK);
    for (size_t i = 0; i < m.lora->n; i++) // B begins as zero
        m.lora->params[i] += (float)((int)(i % 7) - 3) * 0.05f;
    jobs_init(&j, m.config.V);
    run(j.job, JOBS, &m, &s, 2);
    check_logp(&j, &m, 0.7);
    check_company(&m);
    model_free(&m);
}

/*
 * Prompts with long beginnings in common: full pages of them, parts of pages,
 * all of a prompt, a prompt that is another one's beginning.
 */
#define LONG 45
struct long_jobs {
    int32_t prompt[JOBS][LONG];
    int32_t token[JOBS][NEW];
    float logp[JOBS][NEW];
    struct generate_job job[JOBS];
};

static void long_jobs_init(struct long_jobs *j, size_t V)
{
    static const size_t common[] = {0, 16, 17, 31, 32, 33, 40, LONG};

    memset(j, 0, sizeof *j);
    for (size_t i = 0; i < JOBS; i++) {
        size_t same = common[i % 8];

        for (size_t t = 0; t < LONG; t++)
            j->prompt[i][t] =
                (int32_t)((t * 7 + t / 5 + (t < same ? 0 : i % 3 + 1)) % V);
        j->job[i] = (struct generate_job){
            .prompt = j->prompt[i],
            .len_prompt = i % 5 == 4 ? 20 + i % 20 : LONG,
            .token = j->token[i],
            .logp = j->logp[i],
        };
        rng_init(&j->job[i].rng, 12, RNG_TEST, 7, (uint32_t)i);
    }
}

static void test_shared_beginnings(void **state)
{
    struct sampling s = {.temperature = 1, .top_p = 0.9, .max_new = NEW};
    static const size_t slots[] = {0, 1, 2, 6, JOBS};
    static struct long_jobs alone, together;
    struct model_config c = rig_config();
    struct model m;

    (void)state;
    c.T_max = LONG + NEW - 2;
    some_model_of(&m, &c);
    long_jobs_init(&alone, m.config.V);
    for (size_t i = 0; i < JOBS; i++)
        run(&alone.job[i], 1, &m, &s, 1);
    for (size_t k = 0; k < sizeof slots / sizeof *slots; k++) {
        long_jobs_init(&together, m.config.V);
        s.group = slots[k];
        run(together.job, JOBS, &m, &s, 1 + k % 3);
        for (size_t i = 0; i < JOBS; i++)
            assert_same_job(&together.job[i], &alone.job[i]);
    }
    model_free(&m);
}

/* A prompt longer than a step's rows is computed in several. */
static void test_long_prompt(void **state)
{
    struct sampling s = {.temperature = 1, .top_p = 1, .max_new = 3};
    static int32_t prompt[3][700];
    static struct generate_job job[3], again[3];
    int32_t token[6][3];
    float logp[6][3];
    struct model_config c = rig_config();
    struct model m;

    (void)state;
    c.T_max = 710;
    some_model_of(&m, &c);
    for (size_t i = 0; i < 3; i++) {
        for (size_t t = 0; t < 700; t++)
            prompt[i][t] = (int32_t)((t * t + i * t / 300) % c.V);
        job[i] = (struct generate_job){.prompt = prompt[i],
                                       .len_prompt = 700 - 90 * i,
                                       .token = token[i],
                                       .logp = logp[i]};
        rng_init(&job[i].rng, 13, RNG_TEST, 7, (uint32_t)i);
        again[i] = job[i];
        again[i].token = token[3 + i];
        again[i].logp = logp[3 + i];
        run(&again[i], 1, &m, &s, 1);
    }
    run(job, 3, &m, &s, 1);
    for (size_t i = 0; i < 3; i++)
        assert_same_job(&job[i], &again[i]);
    model_free(&m);
}

/* Responses end at EOS, at max_new, or at the model's last position; banned
 * tokens do not occur. */
static void test_ends(void **state)
{
    struct sampling s = {.temperature = 1.5, .top_p = 1, .max_new = NEW};
    struct jobs j;
    struct model m;
    size_t n_eos = 0;
    size_t n_long = 0;

    (void)state;
    some_model(&m);
    m.config.T_max = 14; // the rope table has more rows than that
    jobs_init(&j, m.config.V);
    run(j.job, JOBS, &m, &s, 1);
    for (size_t i = 0; i < JOBS; i++) {
        const struct generate_job *job = &j.job[i];
        size_t room = 14 - job->len_prompt;
        size_t limit = room < NEW ? room : NEW;

        assert_in_range(job->len, 1, limit);
        for (size_t t = 0; t < job->len; t++) {
            bool is_eos = job->token[t] == m.config.eos;

            assert_true(job->token[t] != 0 && job->token[t] != 6);
            assert_true(!is_eos || t + 1 == job->len);
        }
        assert_int_equal(job->is_eos, job->token[job->len - 1] == m.config.eos);
        assert_true(job->is_eos || job->len == limit);
        n_eos += job->is_eos;
        n_long += !job->is_eos && limit < NEW;
    }
    assert_true(n_eos > 0 && n_long > 0); // both ways of ending occurred
    model_free(&m);
}

static void test_no_room(void **state)
{
    struct sampling s = {.temperature = 1, .top_p = 1, .max_new = 0};
    struct jobs j;
    struct model m;

    (void)state;
    some_model(&m);
    jobs_init(&j, m.config.V);
    run(j.job, JOBS, &m, &s, 1);
    for (size_t i = 0; i < JOBS; i++)
        assert_true(j.job[i].len == 0 && !j.job[i].is_eos);
    /* One job has no room left, its neighbours go on. */
    s.max_new = NEW;
    m.config.T_max = 8;
    run(j.job, JOBS, &m, &s, 1);
    assert_int_equal(j.job[7].len_prompt, 8);
    assert_int_equal(j.job[7].len, 0);
    assert_true(j.job[6].len == 1 && j.job[0].len > 0);
    run(j.job, 0, &m, &s, 1);
    model_free(&m);
}

static void test_bad_arguments(void **state)
{
    static const struct {
        struct sampling s;
        const char *word;
    } bad[] = {
        {{.temperature = -1, .top_p = 1, .max_new = 1}, "temperature"},
        {{.temperature = NAN, .top_p = 1, .max_new = 1}, "temperature"},
        {{.temperature = 1, .top_p = 0, .max_new = 1}, "top_p"},
        {{.temperature = 1, .top_p = 1.1, .max_new = 1}, "top_p"},
        {{.temperature = 1, .top_p = NAN, .max_new = 1}, "top_p"},
        {{.temperature = 1, .top_p = 1, .max_new = 1, .group = 100000},
         "group"},
    };
    struct sampling fine = {.temperature = 1, .top_p = 1, .max_new = 2};
    struct context context = {0};
    struct err err = {0};
    struct jobs j;
    struct model m;

    (void)state;
    some_model(&m);
    jobs_init(&j, m.config.V);
    assert_int_equal(team_create(&context.team, 2, &err), OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(
            generate_run(j.job, JOBS, &m, &bad[i].s, &context, &err), ERR_ARG);
        assert_non_null(strstr(err.text, bad[i].word));
    }
    j.job[3].len_prompt = 0;
    assert_int_equal(generate_run(j.job, JOBS, &m, &fine, &context, &err),
                     ERR_MISMATCH);
    j.job[3].len_prompt = 33;
    assert_int_equal(generate_run(j.job, JOBS, &m, &fine, &context, &err),
                     ERR_MISMATCH);
    j.job[3].len_prompt = 4;
    j.prompt[3][1] = 11;
    assert_int_equal(generate_run(j.job, JOBS, &m, &fine, &context, &err),
                     ERR_MISMATCH);
    j.prompt[3][1] = 1;
    m.params[params_offset(&m.config, PARAM_NORM, 0)] = NAN;
    assert_int_equal(generate_run(j.job, JOBS, &m, &fine, &context, &err),
                     ERR_NUMERIC);
    team_destroy(context.team);
    model_free(&m);
}

/* Each allocation that fails is reported and leaks nothing. */
static void test_memory_failures(void **state)
{
    struct sampling s = {
        .temperature = 1, .top_p = 1, .max_new = NEW, .group = 16};
    struct model_config c = rig_config();
    struct context context = {0};
    struct err err = {0};
    struct model m;
    struct jobs j;
    int failures = 0;

    (void)state;
    c.V = 3000; // so that arenas need more than their first block
    rig_model(&m, &c, 9);
    assert_int_equal(team_create(&context.team, 1, &err), OK);
    /* An arena tries a smaller block before it gives up, so not every failure
     * is the caller's. */
    for (long n = 0; n < 12; n++) {
        enum status status;

        jobs_init(&j, 11);
        mem_fail_at(n);
        status = generate_run(j.job, JOBS, &m, &s, &context, &err);
        mem_fail_at(-1);
        assert_true(status == OK || status == ERR_MEMORY);
        failures += status != OK;
    }
    assert_true(failures >= 2);
    team_destroy(context.team);
    model_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logp_is_training_logp),
        cmocka_unit_test(test_every_architecture),
        cmocka_unit_test(test_stops),
        cmocka_unit_test(test_workers),
        cmocka_unit_test(test_company),
        cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_shared_beginnings),
        cmocka_unit_test(test_long_prompt),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_bad_arguments),
        cmocka_unit_test(test_memory_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
