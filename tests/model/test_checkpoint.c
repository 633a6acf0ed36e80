/*
 * Folders on disk: what is written comes back bit by bit; what does not fit is
 * refused by name; an interrupted write leaves nothing half done.
 */
#include "rig.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "io/safetensors.h"
#include "model/checkpoint.h"

static const char tokenizer_text[] =
    "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,"
    "\"added_tokens\":[],\"normalizer\":null,"
    "\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"},"
    "\"post_processor\":null,\"decoder\":null,"
    "\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0,\"b\":1,\"c\":2,"
    "\"d\":3,\"e\":4,\"f\":5,\"g\":6,\"h\":7,\"i\":8,\"j\":9,\"k\":10},"
    "\"unk_token\":\"a\"}}";

/* A fresh directory for each test, with a model to write. */
struct fixture {
    char dir[FILE_PATH_MAX]; // the checkpoint, inside a fresh directory
    char root[64];
    struct model model;
};

static int set_up(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof *f);
    struct model_config c = rig_config();
    struct err err = {0};

    assert_non_null(f);
    (void)snprintf(f->root, sizeof f->root, "/tmp/plumb_checkpoint_XXXXXX");
    assert_non_null(mkdtemp(f->root));
    assert_int_equal(file_join(f->dir, f->root, "000012", &err), OK);
    rig_model(&f->model, &c, 30);
    f->model.banned = mem_calloc(c.V, 1);
    f->model.banned[0] = 1;
    f->model.banned[9] = 1;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};

    assert_int_equal(file_remove(f->root, &err), OK);
    model_free(&f->model);
    mem_free(f);
    return 0;
}

static void write_model(const struct fixture *f, const struct model *m)
{
    struct checkpoint c = {.model = m};
    struct err err = {0};

    if (checkpoint_write(f->dir, &c, &err) != OK)
        fail_msg("%s", err.text);
}

static void check_equal(const struct model *a, const struct model *b)
{
    const struct model_config *c = &a->config;

    assert_int_equal(params_count(&b->config), params_count(c));
    assert_memory_equal(a->params, b->params,
                        params_count(c) * sizeof *a->params);
    assert_true(c->eos == b->config.eos && c->pad == b->config.pad);
    assert_true(c->rope_theta == b->config.rope_theta);
    assert_true(c->norm_eps == b->config.norm_eps);
    assert_int_equal(a->banned == NULL, b->banned == NULL);
    if (a->banned != NULL)
        assert_memory_equal(a->banned, b->banned, c->V);
}

/* Only the checkpoint itself is in the fresh directory. */
static void check_alone(const struct fixture *f)
{
    struct file_list list;
    struct err err = {0};

    assert_int_equal(file_list(&list, f->root, &err), OK);
    assert_int_equal(list.n, 1);
    assert_string_equal(list.name[0], "000012");
    file_list_free(&list);
}

static void test_round_trip(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct model back;

    for (int variant = 0; variant < 3; variant++) {
        struct model_config c = rig_config();
        struct model m;

        c.tied = variant == 1;
        c.head = variant == 2 ? HEAD_SCORE : HEAD_LM;
        rig_model(&m, &c, 31);
        write_model(f, &m); // replaces the one before
        check_alone(f);
        assert_int_equal(checkpoint_read(&back, f->dir, c.head, &err), OK);
        check_equal(&m, &back);
        model_free(&m);
        model_free(&back);
    }
    write_model(f, &f->model);
    assert_int_equal(checkpoint_read(&back, f->dir, HEAD_LM, &err), OK);
    check_equal(&f->model, &back);
    model_free(&back);
}

/* Every architecture, transposed and fused tensors among them. */
static void test_architectures(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};

    for (size_t i = 0; i < 2 * arch_count(); i++) {
        struct model_config c = rig_config_of(arch_get(i / 2)->model_type);
        struct model m, back;

        c.head = i % 2 == 0 ? HEAD_LM : HEAD_SCORE;
        c.attention_bias = arch_get(c.arch)->may_bias;
        rig_model(&m, &c, 31 + i);
        write_model(f, &m);
        if (checkpoint_read(&back, f->dir, c.head, &err) != OK)
            fail_msg("%s: %s", arch_get(c.arch)->model_type, err.text);
        check_equal(&m, &back);
        model_free(&m);
        model_free(&back);
    }
}

/* A trailing slash and a missing parent are fine. */
static void test_paths(void **state)
{
    struct fixture *f = *state;
    struct checkpoint c = {.model = &f->model};
    struct err err = {0};
    struct model back;
    char path[FILE_PATH_MAX];

    assert_int_equal(file_join(path, f->root, "new/deep/000001//", &err), OK);
    assert_int_equal(checkpoint_write(path, &c, &err), OK);
    assert_int_equal(file_join(path, f->root, "new/deep/000001", &err), OK);
    assert_int_equal(checkpoint_read(&back, path, HEAD_LM, &err), OK);
    model_free(&back);
    assert_int_equal(checkpoint_write("/", &c, &err), ERR_ARG);
    assert_int_equal(checkpoint_write("..", &c, &err), ERR_ARG);
    assert_int_equal(checkpoint_read(&back, "/nonexistent", HEAD_LM, &err),
                     ERR_MISSING);
}

static void test_trainer(void **state)
{
    static const char json[] = "{\"step\":12,\"note\":\"\\u00e9\"}\n";
    struct fixture *f = *state;
    float m[] = {1, -0.0f, 1e-38f, 3.1415927f, 1e-45f};
    float v[] = {0.25f};
    struct checkpoint_array out[] = {{.name = "adam.m", .data = m, .n = 5},
                                     {.name = "adam.v", .data = v, .n = 1}};
    struct checkpoint c = {
        .model = &f->model, .trainer_json = json, .array = out, .n_array = 2};
    float m2[5];
    float v2[1];
    struct checkpoint_array in[] = {{.name = "adam.v", .data = v2, .n = 1},
                                    {.name = "adam.m", .data = m2, .n = 5}};
    struct err err = {0};
    struct buf text;

    assert_int_equal(checkpoint_write(f->dir, &c, &err), OK);
    buf_init(&text, 1000);
    assert_int_equal(checkpoint_read_trainer(&text, in, 2, NULL, f->dir, &err),
                     OK);
    assert_string_equal(buf_text(&text), json);
    assert_memory_equal(m, m2, sizeof m);
    assert_memory_equal(v, v2, sizeof v);

    buf_clear(&text);
    assert_int_equal(checkpoint_read_trainer(&text, in, 1, NULL, f->dir, &err),
                     ERR_MISMATCH);
    in[0].n = 2;
    buf_clear(&text);
    assert_int_equal(checkpoint_read_trainer(&text, in, 2, NULL, f->dir, &err),
                     ERR_MISMATCH);
    assert_non_null(strstr(err.text, "adam.v"));
    in[0] = (struct checkpoint_array){.name = "adam.w", .data = v2, .n = 1};
    buf_clear(&text);
    assert_int_equal(checkpoint_read_trainer(&text, in, 2, NULL, f->dir, &err),
                     ERR_MISMATCH);
    assert_non_null(strstr(err.text, "adam.w"));

    /* Without trainer state there is none to read. */
    write_model(f, &f->model);
    buf_clear(&text);
    assert_int_equal(checkpoint_read_trainer(&text, in, 2, NULL, f->dir, &err),
                     ERR_MISSING);
    buf_free(&text);
}

static void test_tokenizer(void **state)
{
    struct fixture *f = *state;
    struct tokenizer *t = NULL;
    struct tokenizer *back = NULL;
    struct err err = {0};
    struct checkpoint c = {.model = &f->model};
    size_t len = 0;

    if (tokenizer_parse(&t, tokenizer_text, sizeof tokenizer_text - 1, "{}\n",
                        3, "tokenizer.json", &err) != OK)
        fail_msg("%s", err.text);
    c.tokenizer = t;
    assert_int_equal(checkpoint_write(f->dir, &c, &err), OK);
    assert_int_equal(tokenizer_open(&back, f->dir, &err), OK);
    assert_memory_equal(tokenizer_json(back, &len), tokenizer_text,
                        sizeof tokenizer_text - 1);
    assert_int_equal(len, sizeof tokenizer_text - 1);
    assert_memory_equal(tokenizer_config_json(back, &len), "{}\n", 3);
    assert_int_equal(checkpoint_check_tokenizer(&f->model, back, f->dir, &err),
                     OK);
    f->model.config.V = 10;
    assert_int_equal(checkpoint_check_tokenizer(&f->model, back, f->dir, &err),
                     ERR_MISMATCH);
    assert_non_null(strstr(err.text, "11"));
    assert_non_null(strstr(err.text, "10"));
    /* Spare rows are usual. */
    f->model.config.V = 12;
    assert_int_equal(checkpoint_check_tokenizer(&f->model, back, f->dir, &err),
                     OK);
    f->model.config.V = 11;
    tokenizer_free(t);
    tokenizer_free(back);
}

/* Read and want a failure whose text holds a word. */
static void check_refused(const struct fixture *f, enum model_head head,
                          enum status status, const char *word)
{
    struct err err = {0};
    struct model back;

    assert_int_equal(checkpoint_read(&back, f->dir, head, &err), status);
    if (strstr(err.text, word) == NULL)
        fail_msg("\"%s\" does not name %s", err.text, word);
}

static void put_file(const struct fixture *f, const char *name,
                     const char *text)
{
    char path[FILE_PATH_MAX];
    struct err err = {0};

    assert_int_equal(file_join(path, f->dir, name, &err), OK);
    assert_int_equal(file_write(path, text, strlen(text), &err), OK);
}

static void test_wrong_head(void **state)
{
    struct fixture *f = *state;
    struct model score;
    struct err err = {0};

    write_model(f, &f->model);
    check_refused(f, HEAD_SCORE, ERR_MISMATCH, "score head");
    assert_int_equal(model_clone_as_score(&score, &f->model, &err), OK);
    write_model(f, &score);
    check_refused(f, HEAD_LM, ERR_MISMATCH, "score head");
    model_free(&score);
}

static void test_generation_config(void **state)
{
    struct fixture *f = *state;
    struct model back;
    struct err err = {0};

    write_model(f, &f->model);
    put_file(f, "generation_config.json", "{\"suppress_tokens\":[3,11]}");
    check_refused(f, HEAD_LM, ERR_MISMATCH, "suppress_tokens[1]");
    put_file(f, "generation_config.json",
             "{\"suppress_tokens\":[0,1,2,3,4,5,6,7,8,9,10]}");
    check_refused(f, HEAD_LM, ERR_MISMATCH, "no token");
    put_file(f, "generation_config.json", "{\"eos_token_id\":11}");
    check_refused(f, HEAD_LM, ERR_MISMATCH, "eos_token_id");
    put_file(f, "generation_config.json", "{\"eos_token_id\":");
    check_refused(f, HEAD_LM, ERR_FORMAT, "generation_config.json");
    put_file(f, "generation_config.json",
             "{\"eos_token_id\":[5],\"suppress_tokens\":null}");
    assert_int_equal(checkpoint_read(&back, f->dir, HEAD_LM, &err), OK);
    assert_int_equal(back.config.eos, 5);
    assert_int_equal(back.config.n_stop, 0);
    assert_null(back.banned);
    model_free(&back);

    /* config.json's 1 stays where the list has it, and comes back. */
    put_file(f, "generation_config.json", "{\"eos_token_id\":[7,1,7,3]}");
    assert_int_equal(checkpoint_read(&back, f->dir, HEAD_LM, &err), OK);
    for (int k = 0; k < 2; k++) {
        assert_int_equal(back.config.eos, 1);
        assert_int_equal(back.config.n_stop, 2);
        assert_true(model_config_stops(&back.config, 1) &&
                    model_config_stops(&back.config, 3) &&
                    model_config_stops(&back.config, 7) &&
                    !model_config_stops(&back.config, 2) &&
                    !model_config_stops(&back.config, -1));
        write_model(f, &back);
        model_free(&back);
        assert_int_equal(checkpoint_read(&back, f->dir, HEAD_LM, &err), OK);
    }
    model_free(&back);
}

/* model.safetensors with one tensor changed, left out, or added. */
enum damage {
    LEFT_OUT,
    WRONG_SHAPE,
    TRANSPOSED,
    FLAT,
    ADDED,
    NOT_FINITE
};

static void damage_tensor(const struct fixture *f, size_t which,
                          enum damage damage)
{
    const struct model_config *c = &f->model.config;
    size_t n = params_tensors(c);
    static struct param_view view[64];
    struct tensor_out t[65];
    char path[FILE_PATH_MAX];
    struct err err = {0};
    size_t k = 0;

    assert_true(n <= 64);
    for (size_t i = 0; i < n; i++) {
        view[i] = params_view(c, i);
        t[k] = (struct tensor_out){
            .name = view[i].name,
            .n_dim = view[i].is_vector ? 1 : 2,
            .dim = {view[i].is_vector ? view[i].cols : view[i].rows,
                    view[i].cols},
            .data = f->model.params + view[i].offset,
        };
        if (i == which && damage == LEFT_OUT)
            continue;
        if (i == which && damage == WRONG_SHAPE)
            t[k].dim[0]--;
        if (i == which && damage == TRANSPOSED) {
            t[k].dim[0] = view[i].cols;
            t[k].dim[1] = view[i].rows;
        }
        if (i == which && damage == FLAT) {
            t[k].n_dim = 1;
            t[k].dim[0] = view[i].rows * view[i].cols;
        }
        k++;
    }
    if (damage == ADDED) {
        t[k] = t[k - 1];
        t[k++].name = "model.layers.2.mlp.up_proj.weight";
    }
    assert_int_equal(file_join(path, f->dir, "model.safetensors", &err), OK);
    assert_int_equal(safetensors_write(path, t, k, &err), OK);
}

static void test_tensors(void **state)
{
    struct fixture *f = *state;
    size_t n = params_tensors(&f->model.config);
    float *w = f->model.params;

    write_model(f, &f->model);
    for (size_t i = 0; i < n; i++) {
        struct param_view view = params_view(&f->model.config, i);
        float before = w[view.offset + view.cols - 1];

        damage_tensor(f, i, LEFT_OUT);
        check_refused(f, HEAD_LM, ERR_MISMATCH, view.name);
        damage_tensor(f, i, WRONG_SHAPE);
        check_refused(f, HEAD_LM, ERR_MISMATCH, view.name);
        if (!view.is_vector) {
            damage_tensor(f, i, FLAT);
            check_refused(f, HEAD_LM, ERR_MISMATCH, view.name);
        }
        if (!view.is_vector && view.rows != view.cols) {
            damage_tensor(f, i, TRANSPOSED);
            check_refused(f, HEAD_LM, ERR_MISMATCH, view.name);
        }
        w[view.offset + view.cols - 1] = i % 2 == 0 ? INFINITY : NAN;
        damage_tensor(f, i, NOT_FINITE);
        check_refused(f, HEAD_LM, ERR_MISMATCH, view.name);
        w[view.offset + view.cols - 1] = before;
    }
    damage_tensor(f, n, ADDED);
    check_refused(f, HEAD_LM, ERR_MISMATCH, "model.layers.2.mlp.up_proj");
}

/* Cut the weights anywhere: an error, never a model. */
static void test_truncated(void **state)
{
    struct fixture *f = *state;
    char path[FILE_PATH_MAX];
    struct file_map map;
    struct err err = {0};
    size_t len;

    write_model(f, &f->model);
    assert_int_equal(file_join(path, f->dir, "model.safetensors", &err), OK);
    assert_int_equal(file_map(&map, path, &err), OK);
    len = map.len;
    file_unmap(&map);
    for (size_t cut = len - 1;; cut = cut / 2) {
        assert_int_equal(file_truncate(path, cut, &err), OK);
        check_refused(f, HEAD_LM, ERR_FORMAT, "model.safetensors");
        if (cut == 0)
            break;
    }
    assert_int_equal(file_remove(path, &err), OK);
    check_refused(f, HEAD_LM, ERR_MISSING, "model.safetensors");
    put_file(f, "config.json", "{\"model_type\":\"llama\"");
    check_refused(f, HEAD_LM, ERR_FORMAT, "config.json");
}

/* A config that asks for terabytes is refused before they are allocated. */
static void test_greedy_config(void **state)
{
    struct fixture *f = *state;
    struct model_config c = f->model.config;
    struct err err = {0};
    struct buf text;

    write_model(f, &f->model);
    c.V = 1048576;
    c.C = 16384;
    c.L = 256;
    buf_init(&text, 1 << 16);
    model_config_write(&text, &c, TENSOR_F32);
    assert_int_equal(buf_status(&text, &err), OK);
    put_file(f, "config.json", buf_text(&text));
    check_refused(f, HEAD_LM, ERR_MISMATCH, "config.json");
    buf_free(&text);
}

/* Allocations that fail one by one: an error, and the old folder stands. */
static void test_memory_failures(void **state)
{
    struct fixture *f = *state;
    struct checkpoint c = {.model = &f->model};
    enum status status = ERR_MEMORY;
    struct err err = {0};
    struct model back;
    long n;

    write_model(f, &f->model);
    for (n = 0; status != OK; n++) {
        mem_fail_at(n);
        status = checkpoint_write(f->dir, &c, &err);
        mem_fail_at(-1);
        assert_true(status == OK || status == ERR_MEMORY);
        assert_int_equal(checkpoint_read(&back, f->dir, HEAD_LM, &err), OK);
        check_equal(&f->model, &back);
        model_free(&back);
        check_alone(f);
    }
    assert_true(n > 3);
    for (n = 0; n < 1000; n++) {
        long allocations;

        mem_fail_at(n);
        status = checkpoint_read(&back, f->dir, HEAD_LM, &err);
        allocations = mem_count();
        mem_fail_at(-1);
        if (status == OK)
            model_free(&back);
        if (allocations <= n)
            break;
        if (status != ERR_MEMORY)
            fail_msg("allocation %ld: status %d, %s", n, (int)status, err.text);
    }
    assert_in_range(n, 3, 999);
}

/*
 * Kill a process that keeps replacing the folder: afterwards it, or the one
 * put aside for it, is whole.
 */
static void test_killed(void **state)
{
    struct fixture *f = *state;
    struct checkpoint c = {.model = &f->model};
    struct err err = {0};

    write_model(f, &f->model);
    for (int round = 0; round < 12; round++) {
        struct timespec wait = {0};
        struct model back;
        pid_t child = fork();

        assert_true(child >= 0);
        if (child == 0)
            for (;;)
                if (checkpoint_write(f->dir, &c, &err) != OK)
                    _exit(1);
        wait.tv_nsec = 3000000 + 1700000 * round;
        (void)nanosleep(&wait, NULL);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        if (checkpoint_read(&back, f->dir, HEAD_LM, &err) == ERR_MISSING) {
            char old[FILE_PATH_MAX];

            assert_non_null(strstr(err.text, ".000012.old"));
            assert_int_equal(file_join(old, f->root, ".000012.old", &err), OK);
            assert_int_equal(checkpoint_read(&back, old, HEAD_LM, &err), OK);
        }
        check_equal(&f->model, &back);
        model_free(&back);
    }
    write_model(f, &f->model);
    check_alone(f);
}

/* Killed between the two renames: the former folder waits under its other
 * name, and the next write clears it away only when the new one stands. */
static void test_put_aside(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct model back;
    char old[FILE_PATH_MAX];

    write_model(f, &f->model);
    assert_int_equal(file_join(old, f->root, ".000012.old", &err), OK);
    assert_int_equal(file_rename(f->dir, old, &err), OK);
    check_refused(f, HEAD_LM, ERR_MISSING, ".000012.old");
    assert_int_equal(checkpoint_read(&back, old, HEAD_LM, &err), OK);
    model_free(&back);
    write_model(f, &f->model);
    check_alone(f);
}

/* Something in the way that is no folder: refused, and nothing is lost. */
static void test_in_the_way(void **state)
{
    struct fixture *f = *state;
    struct checkpoint c = {.model = &f->model};
    struct err err = {0};
    char link[FILE_PATH_MAX];

    assert_int_equal(file_join(link, f->root, "000013", &err), OK);
    assert_int_equal(symlink("000013", link), 0);
    assert_int_equal(checkpoint_write(link, &c, &err), ERR_IO);
    assert_int_equal(file_remove(link, &err), OK);
    write_model(f, &f->model);
    check_alone(f); // the folder that was built is gone, too
    assert_int_equal(symlink("000013", link), 0);
    assert_int_equal(file_join(f->dir, "", link, &err), OK);
    check_refused(f, HEAD_LM, ERR_IO, "cannot read");
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_round_trip),
        CASE(test_architectures),
        CASE(test_paths),
        CASE(test_trainer),
        CASE(test_tokenizer),
        CASE(test_wrong_head),
        CASE(test_generation_config),
        CASE(test_tensors),
        CASE(test_truncated),
        CASE(test_greedy_config),
        CASE(test_memory_failures),
        CASE(test_killed),
        CASE(test_put_aside),
        CASE(test_in_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
