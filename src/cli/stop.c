#include "cli/stop.h"

#include <string.h>

/* A signal handler can reach nothing but a global. */
static volatile sig_atomic_t stop_signal;

static void on_signal(int number)
{
    stop_signal = number;
}

void stop_install(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    /* Unlike a plain handler: once only, and reads and writes go on. */
    action.sa_flags = (int)((unsigned)SA_RESETHAND | (unsigned)SA_RESTART);
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

const volatile sig_atomic_t *stop_flag(void)
{
    return &stop_signal;
}
