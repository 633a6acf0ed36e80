#include "cli/ids_text.h"

#include <string.h>

static bool is_between(char c)
{
    return c != '\0' && strchr(" \t\r\n,[]", c) != NULL;
}

enum status ids_text_read(struct ids *out, const char *text, size_t len,
                          struct err *err)
{
    for (size_t i = 0; i < len;) {
        size_t start = i;
        int64_t id = 0;
        if (is_between(text[i])) {
            i++;
            continue;
        }
        while (i < len && text[i] >= '0' && text[i] <= '9' && id <= INT32_MAX)
            id = 10 * id + (text[i++] - '0');
        bool is_end = i == len || is_between(text[i]);
        if (i == start || !is_end || id > INT32_MAX)
            return err_set(err, ERR_FORMAT, "'%.*s' is not a token id",
                           (int)(len - start < 20 ? len - start : 20),
                           text + start);
        TRY(ids_push(out, (int32_t)id, err));
    }
    return OK;
}

enum status ids_text_option(struct ids *out, const char *text, const char *key,
                            struct err *err)
{
    struct err what = {OK, ""};
    size_t before = out->n;
    enum status status = ids_text_read(out, text, strlen(text), &what);
    if (status == OK && out->n > before)
        return OK;
    if (status == ERR_MEMORY)
        return err_set(err, status, "%s", what.text);
    return err_set(err, ERR_ARG, "%s = %.80s: %s", key, text,
                   status == OK ? "no token ids" : what.text);
}
