#include "eval/probe_table.h"

const struct probe_kind probe_table[] = {
    {"pairs",
     "what the reward model says of the replies that people ranked, held out "
     "and trained on",
     probe_pairs_inputs, probe_pairs},
    {"gradient",
     "what the reward, the KL penalty, the baseline and the entropy bonus each "
     "wanted of the policy, in iterations of the run",
     probe_gradient_inputs, probe_gradient},
};

const size_t probe_count = sizeof probe_table / sizeof probe_table[0];
