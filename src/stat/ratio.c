#include "stat/ratio.h"

struct ratio_bounds ratio_bounds_of(bool is_bf16)
{
    static const struct ratio_bounds of_float = {1e-4, 1e-4};
    static const struct ratio_bounds of_bf16 = {.sampler = 0.5, .update = 0.1};
    return is_bf16 ? of_bf16 : of_float;
}
