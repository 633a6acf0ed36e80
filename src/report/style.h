/*
 * style.h - the report's style sheet: one calm column, light and dark by the
 * reader's setting, plain black on white when printed.
 */
#ifndef PLUMB_REPORT_STYLE_H
#define PLUMB_REPORT_STYLE_H

#include "report/html.h"

/* The rules, to stand inside <style>. */
void style_write(struct html *h);

#endif
