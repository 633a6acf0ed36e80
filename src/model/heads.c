#include "model/heads.h"

void head_score_forward(float *out, const struct model *m, const float *hidden,
                        const size_t *row, size_t n)
{
    const float *score = model_score(m);
    size_t C = m->config.C;

    for (size_t i = 0; i < n; i++) {
        const float *h = hidden + row[i] * C;
        double sum = 0;

        for (size_t c = 0; c < C; c++)
            sum += (double)score[c] * (double)h[c];
        out[i] = (float)sum;
    }
}

void head_score_backward(float *dhidden, float *grad, const struct model *m,
                         const float *hidden, const size_t *row,
                         const float *dout, size_t n)
{
    const float *score = model_score(m);
    size_t C = m->config.C;

    for (size_t i = 0; i < n; i++) {
        float *dh = dhidden + row[i] * C;

        /* out[i] = sum_c score[c] hidden[row[i],c] */
        for (size_t c = 0; c < C; c++)
            dh[c] += dout[i] * score[c];
    }
    if (grad == NULL)
        return;
    float *dscore = model_score_grad(m, grad);
    for (size_t c = 0; c < C; c++) {
        double sum = 0;

        for (size_t i = 0; i < n; i++)
            sum += (double)dout[i] * (double)hidden[row[i] * C + c];
        dscore[c] += (float)sum;
    }
}
