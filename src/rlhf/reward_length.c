#include "rlhf/reward_length.h"

#include "base/mem.h"
#include "stat/regress.h"

enum status reward_length_measure(struct reward_length_slope *out,
                                  const double *score,
                                  const struct corpus *corpus, size_t first,
                                  size_t last, struct err *err)
{
    enum status status = OK;
    size_t from = corpus->first[first];
    size_t n = corpus->first[last] - from;
    double *tokens = NULL;
    size_t *prompt = NULL;
    struct regress fit;
    TRY_DONE(MEM_NEW(tokens, n, err));
    TRY_DONE(MEM_NEW(prompt, n, err));
    for (size_t i = first; i < last; i++) {
        for (size_t s = corpus->first[i]; s < corpus->first[i + 1]; s++) {
            tokens[s - from] = (double)corpus->seq[s].len_response;
            prompt[s - from] = i - first;
        }
    }
    const struct design_data data = {.n = n,
                                     .p = 1,
                                     .n_prompts = last - first,
                                     .x = tokens,
                                     .y = score + from,
                                     .prompt = prompt};
    TRY_DONE(regress_fit(&fit, NULL, &data, DESIGN_PROMPTS, err));
    *out = (struct reward_length_slope){fit.coefficient[0], fit.se[0]};
done:
    mem_free(tokens);
    mem_free(prompt);
    return status;
}

bool reward_length_varies(const struct corpus *corpus, size_t first,
                          size_t last)
{
    for (size_t i = first; i < last; i++) {
        size_t from = corpus->first[i];
        for (size_t s = from; s < corpus->first[i + 1]; s++)
            if (corpus->seq[s].len_response != corpus->seq[from].len_response)
                return true;
    }
    return false;
}
