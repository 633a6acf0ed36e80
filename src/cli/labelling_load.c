#include <math.h>

#include "base/file.h"
#include "cli/labelling.h"
#include "cli/terminal.h"
#include "store/load.h"

#define TEXT_MAX ((size_t)1 << 20)
#define GUIDE_MAX ((size_t)1 << 20)
#define MINUTE 60000

static enum status print_counts(const struct options *o,
                                const struct load_counts *n, struct err *err)
{
    struct buf out;
    struct json_writer w;
    int64_t items =
        n->normal + n->placebo + n->repeats + n->identical + n->gold;
    buf_init(&out, TEXT_MAX);
    if (o->v.common.json) {
        labelling_begin_json(&w, &out, "load");
        json_field_text(&w, "pool", o->v.label.pool);
        json_field_int(&w, "records", n->records);
        json_field_int(&w, "items", items);
        json_field_int(&w, "new", n->is_new);
        json_field_int(&w, "normal", n->normal);
        json_field_int(&w, "placebo", n->placebo);
        json_field_int(&w, "repeats", n->repeats);
        json_field_int(&w, "identical", n->identical);
        json_field_int(&w, "gold", n->gold);
        json_close(&w, '}');
        buf_putc(&out, '\n');
    } else {
        buf_printf(&out,
                   "%s: %lld records, %lld items (%lld new): %lld normal, "
                   "%lld placebo, %lld repeats, %lld identical, %lld gold\n",
                   o->v.label.pool, (long long)n->records, (long long)items,
                   (long long)n->is_new, (long long)n->normal,
                   (long long)n->placebo, (long long)n->repeats,
                   (long long)n->identical, (long long)n->gold);
    }
    enum status status = terminal_print(&out, err);
    buf_free(&out);
    return status;
}

/* Fewer pairs take longer to decide, and without placebos an excess of
 * anything cannot be told from noise. */
static void warn_of_few(const struct options *o, const struct load_counts *n)
{
    struct terminal t;
    struct context context;
    labelling_context(&context, &t, o);
    if (n->pairs_wanted > 0)
        context_warn(&context,
                     "%lld pairs fewer than --pairs asks for: a reply is shown "
                     "in one pair of its prompt alone, and so many different "
                     "ones there are not",
                     (long long)n->pairs_wanted);
    if (n->placebo_wanted > 0)
        context_warn(&context,
                     "%lld placebo pairs fewer than --placebo asks for: they "
                     "take two replies of the reference to a prompt",
                     (long long)n->placebo_wanted);
}

static enum status load(const struct options *o, struct db *db,
                        struct load_config *c, struct err *err)
{
    const struct label_values *v = &o->v.label;
    const char *path[OPTION_OPERANDS];
    struct load_counts n = {0};
    char drawn[FILE_PATH_MAX];
    size_t files = 0;
    if (v->policy != NULL) {
        TRY(labelling_draw(drawn, o, db, err));
        path[files++] = drawn;
    }
    for (size_t i = 2; i < o->n_operands; i++)
        path[files++] = o->operand[i];
    TRY(load_all(&n, db, c, path, files, v->gold, err));
    warn_of_few(o, &n);
    if (v->adaptive)
        TRY(labelling_choose_first(o, db, err));
    return print_counts(o, &n, err);
}

enum status labelling_load(const struct options *o, struct db *db,
                           struct err *err)
{
    /* In the order of the choices of label.task. */
    static const enum pool_task tasks[] = {POOL_RANKING, POOL_SPOTCHECK};
    const struct label_values *v = &o->v.label;
    struct buf guide;
    if (v->pool == NULL)
        return err_set(err, ERR_ARG, "pool is not set: --pool NAME");
    if (v->adaptive && tasks[v->task] != POOL_RANKING)
        return err_set(err, ERR_ARG,
                       "label.adaptive is for rankings: the pairs of a "
                       "spot-check stay a random sample");
    if (v->adaptive && v->reward_model == NULL)
        return err_set(err, ERR_ARG,
                       "label.reward_model is not set: whose uncertainty is "
                       "--adaptive about?");
    struct load_config c = {
        .pool = v->pool,
        .task = tasks[v->task],
        .overlap = v->overlap,
        .lease = (int64_t)(v->lease * MINUTE),
        .random_share = v->random_share < 0 ? (double)NAN : v->random_share,
        .placebo = v->placebo,
        .repeats = v->repeats,
        .identical = v->identical,
        .gap = v->gap,
        .pairs = v->pairs,
        .is_adaptive = v->adaptive,
        .now = labelling_now()};
    buf_init(&guide, GUIDE_MAX);
    enum status status = OK;
    if (v->guide != NULL)
        status = file_read(&guide, v->guide, err);
    if (v->guide != NULL)
        c.guide = buf_text(&guide);
    if (status == OK)
        status = load(o, db, &c, err);
    buf_free(&guide);
    return status;
}
