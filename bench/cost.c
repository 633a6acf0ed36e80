/*
 * cost.c - what a command costs: seconds on processors, of all its threads and
 * the programs it waits for, and the most memory it ever had, in MiB.
 *
 *     cost COMMAND [ARG ...]
 *
 * Prints "SECONDS MIB" behind what the command prints, on a line of its own.
 * Seconds on processors mean something on a machine that others use too.
 */
#include <spawn.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

extern char **environ;

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

int main(int argc, char **argv)
{
    struct rusage usage;
    pid_t pid;
    int state;

    if (argc < 2 ||
        posix_spawnp(&pid, argv[1], NULL, NULL, argv + 1, environ) != 0 ||
        wait4(pid, &state, 0, &usage) != pid || !WIFEXITED(state) ||
        WEXITSTATUS(state) != 0) {
        (void)fprintf(stderr, "cost: the command failed\n");
        return 1;
    }
    (void)printf("%.4f %.2f\n",
                 seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime),
                 (double)usage.ru_maxrss / 1024);
    return 0;
}
