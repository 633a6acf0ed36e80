/*
 * load.h - a model's parameters from the tensors of its files: names, shapes
 * and orders as the files have them (model/arch.h), values converted straight
 * from the map a few MiB at a time (io/weights.h).
 */
#ifndef PLUMB_MODEL_LOAD_H
#define PLUMB_MODEL_LOAD_H

#include "io/weights.h"
#include "model/model.h"

/*
 * Make a model of this shape with the parameters of `w`, kept as `precision`
 * says.  All tensors are
 * looked at before memory is taken for them, so that a configuration cannot
 * ask for more than its files hold.
 *
 * ERR_MISMATCH names the tensor, and the key of the configuration it does not
 * fit: absent, extra, of another shape or type, not finite.  Buffers that
 * follow from the configuration are passed over, and so is an output layer
 * that repeats a tied embedding.
 */
enum status load_params(struct model *out, const struct model_config *c,
                        const struct weights *w, enum model_precision precision,
                        struct err *err) MUST_CHECK;

#endif
