/*
 * site.h - a small site that uses all a server has, for the tests.
 */
#ifndef PLUMB_TESTS_SERVE_SITE_H
#define PLUMB_TESTS_SERVE_SITE_H

#include "serve/http.h"

#define SITE_LONG 300000 // bytes of /api/long
#define SITE_BODY 1024   // bytes that /api/echo takes

struct site {
    char warning[ERR_TEXT_MAX]; // the last one that was sent to the sink
    _Atomic int ended;          // streams whose end was told
    int echoed;                 // calls of /api/echo
    struct context context;
};

/* A configuration of routes and files with `site` as the context. */
struct http_config site_config(struct site *site);

/* Start it; must succeed. */
struct http *site_start(const struct http_config *c);

#endif
