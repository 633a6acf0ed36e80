/*
 * err.h - how a fallible function says what went wrong.
 *
 *     enum status thing_open(struct thing *t, const char *path,
 *                            struct err *err)
 *     {
 *         TRY(file_map(&t->map, path, err));
 *         if (t->map.len < 8)
 *             return err_set(err, ERR_FORMAT, "%s: %zu bytes is too short",
 *                            path, t->map.len);
 *         return OK;
 *     }
 *
 * Rules.  The caller owns `struct err`, usually on its stack, so that running
 * out of memory can be reported and threads never share one.  On failure no
 * half-built thing remains and out-parameters are untouched; on success the
 * err is untouched.  Only src/cli prints errors and ends a process.
 */
#ifndef PLUMB_BASE_ERR_H
#define PLUMB_BASE_ERR_H

enum status {
    OK = 0,
    ERR_MEMORY,   // an allocation failed
    ERR_IO,       // the system refused: no such file, disk full, no permission
    ERR_FORMAT,   // bytes from outside are corrupt: bad JSON, truncated tensor
    ERR_MISMATCH, // well-formed but does not fit: vocabulary, shape, hash
    ERR_ARG,      // wrong usage or configuration: unknown key, out of range
    ERR_LIMIT,    // a stated bound was exceeded: line too long
    ERR_NUMERIC,  // numbers gone bad: NaN loss, ratio far from one
    ERR_MISSING,  // a resource is absent: model not in the cache
    ERR_BUSY,     // another process holds the run directory
    ERR_STOPPED,  // asked to stop (SIGINT); a checkpoint was written
    ERR_FOUND,    // what the caller asked to be told of was found
    ERR_FULL,     // no room on the disk for a database: nothing was changed
};

#define ERR_TEXT_MAX 480

struct err {
    enum status code;
    char text[ERR_TEXT_MAX];
};

#if defined(__GNUC__)
#define ERR_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define MUST_CHECK __attribute__((warn_unused_result))
#else
#define ERR_PRINTF(fmt, args)
#define MUST_CHECK
#endif

/*
 * Record a failure and return its code, so that callers can write
 * `return err_set(err, ERR_FORMAT, "...", ...)`.  The text names the thing,
 * the value and the limit, in lower case, without a full stop.  A text that
 * is too long is cut; control characters in it become question marks.  `err`
 * may be NULL when the caller wants only the code.
 *
 * A macro, so that the compiler sees which code is returned and can tell that
 * an out-parameter left untouched is not read.
 */
#define err_set(err, code, ...) (err_record((err), (code), __VA_ARGS__), (code))
void err_record(struct err *err, enum status code, const char *fmt, ...)
    ERR_PRINTF(3, 4);

/*
 * Put words in front of a failure already recorded: "reading x: <old text>".
 * Returns the code recorded (OK when err is NULL or holds none).
 */
enum status err_context(struct err *err, const char *fmt, ...) ERR_PRINTF(2, 3);

/* The name of a status in words: "out of memory", "corrupt data", ... */
const char *err_name(enum status code);

/*
 * The number by which the outside knows a status, as a process's exit code and
 * as the C library's result (plumb.h):
 *
 *     0    done
 *     1    failed
 *     2    wrong usage or configuration
 *     3    what was to be told of was found
 *     4    corrupt or mismatched data
 *     5    something needed is missing
 *     130  asked to stop (the program has 128 and the signal's number)
 */
int err_exit_code(enum status code);

/* Return from the calling function unless the call succeeded. */
#define TRY(call)                                                              \
    do {                                                                       \
        enum status try_status_ = (call);                                      \
        if (try_status_ != OK)                                                 \
            return try_status_;                                                \
    } while (0)

/* The same for functions that own something: jump to their `done:` label,
 * leaving the code in the local `status`. */
#define TRY_DONE(call)                                                         \
    do {                                                                       \
        status = (call);                                                       \
        if (status != OK)                                                      \
            goto done;                                                         \
    } while (0)

#endif
