/*
 * tfevents.h - TensorBoard's event files: framed records with masked CRC-32C,
 * each a protobuf Event.  Scalars only, written whole so that they open in
 * TensorBoard's own reader.
 *
 * Fails with ERR_IO naming the file and the reason; what was flushed before
 * stays readable, TensorBoard stops at a torn record.
 */
#ifndef PLUMB_IO_TFEVENTS_H
#define PLUMB_IO_TFEVENTS_H

#include <stdint.h>

#include "base/err.h"

struct tfevents;

/* Create or truncate the file and write the version record. */
enum status tfevents_open(struct tfevents **out, const char *path,
                          double wall_time, struct err *err) MUST_CHECK;
void tfevents_close(struct tfevents *t);

/* One scalar; the first value of a tag carries its plugin metadata. */
enum status tfevents_scalar(struct tfevents *t, double wall_time, int64_t step,
                            const char *tag, double value,
                            struct err *err) MUST_CHECK;

enum status tfevents_flush(struct tfevents *t, struct err *err) MUST_CHECK;

/* CRC-32C (Castagnoli, reflected 0x82F63B78) and TensorFlow's mask of it. */
uint32_t tfevents_crc(const void *data, uint64_t len);
uint32_t tfevents_mask(uint32_t crc);

#endif
