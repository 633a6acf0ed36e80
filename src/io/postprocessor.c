#include "io/postprocessor.h"

#include <stdbool.h>
#include <string.h>

static const char template_name[] = "post_processor 'TemplateProcessing'";

/* The one id of {"SpecialToken":{"id":key}}. */
static enum status special_id(int32_t *out, const struct json *part,
                              const struct json *specials,
                              const struct vocab *v, const char *name,
                              struct err *err)
{
    const char *key;
    TRY(json_need_text(&key, json_get(part, "SpecialToken"), "id", name, err));
    const struct json *ids = json_get(json_get(specials, key), "ids");
    if (json_size(ids) != 1)
        return err_set(err, ERR_MISMATCH,
                       "%s: %s: '%.60s' of %zu ids is not supported", name,
                       template_name, key, json_size(ids));
    int64_t id = json_int(json_at(ids, 0), -1);
    if (id < 0 || (uint64_t)id >= v->n || v->entry[id].token == NULL)
        return err_set(err, ERR_FORMAT,
                       "%s: %s: id %lld of '%.60s' is not in the vocabulary",
                       name, template_name, (long long)id, key);
    *out = (int32_t)id;
    return OK;
}

static enum status parse_template(struct postprocessor *p,
                                  const struct json *node,
                                  const struct vocab *v, const char *name,
                                  struct err *err)
{
    const struct json *single = json_get(node, "single");
    bool has_text = false;
    for (size_t i = 0; i < json_size(single); i++) {
        const struct json *part = json_at(single, i);
        if (json_get(part, "Sequence") != NULL && !has_text) {
            has_text = true;
            continue;
        }
        int32_t *side = has_text ? &p->behind : &p->before;
        if (json_get(part, "SpecialToken") == NULL || *side >= 0)
            return err_set(err, ERR_MISMATCH,
                           "%s: %s with more than one token before or behind "
                           "the text is not supported",
                           name, template_name);
        TRY(special_id(side, part, json_get(node, "special_tokens"), v, name,
                       err));
    }
    if (!has_text)
        return err_set(err, ERR_FORMAT, "%s: %s without a text", name,
                       template_name);
    return OK;
}

static enum status parse_one(struct postprocessor *p, const struct json *node,
                             const struct vocab *v, const char *name,
                             struct err *err)
{
    const char *type;
    TRY(json_need_text(&type, node, "type", name, err));
    if (strcmp(type, "ByteLevel") == 0)
        return OK;
    if (strcmp(type, "TemplateProcessing") == 0)
        return parse_template(p, node, v, name, err);
    return err_set(err, ERR_MISMATCH,
                   "%s: post_processor '%.60s' is not supported", name, type);
}

enum status postprocessor_parse(struct postprocessor *out,
                                const struct json *node, const struct vocab *v,
                                const char *name, struct err *err)
{
    struct postprocessor p = {.before = -1, .behind = -1};
    const struct json *list = json_get(node, "processors");
    if (node == NULL || json_is_null(node)) {
        *out = p;
        return OK;
    }
    if (strcmp(json_text(json_get(node, "type"), ""), "Sequence") != 0) {
        TRY(parse_one(&p, node, v, name, err));
    } else {
        if (!json_is_array(list))
            return err_set(err, ERR_FORMAT,
                           "%s: post_processor 'Sequence' without 'processors'",
                           name);
        for (size_t i = 0; i < json_size(list); i++)
            TRY(parse_one(&p, json_at(list, i), v, name, err));
    }
    *out = p;
    return OK;
}
