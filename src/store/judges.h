/*
 * judges.h - people: who may do what, and who is signed in.
 *
 * A token is a secret of at least 16 random bytes that the caller makes and
 * hands out (an invite link, a cookie); here only its hash is kept, so that
 * who reads the database cannot sign in.  Judges are revoked, never deleted:
 * their votes stay theirs.
 */
#ifndef PLUMB_STORE_JUDGES_H
#define PLUMB_STORE_JUDGES_H

#include "store/choice.h"
#include "store/project.h"

#define JUDGES_HASH 32 // bytes of a token's hash

struct judge {
    int64_t id;
    char name[4 * PROJECT_NAME_MAX + 1];
    enum judge_role role;
    bool has_token;
    int64_t created;
    int64_t revoked; // when, or 0
};

/* BLAKE2b-256 of a token, under a label of its own. */
void judges_hash(unsigned char out[JUDGES_HASH], const void *token, size_t len);

/* A name for somebody new, stricter than of whom is restored: no blank at its
 * ends, since "ada" and "ada " would be two who look the same. */
enum status judges_check_name(const char *name, struct err *err) MUST_CHECK;

/* How many administrators are not revoked. */
enum status judges_admins(int64_t *n, struct db *db,
                          struct err *err) MUST_CHECK;

/* A new judge.  `token_hash` may be NULL: nobody signs in by this name.
 * ERR_MISMATCH when the name is taken. */
enum status judges_add(int64_t *id, struct db *db, const char *name,
                       enum judge_role role, const unsigned char *token_hash,
                       int64_t actor, int64_t now, struct err *err) MUST_CHECK;

/* Another token in the place of the old one; ends all sessions. */
enum status judges_set_token(struct db *db, int64_t judge,
                             const unsigned char token_hash[JUDGES_HASH],
                             int64_t actor, int64_t now,
                             struct err *err) MUST_CHECK;

/* The same, and who is signed in stays so. */
enum status judges_offer_token(struct db *db, int64_t judge,
                               const unsigned char token_hash[JUDGES_HASH],
                               int64_t actor, int64_t now,
                               struct err *err) MUST_CHECK;

/* Refuse the judge from now on, and end all sessions.  Fine twice. */
enum status judges_revoke(struct db *db, int64_t judge, int64_t actor,
                          int64_t now, struct err *err) MUST_CHECK;

/* By id, name or token; the last finds no revoked one.  ERR_MISSING. */
enum status judges_read(struct judge *out, struct db *db, int64_t id,
                        struct err *err) MUST_CHECK;
enum status judges_find(struct judge *out, struct db *db, const char *name,
                        struct err *err) MUST_CHECK;
enum status judges_find_token(struct judge *out, struct db *db,
                              const unsigned char token_hash[JUDGES_HASH],
                              struct err *err) MUST_CHECK;

/* All of them, by name. */
typedef enum status (*judges_fn)(void *ctx, const struct judge *judge,
                                 struct err *err);
enum status judges_walk(struct db *db, judges_fn fn, void *ctx,
                        struct err *err) MUST_CHECK;

/* Sign a judge in until `expires`; sessions that ended are swept away. */
enum status judges_open_session(struct db *db, int64_t judge,
                                const unsigned char hash[JUDGES_HASH],
                                int64_t expires, int64_t now,
                                struct err *err) MUST_CHECK;

/* Whose session it is.  ERR_MISSING when it ended, was never begun, or the
 * judge was revoked. */
enum status judges_find_session(struct judge *out, struct db *db,
                                const unsigned char hash[JUDGES_HASH],
                                int64_t now, struct err *err) MUST_CHECK;

/* Sign out; fine when the session is not there. */
enum status judges_close_session(struct db *db,
                                 const unsigned char hash[JUDGES_HASH],
                                 struct err *err) MUST_CHECK;

/* Digest for the audit log: id, name, time. */
enum status judges_digest(unsigned char out[32], struct db *db, int64_t id,
                          struct err *err) MUST_CHECK;

#endif
