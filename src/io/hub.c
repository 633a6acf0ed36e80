#include "io/hub.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "hf:"
#define COMMIT 40   // hex digits
#define REF_MAX 128 // bytes of a file in refs/
#define VARIABLE_MAX 128
#define REPOSITORY_MAX (2 * HUB_PART_MAX)

#define HEX "0123456789abcdef"
#define WORD "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

/* ---- names -------------------------------------------------------------- */

/* Letters, digits and _ anywhere, . and - inside, nothing that could be read
 * as another path. */
static bool is_part(const char *part)
{
    size_t len = strlen(part);
    return len > 0 && strspn(part, WORD ".-") == len &&
           strchr(WORD, part[0]) != NULL &&
           strchr(WORD, part[len - 1]) != NULL && strstr(part, "..") == NULL &&
           strstr(part, "--") == NULL;
}

/* Copy text[0..len) when it fits. */
static bool take(char *out, size_t size, const char *text, size_t len)
{
    if (len >= size)
        return false;
    memcpy(out, text, len);
    out[len] = '\0';
    return true;
}

/* [ORG/]NAME[@REVISION][:FILE], the prefix taken off. */
static bool split(struct hub_name *n, const char *text)
{
    const char *colon = strchr(text, ':');
    const char *end = colon ? colon : text + strlen(text);
    const char *at = memchr(text, '@', (size_t)(end - text));
    const char *stop = at ? at : end;
    const char *slash = memchr(text, '/', (size_t)(stop - text));
    const char *name = slash ? slash + 1 : text;
    if (slash && (!take(n->org, sizeof n->org, text, (size_t)(slash - text)) ||
                  !is_part(n->org)))
        return false;
    if (!take(n->name, sizeof n->name, name, (size_t)(stop - name)) ||
        !is_part(n->name))
        return false;
    if (at && (!take(n->revision, sizeof n->revision, at + 1,
                     (size_t)(end - at - 1)) ||
               !is_part(n->revision)))
        return false;
    return !colon ||
           (take(n->file, sizeof n->file, colon + 1, strlen(colon + 1)) &&
            is_part(n->file) && file_ends_with(n->file, ".gguf"));
}

enum status hub_parse(struct hub_name *out, const char *text, struct err *err)
{
    struct hub_name n = {.org = ""};
    size_t skip = strlen(PREFIX);
    bool has_prefix = strncmp(text, PREFIX, skip) == 0;
    if (!split(&n, has_prefix ? text + skip : text))
        return err_set(err, ERR_ARG,
                       "'%.120s' is no repository's name: "
                       "hf:[ORG/]NAME[@REVISION][:FILE.gguf] is wanted",
                       text);
    if (!has_prefix && (!*n.org || *n.revision || *n.file))
        return err_set(err, ERR_ARG,
                       "'%.120s' is no repository's name: write hf:%.120s",
                       text, text);
    *out = n;
    return OK;
}

bool hub_is_meant(const char *dir, const char *text)
{
    struct hub_name n;
    if (file_holds(dir, text))
        return false;
    if (strncmp(text, PREFIX, strlen(PREFIX)) == 0)
        return true;
    return hub_parse(&n, text, NULL) == OK && !file_holds(dir, n.org);
}

/* "org/name" */
static void print_repository(char out[REPOSITORY_MAX], const struct hub_name *n)
{
    snprintf(out, REPOSITORY_MAX, "%s%s%s", n->org, *n->org ? "/" : "",
             n->name);
}

void hub_print(char out[HUB_TEXT_MAX], const struct hub_name *n)
{
    snprintf(out, HUB_TEXT_MAX, PREFIX "%s%s%s%s%s%s%s", n->org,
             *n->org ? "/" : "", n->name, *n->revision ? "@" : "", n->revision,
             *n->file ? ":" : "", n->file);
}

enum status hub_missing(struct err *err, const struct hub_name *n,
                        const char *what)
{
    char repository[REPOSITORY_MAX], command[ERR_TEXT_MAX];
    print_repository(repository, n);
    int used = snprintf(command, sizeof command, "hf download %s%s%s%s%s",
                        repository, *n->file ? " " : "", n->file,
                        *n->revision ? " --revision " : "", n->revision);
    /* What is too long is cut before the command, never in it. */
    int room = ERR_TEXT_MAX - 3 - used;
    char head[ERR_TEXT_MAX];
    snprintf(head, sizeof head, "%s %s", repository, what);
    return err_set(err, ERR_MISSING, "%.*s; %s", room > 0 ? room : 0, head,
                   command);
}

/* ---- the cache ---------------------------------------------------------- */

/* The value of the variable that $NAME or ${NAME} names, text[0] being the $;
 * *used is the length of that.  NULL: there is none. */
static const char *variable_of(const char *text, size_t *used)
{
    char name[VARIABLE_MAX];
    bool is_braced = text[1] == '{';
    const char *begin = text + (is_braced ? 2 : 1);
    size_t len = is_braced ? strcspn(begin, "}") : strspn(begin, WORD);
    if (is_braced && begin[len] != '}')
        return NULL;
    *used = (size_t)(begin - text) + len + is_braced;
    return take(name, sizeof name, begin, len) ? getenv(name) : NULL;
}

/* Append the value of a variable with ~ and variables in it expanded. */
static void expand(struct buf *out, const char *text)
{
    const char *home = getenv("HOME");
    if (text[0] == '~' && (text[1] == '/' || text[1] == '\0') && home) {
        buf_puts(out, home);
        text++;
    }
    while (*text) {
        size_t used = 1;
        const char *value = *text == '$' ? variable_of(text, &used) : NULL;
        if (value)
            buf_puts(out, value);
        else
            buf_append(out, text, used);
        text += used;
    }
}

enum status hub_cache(char out[FILE_PATH_MAX], struct err *err)
{
    static const struct {
        const char *variable, *below;
    } place[] = {
        {"HF_HUB_CACHE", ""},
        {"HF_HOME", "hub"},
        {"XDG_CACHE_HOME", "huggingface/hub"},
        {"HOME", ".cache/huggingface/hub"},
    };
    for (size_t i = 0; i < sizeof place / sizeof *place; i++) {
        const char *value = getenv(place[i].variable);
        if (!value || !*value)
            continue;
        struct buf path;
        buf_init(&path, FILE_PATH_MAX);
        expand(&path, value);
        enum status status = buf_status(&path, err);
        if (status == OK)
            status = *place[i].below
                         ? file_join(out, buf_text(&path), place[i].below, err)
                         : file_join(out, "", buf_text(&path), err);
        buf_free(&path);
        return status;
    }
    return err_set(err, ERR_MISSING,
                   "no Hugging Face cache: none of HF_HUB_CACHE, HF_HOME, "
                   "XDG_CACHE_HOME and HOME is set");
}

/* cache/models--ORG--NAME */
static enum status repository_dir(char out[FILE_PATH_MAX], const char *cache,
                                  const struct hub_name *n, struct err *err)
{
    char folder[HUB_TEXT_MAX];
    snprintf(folder, sizeof folder, "models--%s%s%s", n->org,
             *n->org ? "--" : "", n->name);
    return file_join(out, cache, folder, err);
}

static bool is_commit(const char *text)
{
    return strlen(text) == COMMIT && strspn(text, HEX) == COMMIT;
}

/* The commit that a file of refs/ holds. */
static enum status read_ref(char commit[COMMIT + 1], const char *path,
                            struct err *err)
{
    struct buf text;
    buf_init(&text, REF_MAX);
    enum status status = file_read(&text, path, err);
    if (status == OK) {
        size_t len = strcspn(buf_text(&text), "\r\n");
        if (!take(commit, COMMIT + 1, buf_text(&text), len) ||
            !is_commit(commit))
            status = ERR_FORMAT;
    }
    buf_free(&text);
    if (status == ERR_FORMAT || status == ERR_LIMIT)
        return err_set(err, ERR_FORMAT, "%s does not hold a commit", path);
    return status;
}

/* What is said of a repository that is not there. */
static enum status absent(const char *cache, const struct hub_name *n,
                          struct err *err)
{
    char what[FILE_PATH_MAX + 64];
    snprintf(what, sizeof what,
             "is neither a path nor in the Hugging Face cache %s", cache);
    return hub_missing(err, n, what);
}

static enum status find_commit(char commit[COMMIT + 1], const char *cache,
                               const char *repository, const struct hub_name *n,
                               struct err *err)
{
    char refs[FILE_PATH_MAX], path[FILE_PATH_MAX];
    const char *revision = *n->revision ? n->revision : "main";
    TRY(file_join(refs, repository, "refs", err));
    TRY(file_join(path, refs, revision, err));
    if (file_exists(path) && !file_is_dir(path))
        return read_ref(commit, path, err);
    if (is_commit(revision) && take(commit, COMMIT + 1, revision, COMMIT))
        return OK;
    return absent(cache, n, err);
}

enum status hub_find(char out[FILE_PATH_MAX], const struct hub_name *n,
                     struct err *err)
{
    char cache[FILE_PATH_MAX], repository[FILE_PATH_MAX];
    char snapshots[FILE_PATH_MAX], path[FILE_PATH_MAX];
    char commit[COMMIT + 1];
    TRY(hub_cache(cache, err));
    TRY(repository_dir(repository, cache, n, err));
    TRY(find_commit(commit, cache, repository, n, err));
    TRY(file_join(snapshots, repository, "snapshots", err));
    TRY(file_join(path, snapshots, commit, err));
    if (!file_is_dir(path))
        return absent(cache, n, err);
    if (!*n->file)
        return file_join(out, "", path, err);
    if (!file_holds(path, n->file))
        return hub_missing(err, n, "is in the cache without that file");
    return file_join(out, path, n->file, err);
}
