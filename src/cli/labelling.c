#include "cli/labelling.h"

#include <string.h>

#include "cli/session.h"

int64_t labelling_now(void)
{
    return (int64_t)(session_clock() * 1000.0);
}

void labelling_put_url(struct buf *out, const char *url)
{
    size_t len = strlen(url);
    while (len > 0 && url[len - 1] == '/')
        len--;
    buf_append(out, url, len);
}

void labelling_begin_json(struct json_writer *w, struct buf *out,
                          const char *word)
{
    json_writer_init(w, out, true);
    json_open(w, '{');
    json_field_text(w, "schema", "plumb.label/1");
    json_field_text(w, "plumb_version", PLUMB_VERSION);
    json_field_text(w, "step", word);
}
