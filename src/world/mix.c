#include "world/mix.h"

#include <stdbool.h>
#include <string.h>

static enum status unknown(const char *name, size_t len, struct err *err)
{
    return err_set(
        err, ERR_ARG, "no intent '%.*s'; known: %s, %s, %s, %s, %s, %s, %s, %s",
        len < 40 ? (int)len : 40, name, tables_intent[0].name,
        tables_intent[1].name, tables_intent[2].name, tables_intent[3].name,
        tables_intent[4].name, tables_intent[5].name, tables_intent[6].name,
        tables_intent[7].name);
}

static enum status add(struct mix *m, const char *name, size_t len,
                       struct err *err)
{
    size_t i = 0;
    while (i < TABLES_INTENTS &&
           (strlen(tables_intent[i].name) != len ||
            strncmp(tables_intent[i].name, name, len) != 0))
        i++;
    if (i == TABLES_INTENTS)
        return unknown(name, len, err);
    for (size_t k = 0; k < m->n; k++)
        if (m->intent[k] == (enum intent)i)
            return err_set(err, ERR_ARG, "intent '%s' is there twice",
                           tables_intent[i].name);
    m->intent[m->n++] = (enum intent)i;
    return OK;
}

enum status mix_parse(struct mix *out, const char *names, double shift,
                      struct err *err)
{
    struct mix m = {.shift = shift};
    while (names != NULL && *names != '\0') {
        size_t len = strcspn(names, ",");
        TRY(add(&m, names, len, err));
        names += len + (names[len] == ',');
    }
    bool is_all = m.n == 0;
    for (size_t i = 0; is_all && i < TABLES_INTENTS; i++)
        m.intent[m.n++] = (enum intent)i;
    if (shift > 0 && m.n == 1)
        return err_set(err, ERR_ARG,
                       "one intent alone is no mix that could shift");
    *out = m;
    return OK;
}

unsigned mix_allowed(const struct mix *m, double place, struct rng *r)
{
    size_t half = (m->n + 1) / 2;
    size_t from = 0, to = m->n;
    unsigned bits = 0;
    if (m->shift > 0) {
        bool is_second = rng_uniform(r) < 0.5 + m->shift * (place - 0.5);
        from = is_second ? half : 0;
        to = is_second ? m->n : half;
    }
    for (size_t i = from; i < to; i++)
        bits |= 1U << m->intent[i];
    return bits;
}
