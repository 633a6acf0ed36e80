/*
 * matmul_desc.h - how a product is described to oneDNN, in API v2 and in v3.
 *
 * What the two call alike gemm16.c calls itself; here is what differs.  A
 * memory descriptor is a structure in v2 and a handle in v3, which also makes
 * a product's descriptor in one step where v2 has two.  Every function returns
 * what oneDNN said.
 */
#ifndef PLUMB_NN_MATMUL_DESC_H
#define PLUMB_NN_MATMUL_DESC_H

#include <stddef.h>

#include <oneapi/dnnl/dnnl.h>

/* One matrix in memory; all zero is none. */
struct matrix_desc {
    dnnl_memory_desc_t is;
};

/* Matrix [rows,cols] of which element (i,j) is number i by_row + j by_col.  A
 * descriptor is freed with matrix_desc_free(), whether or not this failed. */
static inline dnnl_status_t matrix_desc_new(struct matrix_desc *out,
                                            size_t rows, size_t cols,
                                            size_t by_row, size_t by_col,
                                            dnnl_data_type_t type)
{
    const dnnl_dims_t dims = {(dnnl_dim_t)rows, (dnnl_dim_t)cols};
    const dnnl_dims_t by = {(dnnl_dim_t)by_row, (dnnl_dim_t)by_col};

#if DNNL_VERSION_MAJOR >= 3
    return dnnl_memory_desc_create_with_strides(&out->is, 2, dims, type, by);
#else
    return dnnl_memory_desc_init_by_strides(&out->is, 2, dims, type, by);
#endif
}

static inline void matrix_desc_free(struct matrix_desc *x)
{
#if DNNL_VERSION_MAJOR >= 3
    if (x->is != NULL)
        dnnl_memory_desc_destroy(x->is);
    x->is = NULL;
#else
    (void)x;
#endif
}

/* Where numbers of such a matrix will be; none are there yet. */
static inline dnnl_status_t matrix_desc_memory(dnnl_memory_t *out,
                                               const struct matrix_desc *x,
                                               dnnl_engine_t engine)
{
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_memory_create(out, x->is, engine, DNNL_MEMORY_NONE);
#else
    return dnnl_memory_create(out, &x->is, engine, DNNL_MEMORY_NONE);
#endif
}

/* The product is added to what is there. */
static inline dnnl_status_t matmul_desc_add(dnnl_post_ops_t post)
{
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_post_ops_append_sum(post, 1.0f, 0, dnnl_data_type_undef);
#else
    return dnnl_post_ops_append_sum(post, 1.0f);
#endif
}

/* x[2] = x[0] x[1], with these attributes.  The x may be freed afterwards. */
static inline dnnl_status_t matmul_desc_new(dnnl_primitive_desc_t *out,
                                            const struct matrix_desc x[3],
                                            dnnl_primitive_attr_t attr,
                                            dnnl_engine_t engine)
{
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_matmul_primitive_desc_create(out, engine, x[0].is, x[1].is,
                                             NULL, x[2].is, attr);
#else
    dnnl_matmul_desc_t matmul;
    dnnl_status_t s =
        dnnl_matmul_desc_init(&matmul, &x[0].is, &x[1].is, NULL, &x[2].is);

    return s != dnnl_success
               ? s
               : dnnl_primitive_desc_create(out, &matmul, attr, engine, NULL);
#endif
}

#endif
