#include "base/json.h"
#include "cli/command.h"
#include "cli/terminal.h"

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define COMPILER "gcc " __VERSION__
#else
#define COMPILER "unknown"
#endif

enum status cmd_version(struct options *o, struct err *err)
{
    struct buf text;
    buf_init(&text, 4096);
    if (o->v.common.json) {
        struct json_writer w;
        json_writer_init(&w, &text, true);
        json_open(&w, '{');
        json_field_text(&w, "schema", "plumb.version/1");
        json_field_text(&w, "plumb_version", PLUMB_VERSION);
        json_field_text(&w, "compiler", COMPILER);
        json_close(&w, '}');
        buf_putc(&text, '\n');
    } else {
        buf_puts(&text, "plumb " PLUMB_VERSION "\n");
    }
    enum status status = terminal_print(&text, err);
    buf_free(&text);
    return status;
}
