/*
 * mem.h - the one door to the allocator.
 *
 * Nothing else in the tree calls malloc.  Sizes are multiplied with an
 * overflow check, memory is zeroed (but for mem_raw()) and aligned to a cache
 * line, and a test can make the n-th allocation fail (tests/oom).
 */
#ifndef PLUMB_BASE_MEM_H
#define PLUMB_BASE_MEM_H

#include <stddef.h>

#include "base/err.h"

#define MEM_ALIGN 64

/*
 * n objects of `size` bytes, all zero, aligned to MEM_ALIGN.  NULL when
 * memory is short or n*size overflows.  n or size of 0 gives a valid pointer
 * to nothing.  Free with mem_free().  Arrays of many megabytes lie in huge
 * pages where the system has them.
 */
void *mem_calloc(size_t n, size_t size);

/* The same, not zeroed: for what is written before it is read. */
void *mem_raw(size_t n, size_t size);

/* One of many small objects (nodes of a document): neither zeroed nor aligned
 * beyond what any object needs.  NULL when memory is short. */
void *mem_small(size_t size);

/*
 * Like realloc for an array that grows from n_old to n_new objects: the
 * contents move, the new tail is zero.  NULL leaves the old array as it was.
 */
void *mem_grow(void *p, size_t n_old, size_t n_new, size_t size);

/*
 * Let an array of n objects that has room for *room take one more: twice the
 * room, or the first 64.  `array` is the address of the pointer to it.  Use
 * MEM_ROOM().
 */
enum status mem_room(void *array, size_t n, size_t *room, size_t size,
                     const char *what, struct err *err) MUST_CHECK;

/* Give memory back; NULL is fine. */
void mem_free(void *p);

/* A copy of a string, or NULL. */
char *mem_strdup(const char *text);

/* a * b into *out, or ERR_LIMIT when it does not fit a size_t. */
enum status mem_multiply(size_t *out, size_t a, size_t b,
                         struct err *err) MUST_CHECK;

/*
 * Test hook: let the n-th allocation from now fail (0 is the next one), and
 * all later ones succeed; a negative n switches it off.  Process-wide.
 */
void mem_fail_at(long n);

/* How many allocations were made since the last mem_fail_at(). */
long mem_count(void);

/* `p = n objects of its type`, as a status: TRY(MEM_NEW(p, n, err)). */
#define MEM_NEW(p, n, err)                                                     \
    (((p) = mem_calloc((n), sizeof *(p))) != NULL                              \
         ? OK                                                                  \
         : err_set((err), ERR_MEMORY, "out of memory: %zu x %zu bytes for %s", \
                   (size_t)(n), sizeof *(p), #p))

/* Room for one more behind p[0..n), of `room`: TRY(MEM_ROOM(p, n, room, err)).
 */
#define MEM_ROOM(p, n, room, err)                                              \
    mem_room(&(p), (n), &(room), sizeof *(p), #p, (err))

#endif
