#include "model/heads.h"

void head_rows_forward(float *out, const float *w, const float *hidden,
                       const size_t *row, size_t n, size_t C)
{
    for (size_t i = 0; i < n; i++) {
        const float *h = hidden + row[i] * C;
        double sum = 0;

        for (size_t c = 0; c < C; c++)
            sum += (double)w[c] * (double)h[c];
        out[i] = (float)sum;
    }
}

void head_rows_backward(float *dhidden, float *dw, const float *w,
                        const float *hidden, const size_t *row,
                        const float *dout, size_t n, size_t C)
{
    for (size_t i = 0; i < n; i++) {
        float *dh = dhidden + row[i] * C;

        /* out[i] = sum_c w[c] hidden[row[i],c] */
        for (size_t c = 0; c < C; c++)
            dh[c] += dout[i] * w[c];
    }
    if (dw == NULL)
        return;
    for (size_t c = 0; c < C; c++) {
        double sum = 0;

        for (size_t i = 0; i < n; i++)
            sum += (double)dout[i] * (double)hidden[row[i] * C + c];
        dw[c] += (float)sum;
    }
}

void head_score_forward(float *out, const struct model *m, const float *hidden,
                        const size_t *row, size_t n)
{
    head_rows_forward(out, model_score(m), hidden, row, n, m->config.C);
}

void head_score_backward(float *dhidden, float *grad, const struct model *m,
                         const float *hidden, const size_t *row,
                         const float *dout, size_t n)
{
    head_rows_backward(dhidden, grad != NULL ? model_score_grad(m, grad) : NULL,
                       model_score(m), hidden, row, dout, n, m->config.C);
}
