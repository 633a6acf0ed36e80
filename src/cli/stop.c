/* sigaltstack() is an X/Open extension. */
#define _XOPEN_SOURCE 700

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
    /* libdnnl's products use the stack pointer as an ordinary register, for a
     * buffer on the heap: a handler that ran on the thread's stack would write
     * its frame over whatever lies there.  It gets a stack of its own. */
    static unsigned char room[64 * 1024];
    stack_t stack;
    memset(&stack, 0, sizeof stack);
    stack.ss_sp = room;
    stack.ss_size = sizeof room;
    sigaltstack(&stack, NULL);

    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    /* Unlike a plain handler: once only, and reads and writes go on. */
    action.sa_flags = (int)((unsigned)SA_RESETHAND | (unsigned)SA_RESTART |
                            (unsigned)SA_ONSTACK);
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL); // mpirun keeps the others to itself

    /* A file at its size limit is an error that says so, not an end. */
    action.sa_handler = SIG_IGN;
    action.sa_flags = 0;
    sigaction(SIGXFSZ, &action, NULL);
}

const volatile sig_atomic_t *stop_flag(void)
{
    return &stop_signal;
}
