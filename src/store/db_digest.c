/*
 * db_digest.c - plumb_digest(a, b) in SQL: 16 bytes that stand for two texts,
 *
 *     BLAKE2b-128(length of a, 8 bytes little-endian || a || b)
 *
 * NULL when either is.  For statements of this program alone: no schema may
 * call it, since a file's schema is not trusted.
 */
#include <sodium.h>

#include "store/db_internal.h"

#define DIGEST 16

static void digest(sqlite3_context *context, int n, sqlite3_value **value)
{
    unsigned char out[DIGEST], length[8];
    crypto_generichash_state state;
    const unsigned char *text[2];
    size_t len[2];
    (void)n; // is 2, as it was registered
    for (int i = 0; i < 2; i++) {
        text[i] = sqlite3_value_text(value[i]);
        len[i] = (size_t)sqlite3_value_bytes(value[i]);
        if (text[i] == NULL && sqlite3_value_type(value[i]) != SQLITE_NULL)
            sqlite3_result_error_nomem(context);
        if (text[i] == NULL)
            return;
    }
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)((uint64_t)len[0] >> 8 * i);
    (void)crypto_generichash_init(&state, NULL, 0, DIGEST);
    (void)crypto_generichash_update(&state, length, sizeof length);
    for (int i = 0; i < 2; i++)
        (void)crypto_generichash_update(&state, text[i], len[i]);
    (void)crypto_generichash_final(&state, out, DIGEST);
    sqlite3_result_blob(context, out, DIGEST, SQLITE_TRANSIENT);
}

enum status db_add_digest(struct db *db, struct err *err)
{
    int code = sqlite3_create_function_v2(db->handle, "plumb_digest", 2,
                                          SQLITE_UTF8 | SQLITE_DETERMINISTIC |
                                              SQLITE_DIRECTONLY,
                                          NULL, digest, NULL, NULL, NULL);
    return code == SQLITE_OK ? OK : db_error(db, "set up a connection", err);
}
