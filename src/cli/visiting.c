#include "cli/visiting.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/labelling.h"
#include "cli/session.h"
#include "cli/stop.h"
#include "cli/terminal.h"
#include "io/jsonl.h"
#include "serve/seat.h"
#include "world/visitor.h"

#define BODY_MAX ((size_t)1 << 16)
#define AT_ONCE 4 // items asked for

/* A visit under way. */
struct visit {
    const struct options *o;
    struct seat *seat;
    struct visitor *visitor;
    struct context context;
    const char *pool;             // in which it judges now
    bool is_known, is_over;       // what is asked there; nothing is left there
    int64_t votes, missing, left; // left: pools of which nothing is known
    int64_t began;                // makes keys new
};

/* ---- one item ------------------------------------------------------------ */

static void write_marks(struct json_writer *w, const struct visitor_said *said)
{
    json_put_key(w, "marks");
    json_open(w, '[');
    for (size_t i = 0; i < 2; i++) {
        const struct panel_marks *m = &said->verdict.marks[i];
        json_open(w, '{');
        json_field_int(w, "helpful", said->helpful[i]);
        json_field_int(w, "direct", m->direct);
        json_field_text(w, "correct", panel_correct_name(m->correct));
        json_field_text(w, "length", panel_length_name(m->length));
        json_close(w, '}');
    }
    json_close(w, ']');
}

/* What the visitor says, as members of an act. */
static enum status say(struct json_writer *w, struct visit *v,
                       const struct json *item, const char *const *answer,
                       size_t K, struct err *err)
{
    const char *prompt, *task;
    int32_t rank[RATER_REPLIES_MAX];
    struct visitor_said said;
    TRY(json_need_text(&prompt, item, "prompt", "item", err));
    TRY(json_need_text(&task, item, "task", "item", err));
    if (strcmp(task, "ranking") == 0) {
        TRY(visitor_rank(rank, v->visitor, prompt, answer, K, err));
        json_field_ints(w, "ranks", rank, K);
        return OK;
    }
    if (K != 2)
        return err_set(err, ERR_FORMAT, "a spot-check of %zu answers", K);
    TRY(visitor_check(&said, v->visitor, prompt, answer, err));
    json_field_text(w, "overall", said.verdict.overall);
    write_marks(w, &said);
    return OK;
}

/* Wait as long as a person would take, or until asked to stop. */
static void read_item(const struct visit *v)
{
    double end = terminal_now() + v->o->v.world.pace;
    const struct timespec t = {0, 20000000};
    while (terminal_now() < end && !context_stopped(&v->context))
        (void)nanosleep(&t, NULL);
}

/* What is not in the tickets is skipped, as a person would what is not theirs
 * to judge. */
static enum status write_act(struct buf *body, struct visit *v,
                             const struct json *item, const char *const *answer,
                             size_t K, int64_t shown, struct err *err)
{
    struct json_writer w;
    char key[80];
    for (bool is_known = true;; is_known = false) {
        buf_clear(body);
        json_writer_init(&w, body, false);
        json_open(&w, '{');
        (void)snprintf(key, sizeof key, "visit-%lld-%ld-%lld",
                       (long long)v->began, (long)getpid(),
                       (long long)json_int(json_get(item, "assignment"), 0));
        json_field_text(&w, "key", key);
        json_field_text(&w, "act", is_known ? "vote" : "skip");
        json_field_int(&w, "supersedes",
                       json_int(json_get(item, "standing"), 0));
        json_field_int(&w, "shown_at", shown);
        enum status status = is_known ? say(&w, v, item, answer, K, err) : OK;
        if (status == ERR_MISSING) {
            if (v->missing++ == 0)
                context_warn(&v->context,
                             "%s has no ticket of some prompts of pool '%s': "
                             "they are skipped, which is on record",
                             v->o->v.world.data, v->pool);
            continue;
        }
        TRY(status);
        v->votes += is_known ? 1 : 0;
        json_close(&w, '}');
        return buf_status(body, err);
    }
}

static enum status judge_item(struct visit *v, const struct json *item,
                              struct err *err)
{
    const char *answer[RATER_REPLIES_MAX];
    const struct json *answers = json_get(item, "answers");
    size_t K = json_size(answers);
    int64_t shown = labelling_now() + seat_clock(v->seat);
    char path[64];
    struct json *said = NULL;
    struct buf body;
    if (K < 2 || K > RATER_REPLIES_MAX)
        return err_set(err, ERR_FORMAT, "an item of %zu answers", K);
    for (size_t k = 0; k < K; k++)
        answer[k] = json_text(json_at(answers, k), "");
    read_item(v);
    if (context_stopped(&v->context))
        return OK;
    buf_init(&body, BODY_MAX);
    (void)snprintf(path, sizeof path, "/api/items/%lld/act",
                   (long long)json_int(json_get(item, "assignment"), 0));
    enum status status = write_act(&body, v, item, answer, K, shown, err);
    if (status == OK)
        status =
            seat_call(v->seat, &said, SEAT_POST, path, buf_text(&body), err);
    json_free(said);
    buf_free(&body);
    return status;
}

/* ---- all of them --------------------------------------------------------- */

static bool is_enough(const struct visit *v)
{
    int64_t wanted = v->o->v.world.votes;
    return (wanted > 0 && v->votes >= wanted) || context_stopped(&v->context);
}

/* A skip is on record, so nothing is skipped where nothing that is asked first
 * is known: the tickets are others'. */
static bool is_strange(struct visit *v, const struct json *items)
{
    for (size_t i = 0; !v->is_known && i < json_size(items); i++)
        v->is_known = visitor_knows(
            v->visitor, json_text(json_get(json_at(items, i), "prompt"), ""));
    if (v->is_known || json_size(items) == 0)
        return false;
    context_warn(&v->context,
                 "pool '%s' is left alone: %s has no ticket of any prompt that "
                 "is asked there first",
                 v->pool, v->o->v.world.data);
    v->left++;
    return true;
}

static enum status judge_some(struct visit *v, int64_t pool, struct err *err)
{
    enum status status = OK;
    struct json *answer = NULL;
    char path[64], body[40];
    (void)snprintf(path, sizeof path, "/api/pools/%lld/next", (long long)pool);
    (void)snprintf(body, sizeof body, "{\"want\":%d}", AT_ONCE);
    TRY(seat_call(v->seat, &answer, SEAT_POST, path, body, err));
    const struct json *items = json_get(answer, "items");
    v->is_over = json_size(items) == 0 || is_strange(v, items);
    for (size_t i = 0;
         status == OK && !v->is_over && i < json_size(items) && !is_enough(v);
         i++)
        status = judge_item(v, json_at(items, i), err);
    json_free(answer);
    return status;
}

static enum status judge_pools(struct visit *v, struct err *err)
{
    const char *name = v->o->v.world.pool;
    struct json *answer = NULL;
    bool is_there = name == NULL;
    enum status status = OK;
    TRY(seat_call(v->seat, &answer, SEAT_GET, "/api/pools", NULL, err));
    const struct json *pools = json_get(answer, "pools");
    for (size_t i = 0; status == OK && i < json_size(pools); i++) {
        const struct json *p = json_at(pools, i);
        const char *its = json_text(json_get(p, "name"), "");
        if (name != NULL && strcmp(name, its) != 0)
            continue;
        is_there = true;
        v->pool = its;
        v->is_known = false;
        v->is_over = json_bool(json_get(p, "closed"), false);
        while (status == OK && !v->is_over && !is_enough(v))
            status = judge_some(v, json_int(json_get(p, "pool"), 0), err);
    }
    json_free(answer);
    if (status == OK && !is_there)
        return err_set(err, ERR_MISSING, "no pool '%.100s' there", name);
    if (status == OK && v->left > 0 && v->votes + v->missing == 0)
        return err_set(err, ERR_FORMAT,
                       "%s: nothing that is asked has a ticket in it, and "
                       "nothing was skipped; --data is the file that the pool "
                       "was loaded from",
                       v->o->v.world.data);
    return status;
}

static enum status tell(const struct visit *v, struct err *err)
{
    struct buf out;
    struct json_writer w;
    buf_init(&out, BODY_MAX);
    if (v->o->v.common.json) {
        json_writer_init(&w, &out, true);
        json_open(&w, '{');
        json_field_text(&w, "schema", "plumb.world/1");
        json_field_text(&w, "plumb_version", PLUMB_VERSION);
        json_field_text(&w, "step", "judge");
        json_field_text(&w, "judge", seat_name(v->seat));
        json_field_int(&w, "votes", v->votes);
        json_field_int(&w, "without_ticket", v->missing);
        json_field_int(&w, "pools_left", v->left);
        json_close(&w, '}');
        buf_putc(&out, '\n');
    } else {
        buf_printf(&out, "%s: %lld votes", seat_name(v->seat),
                   (long long)v->votes);
        if (v->missing > 0)
            buf_printf(&out, ", %lld items skipped without a ticket",
                       (long long)v->missing);
        if (v->left > 0)
            buf_printf(&out, ", %lld pool%s left alone", (long long)v->left,
                       v->left == 1 ? "" : "s");
        buf_putc(&out, '\n');
    }
    enum status status = terminal_print(&out, err);
    buf_free(&out);
    return status;
}

/* ---- the visit ----------------------------------------------------------- */

/* The link is a secret, so it is read from a file and not from the command
 * line, which everybody on the machine can see. */
static enum status read_link(char link[SEAT_URL_MAX], const char *path,
                             struct err *err)
{
    struct buf text;
    enum status status = OK;
    if (path == NULL)
        return err_set(err, ERR_ARG,
                       "link is not set: a file with a judge's link, as "
                       "`plumb label invite PROJECT.db --name ada` prints it");
    buf_init(&text, 16 * SEAT_URL_MAX);
    TRY_DONE(file_read(&text, path, err));
    size_t len = strcspn(buf_text(&text), " \t\r\n");
    if (len == 0 || len >= SEAT_URL_MAX) {
        status = err_set(err, ERR_FORMAT, "%s: no link in it", path);
        goto done;
    }
    memcpy(link, text.data, len);
    link[len] = '\0';
done:
    buf_free(&text);
    return status;
}

/* In the order of the choices of world.as. */
static const enum visitor_kind kinds[] = {VISITOR_CAREFUL, VISITOR_HURRIED,
                                          VISITOR_MIXED, VISITOR_COIN};

enum status visiting_judge(const struct options *o, struct err *err)
{
    const struct world_values *w = &o->v.world;
    char link[SEAT_URL_MAX];
    struct terminal t;
    struct visit v = {.o = o,
                      .context = {.stop = stop_flag(),
                                  .stage = "judge",
                                  .sink = terminal_event,
                                  .sink_ctx = &t},
                      .began = labelling_now()};
    enum status status = OK;
    terminal_init(&t, o->v.common.quiet);
    if (w->data == NULL)
        return err_set(err, ERR_ARG,
                       "data is not set: records with the tickets of what is "
                       "judged");
    TRY(read_link(link, w->link, err));
    const struct seat_config config = {.context = &v.context};
    TRY(seat_open(&v.seat, link, &config, err));
    const struct visitor_config person = {
        .kind = kinds[w->as - 1],
        .name = seat_name(v.seat),
        .seed = (uint64_t)o->v.common.seed,
        .rater = w->rater,
        .panel = cmd_world_panel(w),
    };
    TRY_DONE(visitor_open(&v.visitor, w->data, &person, err));
    TRY_DONE(judge_pools(&v, err));
    TRY_DONE(tell(&v, err));
    if (context_stopped(&v.context))
        status = err_set(err, ERR_STOPPED, "stopped");
done:
    visitor_close(v.visitor);
    seat_close(v.seat);
    return status;
}
