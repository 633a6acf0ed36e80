/* test_attention.c - the twin against finite differences, the kernels against
 * the twin, and what must hold exactly: sequences of a pack do not see each
 * other but for their parents, tokens do not see later ones. */
#include "nn/compare.h"

#include "nn/attention.h"
#include "nn/attention_ref.h"

#define SEQS 5

struct shape {
    size_t H, G, D;
    size_t len[SEQS]; // 0 at the end
    double sd;        // of queries, keys and values
    /* Which sequence stands before, counted from 1 (0: none). */
    size_t parent[SEQS];
};

static const struct shape shapes[] = {
    {1, 1, 1, {1}, 1.0, {0}},             // the least there is
    {1, 1, 2, {9}, 1.0, {0}},             //
    {4, 4, 16, {1, 1, 3}, 1.0, {0}},      // T = 1
    {4, 4, 16, {60, 8, 0, 61}, 1.0, {0}}, // the demo's heads; an empty sequence
    {4, 1, 16, {4, 5, 33}, 1.0, {0}},     // H = 4G
    {2, 1, 6, {12, 3}, 1.0, {0}},         // not a whole tile of channels
    {3, 3, 20, {17}, 1.0, {0}},           // a tile and a rest
    {9, 3, 64, {33, 7}, 1.0, {0}},        // SmolLM2's heads
    {2, 2, 16, {40}, 5.0, {0}}, // scores of hundreds: nearly one-hot rows
    /* More keys than a chunk has, and than are worked on where they lie. */
    {2, 1, 16, {96, 97, 257}, 1.0, {0}},
    {2, 1, 6, {200}, 1.0, {0}},
    {2, 2, 16, {230}, 5.0, {0}},
};
#define SHAPES (sizeof shapes / sizeof shapes[0])

static const struct shape trees[] = {
    {1, 1, 4, {1, 1}, 1.0, {0, 1}},             // the least there is
    {1, 1, 4, {1, 5, 0, 9}, 1.0, {0, 1, 1, 1}}, // an empty child
    {3, 1, 4, {8, 8, 8}, 1.0, {0, 1, 1}},       // whole tiles
    {4, 1, 16, {23, 33, 34, 33, 32}, 1.0, {0, 1, 1, 1, 1}}, // the demo's sizes
    {4, 4, 16, {7, 3, 11, 4, 6}, 1.0, {0, 0, 1, 2, 1}},     // children mixed
    {4, 4, 16, {9, 3, 11, 12}, 1.0, {0, 0, 0, 3}}, // roots with no children
    {2, 1, 6, {12, 3}, 1.0, {0, 1}},               //
    {9, 3, 64, {21, 7, 40, 0, 1}, 1.0, {0, 1, 1, 1, 0}}, // SmolLM2's heads
    {3, 3, 128, {5, 17, 2, 30}, 1.0, {0, 1, 0, 3}},      //
    {2, 2, 16, {17, 23}, 5.0, {0, 1}},                   // nearly one-hot
    /* Chunks of keys that end within the parent, and within a child. */
    {2, 1, 16, {101, 60, 96}, 1.0, {0, 1, 1}},
    {2, 2, 6, {193, 5, 100}, 2.0, {0, 1, 1}},
};
#define TREES (sizeof trees / sizeof trees[0])

struct rig {
    const struct shape *shape;
    size_t start[SEQS + 1], parent[SEQS];
    struct pack pack;
    struct array qkv, out, lse, dout, dqkv, scratch;
};

static struct rig *rig_new(const struct shape *s, uint32_t stream)
{
    struct rig *g = mem_calloc(1, sizeof *g);
    assert_non_null(g);
    struct rng r;
    rng_init(&r, 4, RNG_TEST, 0, stream);
    g->shape = s;
    bool is_tree = false;
    for (size_t i = 0; i < SEQS; i++) {
        g->start[i + 1] = g->start[i] + s->len[i];
        g->parent[i] = s->parent[i] > 0 ? s->parent[i] - 1 : PACK_ROOT;
        is_tree |= s->parent[i] > 0;
    }
    size_t N = g->start[SEQS], width = (s->H + 2 * s->G) * s->D;
    g->pack = (struct pack){.start = g->start,
                            .n_seq = SEQS,
                            .N = N,
                            .parent = is_tree ? g->parent : NULL};
    g->qkv = array_normal(N * width, &r, s->sd);
    g->dout = array_normal(N * s->H * s->D, &r, 1.0);
    g->out = array_nan(N * s->H * s->D);
    g->lse = array_nan(N * s->H);
    g->dqkv = array_nan(N * width);
    g->scratch = array_nan(attention_scratch(pack_longest(&g->pack), s->D));
    return g;
}

static void rig_free(struct rig *g)
{
    array_free(&g->qkv);
    array_free(&g->dout);
    array_free(&g->out);
    array_free(&g->lse);
    array_free(&g->dqkv);
    array_free(&g->scratch);
    mem_free(g);
}

static void rig_run(struct rig *g)
{
    const struct shape *s = g->shape;
    attention_forward(g->out.f, g->lse.f, g->qkv.f, &g->pack, s->H, s->G, s->D,
                      g->scratch.f);
    attention_backward(g->dqkv.f, g->dout.f, g->out.f, g->lse.f, g->qkv.f,
                       &g->pack, s->H, s->G, s->D, g->scratch.f);
}

static double rig_loss(void *ctx)
{
    struct rig *g = ctx;
    const struct shape *s = g->shape;
    attention_forward_ref(g->out.d, g->lse.d, g->qkv.d, &g->pack, s->H, s->G,
                          s->D);
    return weighted_total(g->dout.d, g->out.d, g->out.n);
}

static void rig_run_ref(struct rig *g)
{
    const struct shape *s = g->shape;
    rig_loss(g);
    attention_backward_ref(g->dqkv.d, g->dout.d, g->out.d, g->lse.d, g->qkv.d,
                           &g->pack, s->H, s->G, s->D);
}

static void test_twin(void **state)
{
    (void)state;
    const struct shape small[] = {
        {4, 2, 3, {1, 6, 3}, 0.8, {0}},
        {2, 2, 4, {5, 0, 2}, 0.8, {0}},
        {4, 1, 2, {4}, 0.8, {0}},
        {4, 2, 3, {3, 2, 0, 4}, 0.8, {0, 1, 1, 1}},
        {2, 1, 4, {1, 2, 3, 2}, 0.8, {0, 0, 2, 1}},
    };
    for (uint32_t i = 0; i < sizeof small / sizeof *small; i++) {
        struct rig *g = rig_new(&small[i], 100 + i);
        rig_run_ref(g);
        fd_check("qkv", g->qkv.d, g->dqkv.d, g->qkv.n, rig_loss, g);
        rig_free(g);
    }
}

/*
 * A score is a sum of D products, each of size sd^2, over sqrt(D); what it is
 * off by (sum_tolerance(D) of some 4 sd^2) shifts the logarithm of p.  Then
 * come sums over at most T keys.
 */
static double tolerance(const struct rig *g)
{
    const struct shape *s = g->shape;
    return sum_tolerance(pack_longest(&g->pack)) +
           4.0 * s->sd * s->sd * sum_tolerance(s->D);
}

static void against_twin(const struct shape *s, uint32_t stream)
{
    struct rig *g = rig_new(s, stream);
    rig_run(g);
    rig_run_ref(g);
    double allowed = tolerance(g);
    compare_array("out", &g->out, allowed);
    compare_array("lse", &g->lse, allowed);
    compare_array("dqkv", &g->dqkv, allowed);
    /* It sets: a second run gives the same. */
    struct array first = array_new(g->dqkv.n);
    memcpy(first.f, g->dqkv.f, first.n * sizeof(float));
    rig_run(g);
    assert_memory_equal(first.f, g->dqkv.f, first.n * sizeof(float));
    /* Inference keeps no lse and computes the same. */
    struct array out = array_nan(g->out.n);
    attention_forward(out.f, NULL, g->qkv.f, &g->pack, s->H, s->G, s->D,
                      g->scratch.f);
    assert_memory_equal(out.f, g->out.f, out.n * sizeof(float));
    array_free(&first);
    array_free(&out);
    rig_free(g);
}

static void test_against_twin(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPES; i++)
        against_twin(&shapes[i], (uint32_t)i);
}

static void test_trees_against_twin(void **state)
{
    (void)state;
    for (size_t i = 0; i < TREES; i++)
        against_twin(&trees[i], (uint32_t)(200 + i));
}

/* A parent and one child are the rows of one longer sequence. */
static void test_child_continues(void **state)
{
    (void)state;
    const struct shape tree = {4, 2, 16, {11, 14}, 1.0, {0, 1}};
    const struct shape whole = {4, 2, 16, {25}, 1.0, {0}};
    struct rig *g = rig_new(&tree, 300), *h = rig_new(&whole, 300);
    rig_run(g);
    rig_run_ref(h);
    compare("out", g->out.f, h->out.d, g->out.n, tolerance(g));
    compare("lse", g->lse.f, h->lse.d, g->lse.n, tolerance(g));
    compare("dqkv", g->dqkv.f, h->dqkv.d, g->dqkv.n, tolerance(g));
    rig_free(g);
    rig_free(h);
}

static void test_packed_is_separate(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPES; i++) {
        const struct shape *s = &shapes[i];
        struct rig *g = rig_new(s, (uint32_t)i);
        rig_run(g);
        struct array out = array_nan(g->out.n), lse = array_nan(g->lse.n);
        struct array dqkv = array_nan(g->dqkv.n);
        size_t width = (s->H + 2 * s->G) * s->D, HD = s->H * s->D;
        for (size_t k = 0; k < SEQS; k++) {
            size_t first = g->start[k], alone[2] = {0, s->len[k]};
            struct pack pack = {.start = alone, .n_seq = 1, .N = alone[1]};
            attention_forward(out.f + first * HD, lse.f + first * s->H,
                              g->qkv.f + first * width, &pack, s->H, s->G, s->D,
                              g->scratch.f);
            attention_backward(dqkv.f + first * width, g->dout.f + first * HD,
                               out.f + first * HD, lse.f + first * s->H,
                               g->qkv.f + first * width, &pack, s->H, s->G,
                               s->D, g->scratch.f);
        }
        assert_memory_equal(out.f, g->out.f, out.n * sizeof(float));
        assert_memory_equal(lse.f, g->lse.f, lse.n * sizeof(float));
        assert_memory_equal(dqkv.f, g->dqkv.f, dqkv.n * sizeof(float));
        array_free(&out);
        array_free(&lse);
        array_free(&dqkv);
        rig_free(g);
    }
}

static void test_no_look_ahead(void **state)
{
    (void)state;
    const struct shape s = {4, 2, 16, {23}, 1.0, {0}};
    struct rig *g = rig_new(&s, 50);
    rig_run(g);
    size_t width = (s.H + 2 * s.G) * s.D, HD = s.H * s.D;
    struct array before = array_new(g->out.n);
    memcpy(before.f, g->out.f, before.n * sizeof(float));
    for (size_t t = 22; t > 0; t--) {
        for (size_t c = 0; c < width; c++)
            g->qkv.f[t * width + c] = -7.0f;
        rig_run(g);
        assert_memory_equal(before.f, g->out.f, t * HD * sizeof(float));
        assert_true(memcmp(before.f + t * HD, g->out.f + t * HD,
                           HD * sizeof(float)) != 0);
    }
    array_free(&before);
    rig_free(g);
}

static void test_nan_passes_through(void **state)
{
    (void)state;
    const struct shape s = {2, 2, 16, {11, 5}, 1.0, {0}};
    struct rig *g = rig_new(&s, 60);
    g->qkv.f[3 * 96 + 40] = NAN; // a key of head 0, position 3, sequence 0
    rig_run(g);
    for (size_t n = 3; n < 11; n++)
        assert_true(isnan(g->out.f[n * 32]) && isnan(g->lse.f[n * 2]));
    for (size_t n = 11; n < 16; n++)
        assert_false(isnan(g->out.f[n * 32]) || isnan(g->lse.f[n * 2]));
    rig_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_twin),
        cmocka_unit_test(test_against_twin),
        cmocka_unit_test(test_trees_against_twin),
        cmocka_unit_test(test_child_continues),
        cmocka_unit_test(test_packed_is_separate),
        cmocka_unit_test(test_no_look_ahead),
        cmocka_unit_test(test_nan_passes_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
