#include "serve/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int client_open_to(const char *address, unsigned port)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                              .sin6_port = htons((uint16_t)port)};
    struct sockaddr_in v4 = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port)};
    bool is_v6 = inet_pton(AF_INET6, address, &v6.sin6_addr) == 1;
    if (!is_v6)
        (void)inet_pton(AF_INET, address, &v4.sin_addr);
    int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
    int failed = is_v6 ? connect(fd, (struct sockaddr *)&v6, sizeof v6)
                       : connect(fd, (struct sockaddr *)&v4, sizeof v4);
    if (failed != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

int client_open(const struct http *http)
{
    return client_open_to("127.0.0.1", http_port(http));
}

bool client_send_bytes(int fd, const void *data, size_t len)
{
    const char *s = data;
    while (len > 0) {
        ssize_t n = send(fd, s, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        s += n;
        len -= (size_t)n;
    }
    return true;
}

bool client_send(int fd, const char *text)
{
    return client_send_bytes(fd, text, strlen(text));
}

static long now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Some more bytes; false at the end or when the time is over. */
static bool read_some(int fd, struct reply *out, long until)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    long left = until - now_ms();
    if (left < 0 || poll(&p, 1, (int)left) != 1 || out->len + 1 >= REPLY_MAX)
        return false;
    ssize_t n = recv(fd, out->text + out->len, REPLY_MAX - 1 - out->len, 0);
    if (n <= 0)
        return false;
    out->len += (size_t)n;
    out->text[out->len] = '\0';
    return true;
}

const char *client_header(const struct reply *r, const char *name,
                          char value[1024])
{
    size_t n_name = strlen(name);
    const char *s = strstr(r->text, "\r\n");
    for (; s != NULL && strncmp(s, "\r\n\r\n", 4) != 0;
         s = strstr(s + 2, "\r\n")) {
        if (strncasecmp(s + 2, name, n_name) != 0 || s[2 + n_name] != ':')
            continue;
        s += 3 + n_name;
        s += strspn(s, " ");
        size_t n = strcspn(s, "\r");
        n = n < 1023 ? n : 1023;
        memcpy(value, s, n);
        value[n] = '\0';
        return value;
    }
    return NULL;
}

static void look(struct reply *out)
{
    char value[1024];
    const char *end = strstr(out->text, "\r\n\r\n");
    out->status = 0;
    out->body = out->text;
    if (end == NULL || strncmp(out->text, "HTTP/1.1 ", 9) != 0)
        return;
    out->status = (int)strtol(out->text + 9, NULL, 10);
    out->body = end + 4;
    (void)value;
}

static bool is_whole(struct reply *out)
{
    char value[1024];
    look(out);
    if (out->status < 200)
        return false;
    if (out->status == 204 || out->status == 304)
        return true;
    const char *len = client_header(out, "Content-Length", value);
    return len != NULL && out->len - (size_t)(out->body - out->text) >=
                              (size_t)strtoul(len, NULL, 10);
}

void client_read(int fd, struct reply *out)
{
    long until = now_ms() + 10000;
    out->len = 0;
    out->text[0] = '\0';
    while (!is_whole(out) && read_some(fd, out, until))
        ;
    look(out);
}

bool client_wait_for(int fd, struct reply *out, const char *wanted, int ms)
{
    long until = now_ms() + ms;
    while (strstr(out->text, wanted) == NULL)
        if (!read_some(fd, out, until))
            return false;
    look(out);
    return true;
}

bool client_is_closed(int fd, int ms)
{
    long until = now_ms() + ms;
    char bytes[4096];
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        long left = until - now_ms();
        if (left < 0 || poll(&p, 1, (int)left) != 1)
            return false;
        if (recv(fd, bytes, sizeof bytes, 0) <= 0)
            return true;
    }
}

void client_ask(struct reply *out, const struct http *http, const char *method,
                const char *path, const char *headers, const char *body)
{
    static _Thread_local char text[131072];
    char host[64] = "", length[64] = "";
    headers = headers != NULL ? headers : "";
    if (strstr(headers, "Host:") == NULL)
        (void)snprintf(host, sizeof host, "Host: 127.0.0.1:%u\r\n",
                       http_port(http));
    if (body != NULL)
        (void)snprintf(length, sizeof length, "Content-Length: %zu\r\n",
                       strlen(body));
    (void)snprintf(text, sizeof text, "%s %s HTTP/1.1\r\n%s%s%s\r\n%s", method,
                   path, host, length, headers, body != NULL ? body : "");
    int fd = client_open(http);
    (void)client_send(fd, text);
    client_read(fd, out);
    (void)close(fd);
}
