/*
 * client.h - a client that sends what it is told to, right or wrong, over a
 * plain socket.
 */
#ifndef PLUMB_TESTS_SERVE_CLIENT_H
#define PLUMB_TESTS_SERVE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "serve/http.h"

#define REPLY_MAX 262144

struct reply {
    int status;           // 0: the connection ended without an answer
    char text[REPLY_MAX]; // all of it, status line and headers included
    const char *body;     // in text
    size_t len;           // of text
};

/* A socket connected to the server. */
int client_open(const struct http *http);
int client_open_to(const char *address, unsigned port);

/* Send all of a text; false when the other side does not take it. */
bool client_send(int fd, const char *text);
bool client_send_bytes(int fd, const void *data, size_t len);

/* Read one answer, until its Content-Length is there or the other side
 * closes; at most 10 s. */
void client_read(int fd, struct reply *out);

/* Read until `wanted` is in the text, or the end, or `ms` are over. */
bool client_wait_for(int fd, struct reply *out, const char *wanted, int ms);

/* Is the connection closed by the other side within `ms`? */
bool client_is_closed(int fd, int ms);

/* A request on a connection of its own.  `headers` are further lines, each
 * with "\r\n", or NULL; Host is the server's unless `headers` has one. */
void client_ask(struct reply *out, const struct http *http, const char *method,
                const char *path, const char *headers, const char *body);

/* The value of a header of an answer, or NULL. */
const char *client_header(const struct reply *r, const char *name,
                          char value[1024]);

#endif
