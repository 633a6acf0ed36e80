#include "io/replace.h"

#include <stdbool.h>

#include "base/mem.h"

enum status replace_parse(struct replace *out, const struct json *node,
                          const char *what, struct err *err)
{
    const char *content;
    TRY(json_need_text(&content, node, "content", what, err));
    const struct json *pattern = json_get(node, "pattern");
    const char *regex = json_text(json_get(pattern, "Regex"), NULL);
    const char *text = json_text(json_get(pattern, "String"), NULL);
    if (json_size(pattern) != 1 || (regex == NULL && text == NULL))
        return err_set(err, ERR_FORMAT, "%s has no pattern", what);
    out->content = mem_strdup(content);
    if (out->content == NULL)
        return err_set(err, ERR_MEMORY, "%s: out of memory", what);
    return regex != NULL ? pattern_regex(&out->pattern, regex, what, err)
                         : pattern_literal(&out->pattern, text, what, err);
}

void replace_free(struct replace *r)
{
    mem_free(r->content);
    pattern_free(r->pattern);
    *r = (struct replace){0};
}

enum status replace_run(const struct replace *r, struct pattern_scan *scan,
                        const char *text, size_t len, struct buf *out,
                        struct err *err)
{
    size_t last = 0, begin = 0, end = 0;
    bool found = true;
    pattern_scan_start(scan, text, len);
    while (len > 0 && out->code == OK) {
        TRY(pattern_scan_next(scan, &found, &begin, &end, err));
        if (!found)
            break;
        buf_append(out, text + last, begin - last);
        buf_puts(out, r->content);
        last = end;
    }
    buf_append(out, text + last, len - last);
    return OK;
}
