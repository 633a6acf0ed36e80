#include "rlhf/policy_command.h"

struct outside_request policy_command_request(const struct record *prompt,
                                              const struct sampling *how,
                                              struct rng stream)
{
    return (struct outside_request){
        .prompt = prompt->prompt,
        .dialogue = &prompt->dialogue,
        .max_new = (int64_t)how->max_new,
        .temperature = how->temperature,
        .top_p = how->top_p,
        .top_k = (int64_t)how->top_k,
        .seed = rng_u32(&stream) >> 1, // servers take an int
    };
}
