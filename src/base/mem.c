/* madvise is no part of POSIX.
 * NOLINTNEXTLINE(bugprone-reserved-identifier) */
#define _DEFAULT_SOURCE

#include "base/mem.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/*
 * From this size on an array begins on a boundary of huge pages and the system
 * is asked for them: a product of matrices touches a new 4 KiB page every few
 * rows, and finding those costs it 10 to 20 per cent.
 */
#define HUGE_FROM ((size_t)8 << 20)
#define HUGE_PAGE ((size_t)2 << 20)

/* Under a sanitizer raw memory is NaN, and no index of anything. */
#if defined(__SANITIZE_ADDRESS__)
#define STALE 0xff
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STALE 0xff
#endif
#endif

static atomic_long allocations; // since the last mem_fail_at()
static atomic_long fail_left = -1;

/* Is this the allocation a test wants to fail? */
static int must_fail(void)
{
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    if (atomic_load_explicit(&fail_left, memory_order_relaxed) < 0)
        return 0;
    /* The counter passes 0 for exactly one caller and then stays negative. */
    return atomic_fetch_sub_explicit(&fail_left, 1, memory_order_relaxed) == 0;
}

void *mem_raw(size_t n, size_t size)
{
    if (must_fail())
        return NULL;
    /* No object can be larger than PTRDIFF_MAX bytes. */
    if (size != 0 && n > PTRDIFF_MAX / size)
        return NULL;
    size_t bytes = n * size;
    size_t align = bytes >= HUGE_FROM ? HUGE_PAGE : MEM_ALIGN;
    void *p = NULL;
    if (posix_memalign(&p, align, bytes != 0 ? bytes : 1) != 0)
        return NULL;
#ifdef MADV_HUGEPAGE
    /* A wish: where it is not granted everything works as well. */
    if (bytes >= HUGE_FROM)
        (void)madvise(p, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#endif
#ifdef STALE
    memset(p, STALE, bytes);
#endif
    return p;
}

void *mem_calloc(size_t n, size_t size)
{
    void *p = mem_raw(n, size);

    if (p != NULL)
        memset(p, 0, n * size);
    return p;
}

void *mem_small(size_t size)
{
    return must_fail() ? NULL : malloc(size != 0 ? size : 1);
}

void *mem_grow(void *p, size_t n_old, size_t n_new, size_t size)
{
    /* realloc would not keep the alignment, so the array always moves. */
    void *grown = mem_calloc(n_new, size);
    if (grown == NULL)
        return NULL;
    size_t kept = n_old < n_new ? n_old : n_new;
    if (p != NULL && kept * size != 0)
        memcpy(grown, p, kept * size);
    mem_free(p);
    return grown;
}

enum status mem_room(void *array, size_t n, size_t *room, size_t size,
                     const char *what, struct err *err)
{
    void *old, *grown;
    size_t more = *room > 0 ? 2 * *room : 64;
    if (n < *room)
        return OK;
    /* Pointers to objects are of one form where POSIX holds. */
    memcpy(&old, array, sizeof old);
    grown = mem_grow(old, *room, more, size);
    if (grown == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: %zu x %zu bytes for %s",
                       more, size, what);
    memcpy(array, &grown, sizeof grown);
    *room = more;
    return OK;
}

void mem_free(void *p)
{
    free(p);
}

char *mem_strdup(const char *text)
{
    size_t len = strlen(text) + 1;
    char *copy = mem_calloc(len, 1);
    if (copy != NULL)
        memcpy(copy, text, len);
    return copy;
}

enum status mem_multiply(size_t *out, size_t a, size_t b, struct err *err)
{
    if (b != 0 && a > SIZE_MAX / b)
        return err_set(err, ERR_LIMIT, "%zu x %zu does not fit in memory", a,
                       b);
    *out = a * b;
    return OK;
}

void mem_fail_at(long n)
{
    atomic_store(&allocations, 0);
    atomic_store(&fail_left, n < 0 ? -1 : n);
}

long mem_count(void)
{
    return atomic_load(&allocations);
}
