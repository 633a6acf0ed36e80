#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * Texts quote names from files, and a terminal obeys control characters: they
 * become question marks, those of Unicode (U+0080 to U+009F) included.
 */
static void defuse(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c != '\0'; c++) {
        if (*c < 0x20 || *c == 0x7f)
            *c = '?';
        else if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f)
            c[0] = c[1] = '?';
    }
}

void err_record(struct err *err, enum status code, const char *fmt, ...)
{
    if (err == NULL)
        return;
    va_list args;
    va_start(args, fmt);
    /* A text that is too long is cut by vsnprintf; that is the contract. */
    if (vsnprintf(err->text, sizeof err->text, fmt, args) < 0)
        err->text[0] = '\0';
    va_end(args);
    defuse(err->text);
    err->code = code;
}

enum status err_context(struct err *err, const char *fmt, ...)
{
    if (err == NULL || err->code == OK)
        return OK;
    char front[ERR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(front, sizeof front, fmt, args);
    va_end(args);
    if (n < 0)
        return err->code;
    defuse(front);
    size_t used = (size_t)n < sizeof front ? (size_t)n : sizeof front - 1;

    /* "front: old text", moved in place so that no second buffer is needed. */
    size_t shift = used + 2;
    if (shift >= sizeof err->text) {
        memcpy(err->text, front, sizeof front);
        return err->code;
    }
    size_t keep = strlen(err->text);
    if (keep > sizeof err->text - 1 - shift)
        keep = sizeof err->text - 1 - shift;
    memmove(err->text + shift, err->text, keep);
    memcpy(err->text, front, used);
    memcpy(err->text + used, ": ", 2);
    err->text[shift + keep] = '\0';
    return err->code;
}

const char *err_name(enum status code)
{
    switch (code) {
    case OK:
        return "ok";
    case ERR_MEMORY:
        return "out of memory";
    case ERR_IO:
        return "input or output failed";
    case ERR_FORMAT:
        return "corrupt data";
    case ERR_MISMATCH:
        return "data does not fit";
    case ERR_ARG:
        return "wrong usage";
    case ERR_LIMIT:
        return "limit exceeded";
    case ERR_NUMERIC:
        return "numeric failure";
    case ERR_MISSING:
        return "resource missing";
    case ERR_BUSY:
        return "in use by another process";
    case ERR_STOPPED:
        return "stopped";
    case ERR_FOUND:
        return "found";
    case ERR_FULL:
        return "disk full";
    }
    return "unknown status";
}

int err_exit_code(enum status code)
{
    switch (code) {
    case OK:
        return 0;
    case ERR_ARG:
        return 2;
    case ERR_FOUND:
        return 3;
    case ERR_FORMAT:
    case ERR_MISMATCH:
    case ERR_LIMIT:
        return 4;
    case ERR_MISSING:
        return 5;
    case ERR_STOPPED:
        return 130;
    case ERR_MEMORY:
    case ERR_IO:
    case ERR_NUMERIC:
    case ERR_BUSY:
    case ERR_FULL:
        return 1;
    }
    return 1;
}
