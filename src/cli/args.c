#include "cli/args.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "io/settings.h"

#define ORIGIN "command line"

struct args {
    struct options *o;
    const struct command *command;
    int argc;
    char *const *argv;
    int at;
    bool files; // this pass reads -c only, the other everything else
};

/* The value of a flag: what follows '=', or the next argument. */
static enum status take_value(const char **out, struct args *a,
                              const char *flag, const char *inline_value,
                              struct err *err)
{
    if (inline_value) {
        *out = inline_value;
        return OK;
    }
    if (a->at + 1 >= a->argc)
        return err_set(err, ERR_ARG, "%s wants a value", flag);
    *out = a->argv[++a->at];
    return OK;
}

/* Where relative paths of a settings file start. */
struct origin_dir {
    struct options *o;
    char dir[FILE_PATH_MAX];
};

static enum status give_from_file(void *ctx, const char *key, const char *text,
                                  const char *origin, struct err *err)
{
    const struct origin_dir *from = ctx;
    return options_give(from->o, key, text, origin, from->dir, err);
}

enum status args_read_file(struct options *o, const char *path, struct err *err)
{
    struct origin_dir from = {.o = o};
    TRY(file_dirname(from.dir, path, err));
    return settings_read(path, give_from_file, &from, err);
}

static enum status take_file(struct args *a, const char *inline_value,
                             struct err *err)
{
    const char *path;
    TRY(take_value(&path, a, "-c", inline_value, err));
    return a->files ? args_read_file(a->o, path, err) : OK;
}

/* A setting that the command does not read would be lost without a word.  A
 * file is another matter: it may serve several commands. */
static enum status check_key(const struct args *a, const char *key,
                             struct err *err)
{
    bool is_hash;
    unsigned bit = a->command->bit;
    const struct option *row = options_find(key, strlen(key), &is_hash);
    if (!row || bit == FOR_DEMO || (row->commands & bit))
        return OK; // an unknown key is refused with all others
    return err_set(err, ERR_ARG, "--set %s: not a setting of plumb %s", key,
                   a->command->name);
}

static enum status take_set(struct args *a, const char *inline_value,
                            struct err *err)
{
    const char *text;
    TRY(take_value(&text, a, "--set", inline_value, err));
    if (a->files)
        return OK;
    const char *equals = strchr(text, '=');
    if (!equals)
        return err_set(err, ERR_ARG, "--set %.80s: KEY=VALUE is wanted", text);
    const char *key;
    TRY(options_copy(a->o, &key, text, (size_t)(equals - text), err));
    TRY(check_key(a, key, err));
    return options_give(a->o, key, equals + 1, ORIGIN, NULL, err);
}

/* The flag nearest to a name: of the short ones, else of the whole keys that
 * the command takes; NULL when none is near. */
static const char *nearest_flag(const char *name, size_t len, unsigned command)
{
    const char *near = options_nearest(name, len, command, true);
    if (near)
        return near;
    near = options_nearest(name, len, command, false);
    bool is_taken = near && options_find_flag(near, strlen(near), command);
    return is_taken ? near : NULL;
}

static enum status unknown_flag(const struct args *a, const char *flag,
                                size_t len, struct err *err)
{
    const char *near = nearest_flag(flag + 2, len - 2, a->command->bit);
    char dashed[64];
    snprintf(dashed, sizeof dashed, "%s", near ? near : "");
    for (char *c = dashed; *c; c++) {
        if (*c == '_')
            *c = '-';
    }
    if (near)
        return err_set(err, ERR_ARG,
                       "unknown option '%.*s'; did you mean '--%s'?",
                       (int)(len < 80 ? len : 80), flag, dashed);
    return err_set(err, ERR_ARG, "unknown option '%.*s'",
                   (int)(len < 80 ? len : 80), flag);
}

static enum status give(struct args *a, const struct option *row,
                        const char *text, struct err *err)
{
    if (a->files)
        return OK;
    return options_give(a->o, row->key, text, ORIGIN, NULL, err);
}

/* --name, --name=value, --no-name */
static enum status take_long(struct args *a, const char *flag, struct err *err)
{
    const char *equals = strchr(flag, '=');
    const char *value = equals ? equals + 1 : NULL;
    size_t len = equals ? (size_t)(equals - flag) : strlen(flag);
    if (len == 8 && memcmp(flag, "--config", len) == 0)
        return take_file(a, value, err);
    if (len == 5 && memcmp(flag, "--set", len) == 0)
        return take_set(a, value, err);
    unsigned bit = a->command->bit;
    const struct option *row = options_find_flag(flag + 2, len - 2, bit);
    if (!row && !value && len > 5 && memcmp(flag, "--no-", 5) == 0) {
        row = options_find_flag(flag + 5, len - 5, bit);
        if (row && row->type == OPTION_BOOL)
            return give(a, row, "false", err);
        row = NULL;
    }
    if (!row)
        return unknown_flag(a, flag, len, err);
    if (row->type == OPTION_BOOL && !value)
        value = "true";
    TRY(take_value(&value, a, flag, value, err));
    return give(a, row, value, err);
}

/* -o DIR or -oDIR */
static enum status take_letter(struct args *a, const char *flag,
                               struct err *err)
{
    const char *rest = flag[2] ? flag + 2 : NULL;
    const char *value;
    if (flag[1] == 'c')
        return take_file(a, rest, err);
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *row = option_row(i);
        if (row->letter == flag[1] && (row->commands & a->command->bit)) {
            TRY(take_value(&value, a, flag, rest, err));
            return give(a, row, value, err);
        }
    }
    return err_set(err, ERR_ARG, "unknown option '%.80s'", flag);
}

static enum status take_operand(struct args *a, const char *word,
                                struct err *err)
{
    if (a->files)
        return OK;
    if (a->o->n_operands >= a->command->max)
        return err_set(err, ERR_ARG, "'%.80s' is one argument too many", word);
    a->o->operand[a->o->n_operands++] = word;
    return OK;
}

static enum status read_pass(struct args *a, struct err *err)
{
    bool flags = true;
    for (a->at = 0; a->at < a->argc; a->at++) {
        const char *word = a->argv[a->at];
        if (flags && strcmp(word, "--") == 0)
            flags = false;
        else if (!flags || word[0] != '-' || word[1] == '\0')
            TRY(take_operand(a, word, err));
        else if (word[1] == '-')
            TRY(take_long(a, word, err));
        else
            TRY(take_letter(a, word, err));
    }
    return OK;
}

static bool wants_help(int argc, char *const *argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return false;
}

enum status args_read(struct options *o, const struct command *command,
                      int argc, char *const *argv, struct err *err)
{
    struct args a = {.o = o, .command = command, .argc = argc, .argv = argv};
    o->help = wants_help(argc, argv);
    if (o->help)
        return OK;
    o->is_demo = command->bit == FOR_DEMO;
    a.files = true;
    TRY(read_pass(&a, err));
    a.files = false;
    TRY(read_pass(&a, err));
    TRY(options_apply(o, err));
    if (o->n_operands < command->min)
        return err_set(err, ERR_ARG, "plumb %s wants %s", command->name,
                       command->operands);
    return OK;
}
