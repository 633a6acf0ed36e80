/*
 * The ranks' calls, on however many there are: run by itself, and with a build
 * that has MPI under mpirun (tests/mpi).  Every test runs on all ranks.
 */
#include "base/comm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/context.h"

#define RANKS_MAX 64

static struct comm *comm;

/* Bytes of rank r in what is gathered: none of some. */
static size_t length_of(size_t r)
{
    return r % 3 == 1 ? 0 : 3 * r + 2;
}

static unsigned char byte_of(size_t r, size_t i)
{
    return (unsigned char)(17 * r + i + 1);
}

static void test_cut(void **state)
{
    (void)state;
    for (size_t n = 0; n < 20; n++)
        for (size_t parts = 1; parts < 8; parts++) {
            size_t end = 0;
            for (size_t i = 0; i < parts; i++) {
                size_t first, last;
                comm_cut(&first, &last, n, parts, i);
                assert_int_equal(first, end);
                assert_in_range(last - first, n / parts,
                                n / parts + (n % parts > 0));
                end = last;
                for (size_t item = first; item < last; item++)
                    assert_int_equal(comm_holder(n, parts, item), i);
            }
            assert_int_equal(end, n);
        }
}

static void test_agree(void **state)
{
    struct err err = {OK, "untouched"};
    int64_t value = 100 - (int64_t)comm_rank(comm);
    (void)state;
    assert_true(comm_rank(comm) < comm_size(comm));
    assert_int_equal(comm_agree(comm, OK, &err), OK);
    assert_string_equal(err.text, "untouched");
    assert_int_equal(comm_max(comm, &value, &err), OK);
    assert_int_equal(value, 100);
}

static void test_broadcast(void **state)
{
    struct err err;
    int32_t x[3] = {1, 2, 3};
    (void)state;
    if (comm_rank(comm) > 0)
        memset(x, 0, sizeof x);
    assert_int_equal(comm_broadcast(comm, x, sizeof x, &err), OK);
    assert_int_equal(x[0], 1);
    assert_int_equal(x[2], 3);
}

/* Gather by whichever way, and look at every byte and at the guards. */
static void check_gather(size_t piece)
{
    struct err err;
    size_t begin[RANKS_MAX + 1], size = comm_size(comm);
    unsigned char base[16 + RANKS_MAX * 3 * RANKS_MAX];
    assert_true(size <= RANKS_MAX);
    begin[0] = 8;
    for (size_t r = 0; r < size; r++)
        begin[r + 1] = begin[r] + length_of(r);
    memset(base, 0, sizeof base);
    for (size_t i = 0; i < length_of(comm_rank(comm)); i++)
        base[begin[comm_rank(comm)] + i] = byte_of(comm_rank(comm), i);
    assert_int_equal(piece == 0
                         ? comm_gather(comm, base, begin, &err)
                         : comm_gather_ring(comm, base, begin, piece, &err),
                     OK);
    for (size_t r = 0; r < size; r++)
        for (size_t i = 0; i < length_of(r); i++)
            assert_int_equal(base[begin[r] + i], byte_of(r, i));
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(base[i], 0);
        assert_int_equal(base[begin[size] + i], 0);
    }
}

static void test_gather(void **state)
{
    (void)state;
    check_gather(0);
    check_gather(1);
    check_gather(2);
    check_gather(1 << 20);
}

/* 11 rows in groups of 2, of which every rank fills those of its items. */
static void test_share(void **state)
{
    static const size_t offset[] = {0, 1, 1, 4, 6, 9, 9, 10, 13, 15, 16, 20};
    struct err err;
    int32_t row[11], element[20];
    size_t first, last;
    (void)state;
    memset(row, 0xFF, sizeof row);
    memset(element, 0xFF, sizeof element);
    comm_own(&first, &last, comm, 6);
    for (size_t i = 2 * first; i < 2 * last && i < 11; i++) {
        row[i] = (int32_t)i;
        for (size_t k = offset[i]; k < offset[i + 1]; k++)
            element[k] = (int32_t)(100 + k);
    }
    assert_int_equal(comm_share(comm, row, NULL, 11, 2, 4, &err), OK);
    assert_int_equal(comm_share(comm, element, offset, 11, 2, 4, &err), OK);
    assert_int_equal(comm_share(comm, NULL, NULL, 11, 2, 4, &err), OK);
    for (size_t i = 0; i < 11; i++)
        assert_int_equal(row[i], i);
    for (size_t k = 0; k < 20; k++)
        assert_int_equal(element[k], 100 + k);
}

static void test_concat(void **state)
{
    struct err err;
    struct buf all;
    unsigned char mine[3 * RANKS_MAX];
    size_t at = 2;
    (void)state;
    for (size_t i = 0; i < length_of(comm_rank(comm)); i++)
        mine[i] = byte_of(comm_rank(comm), i);
    buf_init(&all, 1 << 20);
    buf_puts(&all, "ab");
    assert_int_equal(
        comm_concat(comm, &all, mine, length_of(comm_rank(comm)), &err), OK);
    for (size_t r = 0; r < comm_size(comm); r++)
        for (size_t i = 0; i < length_of(r); i++)
            assert_int_equal((unsigned char)all.data[at++], byte_of(r, i));
    assert_int_equal(all.len, at);
    assert_memory_equal(all.data, "ab", 2);
    buf_free(&all);
}

static void test_bring(void **state)
{
    struct err err;
    (void)state;
    for (size_t owner = 0; owner < comm_size(comm); owner++) {
        int64_t x = 0;
        if (comm_rank(comm) == owner)
            x = 7 + (int64_t)owner;
        assert_int_equal(comm_bring(comm, &x, sizeof x, owner, &err), OK);
        if (comm_rank(comm) == 0)
            assert_int_equal(x, 7 + owner);
    }
}

static void test_same(void **state)
{
    struct err err;
    (void)state;
    assert_int_equal(comm_same(comm, "abc", 3, "it", &err), OK);
}

/* Two blocks to every other rank, and two more in a second exchange. */
static void test_exchange(void **state)
{
    struct err err;
    struct comm_exchange *x;
    struct comm_block out[2 * RANKS_MAX], in[2 * RANKS_MAX];
    int32_t gave[2][2 * RANKS_MAX], got[2][2 * RANKS_MAX];
    size_t n = 0, me = comm_rank(comm), size = comm_size(comm);
    (void)state;
    assert_int_equal(comm_exchange_create(&x, comm, 4 * size, &err), OK);
    for (size_t round = 0; round < 2; round++) {
        n = 0;
        for (size_t r = 0; r < size; r++)
            for (size_t k = 0; r != me && k < 2; k++, n++) {
                gave[round][n] = (int32_t)(1000 * me + 10 * round + k);
                out[n] = (struct comm_block){r, &gave[round][n], 4};
                in[n] = (struct comm_block){r, &got[round][n], 4};
            }
        comm_exchange_begin(x, out, n, in, n);
        comm_exchange_poll(x);
        comm_exchange_end(x);
    }
    comm_exchange_free(x);
    assert_int_equal(n, 2 * (size - 1));
    for (size_t round = 0; round < 2; round++)
        for (size_t i = 0; i < n; i++)
            assert_int_equal(got[round][i],
                             1000 * in[i].rank + 10 * round + i % 2);
}

static enum status mark(void *ctx, size_t item, size_t worker, struct err *err)
{
    int *done = ctx;
    (void)worker;
    (void)err;
    done[item]++;
    return OK;
}

static void test_deal(void **state)
{
    struct err err;
    struct context c = {.comm = comm};
    int done[10] = {0};
    size_t first, last;
    (void)state;
    assert_int_equal(team_create(&c.team, 2, &err), OK);
    assert_int_equal(context_deal(&c, 10, mark, done, &err), OK);
    comm_own(&first, &last, comm, 10);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(done[i], i >= first && i < last);
    team_destroy(c.team);
}

static void test_agree_stop(void **state)
{
    struct err err;
    volatile sig_atomic_t flag = comm_rank(comm) + 1 == comm_size(comm);
    struct context c = {.comm = comm, .stop = &flag};
    bool stop = false;
    (void)state;
    assert_int_equal(context_agree_stop(&stop, &c, &err), OK);
    assert_true(stop);
    flag = 0;
    assert_int_equal(context_agree_stop(&stop, &c, &err), OK);
    assert_false(stop);
}

/* The last rank gives up where the others gather; then nothing goes any more.
 * The last test, since it cannot be taken back. */
static void test_failure(void **state)
{
    struct err err = {.code = OK};
    size_t begin[RANKS_MAX + 1] = {0};
    unsigned char base[RANKS_MAX];
    int64_t value = 0;
    bool is_last = comm_rank(comm) + 1 == comm_size(comm);
    (void)state;
    for (size_t r = 0; r < comm_size(comm); r++)
        begin[r + 1] = begin[r] + 1;
    enum status status =
        is_last
            ? comm_agree(comm, err_set(&err, ERR_IO, "the disk is full"), &err)
            : comm_gather(comm, base, begin, &err);
    assert_int_equal(status, ERR_IO);
    assert_non_null(strstr(err.text, "the disk is full"));
    if (comm_size(comm) == 1)
        return;
    assert_ptr_equal(strstr(err.text, "rank "), err.text);
    err.text[0] = '\0';
    assert_int_equal(comm_max(comm, &value, &err), ERR_IO);
    assert_non_null(strstr(err.text, "the disk is full"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut),        cmocka_unit_test(test_agree),
        cmocka_unit_test(test_broadcast),  cmocka_unit_test(test_gather),
        cmocka_unit_test(test_share),      cmocka_unit_test(test_concat),
        cmocka_unit_test(test_bring),      cmocka_unit_test(test_same),
        cmocka_unit_test(test_exchange),   cmocka_unit_test(test_deal),
        cmocka_unit_test(test_agree_stop), cmocka_unit_test(test_failure),
    };
    struct err err;
    if (comm_open(&comm, &err) != OK)
        return 1;
    return comm_close(comm, cmocka_run_group_tests(tests, NULL, NULL));
}
