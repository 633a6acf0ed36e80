#include "cli/labelling.h"

#include "cli/session.h"

int64_t labelling_now(void)
{
    return (int64_t)(session_clock() * 1000.0);
}

void labelling_context(struct context *c, struct terminal *t,
                       const struct options *o)
{
    terminal_init(t, o->v.common.quiet);
    *c = (struct context){
        .sink = terminal_event, .sink_ctx = t, .stage = "label"};
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
