/*
 * ids.h - a growing list of token ids.
 */
#ifndef PLUMB_IO_IDS_H
#define PLUMB_IO_IDS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct ids {
    int32_t *id;
    size_t n, room;
};

enum status ids_push(struct ids *ids, int32_t id, struct err *err) MUST_CHECK;
void ids_free(struct ids *ids);

#endif
