#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "serve/auth.h"
#include "serve/hall.h"

_Atomic int64_t hall_now;
char hall_warning[ERR_TEXT_MAX];

const char *const hall_secrets[] = {
    "policy",   "reference",  "placebo",  "gold",       "repeat",
    "normal",   "identical",  "adaptive", "random",     "RUNNAME",
    "31337313", "0.8125",     "ITEMNAME", "PROMPTNAME", "EXTRAWORD",
    "MODEL",    "\"source\"", "score",    "\"step\"",   "\"run\"",
    "\"arm\"",  "\"item\"",   "tokens",   "47114711",   "better",
    "secret",   "\"nth\"",    NULL};

/* ---- the project -------------------------------------------------------- */

static void add(struct hall *h, struct item *x)
{
    struct err err = {OK, ""};
    int64_t id = 0;
    bool is_new = false;
    if (items_add(&id, &is_new, h->rig.db, x, 0, RIG_NOW, &err) != OK)
        fail_msg("%s", err.text);
}

static struct candidate reply(const char *text, const char *source)
{
    return (struct candidate){.text = text,
                              .source = source,
                              .run = "RUNNAME",
                              .step = 31337313,
                              .sample = 47114711,
                              .tokens = 31337313,
                              .score = 0.8125,
                              .finish = "eos",
                              .extra = "{\"EXTRAWORD\":1}"};
}

static void add_pair(struct hall *h, int i, enum item_kind kind)
{
    char name[64], id[64], prompt[64], text[2][64];
    (void)snprintf(name, sizeof name, "ITEMNAME-%d-%d", (int)kind, i);
    (void)snprintf(id, sizeof id, "PROMPTNAME-%d-%d", (int)kind, i);
    (void)snprintf(prompt, sizeof prompt, "What of <b>%d</b> & %d?", (int)kind,
                   i);
    (void)snprintf(text[0], sizeof text[0], "this is answer %d", 2 * i);
    (void)snprintf(text[1], sizeof text[1], "this is answer %d",
                   kind == ITEM_IDENTICAL ? 2 * i : 2 * i + 1);
    const struct candidate c[] = {
        reply(text[0], kind == ITEM_PLACEBO ? "placebo" : "policy"),
        reply(text[1], "reference")};
    struct item x = {.pool = h->spot,
                     .name = name,
                     .kind = kind,
                     .arm = ITEM_RANDOM,
                     .expected = kind == ITEM_GOLD ? "{\"better\":1}" : NULL,
                     .prompt_id = id,
                     .prompt = prompt,
                     /* Of a dialogue, roles and contents alone are shown. */
                     .messages = "[{\"role\":\"user\",\"content\":\"What?\","
                                 "\"name\":\"MODEL\"}]",
                     .extra = "{\"EXTRAWORD\":{\"step\":31337313}}",
                     .candidate = c,
                     .n = 2};
    add(h, &x);
}

static void add_set(struct hall *h, int i, size_t K)
{
    char name[64], id[64], prompt[64], text[8][64];
    struct candidate c[8];
    (void)snprintf(name, sizeof name, "ITEMNAME-%d", i);
    (void)snprintf(id, sizeof id, "PROMPTNAME-%d", i);
    (void)snprintf(prompt, sizeof prompt, "which of %zu, %d?", K, i);
    for (size_t k = 0; k < K; k++) {
        (void)snprintf(text[k], sizeof text[k], "answer %zu to %d", k, i);
        c[k] = reply(text[k], "MODEL-A");
    }
    struct item x = {.pool = h->ranking,
                     .name = name,
                     .kind = ITEM_NORMAL,
                     .arm = ITEM_ADAPTIVE,
                     .priority = 0.8125,
                     .prompt_id = id,
                     .prompt = prompt,
                     .candidate = c,
                     .n = K};
    add(h, &x);
}

void hall_prepare(struct hall *h, int64_t overlap)
{
    rig_open(&h->rig);
    hall_now = RIG_NOW;
    hall_warning[0] = '\0';
    h->label = NULL;
    h->spot = rig_pool(&h->rig, "first", POOL_SPOTCHECK, overlap, 0.5);
    h->ranking = rig_pool(&h->rig, "second", POOL_RANKING, overlap, 0.5);
    for (int i = 0; i < HALL_PAIRS; i++) {
        add_pair(h, i, ITEM_NORMAL);
        add_pair(h, i, ITEM_PLACEBO);
    }
    add_pair(h, 0, ITEM_IDENTICAL);
    add_pair(h, 0, ITEM_GOLD);
    (void)rig_repeat(&h->rig, h->spot, "ITEMNAME-again", "ITEMNAME-0-1", 1);
    for (int i = 0; i < 4; i++)
        add_set(h, i, i % 2 == 0 ? 4 : 2);
}

static double read_clock(void)
{
    return (double)hall_now / 1000.0;
}

static void on_event(void *ctx, const struct event *event)
{
    (void)ctx;
    if (event->kind == EVENT_WARNING)
        (void)snprintf(hall_warning, sizeof hall_warning, "%s", event->text);
}

void hall_serve(struct hall *h)
{
    static const struct context context = {.clock = read_clock,
                                           .sink = on_event};
    struct err err = {OK, ""};
    const struct label_config c = {
        .limits = {.address_per_s = 1000,
                   .address_burst = 100000,
                   .session_per_s = 1000,
                   .session_burst = 100000},
        .context = &context,
    };
    if (label_start(&h->label, h->rig.db, &c, &err) != OK)
        fail_msg("%s", err.text);
    h->port = http_port(label_http(h->label));
}

void hall_open(struct hall *h, int64_t overlap)
{
    hall_prepare(h, overlap);
    hall_serve(h);
}

void hall_close(struct hall *h)
{
    label_stop(h->label);
    h->label = NULL;
    rig_close(&h->rig);
}

/* ---- asking ------------------------------------------------------------- */

int hall_ask(struct hall *h, const struct person *p, const char *method,
             const char *path, const char *body)
{
    static char text[400000];
    char length[100] = "", who[400] = "";
    if (p != NULL)
        (void)snprintf(who, sizeof who, "Cookie: %s\r\nX-Plumb-CSRF: %s\r\n",
                       p->cookie, p->csrf);
    if (body != NULL)
        (void)snprintf(length, sizeof length,
                       "Content-Type: application/json\r\n"
                       "Content-Length: %zu\r\n",
                       strlen(body));
    int n = snprintf(
        text, sizeof text,
        "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: close\r\n%s%s"
        "\r\n%s",
        method, path, h->port, who, length, body != NULL ? body : "");
    assert_in_range(n, 1, sizeof text - 1);
    int fd = client_open_to("127.0.0.1", h->port);
    if (fd < 0)
        return h->reply.status = 0;
    (void)client_send(fd, text);
    client_read(fd, &h->reply);
    (void)close(fd);
    return h->reply.status;
}

int hall_askf(struct hall *h, const struct person *p, const char *method,
              const char *body, const char *path, ...)
{
    char text[200];
    va_list args;
    va_start(args, path);
    (void)vsnprintf(text, sizeof text, path, args);
    va_end(args);
    return hall_ask(h, p, method, text, body);
}

/* The node of the last answer; the root is for the caller to free. */
static const struct json *find(struct json **root, const struct hall *h,
                               const char *path)
{
    const struct reply *r = &h->reply;
    size_t len = r->len - (size_t)(r->body - r->text);
    *root = NULL;
    if (json_parse(root, r->body, len, "answer", NULL) != OK)
        return NULL;
    const struct json *node = *root;
    while (*path != '\0') {
        char part[64];
        size_t n = strcspn(path, ".");
        assert_true(n < sizeof part);
        memcpy(part, path, n);
        part[n] = '\0';
        node = json_is_array(node)
                   ? json_at(node, (size_t)strtoul(part, NULL, 10))
                   : json_get(node, part);
        path += n + (path[n] == '.');
    }
    return node;
}

int64_t hall_int(const struct hall *h, const char *path)
{
    struct json *root;
    int64_t x = json_int(find(&root, h, path), -1);
    json_free(root);
    return x;
}

const char *hall_text(const struct hall *h, const char *path)
{
    static char text[4096];
    struct json *root;
    const struct json *node = find(&root, h, path);
    if (json_is_bool(node))
        (void)snprintf(text, sizeof text, "%s",
                       json_bool(node, false) ? "true" : "false");
    else
        (void)snprintf(text, sizeof text, "%s", json_text(node, ""));
    json_free(root);
    return text;
}

struct person hall_sign_in(struct hall *h, const char *token)
{
    char body[128], cookie[1024];
    struct person p = {.judge = 0};
    (void)snprintf(body, sizeof body, "{\"token\":\"%s\"}", token);
    if (hall_ask(h, NULL, "POST", "/api/session", body) != 200)
        fail_msg("%s", h->reply.text);
    assert_non_null(client_header(&h->reply, "Set-Cookie", cookie));
    (void)snprintf(p.cookie, sizeof p.cookie, "%.*s", (int)strcspn(cookie, ";"),
                   cookie);
    (void)snprintf(p.csrf, sizeof p.csrf, "%.60s", hall_text(h, "csrf"));
    p.judge = hall_int(h, "judge");
    if (h->label != NULL) // else the server has a clock of its own
        assert_int_equal(hall_int(h, "now"), hall_now);
    return p;
}

struct person hall_enter(struct hall *h, const char *name, enum judge_role role)
{
    struct err err = {OK, ""};
    char token[AUTH_TOKEN_TEXT];
    int64_t id = 0;
    if (auth_invite(token, &id, h->rig.db, name, role, AUTH_REUSABLE, 0,
                    RIG_NOW, &err) != OK)
        fail_msg("%s", err.text);
    struct person p = hall_sign_in(h, token);
    assert_int_equal(p.judge, id);
    return p;
}

/* ---- judging ------------------------------------------------------------ */

int64_t hall_next(struct hall *h, const struct person *p, int64_t pool)
{
    if (hall_askf(h, p, "POST", "{\"want\":1}", "/api/pools/%lld/next",
                  (long long)pool) != 200)
        fail_msg("%s", h->reply.text);
    int64_t id = hall_int(h, "items.0.assignment");
    assert_string_equal(hall_text(h, "done"), id < 0 ? "true" : "false");
    return id < 0 ? 0 : id;
}

int hall_vote(struct hall *h, const struct person *p, int64_t assignment,
              const char *overall, const char *key, int64_t supersedes)
{
    char body[600];
    (void)snprintf(
        body, sizeof body,
        "{\"key\":\"%s\",\"act\":\"vote\",\"supersedes\":%lld,"
        "\"overall\":\"%s\",\"marks\":[{\"helpful\":3,\"direct\":4,"
        "\"correct\":\"yes\",\"length\":\"right\"},{\"helpful\":0,"
        "\"direct\":1,\"correct\":\"unsure\",\"length\":\"too_long\"}],"
        "\"reason\":\"shorter\",\"render\":\"markdown\",\"shown_at\":%lld}",
        key, (long long)supersedes, overall, (long long)hall_now - 2500);
    return hall_askf(h, p, "POST", body, "/api/items/%lld/act",
                     (long long)assignment);
}

int hall_rank(struct hall *h, const struct person *p, int64_t assignment,
              size_t K, const char *key, int64_t supersedes)
{
    char body[600], ranks[100] = "";
    size_t len = 0;
    for (size_t k = 0; k < K; k++)
        len += (size_t)snprintf(ranks + len, sizeof ranks - len, "%s%zu",
                                k > 0 ? "," : "", k + 1);
    (void)snprintf(body, sizeof body,
                   "{\"key\":\"%s\",\"act\":\"vote\",\"supersedes\":%lld,"
                   "\"ranks\":[%s],%s\"render\":\"plain\"}",
                   key, (long long)supersedes, ranks,
                   K == 2 ? "\"strength\":2," : "");
    return hall_askf(h, p, "POST", body, "/api/items/%lld/act",
                     (long long)assignment);
}

int hall_act(struct hall *h, const struct person *p, int64_t assignment,
             const char *act, const char *key, int64_t supersedes)
{
    char body[300];
    (void)snprintf(body, sizeof body,
                   "{\"key\":\"%s\",\"act\":\"%s\",\"supersedes\":%lld}", key,
                   act, (long long)supersedes);
    return hall_askf(h, p, "POST", body, "/api/items/%lld/act",
                     (long long)assignment);
}
