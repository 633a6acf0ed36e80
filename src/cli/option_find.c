#include "cli/options.h"

#include <stdio.h>
#include <string.h>

#define HASH_SUFFIX "_sha256"
#define NAME_MAX_LEN 64

static bool is_named(const struct option *row, const char *key, size_t len)
{
    return strlen(row->key) == len && memcmp(row->key, key, len) == 0;
}

const struct option *options_find(const char *key, size_t len, bool *is_hash)
{
    size_t n_suffix = strlen(HASH_SUFFIX);
    size_t stem = 0; // length of the key before the suffix, 0: none
    if (len > n_suffix &&
        memcmp(key + len - n_suffix, HASH_SUFFIX, n_suffix) == 0)
        stem = len - n_suffix;
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *row = option_row(i);
        *is_hash =
            stem && row->parent >= PARENT_FILE && is_named(row, key, stem);
        if (*is_hash || is_named(row, key, len))
            return row;
    }
    *is_hash = false;
    return NULL;
}

bool options_is_section(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < option_count(); i++) {
        if (strncmp(option_row(i)->key, name, len) == 0 &&
            option_row(i)->key[len] == '.')
            return true;
    }
    return false;
}

/* Sections whose keys a command may name without the section. */
static const struct {
    unsigned command;
    const char *section;
} own_sections[] = {
    {FOR_READING, "data."},
    {FOR_DEMO, "demo."},
    {FOR_WORLD, "world."},
    {FOR_WORLD, "rater."},
    {FOR_WORLD, "panel."},
    {FOR_SFT, "sft."},
    {FOR_REWARD, "reward."},
    {FOR_PPO, "ppo."},
    {FOR_EVAL, "eval."},
    {FOR_GENERATE, "generate."},
    {FOR_TOKENIZE, "tokenize."},
    {FOR_SCORE, "score."},
    {FOR_INSPECT, "inspect."},
    {FOR_IMPORT, "import."},
    {FOR_EXPORT, "export."},
    {FOR_PROBE, "probe."},
    {FOR_DIAGNOSE, "diagnose."},
    {FOR_WHATIF, "whatif."},
    {FOR_LABEL, "label."},
    {FOR_WATCH, "watch."},
    {FOR_LINT, "lint."},
    {FOR_PPO | FOR_EVAL | FOR_PROBE | FOR_WHATIF | FOR_GENERATE | FOR_SCORE,
     "outside."},
    {FOR_DIAGNOSE, "import."},
    {FOR_DIAGNOSE, "data."},
};

bool options_is_own(const struct option *row, unsigned command)
{
    if (!(row->commands & command))
        return false;
    if (!strchr(row->key, '.'))
        return true;
    for (size_t i = 0; i < sizeof own_sections / sizeof *own_sections; i++) {
        const char *section = own_sections[i].section;
        if ((own_sections[i].command & command) &&
            strncmp(row->key, section, strlen(section)) == 0)
            return true;
    }
    return false;
}

void options_flag(char out[OPTION_FLAG_MAX], const struct option *row,
                  unsigned command)
{
    const char *name =
        options_is_own(row, command) ? options_short_key(row) : row->key;
    snprintf(out, OPTION_FLAG_MAX, "%s", name);
    for (char *c = out; *c; c++) {
        if (*c == '_')
            *c = '-';
    }
}

/* Equal when '-' and '_' are the same. */
static bool is_flag(const char *key, const char *name, size_t len)
{
    if (strlen(key) != len)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (key[i] != (name[i] == '-' ? '_' : name[i]))
            return false;
    }
    return true;
}

const struct option *options_find_flag(const char *name, size_t len,
                                       unsigned command)
{
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *row = option_row(i);
        bool is_usable = (row->commands & command) || command == FOR_DEMO;
        if (is_usable && is_flag(row->key, name, len))
            return row;
        if (options_is_own(row, command) &&
            is_flag(options_short_key(row), name, len))
            return row;
    }
    return NULL;
}

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t low = a < b ? a : b;
    return low < c ? low : c;
}

/*
 * Edits that turn a into b: insert, delete, replace, swap two neighbours
 * (optimal string alignment), by dynamic programming over three rows.
 */
static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t rows[3][NAME_MAX_LEN + 1];
    if (n > NAME_MAX_LEN || m > NAME_MAX_LEN)
        return SIZE_MAX;
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *free_row = before;
        before = above;
        above = row;
        row = free_row;
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            bool same = a[i - 1] == b[j - 1];
            row[j] = min3(row[j - 1] + 1, above[j] + 1,
                          above[j - 1] + (same ? 0 : 1));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1] && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
    }
    return row[m];
}

size_t options_distance(const char *a, const char *b)
{
    return distance(a, strlen(a), b, strlen(b));
}

const char *options_nearest(const char *name, size_t len, unsigned command,
                            bool flags)
{
    const char *best = NULL;
    size_t least = len / 3 > 2 ? len / 3 + 1 : 3; // one more than allowed
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *row = option_row(i);
        const char *tail = options_short_key(row);
        if (flags && !options_is_own(row, command))
            continue;
        const char *key = flags ? tail : row->key;
        size_t d = distance(name, len, key, strlen(key));
        /* A key that only lacks its section is one edit away. */
        if (!flags && strlen(tail) == len && memcmp(tail, name, len) == 0)
            d = 1;
        if (d < least) {
            least = d;
            best = key;
        }
    }
    return best;
}
