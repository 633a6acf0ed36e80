/*
 * test_partial_story.c - what the rows of an imported run say together: the
 * likely cause, the two changes to try and how sure that is; that a healthy run
 * has none; and what the trainer's settings add to it.  The sentence that each
 * case must have is told in words before it.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "diagnose/foreign.h"
#include "diagnose/imported.h"
#include "diagnose/partial.h"
#include "eval/files.h"

FILES_FIXTURE(dir)

static struct evidence e;
static struct diagnosis d;
static struct buf summary;
static char sentence[4096]; // "" where nothing is told

static void read_run(void)
{
    struct buf text;
    foreign_diagnose(&e, &d, dir);
    buf_init(&summary, (size_t)1 << 24);
    diagnose_summary(&summary, &d, &e);
    assert_int_equal(buf_status(&summary, NULL), OK);
    buf_init(&text, sizeof sentence - 1);
    assert_true(diagnose_sentence(&text, &d, &e) == (text.len > 0));
    snprintf(sentence, sizeof sentence, "%s", buf_text(&text));
    buf_free(&text);
}

static void done(void)
{
    buf_free(&summary);
    foreign_free(&e, &d);
}

static void must_say(const char *part)
{
    if (strstr(sentence, part) == NULL)
        fail_msg("'%s' is not in: %s", part, sentence);
}

static void must_not_say(const char *part)
{
    if (strstr(sentence, part) != NULL)
        fail_msg("'%s' is in: %s", part, sentence);
}

static void must_show(const char *part)
{
    if (strstr(buf_text(&summary), part) == NULL)
        fail_msg("'%s' is not in: %s", part, buf_text(&summary));
}

/* ---- courses ------------------------------------------------------------ */

/* A GRPO log of 100 steps, by its columns: a score and a KL that go by so much
 * a step, the rest noise about a level. */
static struct {
    double score, kl, entropy, late; // late: of the score's second half
} slope;
static unsigned long long seed;

static double course(size_t column, size_t i)
{
    double t = (double)i, half = t > 50 ? t - 50 : 0;
    double noise = foreign_normal(&seed);
    switch (column) {
    case 0:
        return 0.2 + slope.score * t + slope.late * half + 0.02 * noise;
    case 1:
        return slope.kl * t + 0.0003 * fabs(noise);
    case 2:
        return 200 + 6 * noise;
    case 3:
        return 0.8 + slope.entropy * t + 0.02 * noise;
    case 4:
        return 0.001;
    default:
        return fmax(0, 0.02 + 0.01 * noise);
    }
}

static void write_courses(void)
{
    static const char *const column[] = {"objective/scores",
                                         "kl",
                                         "response/length",
                                         "policy/entropy_avg",
                                         "policy/clipfrac_avg",
                                         "completions/clipped_ratio",
                                         NULL};
    char members[4096];
    snprintf(members, sizeof members,
             "\"kl\":[{\"name\":\"kl\",\"kind\":\"reference\","
             "\"estimator\":\"k3\",\"aggregate\":\"token_mean\","
             "\"sign\":\"log policy - log reference\"}],%s",
             foreign_missing);
    foreign_import(dir, members);
    foreign_metrics(dir, 100, 1, column, course);
}

/*
 * Twelve healthy logs: the score rises by 0.005 a step, the KL by 0.0003 nats a
 * token, length, entropy and cuts do not move.  Nothing points to a fault, and
 * no larger coefficient is advised; the verdict stays inconclusive, since
 * nobody was asked whether the answers got better.
 */
static void test_healthy(void **state)
{
    (void)state;
    for (unsigned s = 1; s <= 12; s++) {
        slope.score = 0.005;
        slope.kl = 0.0003;
        slope.entropy = slope.late = 0;
        seed = s;
        write_courses();
        read_run();
        assert_int_equal(foreign_verdict_of(&d, "trend_kl"), VERDICT_SUPPORTED);
        assert_int_equal(d.verdict, DIAGNOSIS_INCONCLUSIVE);
        must_say("nothing that was imported points to a fault: ");
        must_say("the score rose (trend_reward 0.00");
        must_say("looked for and not shown: ");
        must_not_say("probably");
        must_not_say("KL coefficient");
        done();
    }
}

/* The same with an entropy that falls from 0.8 to 0.4, as it does where a
 * policy learns: nothing points to a fault. */
static void test_narrowing(void **state)
{
    (void)state;
    slope.score = 0.005;
    slope.kl = 0.0003;
    slope.entropy = -0.004;
    slope.late = 0;
    seed = 3;
    write_courses();
    read_run();
    assert_int_equal(foreign_verdict_of(&d, "trend_entropy"),
                     VERDICT_SUPPORTED);
    must_say("nothing that was imported points to a fault");
    done();
}

/*
 * The same KL with a score that rises until step 50 and falls behind it: past
 * its best while the policy left the reference.  Two changes, each with the row
 * that it answers, whose interval is told; and how many leads would be shown by
 * chance.
 */
static void test_late_fall(void **state)
{
    (void)state;
    struct partial_story s;
    slope.score = 0.005;
    slope.kl = 0.0003;
    slope.entropy = 0;
    slope.late = -0.009;
    seed = 1;
    write_courses();
    read_run();
    const struct rows rows = diagnose_rows(&d);
    must_say("probably the run went on past its best while the policy left "
             "the reference, because the score in training peaked and fell "
             "(late_fall -");
    must_say("slope of the second half -0.00");
    must_say("and the KL to the reference rose (trend_kl 0.0003");
    must_say("nats a token and iteration)");
    must_say("; to try: going back to the checkpoint of the peak (late_fall), "
             "or a larger KL coefficient, or one that is held to a target "
             "(trend_kl); how sure: ");
    assert_true(partial_tell(&s, &rows, &e));
    assert_int_equal(s.n_advice, 2);
    assert_ptr_equal(s.advice[1].row, foreign_row_of(&d, "trend_kl"));
    assert_true(finding_has_interval(&s.advice[1].row->e));
    assert_true(s.looked >= 6 && s.shown >= 2 && s.shown < s.looked);
    files_near(s.by_chance, 0.025 * (double)s.looked, 1e-12);
    done();
}

/* A KL that rises while the score falls from the start: the policy pays for
 * nothing, and that the score did not rise is told with its numbers.  The
 * second change answers the fall. */
static void test_unearned(void **state)
{
    (void)state;
    slope.score = -0.002;
    slope.kl = 0.0003;
    slope.entropy = slope.late = 0;
    seed = 2;
    write_courses();
    read_run();
    must_say("probably the policy leaves the reference without earning "
             "anything for it");
    must_say("it is not so that the score rose (trend_reward -0.00");
    must_say("(trend_kl), or going back to the checkpoint of the peak "
             "(late_fall -0.");
    done();
}

/* Two causes are seen: the second change answers the second of them, and its
 * numbers, which were not told yet, stand beside it. */
static double two_causes(size_t column, size_t i)
{
    double t = (double)i, noise = 0.01 * foreign_normal(&seed);
    if (column == 0)
        return (i < 15 ? 0.02 * t : 0.3 - 0.01 * (t - 15)) + noise;
    return 0.05 + 0.01 * t + noise;
}

static void test_second_cause(void **state)
{
    (void)state;
    static const char *const column[] = {"eval/accuracy", "policy/clipfrac_avg",
                                         NULL};
    seed = 4;
    foreign_import(dir, foreign_missing);
    foreign_metrics(dir, 40, 1, column, two_causes);
    read_run();
    must_say("probably the run went on past its best, because");
    must_say("(beside it: trend_clip)");
    must_say("or a smaller learning rate (trend_clip 0.0");
    must_say("share an iteration)");
    done();
}

/* Ten leads, of which one is seen, 0.5 with an interval of this half-width. */
static bool is_firm_at(double half)
{
    static struct finding gate[GATES], observed[OBSERVED],
        mechanism[MECHANISMS];
    static struct imported x;
    struct leads leads = {.row = NULL};
    const struct rows rows = {gate, observed, mechanism, &leads};
    const struct evidence alone = {.import = &x};
    struct partial_story s;
    struct buf text;
    struct err err;
    for (int i = 0; i < 10; i++) {
        struct finding *f;
        files_must(leads_add(&f, &leads, i == 3 ? "trend_clip" : "trend_length",
                             "more", "share", "data", &err),
                   &err);
        f->e = (struct estimate){0.5, 0.5 - half, 0.5 + half, 40};
        f->null = 0;
        f->verdict = i == 3 ? VERDICT_SUPPORTED : VERDICT_NOT_SUPPORTED;
    }
    for (int i = 0; i < GATES; i++)
        gate[i] = finding_new("V", "", "", "");
    for (int i = 0; i < OBSERVED; i++)
        observed[i] = finding_new("S", "", "", "");
    for (int i = 0; i < MECHANISMS; i++)
        mechanism[i] = finding_new("a", "", "", "");
    assert_true(partial_tell(&s, &rows, &alone));
    assert_int_equal(s.looked, 10);
    assert_int_equal(s.shown, 1);
    files_near(s.by_chance, 0.25, 1e-12);
    buf_init(&text, 4096);
    partial_say(&text, &s, &leads);
    bool is_probable = strncmp(buf_text(&text), "probably ", 9) == 0;
    assert_true(is_probable || strncmp(buf_text(&text), "perhaps ", 8) == 0);
    assert_true(is_probable == s.is_firm);
    buf_free(&text);
    leads_free(&leads);
    return is_probable;
}

/* One row of ten with an interval of 0.02 to 0.98 is what chance shows now and
 * then (p 0.041): "perhaps".  With 0.4 to 0.6 it is "probably". */
static void test_perhaps(void **state)
{
    (void)state;
    assert_false(is_firm_at(0.48));
    assert_true(is_firm_at(0.1));
}

/* What is told of a run, as programs read it. */
static void test_document(void **state)
{
    (void)state;
    struct json_writer w;
    struct json *j;
    struct buf out;
    struct err err;
    seed = 4;
    static const char *const column[] = {"eval/accuracy", "policy/clipfrac_avg",
                                         NULL};
    foreign_import(dir, foreign_missing);
    foreign_metrics(dir, 40, 1, column, two_causes);
    read_run();
    buf_init(&out, (size_t)1 << 24);
    json_writer_init(&w, &out, false);
    diagnose_write(&w, &d, &e);
    files_must(json_parse(&j, buf_text(&out), out.len, "d", &err), &err);
    const struct json *story = json_get(j, "story");
    const struct json *try = json_get(story, "to_try");
    assert_string_equal(json_text(json_get(j, "sentence"), ""), sentence);
    assert_string_equal(json_text(json_at(json_get(story, "signs"), 0), ""),
                        "late_fall");
    assert_int_equal(json_size(try), 2);
    for (size_t i = 0; i < 2; i++) {
        const struct json *a = json_at(try, i);
        double low = json_number(json_get(a, "low"), (double)NAN);
        double high = json_number(json_get(a, "high"), (double)NAN);
        assert_true(low < high);
        assert_true(json_text(json_get(a, "change"), "")[0] != '\0');
    }
    assert_string_equal(json_text(json_get(json_at(try, 1), "row"), ""),
                        "trend_clip");
    json_free(j);
    buf_free(&out);
    done();
}

/* Nothing was measured that could point anywhere: nothing is said, either. */
static void test_silent(void **state)
{
    (void)state;
    static const char *const column[] = {"other", NULL};
    foreign_import(dir, foreign_missing);
    seed = 1;
    foreign_metrics(dir, 40, 1, column, two_causes);
    read_run();
    assert_string_equal(sentence, "");
    done();
}

/* A score that neither rises nor falls, or three evaluations of which the
 * second is the highest: no fault is shown, and nobody is told that all is
 * well. */
static double doubtful(size_t column, size_t i)
{
    static const double accuracy[] = {0.55, 0.58, 0.52};
    double noise = foreign_normal(&seed);
    if (column == 0)
        return 200 + noise;
    if (column == 1)
        return i % 10 == 0 && i < 30 ? accuracy[i / 10] : (double)NAN;
    return 0.4 + 0.02 * noise;
}

static void test_doubtful(void **state)
{
    (void)state;
    static const char *const fall[] = {"response/length", "eval/accuracy",
                                       NULL};
    static const char *const flat[] = {"response/length", "eval/none",
                                       "objective/scores", NULL};
    seed = 5;
    foreign_import(dir, foreign_missing);
    foreign_metrics(dir, 40, 1, fall, doubtful);
    read_run();
    assert_int_equal(foreign_row_of(&d, "late_fall")->e.n, 3);
    assert_string_equal(sentence, "");
    done();
    foreign_metrics(dir, 40, 1, flat, doubtful);
    read_run();
    assert_int_equal(foreign_verdict_of(&d, "trend_reward"),
                     VERDICT_NOT_MEASURABLE);
    assert_string_equal(sentence, "");
    done();
}

/* ---- settings ----------------------------------------------------------- */

#define ACTOR "  \"actor_rollout_ref.actor."

static void write_settings(const char *text)
{
    char all[2048];
    snprintf(all, sizeof all, "ppo:\n  \"beta\": \"0.001\"\nimported:\n%s",
             text);
    files_write(dir, "ppo/config.yaml", all);
}

/*
 * verl with its loss charged by k1, which is no charge: the import warns of it
 * with key, reason and fix, a row says so, and the sentence puts it before all
 * that a rising KL would say; the fix is what is tried first.
 */
static void test_settings(void **state)
{
    (void)state;
    slope.score = 0.005;
    slope.kl = 0.0003;
    slope.entropy = slope.late = 0;
    seed = 1;
    write_courses();
    write_settings(ACTOR "use_kl_loss\": \"True\"\n" ACTOR
                         "kl_loss_type\": \"kl\"\n" ACTOR
                         "kl_loss_coef\": \"0.001\"\n");
    read_run();
    assert_true(e.import->is_linted);
    assert_int_equal(lint_count(&e.import->lint, LINT_ERROR), 1);
    assert_int_equal(foreign_verdict_of(&d, "settings_penalty"),
                     VERDICT_SUPPORTED);
    must_show("! settings, k1-in-loss: actor_rollout_ref.actor.kl_loss_type = "
              "kl: k1 in the loss is");
    must_show("; fix: actor_rollout_ref.actor.kl_loss_type=mse\n");
    must_say("probably the KL penalty does not act as it is set, because plumb "
             "lint finds 1 error");
    must_say("k1-in-loss (actor_rollout_ref.actor.kl_loss_type = kl)");
    must_say("and the KL to the reference rose (trend_kl");
    must_say("; to try: actor_rollout_ref.actor.kl_loss_type=mse "
             "(settings_penalty), or ");
    done();
}

/* The same by its straight-through form, whose gradient is right: no error, and
 * nothing points to a fault.  A cause that is seen goes before the settings,
 * whose fix is then the second change. */
static void test_settings_beside(void **state)
{
    (void)state;
    slope.score = 0.005;
    slope.kl = 0.0003;
    slope.entropy = slope.late = 0;
    seed = 1;
    write_courses();
    write_settings(ACTOR "use_kl_loss\": \"True\"\n" ACTOR
                         "kl_loss_type\": \"k1+\"\n");
    read_run();
    assert_int_equal(foreign_verdict_of(&d, "settings"), VERDICT_NOT_SUPPORTED);
    must_say("nothing that was imported points to a fault");
    done();
    slope.late = -0.009;
    seed = 1;
    write_courses();
    write_settings(ACTOR "use_kl_loss\": \"True\"\n" ACTOR
                         "kl_loss_type\": \"kl\"\n");
    read_run();
    must_say("probably the run went on past its best while");
    must_say("(beside it: settings_penalty)");
    must_say("or actor_rollout_ref.actor.kl_loss_type=mse (settings_penalty 1 "
             "error(s) of plumb lint)");
    done();
}

/* Settings of nobody that lint knows: no word of them. */
static void test_settings_unknown(void **state)
{
    (void)state;
    slope.late = 0;
    seed = 1;
    write_courses();
    write_settings("  \"colour\": \"red\"\n");
    read_run();
    assert_false(e.import->is_linted);
    const struct rows rows = diagnose_rows(&d);
    assert_null(rivals_row(&rows, "settings"));
    done();
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_healthy),         CASE(test_narrowing),
        CASE(test_late_fall),       CASE(test_unearned),
        CASE(test_second_cause),    CASE(test_perhaps),
        CASE(test_document),        CASE(test_silent),
        CASE(test_doubtful),        CASE(test_settings),
        CASE(test_settings_beside), CASE(test_settings_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
