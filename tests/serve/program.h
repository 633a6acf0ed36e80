/*
 * program.h - `plumb label` itself, in a process of its own on a project of
 * its own with the limits that people get, and what every answer of it has.
 */
#ifndef PLUMB_TESTS_SERVE_PROGRAM_H
#define PLUMB_TESTS_SERVE_PROGRAM_H

#include <sys/types.h>

#include "serve/hall.h"

#define PROGRAM_SAID 8192

/* Items of the pool h->spot, whose prompt and answers have program_script in
 * them. */
#define PROGRAM_PAIRS 60

/* Everything that ends a string or begins markup somewhere. */
extern const char program_script[];

struct program {
    struct hall hall; // without a server of this process
    pid_t pid;
    char said[PROGRAM_SAID]; // what it printed when it began
};

/* For cmocka: *state is a struct program.  Closing checks that it is still
 * there, ends as it is told to, said nothing of a sanitizer's, and that the
 * audit log holds. */
int program_set_up(void **state);
int program_tear_down(void **state);

/* The headers that keep an answer from being run, framed, sniffed or read by
 * other sites; of an error, that it is one in JSON.  Fails, naming `what`. */
void program_check_headers(const struct reply *r, const char *what);

#endif
