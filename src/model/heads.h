/*
 * heads.h - one number per row from hidden states: reward and value heads.
 *
 *     out[i] = score . hidden[row[i],:]
 *
 * The reward head reads the last real token of a response, the value head the
 * state before each of its tokens; `row` says which.  Sums in double.
 */
#ifndef PLUMB_MODEL_HEADS_H
#define PLUMB_MODEL_HEADS_H

#include "model/transformer.h"

/* The same with any weights w [C] in place of a model's score head; dw [C] is
 * theirs, NULL when they are frozen. */
void head_rows_forward(float *out, const float *w, const float *hidden,
                       const size_t *row, size_t n, size_t C);
void head_rows_backward(float *dhidden, float *dw, const float *w,
                        const float *hidden, const size_t *row,
                        const float *dout, size_t n, size_t C);

/* out [n] from rows row[0..n-1] of hidden [N,C]; asserts HEAD_SCORE. */
void head_score_forward(float *out, const struct model *m, const float *hidden,
                        const size_t *row, size_t n);

/* dhidden[row[i],:] += dout[i] score; grad's score weights += sum dout[i]
 * hidden[row[i],:].  grad may be NULL (frozen head). */
void head_score_backward(float *dhidden, float *grad, const struct model *m,
                         const float *hidden, const size_t *row,
                         const float *dout, size_t n);

#endif
