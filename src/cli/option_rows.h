/*
 * option_rows.h - how rows of the option table are written, for the files that
 * hold them: option_table*.c.
 */
#ifndef PLUMB_CLI_OPTION_ROWS_H
#define PLUMB_CLI_OPTION_ROWS_H

#include <float.h>

#include "cli/options.h"

/*
 * AT(field, type) is the offset of a member of struct option_values, and does
 * not compile when the member has another type than the row will write.
 */
/* A type and the members of a row cannot stand in parentheses. */
// NOLINTBEGIN(bugprone-macro-parentheses)
#define AT(field, type)                                                        \
    (offsetof(struct option_values, field) +                                   \
     _Generic(((struct option_values *)0)->field, type                         \
              : (size_t)0))

#define BOOL(key, field, fallback, help, commands, marks)                      \
    {                                                                          \
        key, 0, OPTION_BOOL, AT(field, bool), fallback, 0, 0, NULL, help,      \
            commands, marks, PARENT_NONE                                       \
    }
#define INT(key, field, fallback, low, high, help, commands, marks)            \
    {                                                                          \
        key, 0, OPTION_INT, AT(field, int64_t), fallback, low, high, NULL,     \
            help, commands, marks, PARENT_NONE                                 \
    }
#define REAL(key, field, fallback, low, high, help, commands, marks)           \
    {                                                                          \
        key, 0, OPTION_REAL, AT(field, double), fallback, low, high, NULL,     \
            help, commands, marks, PARENT_NONE                                 \
    }
#define CHOICE(key, field, fallback, choices, help, commands, marks)           \
    {                                                                          \
        key, 0, OPTION_CHOICE, AT(field, int), fallback, 0, 0, choices, help,  \
            commands, marks, PARENT_NONE                                       \
    }
#define TEXT(key, field, fallback, help, commands, marks)                      \
    {                                                                          \
        key, 0, OPTION_TEXT, AT(field, const char *), fallback, 0, 0, NULL,    \
            help, commands, marks, PARENT_NONE                                 \
    }
#define PATH(key, letter, field, help, commands, marks, parent)                \
    {                                                                          \
        key, letter, OPTION_PATH, AT(field, const char *), NULL, 0, 0, NULL,   \
            help, commands, marks, parent                                      \
    }

/* What the help of a deliberate fault ends with. */
#define FAULT " (a fault, for checking a diagnosis against it)"

#define MANY 1e12 // more than anybody will ask for, and exact as a double

#define FOR_STAGES (FOR_SFT | FOR_REWARD | FOR_PPO)
#define FOR_WORK (FOR_STAGES | FOR_DEMO | FOR_WORLD | FOR_EVAL | FOR_GENERATE)
#define FOR_TEAM                                                               \
    (FOR_WORK | FOR_SCORE | FOR_INSPECT | FOR_PROBE | FOR_DIAGNOSE |           \
     FOR_WHATIF | FOR_LABEL)
#define FOR_ALL                                                                \
    (FOR_TEAM | FOR_TOKENIZE | FOR_IMPORT | FOR_EXPORT | FOR_PLAIN |           \
     FOR_WATCH | FOR_LINT)
#define FOR_WRITING                                                            \
    (FOR_WORK | FOR_SCORE | FOR_IMPORT | FOR_EXPORT | FOR_DIAGNOSE | FOR_LABEL)
#define RECORDED OPTION_RECORDED
#define NEEDED (OPTION_RECORDED | OPTION_NEEDED)

/* AdamW and its schedule: the same rows in every training stage. */
#define OPTIMIZER(name, at, stage, peak, end, rise, curve, second, small, wd)  \
    REAL(name ".lr", at.lr, peak, 0, 1, "learning rate at its peak", stage,    \
         RECORDED),                                                            \
        REAL(name ".lr_min", at.lr_min, end, 0, 1,                             \
             "the schedule ends at this share of the learning rate", stage,    \
             RECORDED),                                                        \
        INT(name ".warmup", at.warmup, rise, 0, MANY,                          \
            "updates of linear warm-up", stage, RECORDED),                     \
        CHOICE(name ".schedule", at.schedule, curve, "constant|linear|cosine", \
               "learning rate after the warm-up", stage, RECORDED),            \
        REAL(name ".beta1", at.beta1, "0.9", 0, 0.999999,                      \
             "AdamW: decay of the first moment", stage, RECORDED),             \
        REAL(name ".beta2", at.beta2, second, 0, 0.999999,                     \
             "AdamW: decay of the second moment", stage, RECORDED),            \
        REAL(name ".eps", at.eps, small, 0, 1,                                 \
             "AdamW: added to the root of the second moment", stage,           \
             RECORDED),                                                        \
        REAL(name ".weight_decay", at.weight_decay, wd, 0, 1,                  \
             "AdamW: decoupled weight decay of the matrices", stage,           \
             RECORDED),                                                        \
        REAL(name ".grad_clip", at.clip, "1", 0, 1e6,                          \
             "bound on the gradient's norm; 0 is off", stage, RECORDED)

/* An adapter in place of the parameters: the same rows in every stage. */
#define ADAPTER(name, at, stage)                                               \
    INT(name ".lora_rank", at.rank, "0", 0, 1024,                              \
        "train a low-rank adapter (LoRA) of this rank; 0: every parameter",    \
        stage, RECORDED),                                                      \
        REAL(name ".lora_alpha", at.alpha, "32", 1e-6, 1e6,                    \
             "LoRA: the adapter is scaled by alpha / rank", stage, RECORDED),  \
        TEXT(name ".lora_targets", at.targets, NULL,                           \
             "LoRA: modules to adapt, by PEFT's names, separated by commas "   \
             "(q_proj,v_proj); without it every linear one",                   \
             stage, RECORDED),                                                 \
        BOOL(name ".lora_rslora", at.rslora, "false",                          \
             "LoRA: scale by alpha / sqrt(rank) instead", stage, RECORDED)

// NOLINTEND(bugprone-macro-parentheses)

/* A part of the table. */
struct option_rows {
    const struct option *row;
    size_t n;
};

/* The rows of PPO, which stand between those of the other stages, and those of
 * plumb label, watch and import, which stand last. */
struct option_rows option_table_ppo(void);
struct option_rows option_table_outside(void);
struct option_rows option_table_label(void);
struct option_rows option_table_watch(void);
struct option_rows option_table_import(void);

#endif
