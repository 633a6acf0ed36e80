#include <string.h>

#include "import/readers.h"
#include "import/textlog.h"

/* "Step 12 | loss:0.5 scores:1.25 " */
static enum status take_line(struct reader *r, void *ctx, const char *text,
                             size_t line, struct err *err)
{
    int64_t step;
    size_t n;
    const char *at = textlog_step_line(&step, text, "Step ", " | ");
    (void)ctx;
    (void)line;
    return at != NULL ? textlog_pairs(&n, r, step, at, ":", " ", err) : OK;
}

double torchtune_sniff(const struct head *h)
{
    int64_t step;
    const char *at = textlog_step_line(&step, h->text, "Step ", " | ");
    if (h->n_rows > 0 || !sniff_is_text(h) || at == NULL)
        return 0;
    size_t name = strcspn(at, ": \n");
    return at[name] == ':' && at[name + 1] != ' ' ? 0.85 : 0;
}

enum status torchtune_read(struct reader *r, struct err *err)
{
    return reader_lines(r, take_line, NULL, err);
}
