/* glibc counts madvise() among the functions of BSD. */
#define _DEFAULT_SOURCE

#include "base/file.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define CHUNK ((size_t)64 * 1024)

/* Directories deeper than this are not removed: each level holds a
 * descriptor, and nothing of ours nests further. */
#define DEPTH_MAX 64

/* strerror_r() because strerror() may share its words between threads. */
enum status file_error(struct err *err, const char *verb, const char *path)
{
    int code = errno;
    char text[128];
    if (strerror_r(code, text, sizeof text) != 0)
        text[0] = '\0';
    return err_set(err, ERR_IO, "cannot %s %s: %s", verb, path, text);
}

/* ---- reading ------------------------------------------------------------ */

static enum status refuse_dir(const char *path, struct err *err)
{
    return err_set(err, ERR_FORMAT, "%s is a directory, not a file", path);
}

/* A pipe that the caller of the program handed over: the shell's <(...). */
static bool is_inherited(const char *path)
{
    return strncmp(path, "/dev/fd/", 8) == 0 ||
           strncmp(path, "/proc/self/fd/", 14) == 0 ||
           strcmp(path, "/dev/stdin") == 0;
}

enum status file_open(int *out, const char *path, struct err *err)
{
    bool may_be_pipe = is_inherited(path);
    struct stat st;
    enum status status = OK;
    /* Without O_NONBLOCK, opening a pipe waits for somebody to write into it;
     * for a regular file it means nothing. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY |
                            (may_be_pipe ? 0 : O_NONBLOCK));
    if (fd < 0)
        return file_error(err, "open", path);
    if (fstat(fd, &st) != 0)
        status = file_error(err, "read", path);
    else if (S_ISDIR(st.st_mode))
        status = refuse_dir(path, err);
    else if (!S_ISREG(st.st_mode) && !may_be_pipe)
        status = err_set(err, ERR_IO, "%s is not a regular file", path);
    if (status != OK) {
        close(fd);
        return status;
    }
    *out = fd;
    return OK;
}

enum status file_map(struct file_map *map, const char *path, struct err *err)
{
    int fd;
    TRY(file_open(&fd, path, err));
    enum status status = OK;
    struct stat st;
    void *data = NULL;
    if (fstat(fd, &st) != 0) {
        status = file_error(err, "read", path);
    } else if (!S_ISREG(st.st_mode)) {
        status = err_set(err, ERR_IO, "%s is not a regular file", path);
    } else if (st.st_size > 0) {
        data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
            status = file_error(err, "map", path);
    }
    close(fd);
    if (status == OK)
        *map = (struct file_map){.data = data, .len = (size_t)st.st_size};
    return status;
}

void file_unmap(struct file_map *map)
{
    /* munmap wants a pointer to bytes it may change; it does not change any. */
    union {
        const unsigned char *data;
        void *address;
    } view = {map->data};
    if (map->data != NULL)
        munmap(view.address, map->len);
    *map = (struct file_map){0};
}

void file_release(const struct file_map *map, const unsigned char *data,
                  size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    /* As in file_unmap().  Whole pages: those at the ends may be in use. */
    union {
        const unsigned char *data;
        void *address;
    } view = {map->data};
    if (map->data == NULL)
        return;
    size_t begin = (size_t)(data - map->data);
    size_t end = begin + len;
    assert(begin <= map->len && len <= map->len - begin);
    begin = (begin + page - 1) / page * page;
    end = end == map->len ? end : end / page * page;
    view.data += begin;
    /* glibc's posix_madvise() does nothing for this advice. */
    if (begin < end)
        madvise(view.address, end - begin, MADV_DONTNEED);
}

enum status file_read(struct buf *out, const char *path, struct err *err)
{
    int fd;
    TRY(file_open(&fd, path, err));
    enum status status = OK;
    size_t before = out->len;
    char chunk[CHUNK];
    buf_append(out, "", 0);
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            status = file_error(err, "read", path);
        if (n <= 0)
            break;
        buf_append(out, chunk, (size_t)n);
        if (out->code != OK)
            break;
    }
    close(fd);
    if (status == OK && out->code == ERR_LIMIT)
        status = err_set(err, ERR_LIMIT, "%s is larger than %zu bytes", path,
                         out->max - before);
    if (status == OK)
        status = buf_status(out, err);
    return status;
}

/* ---- writing ------------------------------------------------------------ */

/* "dir/.name.tmp" for "dir/name". */
static enum status temporary(char out[FILE_PATH_MAX], const char *path,
                             struct err *err)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    int n = snprintf(out, FILE_PATH_MAX, "%.*s.%s.tmp", (int)(name - path),
                     path, name);
    if (n < 0 || n >= FILE_PATH_MAX)
        return err_set(err, ERR_LIMIT, "path is too long: %.100s...", path);
    return OK;
}

enum status file_create(struct file_writer *w, const char *path,
                        struct err *err)
{
    struct file_writer made = {.fd = -1};
    struct stat st;
    TRY(file_join(made.path, "", path, err));
    TRY(temporary(made.tmp, path, err));
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return err_set(err, ERR_IO, "cannot write %s: no regular file", path);
    /* What a killed process left goes first; O_EXCL then makes sure that the
     * bytes go to a file of ours and not through somebody's link. */
    if (unlink(made.tmp) != 0 && errno != ENOENT)
        return file_error(err, "replace", made.tmp);
    made.fd = open(made.tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (made.fd < 0)
        return file_error(err, "create", made.tmp);
    *w = made;
    return OK;
}

enum status file_put(struct file_writer *w, const void *data, size_t len,
                     struct err *err)
{
    const unsigned char *rest = data;
    while (len > 0) {
        ssize_t n = write(w->fd, rest, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return file_error(err, "write", w->path);
        rest += n;
        len -= (size_t)n;
    }
    return OK;
}

enum status file_finish(struct file_writer *w, enum status status,
                        struct err *err)
{
    if (status == OK && fsync(w->fd) != 0)
        status = file_error(err, "flush", w->path);
    if (close(w->fd) != 0 && status == OK)
        status = file_error(err, "close", w->path);
    if (status == OK)
        status = file_rename(w->tmp, w->path, err);
    if (status != OK)
        unlink(w->tmp);
    w->fd = -1;
    return status;
}

enum status file_write(const char *path, const void *data, size_t len,
                       struct err *err)
{
    struct file_writer w;
    TRY(file_create(&w, path, err));
    return file_finish(&w, file_put(&w, data, len, err), err);
}

enum status file_sync(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return file_error(err, "open", path);
    enum status status = fsync(fd) == 0 ? OK : file_error(err, "flush", path);
    close(fd);
    return status;
}

enum status file_rename(const char *from, const char *to, struct err *err)
{
    char dir[FILE_PATH_MAX];
    TRY(file_dirname(dir, to, err));
    if (rename(from, to) != 0)
        return file_error(err, "rename to", to);
    return file_sync(dir, err);
}

enum status file_truncate(const char *path, uint64_t len, struct err *err)
{
    if (len > INT64_MAX)
        return err_set(err, ERR_LIMIT, "%s: length out of range", path);
    if (truncate(path, (off_t)len) != 0)
        return file_error(err, "cut", path);
    return OK;
}

/* Its name reaches the disk here: what is flushed inside a directory later is
 * worth nothing when the directory itself can be forgotten. */
static enum status make_one(const char *path, struct err *err)
{
    char parent[FILE_PATH_MAX];
    if (file_is_dir(path))
        return OK;
    if (mkdir(path, 0777) != 0)
        return errno == EEXIST && file_is_dir(path)
                   ? OK
                   : file_error(err, "create directory", path);
    TRY(file_dirname(parent, path, err));
    return file_sync(parent, err);
}

enum status file_make_dir(const char *path, struct err *err)
{
    char part[FILE_PATH_MAX];
    size_t len = strlen(path);
    if (len >= sizeof part)
        return err_set(err, ERR_LIMIT, "path is too long: %.100s...", path);
    if (len == 0)
        return err_set(err, ERR_IO, "cannot create a directory without name");
    /* Each prefix that ends before a slash, then the whole; one that is there
     * already is fine, whether or not we could have made it. */
    for (size_t i = 1; i <= len; i++) {
        if (i < len && path[i] != '/')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        TRY(make_one(part, err));
    }
    return OK;
}

static enum status remove_at(int parent, const char *name, int depth,
                             const char *path, struct err *err);

/* Remove what the directory `fd` holds; closes it. */
static enum status empty_dir(int fd, int depth, const char *path,
                             struct err *err)
{
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        enum status status = file_error(err, "list", path);
        close(fd);
        return status;
    }
    enum status status = OK;
    while (status == OK) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL) {
            if (errno != 0)
                status = file_error(err, "list", path);
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        status = remove_at(fd, entry->d_name, depth, path, err);
    }
    closedir(dir);
    return status;
}

static enum status remove_at(int parent, const char *name, int depth,
                             const char *path, struct err *err)
{
    struct stat st;
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? OK : file_error(err, "remove", path);
    if (!S_ISDIR(st.st_mode)) {
        if (unlinkat(parent, name, 0) != 0 && errno != ENOENT)
            return file_error(err, "remove", path);
        return OK;
    }
    if (depth == DEPTH_MAX)
        return err_set(err, ERR_LIMIT, "%s: deeper than %d directories", path,
                       DEPTH_MAX);
    int fd =
        openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return file_error(err, "open", path);
    TRY(empty_dir(fd, depth + 1, path, err));
    if (unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        return file_error(err, "remove", path);
    return OK;
}

enum status file_remove(const char *path, struct err *err)
{
    return remove_at(AT_FDCWD, path, 0, path, err);
}

/* ---- directories -------------------------------------------------------- */

bool file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

enum status file_need(const char *path, struct err *err)
{
    struct stat st;
    if (stat(path, &st) == 0)
        return OK;
    if (errno == ENOENT || errno == ENOTDIR)
        return err_set(err, ERR_MISSING, "%s does not exist", path);
    return file_error(err, "read", path);
}

bool file_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum status add_name(struct file_list *list, size_t *room,
                            const char *name, struct err *err)
{
    if (list->n == *room) {
        size_t more = *room == 0 ? 16 : *room * 2;
        char **grown = mem_grow(list->name, list->n, more, sizeof *list->name);
        if (grown == NULL)
            return err_set(err, ERR_MEMORY, "out of memory: %zu names", more);
        list->name = grown;
        *room = more;
    }
    list->name[list->n] = mem_strdup(name);
    if (list->name[list->n] == NULL)
        return err_set(err, ERR_MEMORY, "out of memory for a file name");
    list->n++;
    return OK;
}

enum status file_list(struct file_list *out, const char *dir, struct err *err)
{
    DIR *d = opendir(dir);
    if (d == NULL)
        return file_error(err, "list", dir);
    struct file_list list = {0};
    size_t room = 0;
    enum status status = OK;
    while (status == OK) {
        errno = 0;
        const struct dirent *entry = readdir(d);
        if (entry == NULL) {
            if (errno != 0)
                status = file_error(err, "list", dir);
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            status = add_name(&list, &room, entry->d_name, err);
    }
    closedir(d);
    if (status != OK) {
        file_list_free(&list);
        return status;
    }
    if (list.n > 1)
        qsort(list.name, list.n, sizeof *list.name, by_name);
    *out = list;
    return OK;
}

void file_list_free(struct file_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        mem_free(list->name[i]);
    mem_free(list->name);
    *list = (struct file_list){0};
}

/* ---- hashes ------------------------------------------------------------- */

static void hex(char out[65], const unsigned char digest[32])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 32; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[64] = '\0';
}

void file_hash_bytes(char out[65], const void *data, size_t len)
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(digest, data, len);
    hex(out, digest);
}

enum status file_hash(char out[65], const char *path, struct err *err)
{
    int fd;
    TRY(file_open(&fd, path, err));
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    unsigned char chunk[CHUNK];
    ssize_t n;
    while ((n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        crypto_hash_sha256_update(&state, chunk, (size_t)n);
    }
    enum status status = n < 0 ? file_error(err, "read", path) : OK;
    close(fd);
    if (status != OK)
        return status;
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_final(&state, digest);
    hex(out, digest);
    return OK;
}
