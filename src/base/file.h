/*
 * file.h - reading by mapping, writing by rename, and paths.
 *
 * Nothing on disk is ever half-written: a file is made under a temporary name
 * in its directory, flushed and renamed, and the directory is flushed.  A full
 * disk or a killed process leaves what stood there before.
 *
 * What the system refuses is ERR_IO: "cannot write a/b: No space left on
 * device".
 */
#ifndef PLUMB_BASE_FILE_H
#define PLUMB_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define FILE_PATH_MAX 4096

/*
 * ERR_IO in words: "cannot <verb> <path>: <what errno says>".  For those who
 * hold a descriptor of their own; call it before errno can change.
 */
enum status file_error(struct err *err, const char *verb, const char *path);

/*
 * Open a file for reading; *out is the caller's to close.  Everything that
 * reads goes through here.  Only regular files are read: a pipe, a device or
 * a socket that stands where a file is looked for would be waited on for ever.
 * A descriptor that the program was started with may be a pipe, where it is
 * named as one (/dev/stdin, /dev/fd/63 of the shell's <(...)).
 *
 * ERR_IO: absent, unreadable or not a regular file (the text says which);
 * ERR_FORMAT: a directory.
 */
enum status file_open(int *out, const char *path, struct err *err) MUST_CHECK;

/* A read-only view of a whole file; valid until file_unmap(). */
struct file_map {
    const unsigned char *data; // NULL when the file is empty
    size_t len;
};

/* Map a regular file, no pipe.  Failure: as file_open(). */
enum status file_map(struct file_map *map, const char *path,
                     struct err *err) MUST_CHECK;
void file_unmap(struct file_map *map);

/* Let the system take back the memory behind `len` bytes of a map from `data`
 * on: what was read stays mapped but no longer counts as ours, and comes from
 * the file again when it is looked at.  Only a hint. */
void file_release(const struct file_map *map, const unsigned char *data,
                  size_t len);

/* Append a whole file to `out`; ERR_LIMIT when it exceeds out->max, or as
 * file_open(). */
enum status file_read(struct buf *out, const char *path,
                      struct err *err) MUST_CHECK;

/* Write or replace a file atomically and durably.  ERR_IO where something else
 * than a file stands: a device would be gone, were it replaced. */
enum status file_write(const char *path, const void *data, size_t len,
                       struct err *err) MUST_CHECK;

/*
 * The same in pieces, for what is too large to be gathered first:
 *
 *     struct file_writer w;
 *     TRY(file_create(&w, path, err));
 *     enum status status = file_put(&w, data, len, err);
 *     return file_finish(&w, status, err);
 *
 * file_finish() puts the file in its place when `status` is OK and else takes
 * the temporary one away; it returns `status`, or what went wrong in it.  Each
 * file_create() that succeeds needs exactly one.  One writer per path.
 */
struct file_writer {
    char path[FILE_PATH_MAX], tmp[FILE_PATH_MAX];
    int fd;
};
enum status file_create(struct file_writer *w, const char *path,
                        struct err *err) MUST_CHECK;
enum status file_put(struct file_writer *w, const void *data, size_t len,
                     struct err *err) MUST_CHECK;
enum status file_finish(struct file_writer *w, enum status status,
                        struct err *err) MUST_CHECK;

/* Create a directory and its missing parents, durably; fine when it exists. */
enum status file_make_dir(const char *path, struct err *err) MUST_CHECK;

/* Flush a file or directory to the disk. */
enum status file_sync(const char *path, struct err *err) MUST_CHECK;

/* rename(2) plus fsync of the target's directory. */
enum status file_rename(const char *from, const char *to,
                        struct err *err) MUST_CHECK;

/* Cut a file to its first `len` bytes. */
enum status file_truncate(const char *path, uint64_t len,
                          struct err *err) MUST_CHECK;

/* Remove a file or a directory with all it holds; fine when absent.  Does not
 * follow symbolic links. */
enum status file_remove(const char *path, struct err *err) MUST_CHECK;

/* Is there anything at `path`?  ERR_MISSING when not, ERR_IO when it cannot be
 * told: a directory on the way may not be searched, links lead in a circle. */
enum status file_need(const char *path, struct err *err) MUST_CHECK;

/* The same where the reason does not matter; false when it cannot be told. */
bool file_exists(const char *path);
bool file_is_dir(const char *path);

/* Is there something of this name in a directory? */
bool file_holds(const char *dir, const char *name);

/* Does a name end so (".gguf")? */
bool file_ends_with(const char *name, const char *end);

/* Names in a directory, sorted bytewise, without "." and ".."; free with
 * file_list_free(). */
struct file_list {
    char **name;
    size_t n;
};
enum status file_list(struct file_list *out, const char *dir,
                      struct err *err) MUST_CHECK;
void file_list_free(struct file_list *list);

/*
 * "dir/name" into out[FILE_PATH_MAX]; an absolute name or an empty dir gives
 * the name alone.  ERR_LIMIT when it does not fit.
 */
enum status file_join(char out[FILE_PATH_MAX], const char *dir,
                      const char *name, struct err *err) MUST_CHECK;

/* The directory part of a path ("." when it has none). */
enum status file_dirname(char out[FILE_PATH_MAX], const char *path,
                         struct err *err) MUST_CHECK;

/* The path from the root, links followed; the file need not exist. */
enum status file_absolute(char out[FILE_PATH_MAX], const char *path,
                          struct err *err) MUST_CHECK;

/* The path that leads from directory `from` to `to`, both resolved first:
 * file_relative(out, "D/ppo", "D/sft") gives "../sft". */
enum status file_relative(char out[FILE_PATH_MAX], const char *from,
                          const char *to, struct err *err) MUST_CHECK;

/* SHA-256 in lower-case hex (64 digits and a NUL) of bytes, of a file (as
 * file_read() takes it). */
void file_hash_bytes(char out[65], const void *data, size_t len);
enum status file_hash(char out[65], const char *path,
                      struct err *err) MUST_CHECK;

#endif
