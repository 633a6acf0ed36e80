/*
 * wire.c - a wire between two hosts that takes its time: frames of a tap device
 * in one network namespace appear on one in another after a delay.
 *
 *     wire NAMESPACE NAMESPACE MICROSECONDS
 *
 * makes the device "wire" in both, carries frames both ways until it is killed,
 * and says "ready" when it does.  What is sent faster than it is taken from a
 * full queue is lost, as on any wire; rate is for tc(8) on the devices.  A
 * relay of frames rather than of TCP connections, so that ports and addresses
 * are as they are and nobody's protocol is in the way.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define FRAME 9100
#define QUEUE 4096

/* One way. */
struct way {
    int from, to;
    double delay;
    size_t first, n;
    struct frame {
        double due;
        size_t len;
        unsigned char byte[FRAME];
    } * queue;
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int open_tap(const char *name)
{
    char path[256];
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};

    (void)snprintf(path, sizeof path, "/var/run/netns/%s", name);
    int space = open(path, O_RDONLY | O_CLOEXEC);
    if (space < 0 || setns(space, CLONE_NEWNET) != 0)
        return -1;
    close(space);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    (void)snprintf(request.ifr_name, sizeof request.ifr_name, "wire");
    return fd >= 0 && ioctl(fd, TUNSETIFF, &request) == 0 ? fd : -1;
}

/* Take what has come. */
static void take(struct way *w)
{
    while (w->n < QUEUE) {
        struct frame *f = &w->queue[(w->first + w->n) % QUEUE];
        ssize_t len = read(w->from, f->byte, sizeof f->byte);

        if (len <= 0)
            return;
        f->len = (size_t)len;
        f->due = now() + w->delay;
        w->n++;
    }
}

/* Give what is due; seconds until the next is, or -1. */
static double give(struct way *w)
{
    while (w->n > 0) {
        struct frame *f = &w->queue[w->first];
        double left = f->due - now();

        if (left > 0)
            return left;
        if (write(w->to, f->byte, f->len) < 0 && errno == EAGAIN)
            return 1e-5;
        w->first = (w->first + 1) % QUEUE;
        w->n--;
    }
    return -1;
}

static void *carry(void *arg)
{
    struct way *w = arg;

    for (;;) {
        struct pollfd wait = {.fd = w->from, .events = POLLIN};
        take(w);
        double left = give(w);
        struct timespec pause = {.tv_nsec = (long)(left * 1e9)};

        (void)ppoll(&wait, w->n < QUEUE, left < 0 ? NULL : &pause, NULL);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    struct way way[2];

    if (argc != 4)
        return 2;
    int a = open_tap(argv[1]), b = open_tap(argv[2]);
    if (a < 0 || b < 0) {
        perror("wire");
        return 1;
    }
    for (int i = 0; i < 2; i++) {
        way[i] = (struct way){.from = i == 0 ? a : b,
                              .to = i == 0 ? b : a,
                              .delay = 1e-6 * strtod(argv[3], NULL)};
        way[i].queue = calloc(QUEUE, sizeof *way[i].queue);
        if (way[i].queue == NULL)
            return 1;
    }
    if (pthread_create(&thread, NULL, carry, &way[0]) != 0)
        return 1;
    (void)puts("ready");
    (void)fflush(stdout);
    carry(&way[1]);
    return 0;
}
