#include "eval/probe_table.h"

const struct probe_kind probe_table[] = {
    {"edits",
     "what the reward model says of replies that were lengthened, shortened or "
     "adorned and say the same",
     NULL, NULL, probe_edits_inputs, probe_edits},
    {"pairs",
     "what the reward model says of the replies that people ranked, held out "
     "and trained on",
     NULL, NULL, probe_pairs_inputs, probe_pairs},
    {"gradient",
     "what the reward, the KL penalty, the baseline and the entropy bonus each "
     "wanted of the policy, in iterations of the run",
     "the gradients of its training", "gradients", probe_gradient_inputs,
     probe_gradient},
    {"relaxation",
     "whether the KL penalty pulls: training goes on with every score 0",
     "its parameters", "parameters", probe_relaxation_inputs, probe_relaxation},
    {"prefixes",
     "what policy and reference expect at every state of the reference's "
     "replies, where they end above all",
     "its probabilities of the next token", "probabilities of the next token",
     probe_prefixes_inputs, probe_prefixes},
    {"reference",
     "how well the reference knows what it was fine-tuned on, and what was "
     "held out",
     NULL, "probabilities of a text", probe_reference_inputs, probe_reference},
    {"push", "several replies of every checkpoint to the same prompts, scored",
     "its checkpoints", "what other checkpoints reply", probe_push_inputs,
     probe_push},
};

const size_t probe_count = sizeof probe_table / sizeof probe_table[0];
