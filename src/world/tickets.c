#include "world/tickets.h"

#include <limits.h>
#include <string.h>

#include "base/rng.h"

static const char *const split_names[TICKET_SPLITS] = {
    [TICKET_SFT] = "sft",         [TICKET_RANKING] = "ranking",
    [TICKET_PPO] = "ppo",         [TICKET_CALIBRATION] = "calibration",
    [TICKET_HELDOUT] = "heldout",
};

static const struct tables_intent *intent_of(const struct ticket *t)
{
    return &tables_intent[t->intent];
}

static size_t value_count(const struct tables_intent *in)
{
    return in->n_value > 0 ? in->n_value : TABLES_STATUSES;
}

int ticket_number(const struct ticket *t)
{
    const struct tables_intent *in = intent_of(t);
    return in->n_value > 0 ? in->value[t->value] : 0;
}

/* What follows from the fields that were drawn or read. */
static void derive(struct ticket *t)
{
    const struct tables_intent *in = intent_of(t);
    bool is_second =
        in->n_value > 0 ? in->value[t->value] > in->limit : t->value == 1;
    unsigned first = 2 * (unsigned)t->intent;
    t->resolution = (enum resolution)(first + (is_second ? 1 : 0));
    t->sibling = (enum resolution)(first + (is_second ? 0 : 1));
    t->names_product = words_has(in->wording[t->wording], "<prod>");
}

/* One draw, on whichever side of the cut it falls. */
static void draw_any(struct ticket *t, struct rng *r)
{
    t->intent = (enum intent)rng_below(r, TABLES_INTENTS);
    const struct tables_intent *in = intent_of(t);
    t->value = rng_below(r, (uint32_t)value_count(in));
    t->wording = rng_below(r, TABLES_WORDINGS);
    t->opening = rng_below(r, TABLES_OPENINGS);
    t->tail = rng_below(r, TABLES_TAILS);
    t->letter = tables_letters[rng_below(r, TABLES_LETTERS)];
    t->digit = tables_digits[rng_below(r, TABLES_DIGITS)];
    t->product = rng_below(r, TABLES_PRODUCTS);
    t->amount = rng_below(r, TABLES_AMOUNTS);
    derive(t);
}

void ticket_draw(struct ticket *t, uint64_t seed, enum ticket_split split,
                 uint32_t index)
{
    ticket_draw_of(t, seed, split, index, NULL, 0);
}

void ticket_draw_of(struct ticket *t, uint64_t seed, enum ticket_split split,
                    uint32_t index, const struct mix *mix, double place)
{
    struct rng r;
    rng_init(&r, seed, RNG_TICKET, (uint32_t)split, index);
    unsigned allowed = mix != NULL ? mix_allowed(mix, place, &r) : UINT_MAX;
    do {
        draw_any(t, &r);
    } while (ticket_is_heldout(t) != (split == TICKET_HELDOUT) ||
             !(allowed & 1U << t->intent));
}

void ticket_slots(struct words_slots *out, const struct ticket *t)
{
    const struct tables_intent *in = intent_of(t);
    *out = (struct words_slots){
        .letter = t->letter,
        .digit = t->digit,
        .product = tables_product[t->product],
        .amount = tables_amount[t->amount],
        .number = ticket_number(t),
        .status = in->n_value > 0 ? NULL : in->status[t->value],
    };
}

void ticket_text(struct buf *out, const struct ticket *t)
{
    size_t start = out->len;
    struct words_slots slots;
    ticket_slots(&slots, t);
    words_write(out, start, tables_opening[t->opening], &slots);
    words_write(out, start, intent_of(t)->wording[t->wording], &slots);
    words_write(out, start, tables_tail[t->tail], &slots);
}

/* Where text stands in a list: the first of equal entries, so that the two
 * empty tails count as one; n when it is absent. */
static size_t find_text(const char *const *list, size_t n, const char *text)
{
    size_t i = 0;
    while (i < n && strcmp(list[i], text) != 0)
        i++;
    return i;
}

uint64_t ticket_key(const struct ticket *t)
{
    const char *wording = intent_of(t)->wording[t->wording];
    bool has_amount = words_has(wording, "<amt>");
    uint64_t key = (uint64_t)t->intent;
    key = key * TABLES_WORDINGS + t->wording;
    key = key * TABLES_VALUES + t->value;
    key = key * TABLES_OPENINGS + t->opening;
    key = key * TABLES_TAILS +
          find_text(tables_tail, TABLES_TAILS, tables_tail[t->tail]);
    key = key * 256 + (unsigned char)t->letter;
    key = key * 256 + (unsigned char)t->digit;
    key = key * TABLES_PRODUCTS + (t->names_product ? t->product : 0);
    key = key * TABLES_AMOUNTS + (has_amount ? t->amount : 0);
    return key;
}

bool ticket_is_heldout(const struct ticket *t)
{
    /* A bijection of 64-bit words that leaves no pattern of the key (two
     * rounds of xor-shift and odd multiplier, as in SplitMix64). */
    uint64_t x = ticket_key(t) + 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    x ^= x >> 31;
    return x % TICKET_HELDOUT_ONE_IN == 0;
}

void ticket_write_tags(struct json_writer *w, const struct ticket *t)
{
    json_open(w, '{');
    json_field_text(w, "intent", intent_of(t)->name);
    json_field_text(w, "condition", tables_resolution[t->resolution].condition);
    json_close(w, '}');
}

void ticket_write(struct json_writer *w, const struct ticket *t)
{
    const struct tables_intent *in = intent_of(t);
    const char order[] = {t->letter, t->digit, '\0'};
    json_open(w, '{');
    json_field_text(w, "intent", in->name);
    json_field_text(w, "resolution", tables_resolution[t->resolution].name);
    json_field_text(w, "condition", tables_resolution[t->resolution].condition);
    json_field_text(w, "order", order);
    json_field_text(w, "product", tables_product[t->product]);
    json_field_bool(w, "product_named", t->names_product);
    json_field_text(w, "amount", tables_amount[t->amount]);
    if (in->n_value > 0)
        json_field_int(w, "number", ticket_number(t));
    else
        json_field_text(w, "status", in->status[t->value]);
    json_field_int(w, "wording", (int64_t)t->wording);
    json_field_int(w, "opening", (int64_t)t->opening);
    json_field_int(w, "tail", (int64_t)t->tail);
    json_close(w, '}');
}

static enum status unknown_text(const char *what, const char *key,
                                const char *text, struct err *err)
{
    return err_set(err, ERR_FORMAT,
                   "%s: ticket: \"%s\" is '%.40s', which the desk does not "
                   "know",
                   what, key, text);
}

/* A member that names an entry of a list. */
static enum status read_name(size_t *out, const struct json *node,
                             const char *key, const char *const *list, size_t n,
                             const char *what, struct err *err)
{
    const char *text = NULL;
    TRY(json_need_text(&text, node, key, what, err));
    size_t i = find_text(list, n, text);
    if (i == n)
        return unknown_text(what, key, text, err);
    *out = i;
    return OK;
}

static enum status read_index(size_t *out, const struct json *node,
                              const char *key, size_t n, const char *what,
                              struct err *err)
{
    int64_t x = 0;
    TRY(json_need_int(&x, node, key, 0, (int64_t)n - 1, what, err));
    *out = (size_t)x;
    return OK;
}

static enum status read_order(struct ticket *t, const struct json *node,
                              const char *what, struct err *err)
{
    const char *order = NULL;
    TRY(json_need_text(&order, node, "order", what, err));
    if (strlen(order) != 2 || strchr(tables_letters, order[0]) == NULL ||
        strchr(tables_digits, order[1]) == NULL)
        return unknown_text(what, "order", order, err);
    t->letter = order[0];
    t->digit = order[1];
    return OK;
}

/* The number or status that decides. */
static enum status read_value(struct ticket *t, const struct json *node,
                              const char *what, struct err *err)
{
    const struct tables_intent *in = intent_of(t);
    if (in->n_value == 0)
        return read_name(&t->value, node, "status", in->status, TABLES_STATUSES,
                         what, err);
    int64_t number = 0;
    TRY(json_need_int(&number, node, "number", 0, 99, what, err));
    for (size_t i = 0; i < in->n_value; i++) {
        if (in->value[i] == number) {
            t->value = i;
            return OK;
        }
    }
    return err_set(err, ERR_FORMAT,
                   "%s: ticket: \"number\" is %d, which no '%s' ticket has",
                   what, (int)number, in->name);
}

enum status ticket_read(struct ticket *out, const struct json *node,
                        const char *what, struct err *err)
{
    struct ticket t = {0};
    const char *intents[TABLES_INTENTS];
    const char *name = NULL;
    size_t intent = 0;
    if (!json_is_object(node))
        return err_set(err, ERR_FORMAT, "%s: no \"ticket\" object", what);
    for (size_t i = 0; i < TABLES_INTENTS; i++)
        intents[i] = tables_intent[i].name;
    TRY(read_name(&intent, node, "intent", intents, TABLES_INTENTS, what, err));
    t.intent = (enum intent)intent;
    TRY(read_value(&t, node, what, err));
    TRY(read_order(&t, node, what, err));
    TRY(read_name(&t.product, node, "product", tables_product, TABLES_PRODUCTS,
                  what, err));
    TRY(read_name(&t.amount, node, "amount", tables_amount, TABLES_AMOUNTS,
                  what, err));
    TRY(read_index(&t.wording, node, "wording", TABLES_WORDINGS, what, err));
    TRY(read_index(&t.opening, node, "opening", TABLES_OPENINGS, what, err));
    TRY(read_index(&t.tail, node, "tail", TABLES_TAILS, what, err));
    derive(&t);
    TRY(json_need_text(&name, node, "resolution", what, err));
    if (strcmp(name, tables_resolution[t.resolution].name) != 0)
        return err_set(err, ERR_MISMATCH,
                       "%s: ticket: \"resolution\" is '%.20s', the desk's "
                       "policy says '%s'",
                       what, name, tables_resolution[t.resolution].name);
    *out = t;
    return OK;
}

const char *ticket_split_name(enum ticket_split split)
{
    return split_names[split];
}

enum status ticket_split_find(enum ticket_split *out, const char *name,
                              struct err *err)
{
    size_t i = find_text(split_names, TICKET_SPLITS, name);
    if (i == TICKET_SPLITS)
        return err_set(err, ERR_ARG,
                       "no split '%.40s'; known: sft, ranking, ppo, "
                       "calibration, heldout",
                       name);
    *out = (enum ticket_split)i;
    return OK;
}
