/* labelling_choose.c - what is asked first of a pool's adaptive arm. */
#include <string.h>

#include "cli/labelling.h"
#include "cli/session.h"
#include "eval/choose_pool.h"

#define TEXT_MAX ((size_t)1 << 16)

/* "a,b" as paths that live as long as `own`. */
static enum status split(const char *path[ENSEMBLE_MAX], size_t *n,
                         struct options *own, const char *list, struct err *err)
{
    *n = 0;
    for (const char *s = list;; s++) {
        size_t len = strcspn(s, ",");
        if (*n == ENSEMBLE_MAX)
            return err_set(err, ERR_ARG,
                           "label.reward_model: more than %d reward models",
                           ENSEMBLE_MAX);
        if (len == 0)
            return err_set(err, ERR_ARG,
                           "label.reward_model = %.200s: a name is empty",
                           list);
        TRY(options_copy(own, &path[(*n)++], s, len, err));
        s += len;
        if (*s == '\0')
            return OK;
    }
}

static enum status run(struct choose_pool_counts *n, const struct options *o,
                       struct db *db, struct err *err)
{
    struct session s;
    struct options own;
    const char *path[ENSEMBLE_MAX];
    struct choose_pool_config c = {.pool = o->v.label.pool,
                                   .reward_model = path,
                                   .precision = options_precision(o)};
    TRY(options_init(&own, err));
    enum status status =
        split(path, &c.n_models, &own, o->v.label.reward_model, err);
    if (status == OK)
        status = session_open(&s, o, "choose", err);
    if (status == OK) {
        status = choose_pool(n, db, &c, &s.context, err);
        if (status == OK && n->greedy < n->chosen)
            context_info(&s.context,
                         "the first %zu are spread out; the %zu behind them "
                         "are in order of uncertainty alone",
                         n->greedy, n->chosen - n->greedy);
        if (status == OK && n->looked < n->judged)
            context_info(&s.context,
                         "distances are taken to %zu of the %zu items judged",
                         n->looked, n->judged);
        session_close(&s);
    }
    options_free(&own);
    return status;
}

static void put_counts(struct buf *out, const struct options *o,
                       const struct choose_pool_counts *n)
{
    if (n->adaptive == 0)
        buf_printf(out,
                   "%s: no item is of the adaptive arm; a pool that is loaded "
                   "with --adaptive has one\n",
                   o->v.label.pool);
    else if (n->chosen == 0)
        buf_printf(out, "%s: the adaptive arm has nothing that is not judged\n",
                   o->v.label.pool);
    else
        buf_printf(
            out,
            "%s: %zu items of the adaptive arm in order, uncertainty %.4g "
            "for the first and %.4g for the last; %zu judged, %zu of the "
            "random arm left alone\n",
            o->v.label.pool, n->chosen, n->u_first, n->u_last, n->judged,
            n->random);
}

enum status labelling_choose_first(const struct options *o, struct db *db,
                                   struct err *err)
{
    struct choose_pool_counts n;
    struct terminal t;
    struct context context;
    struct buf line;
    TRY(run(&n, o, db, err));
    labelling_context(&context, &t, o);
    buf_init(&line, TEXT_MAX);
    put_counts(&line, o, &n);
    context_info(&context, "%.*s", (int)(line.len - 1), buf_text(&line));
    buf_free(&line);
    return OK;
}

enum status labelling_choose(const struct options *o, struct db *db,
                             struct err *err)
{
    struct choose_pool_counts n;
    struct buf out;
    struct json_writer w;
    if (o->v.label.pool == NULL)
        return err_set(err, ERR_ARG, "pool is not set: --pool NAME");
    if (o->v.label.reward_model == NULL)
        return err_set(err, ERR_ARG,
                       "reward_model is not set: --reward-model RUN[,RUN...]");
    TRY(run(&n, o, db, err));
    buf_init(&out, TEXT_MAX);
    if (o->v.common.json) {
        labelling_begin_json(&w, &out, "choose");
        json_field_text(&w, "pool", o->v.label.pool);
        json_field_int(&w, "chosen", (int64_t)n.chosen);
        json_field_int(&w, "greedy", (int64_t)n.greedy);
        json_field_int(&w, "judged", (int64_t)n.judged);
        json_field_int(&w, "looked", (int64_t)n.looked);
        json_field_int(&w, "random", (int64_t)n.random);
        json_field_int(&w, "adaptive", (int64_t)n.adaptive);
        json_field_number(&w, "u_first", n.u_first);
        json_field_number(&w, "u_last", n.u_last);
        json_close(&w, '}');
        buf_putc(&out, '\n');
    } else {
        put_counts(&out, o, &n);
    }
    enum status status = terminal_print(&out, err);
    buf_free(&out);
    return status;
}
