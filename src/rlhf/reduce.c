#include "rlhf/reduce.h"

#include "base/comm.h"
#include "nn/ops.h"

/* Is shards first..last-1 all that the sum of i..i+2*stride-1 is made of? */
static bool is_between(size_t i, size_t stride, size_t shards, size_t first,
                       size_t last)
{
    size_t end = i + 2 * stride < shards ? i + 2 * stride : shards;
    return i >= first && end <= last;
}

/* Does one rank have all shards that this sum is made of? */
static bool is_inside(size_t i, size_t stride, const struct reduce_share *share)
{
    size_t first, last;
    comm_cut(&first, &last, share->shards, share->ranks,
             comm_holder(share->shards, share->ranks, i));
    return is_between(i, stride, share->shards, first, last);
}

static void add(float *const *shard, size_t to, size_t from, size_t at,
                size_t n)
{
    if (shard[from] != NULL)
        add_into(shard[to] + at, shard[from] + at, n);
}

void reduce_all(float *const *shard, size_t at, size_t n, size_t shards)
{
    for (size_t stride = 1; stride < shards; stride *= 2)
        for (size_t i = 0; i + stride < shards; i += 2 * stride)
            add(shard, i, i + stride, at, n);
}

void reduce_inside(float *const *shard, size_t at, size_t n,
                   const struct reduce_share *share)
{
    size_t first, last;
    comm_cut(&first, &last, share->shards, share->ranks, share->rank);
    for (size_t stride = 1; stride < last - first; stride *= 2) {
        size_t step = 2 * stride;
        for (size_t i = (first + step - 1) / step * step; i + stride < last;
             i += step)
            if (is_between(i, stride, share->shards, first, last))
                add(shard, i, i + stride, at, n);
    }
}

size_t reduce_nodes(size_t *top, size_t shards, size_t first, size_t last)
{
    size_t n = 0;
    for (size_t i = first; i < last; n++) {
        /* The largest sum that starts here and lies inside. */
        size_t stride = 1;
        if (top != NULL)
            top[n] = i;
        while (i % (2 * stride) == 0 && i + stride < shards &&
               is_between(i, stride, shards, first, last))
            stride *= 2;
        i += stride;
    }
    return n;
}

size_t reduce_tops(size_t *top, const struct reduce_share *share)
{
    size_t first, last;
    comm_cut(&first, &last, share->shards, share->ranks, share->rank);
    return reduce_nodes(top, share->shards, first, last);
}

void reduce_across(float *const *shard, size_t at, size_t n,
                   const struct reduce_share *share)
{
    for (size_t stride = 1; stride < share->shards; stride *= 2)
        for (size_t i = 0; i + stride < share->shards; i += 2 * stride)
            if (!is_inside(i, stride, share))
                add(shard, i, i + stride, at, n);
}
