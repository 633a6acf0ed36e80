/*
 * ui.h - the pages of plumb label and plumb watch, inside the binary.
 *
 * Their sources are modules in serve/ui/, bundled by tools/ui.sh into
 * serve/ui/dist/, which is committed and embedded as it is: a build needs no
 * Node.  Each table has "/", its script, its style, the icon, and the licences
 * of what is not ours in them; it lasts as long as the program, and fits
 * http_config.
 */
#ifndef PLUMB_SERVE_UI_H
#define PLUMB_SERVE_UI_H

#include "serve/http.h"

void ui_label(const struct http_file **file, size_t *n);
void ui_watch(const struct http_file **file, size_t *n);

#endif
