#include <string.h>

#include "import/readers.h"
#include "import/textlog.h"

/* "Step 12 | loss:0.5 scores:1.25 " */
static enum status take_line(struct reader *r, void *ctx, const char *text,
                             size_t line, struct err *err)
{
    const char *at = textlog_after(text, "Step "), *end;
    size_t n;
    (void)ctx;
    (void)line;
    if (at == NULL)
        return OK;
    int64_t step = textlog_step(at, &end);
    if (step < 0 || strncmp(end, " | ", 3) != 0)
        return OK;
    return textlog_pairs(&n, r, step, end + 3, ":", " ", err);
}

double torchtune_sniff(const struct head *h)
{
    const char *at = textlog_after(h->text, "Step "), *end;
    if (h->n_rows > 0 || !sniff_is_text(h) || at == NULL ||
        textlog_step(at, &end) < 0 || strncmp(end, " | ", 3) != 0)
        return 0;
    size_t name = strcspn(end + 3, ": \n");
    return end[3 + name] == ':' && end[4 + name] != ' ' ? 0.85 : 0;
}

enum status torchtune_read(struct reader *r, struct err *err)
{
    return reader_lines(r, take_line, NULL, err);
}
