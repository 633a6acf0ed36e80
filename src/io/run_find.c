#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "io/hub.h"
#include "io/run.h"
#include "io/run_files.h"
#include "io/score_length.h"

#define INDEX "model.safetensors.index.json"
#define CONFIG_BYTES_MAX ((size_t)16 << 20)
#define LIST_MAX 200 // bytes of a list of names in a message

/* A Hugging Face folder: a configuration and weights, in one file or in
 * several with an index; or an adapter. */
static bool is_model(const char *dir)
{
    return (file_holds(dir, "config.json") &&
            (file_holds(dir, "model.safetensors") || file_holds(dir, INDEX))) ||
           run_files_is_adapter(dir);
}

static bool is_gguf(const char *path)
{
    return file_ends_with(path, ".gguf") && !file_is_dir(path);
}

/* The last part of a path, slashes at its end aside. */
static size_t last_part(const char *path, size_t *len)
{
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t at = end;
    while (at > 0 && path[at - 1] != '/')
        at--;
    *len = end - at;
    return at;
}

bool run_of_model(char out[FILE_PATH_MAX], int64_t *step, const char *model)
{
    char path[FILE_PATH_MAX];
    char name[32];
    size_t len, at = last_part(model, &len);
    if (len >= sizeof name || file_join(path, "", model, NULL) != OK)
        return false;
    memcpy(name, model + at, len);
    name[len] = '\0';
    path[at] = '\0';
    *step = -1;
    if (strcmp(name, "merged") != 0) {
        if (!run_files_step(step, name))
            return false;
        at = last_part(path, &len);
        if (len != strlen("checkpoints") ||
            strncmp(path + at, "checkpoints", len) != 0)
            return false;
        path[at] = '\0';
    }
    return file_join(out, "", path[0] != '\0' ? path : ".", NULL) == OK;
}

/* ---- one folder --------------------------------------------------------- */

/* The newest checkpoint of the run `dir`, or what a finished run with an
 * adapter left in merged/; found false when there is none.  Looked up by name
 * in the listing, so that its spelling does not matter. */
static enum status newest(char out[FILE_PATH_MAX], bool *found, const char *dir,
                          struct err *err)
{
    char path[FILE_PATH_MAX];
    *found = run_files_is_whole(dir, "merged");
    if (*found)
        return file_join(out, dir, "merged", err);
    TRY(file_join(path, dir, "checkpoints", err));
    struct file_list list = {0};
    if (file_is_dir(path))
        TRY(file_list(&list, path, err));
    int64_t best = -1, step = -1;
    const char *name = NULL;
    for (size_t i = 0; i < list.n; i++) {
        if (run_files_step(&step, list.name[i]) && step > best &&
            run_files_is_whole(path, list.name[i])) {
            best = step;
            name = list.name[i];
        }
    }
    enum status status = OK;
    *found = name != NULL;
    if (name != NULL)
        status = file_join(out, path, name, err);
    file_list_free(&list);
    return status;
}

/* The only GGUF file among `list`, NULL when there is none. */
static enum status only_gguf(const char **out, const struct file_list *list,
                             const char *dir, const struct hub_name *hub,
                             struct err *err)
{
    struct buf names;
    size_t n = 0;
    *out = NULL;
    buf_init(&names, LIST_MAX);
    for (size_t i = 0; i < list->n; i++) {
        if (!file_ends_with(list->name[i], ".gguf"))
            continue;
        if (n++ == 0)
            *out = list->name[i];
        buf_printf(&names, "%s%s", n > 1 ? ", " : "", list->name[i]);
    }
    enum status status = OK;
    if (n > 1) {
        char shown[HUB_TEXT_MAX] = "";
        struct hub_name choice = {.org = ""};
        if (hub != NULL) {
            choice = *hub;
            hub_print(shown, &choice);
        }
        status = err_set(
            err, ERR_ARG, "%.120s holds %zu GGUF files (%.200s); write %s%s",
            hub ? shown : dir, n, buf_text(&names),
            hub ? shown : "the path of one", hub ? ":FILE.gguf" : "");
    }
    buf_free(&names);
    return status;
}

/* The GGUF file of a folder that has only one, found false for none. */
static enum status find_gguf(char out[FILE_PATH_MAX], bool *found,
                             const char *dir, const struct hub_name *hub,
                             struct err *err)
{
    struct file_list list = {0};
    const char *name = NULL;
    TRY(file_list(&list, dir, err));
    enum status status = only_gguf(&name, &list, dir, hub, err);
    *found = name != NULL;
    if (status == OK && name != NULL)
        status = file_join(out, dir, name, err);
    file_list_free(&list);
    return status;
}

/* ---- the cache ---------------------------------------------------------- */

/* A repository's model: a Hugging Face folder or one GGUF file. */
static enum status find_in_hub(char out[FILE_PATH_MAX], const char *text,
                               bool wants_weights, struct err *err)
{
    struct hub_name name;
    char path[FILE_PATH_MAX], gguf[FILE_PATH_MAX] = "";
    bool found = false;
    TRY(hub_parse(&name, text, err));
    TRY(hub_find(path, &name, err));
    if (*name.file || is_model(path) ||
        (!wants_weights && file_holds(path, "tokenizer.json")))
        return file_join(out, "", path, err);
    TRY(find_gguf(gguf, &found, path, &name, err));
    if (found)
        return file_join(out, "", gguf, err);
    return hub_missing(err, &name,
                       wants_weights
                           ? "is in the cache without config.json and "
                             "safetensors weights, and without a GGUF file"
                           : "is in the cache without a tokenizer.json and "
                             "without a GGUF file");
}

/* ---- models ------------------------------------------------------------- */

/* The newest checkpoint of a run, or of a project's stage. */
static enum status find_checkpoint(char out[FILE_PATH_MAX], bool *found,
                                   const char *path, const char *stage,
                                   struct err *err)
{
    char sub[FILE_PATH_MAX];
    *found = false;
    if (file_holds(path, "checkpoints"))
        TRY(newest(out, found, path, err));
    TRY(file_join(sub, path, stage, err));
    if (*found || !file_is_dir(sub))
        return OK;
    *found = is_model(sub);
    return *found ? file_join(out, path, stage, err)
                  : newest(out, found, sub, err);
}

enum status run_find_model(char out[FILE_PATH_MAX], const char *path,
                           const char *stage, struct err *err)
{
    bool found = false;
    char model[FILE_PATH_MAX] = "";
    if (hub_is_meant("", path))
        return find_in_hub(out, path, true, err);
    TRY(file_need(path, err));
    if (is_gguf(path) || is_model(path))
        return file_join(out, "", path, err);
    if (!file_is_dir(path))
        return err_set(err, ERR_FORMAT,
                       "no model: %s is neither a directory nor a .gguf file",
                       path);
    if (stage == NULL)
        stage = "ppo";
    TRY(find_checkpoint(model, &found, path, stage, err));
    if (!found)
        TRY(find_gguf(model, &found, path, NULL, err));
    if (!found)
        return err_set(err, ERR_MISSING,
                       "no model in %s: looked for config.json with "
                       "model.safetensors there, in checkpoints/ and in "
                       "%s/checkpoints/",
                       path, stage);
    return file_join(out, "", model, err);
}

enum status run_find_tokenizer(char out[FILE_PATH_MAX], const char *path,
                               struct err *err)
{
    if (hub_is_meant("", path))
        return find_in_hub(out, path, false, err);
    TRY(file_need(path, err));
    if (!file_is_dir(path) || file_holds(path, "tokenizer.json"))
        return file_join(out, "", path, err);
    return run_find_model(out, path, NULL, err);
}

/* ---- hashes ------------------------------------------------------------- */

/* The hash of the parts' hashes, the parts in the order of their names. */
static enum status hash_parts(char out[65], const char *model, struct err *err)
{
    struct file_list list = {0};
    struct buf hashes;
    char path[FILE_PATH_MAX], hash[65];
    TRY(file_list(&list, model, err));
    buf_init(&hashes, 65 * (list.n + 1));
    enum status status = OK;
    for (size_t i = 0; i < list.n; i++) {
        if (!file_ends_with(list.name[i], ".safetensors"))
            continue;
        TRY_DONE(file_join(path, model, list.name[i], err));
        TRY_DONE(file_hash(hash, path, err));
        buf_puts(&hashes, hash);
    }
    status = buf_status(&hashes, err);
    if (status == OK)
        file_hash_bytes(out, buf_text(&hashes), hashes.len);
done:
    buf_free(&hashes);
    file_list_free(&list);
    return status;
}

/* An adapter is its values and the settings they are read with. */
static enum status hash_adapter(char out[65], const char *model,
                                struct err *err)
{
    static const char *const name[] = {"adapter_config.json",
                                       "adapter_model.safetensors"};
    char path[FILE_PATH_MAX], hashes[2 * 64 + 1];
    for (size_t i = 0; i < 2; i++) {
        TRY(file_join(path, model, name[i], err));
        TRY(file_hash(hashes + 64 * i, path, err));
    }
    file_hash_bytes(out, hashes, 2 * 64);
    return OK;
}

/* What a folder says of length; nothing where its file is not one, which is for
 * who reads the model to refuse. */
static struct score_length length_of(const char *model)
{
    const char *name =
        run_files_is_adapter(model) ? "base.json" : "config.json";
    char path[FILE_PATH_MAX];
    struct score_length s = {0};
    struct json *json = NULL;
    if (file_join(path, model, name, NULL) != OK || !file_exists(path) ||
        json_read(&json, path, CONFIG_BYTES_MAX, NULL) != OK)
        return s;
    (void)!score_length_parse(&s, json, path, NULL);
    json_free(json);
    return s;
}

static enum status hash_weights(char out[65], const char *model,
                                struct err *err)
{
    char path[FILE_PATH_MAX];
    if (!file_is_dir(model))
        return file_hash(out, model, err);
    if (run_files_is_adapter(model))
        return hash_adapter(out, model, err);
    if (!file_holds(model, "model.safetensors"))
        return hash_parts(out, model, err);
    TRY(file_join(path, model, "model.safetensors", err));
    return file_hash(out, path, err);
}

enum status run_hash_model(char out[65], const char *model, struct err *err)
{
    char parts[64 + 2 * 32];
    char hash[65];
    struct score_length length = {0};
    TRY(hash_weights(hash, model, err));
    memcpy(out, hash, sizeof hash);
    if (file_is_dir(model))
        length = length_of(model);
    if (!score_length_counts(&length))
        return OK;
    int len = snprintf(parts, sizeof parts, "%s %.17g %.17g", hash, length.gain,
                       length.target);
    file_hash_bytes(out, parts, (size_t)len);
    return OK;
}
