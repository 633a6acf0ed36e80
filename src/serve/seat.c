#include "serve/seat.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/mem.h"

enum {
    NAME_MAX_BYTES = 1024,
    CSRF_MAX = 128,
    PAUSE_FIRST_MS = 50,
    PAUSE_MAX_MS = 2000,
    CONNECT_MS = 5000,
    ANSWER_MS = 60000,
};

struct seat {
    CURL *curl;
    double patience;
    const struct context *context;
    char base[SEAT_URL_MAX]; // "http://127.0.0.1:8071"
    char csrf[CSRF_MAX];
    char name[NAME_MAX_BYTES];
    int64_t clock;
    bool is_away; // the last attempt found no server, which was told
};

/* ---- once a process ------------------------------------------------------ */

static int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static double ticking(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void pause_ms(int64_t ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    (void)nanosleep(&t, NULL);
}

/* ---- one request --------------------------------------------------------- */

static size_t take(char *data, size_t size, size_t n, void *ctx)
{
    struct buf *out = ctx;
    buf_append(out, data, size * n);
    return out->code == OK ? size * n : 0;
}

/* A list of headers; NULL when memory is short, the whole of it freed. */
static struct curl_slist *add(struct curl_slist *list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(list, line);
    if (longer == NULL)
        curl_slist_free_all(list);
    return longer;
}

static struct curl_slist *headers_of(const struct seat *c, bool is_write,
                                     bool has_body)
{
    char line[SEAT_URL_MAX + CSRF_MAX];
    struct curl_slist *list = add(NULL, "Accept: application/json");
    if (list && has_body)
        list = add(list, "Content-Type: application/json");
    if (list && is_write) {
        (void)snprintf(line, sizeof line, "Origin: %s", c->base);
        list = add(list, line);
    }
    if (list && is_write && *c->csrf) {
        (void)snprintf(line, sizeof line, "X-Plumb-CSRF: %s", c->csrf);
        list = add(list, line);
    }
    return list;
}

static CURLcode set_method(CURL *curl, enum seat_method method,
                           const char *body)
{
    static const char *const name[] = {"GET", "POST", "DELETE"};
    CURLcode code = curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, name[method]);
    if (code == CURLE_OK && method == SEAT_POST) {
        code = curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                                (curl_off_t)strlen(body ? body : ""));
        if (code == CURLE_OK)
            code = curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body ? body : "");
    } else if (code == CURLE_OK) {
        code = curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
        if (code == CURLE_OK)
            code = curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, name[method]);
    }
    return code;
}

/* What came back from one attempt. */
struct answer {
    CURLcode code;
    long status;
    int64_t wait_ms; // of Retry-After, or 0
    struct buf text;
};

static void attempt(struct seat *c, struct answer *a, enum seat_method method,
                    const char *path, const char *body)
{
    char url[2 * SEAT_URL_MAX];
    curl_off_t retry = 0;
    buf_clear(&a->text);
    a->status = 0;
    a->wait_ms = 0;
    a->code = CURLE_OUT_OF_MEMORY;
    (void)snprintf(url, sizeof url, "%s%s", c->base, path);
    struct curl_slist *headers =
        headers_of(c, method != SEAT_GET, body != NULL);
    if (headers == NULL)
        return;
    a->code = curl_easy_setopt(c->curl, CURLOPT_URL, url);
    if (a->code == CURLE_OK)
        a->code = set_method(c->curl, method, body);
    if (a->code == CURLE_OK)
        a->code = curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
    if (a->code == CURLE_OK)
        a->code = curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &a->text);
    if (a->code == CURLE_OK)
        a->code = curl_easy_perform(c->curl);
    if (a->code == CURLE_OK) {
        (void)curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &a->status);
        (void)curl_easy_getinfo(c->curl, CURLINFO_RETRY_AFTER, &retry);
        a->wait_ms = (int64_t)retry * 1000;
    }
    (void)curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
}

static bool is_worth_again(const struct answer *a)
{
    switch ((int)a->code) {
    case CURLE_OK:
        return a->status == 429 || a->status == 503;
    case CURLE_COULDNT_CONNECT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
        return true;
    default:
        return false;
    }
}

/* "127.0.0.1:8071" */
static const char *place(const struct seat *c)
{
    return strstr(c->base, "://") + 3;
}

/* Nobody there, or somebody who is too busy; 429 only asks for patience. */
static bool is_gone(const struct answer *a)
{
    return a->code != CURLE_OK || a->status == 503;
}

/* Whoever waits is told once what for. */
static void tell_away(struct seat *c, const struct answer *a)
{
    bool was_away = c->is_away;
    c->is_away = is_gone(a);
    if (!c->is_away || was_away || c->context == NULL)
        return;
    if (a->code == CURLE_OK)
        context_warn(c->context,
                     "%s is too busy or stopping (503), trying again for %.4g "
                     "s",
                     place(c), c->patience);
    else if (a->code == CURLE_COULDNT_CONNECT)
        context_warn(c->context,
                     "cannot connect to %s, trying again for %.4g s", place(c),
                     c->patience);
    else
        context_warn(c->context,
                     "%s does not answer (%s), trying again for %.4g s",
                     place(c), curl_easy_strerror(a->code), c->patience);
}

static enum status status_of(long code)
{
    switch (code) {
    case 401:
    case 403:
    case 404:
        return ERR_MISSING;
    case 409:
        return ERR_MISMATCH;
    case 507:
        return ERR_FULL;
    default:
        return code >= 500 ? ERR_IO : ERR_ARG;
    }
}

/* The answer as a document, or as a failure. */
static enum status read_answer(struct json **out, const struct seat *c,
                               const struct answer *a, const char *path,
                               struct err *err)
{
    struct json *json = NULL;
    if (a->code != CURLE_OK && a->text.code == ERR_LIMIT)
        return err_set(err, ERR_LIMIT, "%s: more than %zu bytes", path,
                       SEAT_ANSWER_MAX);
    if (a->code == CURLE_COULDNT_CONNECT)
        return err_set(err, ERR_IO,
                       "cannot connect to %s, tried for %.4g s: does plumb "
                       "label run, and is the link of now?",
                       place(c), c->patience);
    if (a->code != CURLE_OK)
        return err_set(err, ERR_IO, "%s%s: %s", place(c), path,
                       curl_easy_strerror(a->code));
    bool is_done = a->status >= 200 && a->status < 300;
    if (a->text.len > 0 && (is_done || a->text.data[0] == '{')) {
        TRY(json_check_shape(a->text.data, a->text.len, 32, 1u << 20, path,
                             err));
        TRY(json_parse(&json, a->text.data, a->text.len, path, err));
    }
    if (is_done) {
        *out = json;
        return OK;
    }
    enum status status =
        err_set(err, status_of(a->status), "%s: %ld: %s", path, a->status,
                json_text(json_get(json, "error"), "no reason given"));
    json_free(json);
    return status;
}

enum status seat_call(struct seat *c, struct json **out,
                      enum seat_method method, const char *path,
                      const char *body, struct err *err)
{
    struct answer a = {.code = CURLE_OK};
    int64_t pause = PAUSE_FIRST_MS;
    double end = ticking() + c->patience;
    enum status status = OK;
    *out = NULL;
    buf_init(&a.text, SEAT_ANSWER_MAX);
    for (;;) {
        attempt(c, &a, method, path, body);
        int64_t wait = a.wait_ms > 0 ? a.wait_ms : pause;
        if (!is_worth_again(&a) || ticking() + 1e-3 * (double)wait > end)
            break;
        if (context_stopped(c->context)) {
            status = err_set(err, ERR_STOPPED, "stopped");
            break;
        }
        tell_away(c, &a);
        pause_ms(wait);
        pause = 2 * pause < PAUSE_MAX_MS ? 2 * pause : PAUSE_MAX_MS;
    }
    c->is_away = c->is_away && is_gone(&a);
    if (status == OK)
        status = read_answer(out, c, &a, path, err);
    buf_free(&a.text);
    return status;
}

/* ---- signing in ---------------------------------------------------------- */

/* "http://host:port/#token=TOKEN" into its two parts. */
static enum status cut_link(char base[SEAT_URL_MAX], const char **token,
                            const char *link, struct err *err)
{
    const char *mark = strstr(link, "/#token=");
    if (strncmp(link, "http://", 7) != 0 && strncmp(link, "https://", 8) != 0)
        mark = NULL;
    if (mark == NULL || (size_t)(mark - link) >= SEAT_URL_MAX)
        return err_set(err, ERR_ARG,
                       "a link is URL/#token=TOKEN, as `plumb label invite` "
                       "prints it");
    *token = mark + strlen("/#token=");
    if (strspn(*token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                       "0123456789-_") != strlen(*token) ||
        **token == '\0' || strlen(*token) > 200)
        return err_set(err, ERR_ARG, "what follows #token= is no token");
    memcpy(base, link, (size_t)(mark - link));
    base[mark - link] = '\0';
    return OK;
}

static enum status sign_in(struct seat *c, const char *token, struct err *err)
{
    char body[256];
    struct json *who = NULL;
    (void)snprintf(body, sizeof body, "{\"token\":\"%s\"}", token);
    TRY(seat_call(c, &who, SEAT_POST, "/api/session", body, err));
    (void)snprintf(c->csrf, sizeof c->csrf, "%s",
                   json_text(json_get(who, "csrf"), ""));
    (void)snprintf(c->name, sizeof c->name, "%s",
                   json_text(json_get(who, "name"), ""));
    int64_t now = now_ms();
    c->clock = json_int(json_get(who, "now"), now) - now;
    json_free(who);
    return *c->csrf
               ? OK
               : err_set(err, ERR_FORMAT,
                         "%s does not answer as plumb label does", c->base);
}

static enum status prepare(struct seat *c, struct err *err)
{
    static const struct {
        CURLoption option;
        long value;
    } number[] = {
        {CURLOPT_NOSIGNAL, 1},
        {CURLOPT_FOLLOWLOCATION, 0},
        {CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS},
        {CURLOPT_TIMEOUT_MS, ANSWER_MS},
        {CURLOPT_TCP_NODELAY, 1},
    };
    CURLcode code = CURLE_OK;
    c->curl = curl_easy_init();
    if (c->curl == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: a connection");
    for (size_t i = 0; i < sizeof number / sizeof *number; i++)
        if (code == CURLE_OK)
            code = curl_easy_setopt(c->curl, number[i].option, number[i].value);
    if (code == CURLE_OK)
        code = curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    if (code == CURLE_OK) /* an empty name: cookies are kept in memory */
        code = curl_easy_setopt(c->curl, CURLOPT_COOKIEFILE, "");
    if (code == CURLE_OK)
        code = curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, take);
    return code == CURLE_OK ? OK
                            : err_set(err, ERR_IO, "a connection: %s",
                                      curl_easy_strerror(code));
}

enum status seat_open(struct seat **out, const char *link,
                      const struct seat_config *config, struct err *err)
{
    enum status status = OK;
    const char *token;
    struct seat *c = NULL;
    char base[SEAT_URL_MAX];
    TRY(cut_link(base, &token, link, err));
    /* Counts its callers; freed by nobody, as there may be others. */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return err_set(err, ERR_IO, "libcurl does not start");
    TRY(MEM_NEW(c, 1, err));
    memcpy(c->base, base, sizeof base);
    c->patience = config->patience > 0 ? config->patience : 30;
    c->context = config->context;
    TRY_DONE(prepare(c, err));
    TRY_DONE(sign_in(c, token, err));
    *out = c;
    c = NULL;
done:
    seat_close(c);
    return status;
}

void seat_close(struct seat *c)
{
    if (c == NULL)
        return;
    curl_easy_cleanup(c->curl);
    mem_free(c);
}

const char *seat_name(const struct seat *c)
{
    return c->name;
}

int64_t seat_clock(const struct seat *c)
{
    return c->clock;
}
