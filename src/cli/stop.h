/*
 * stop.h - SIGINT, SIGTERM and SIGUSR1 as a request to stop.
 *
 * The first signal sets a flag that long computations look at between steps;
 * they write a checkpoint and return ERR_STOPPED.  A second signal of the
 * same kind has its default effect, for a user who does not want to wait.
 */
#ifndef PLUMB_CLI_STOP_H
#define PLUMB_CLI_STOP_H

#include <signal.h>

/* Install the handlers. */
void stop_install(void);

/* For struct context: nonzero (the signal's number) once asked to stop. */
const volatile sig_atomic_t *stop_flag(void);

#endif
