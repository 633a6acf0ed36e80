/*
 * lint.h - what is wrong with another trainer's settings, before any run.
 *
 *     struct lint l;
 *     TRY(lint_run(&l, &flat, LINT_AUTO, "ppo.yaml", err));
 *     lint_text(&out, &l);
 *     lint_free(&l);
 *
 * Looked for are settings whose penalty cannot do what it is there for: an
 * estimator of the KL in a place where its gradient is none, a coefficient
 * that nothing reads, a controller too slow for the run, a normaliser that
 * changes the price, an EOS that is never learned.  Each rule is a row of a
 * table (lint_rule()); docs/lint.md has them all, with evidence and source.
 *
 * Severity.  error: the penalty that was asked for does not act, or acts the
 * wrong way, by the trainer's own code.  warning: it acts, but not as its
 * number says, or something that it is needed for cannot be seen.  note: worth
 * knowing, and what cannot be decided from the file.
 *
 * A setting that is absent has the default of the trainer's version that
 * lint_assumed() names.  A rule whose settings are unknown says nothing; the
 * note `undecided` names them.
 */
#ifndef PLUMB_DIAGNOSE_LINT_H
#define PLUMB_DIAGNOSE_LINT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "io/flat.h"

enum lint_trainer {
    LINT_TRL_PPO,         // since 0.12, and PPOv2 before
    LINT_TRL_PPO_CLASSIC, // up to 0.11
    LINT_TRL_GRPO,
    LINT_TRL_RLOO,         // since 0.22
    LINT_TRL_RLOO_CLASSIC, // up to 0.21
    LINT_TRL_OFFLINE,      // DPO, SFT, reward models
    LINT_OPENRLHF,         // since 0.10.2: --algo.kl.init_coef
    LINT_OPENRLHF_FLAT,    // before: --init_kl_coef
    LINT_OPENRLHF_OFFLINE,
    LINT_VERL,
    LINT_TRAINERS,
    LINT_AUTO = LINT_TRAINERS // told from the settings
};

enum lint_severity {
    LINT_NOTE,
    LINT_WARNING,
    LINT_ERROR,
};

struct lint_finding {
    const char *id; // "k3-in-reward"
    enum lint_severity severity;
    const char *key;       // as the trainer calls it
    const char *value;     // as it stands there or by default; NULL: none
    size_t line;           // 0: not in the file
    const char *why, *fix; // fix may be ""
    const char *evidence;
};

struct lint {
    enum lint_trainer trainer;
    struct lint_finding *finding; // errors first, then in the table's order
    size_t n, room;
    struct arena text; // owns the strings of findings
};

/* A row of the table. */
struct lint_rule_text {
    const char *id;
    const char *sees;
    const char *evidence;
};
size_t lint_rule_count(void);
struct lint_rule_text lint_rule(size_t i);

/* "trl-grpo"; "GRPOTrainer of TRL"; "TRL 1.9.0". */
const char *lint_trainer_id(enum lint_trainer t);
const char *lint_trainer_name(enum lint_trainer t);
const char *lint_assumed(enum lint_trainer t);

/*
 * Look at the settings of `f`.  Of several commands the one that looks most
 * like a trainer is meant.  ERR_FORMAT, naming the file, where the settings
 * are those of no known trainer, or fit several alike.
 */
enum status lint_run(struct lint *out, const struct flat *f,
                     enum lint_trainer trainer, const char *name,
                     struct err *err) MUST_CHECK;

size_t lint_count(const struct lint *l, enum lint_severity severity);

/* "error", "warning", "note" */
const char *lint_severity_name(enum lint_severity severity);

/* One JSON object: file, trainer, assumed, findings. */
void lint_document(struct json_writer *w, const struct lint *l,
                   const char *name);

/* The same for people, in lines of 79 columns. */
void lint_text(struct buf *out, const struct lint *l, const char *name);

void lint_free(struct lint *l);

#endif
