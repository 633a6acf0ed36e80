#include "nn/rowwise_ref.h"

void rowwise_nt_ref(double *y, const double *x, const double *w, size_t M,
                    size_t N, size_t K, bool accumulate)
{
    for (size_t m = 0; m < M; m++)
        for (size_t n = 0; n < N; n++) {
            double sum = 0;

            for (size_t k = 0; k < K; k++)
                sum += x[m * K + k] * w[n * K + k];
            y[m * N + n] = accumulate ? y[m * N + n] + sum : sum;
        }
}
