#include "report/svg.h"

#include <math.h>
#include <stdio.h>

struct svg_number svg_number(double v)
{
    struct svg_number out;
    (void)snprintf(out.text, sizeof out.text, "%.1f", v);
    return out;
}

void svg_line(struct html *h, const char *kind, double x1, double y1, double x2,
              double y2)
{
    html_void(h, "line", "class", kind, "x1", svg_number(x1).text, "y1",
              svg_number(y1).text, "x2", svg_number(x2).text, "y2",
              svg_number(y2).text, NULL);
}

void svg_words(struct html *h, const char *kind, double x, double y,
               const char *anchor, const char *text)
{
    html_open(h, "text", "class", kind, "x", svg_number(x).text, "y",
              svg_number(y).text, "text-anchor", anchor, NULL);
    html_text(h, text);
    html_close(h, "text");
}

void svg_tick(char out[32], double v, int decimals)
{
    if (fabs(v) >= 1e7)
        (void)snprintf(out, 32, "%.3g", v);
    else
        (void)snprintf(out, 32, "%.*f", decimals, v);
    if (out[0] == '-') {
        /* A true minus sign is three bytes; room is ample. */
        char digits[32];
        (void)snprintf(digits, sizeof digits, "%s", out + 1);
        (void)snprintf(out, 32, "\xE2\x88\x92%.28s", digits);
    }
}
