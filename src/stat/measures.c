#include "stat/measures.h"

#include <assert.h>
#include <string.h>

void measures_add(struct measures *m, const char *name,
                  const struct estimate *e)
{
    assert(m->n < MEASURES_MAX);
    m->item[m->n++] = (struct measures_named){name, *e};
}

struct estimate measures_find(const struct measures *m, const char *name)
{
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->item[i].name, name) == 0)
            return m->item[i].e;
    return summary_nothing();
}

void measures_write_estimate(struct json_writer *w, const struct estimate *e)
{
    json_open(w, '{');
    json_field_number(w, "estimate", e->estimate);
    json_field_number(w, "low", e->low);
    json_field_number(w, "high", e->high);
    json_field_int(w, "n", (int64_t)e->n);
    json_close(w, '}');
}

struct estimate measures_read_estimate(const struct json *node)
{
    struct estimate e = summary_nothing();
    if (!json_is_object(node))
        return e;
    e.estimate = json_number(json_get(node, "estimate"), e.estimate);
    e.low = json_number(json_get(node, "low"), e.low);
    e.high = json_number(json_get(node, "high"), e.high);
    int64_t n = json_int(json_get(node, "n"), 0);
    e.n = n > 0 ? (size_t)n : 0;
    return e;
}

void measures_write(struct json_writer *w, const struct measures *m)
{
    for (size_t i = 0; i < m->n; i++) {
        json_put_key(w, m->item[i].name);
        measures_write_estimate(w, &m->item[i].e);
    }
}
