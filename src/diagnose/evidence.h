/*
 * evidence.h - everything a diagnosis may look at, read once: the files of a
 * project, never a model.
 *
 *     import.json                           of a run that another trainer
 *                                           made: which, and what its files
 *                                           are (diagnose/imported.h)
 *     ppo/config.yaml (and sft/, reward/)   what was asked for
 *     ppo/metrics.jsonl                     the training log
 *     ppo/rollouts/                         every response that was trained on
 *     eval/settings.json samples.jsonl      held-out replies of policy and
 *                                           reference, scored
 *     eval/curve.json                       held-out measures by checkpoint
 *     human/spotcheck.jsonl                 blind votes, placebo pairs among
 *     human/X.db                            them: of all databases, when
 *                                           there is one that holds some
 *                                           (store/human.h)
 *     judge/NAME.jsonl                      votes of a model, in the same form:
 *                                           never counted among people's
 *     human/checkpoints/000010.jsonl        votes on the policy of iteration
 *     eval/checkpoints/000010.jsonl         10, and the replies they are about
 *     reward/eval/heldout.json              the reward model's own accuracy
 *     probes/NAME.json                      what only models can answer
 *     whatif/result.json                    what changes did, once re-run; not
 *                                           missed where it is absent
 *
 * Any of them may be absent or damaged: it is then on the list of what is
 * lost (but for votes on checkpoints, which nobody need ask for), with the
 * reason and the command that would make it, and all that rests on it is not
 * measurable.  Nothing is guessed in its place.
 *
 * Where the rest of something damaged stands by itself, the rest is used, and
 * the list says what is wrong: iterations whose rollouts are absent or cannot
 * be read; votes and held-out replies that are there twice, which are counted
 * once; votes on one of the checkpoints.  Two of one name that differ lose
 * their file.
 *
 * Memory.  Of a held-out reply and of a vote all numbers are kept, of a
 * rollout's response a fixed few (its tokens are reduced while they stream by),
 * so a gigabyte of rollouts takes some tens of megabytes.
 *
 * Lengths.  Where another trainer's rows do not all have their tokens, all of
 * them are counted in words: two units are never mixed.
 *
 * Prompts are numbered bytewise by id: the order of rows in a file never shows
 * in a result.
 */
#ifndef PLUMB_DIAGNOSE_EVIDENCE_H
#define PLUMB_DIAGNOSE_EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/names.h"
#include "diagnose/table.h"
#include "io/run.h"
#include "stat/features.h"
#include "stat/summary.h"

/* A held-out reply.  NaN: not there. */
struct evidence_reply {
    size_t prompt; // < n_prompts
    size_t tag;    // the prompt's stratum, SIZE_MAX without
    uint64_t hash; // of its text
    int64_t sample;
    bool is_policy;      // else the reference's
    bool is_eos;         // ended by itself
    bool is_end_unknown; // is_eos says nothing
    double score, score_raw;
    double tokens; // or words: evidence.reply_unit
    double gold, weak_gold;
    double k1, kl; // policy: sums over tokens, nats
    double feature[FEATURES];
};

/* A vote, told from the tested reply's side: the policy's, or in a placebo
 * pair the reference's that stands in for it. */
struct evidence_vote {
    size_t prompt;
    size_t pair;  // visits of one pair share it
    size_t judge; // SIZE_MAX: not said
    bool is_placebo;
    bool is_left;                    // the tested reply was shown on the left
    bool is_side_unknown;            // is_left says nothing
    int visit;                       // 1, or 2 when the pair was judged again
    double win;                      // tested reply preferred: 1, 1/2, 0
    double direct, direct_other;     // 0..4
    double helpful, helpful_other;   // 0..4
    double correct, correct_other;   // yes 1, unsure 1/2, no 0
    double too_long, too_long_other; // 1 or 0
    double tokens, tokens_other;     // or words: evidence.reply_unit
    double words, words_other;       // of a run that another trainer made
    size_t reply, reply_other; // in evidence.reply, SIZE_MAX: not among them
};

/* A first vote on a pair of a checkpoint's reply and the reference's. */
struct evidence_spot {
    int64_t step;    // the checkpoint's iteration
    uint64_t prompt; // names_hash() of its id
    size_t place;    // in the order they were read
    double win;      // the policy's reply preferred: 1, 1/2, 0
    double d_score;  // policy's minus reference's
    double d_tokens; // the same
};

/* A response of a training batch, reduced.  NaN where the trace lacks it. */
struct evidence_rollout {
    uint32_t step;   // index into evidence.step
    uint32_t prompt; // index into evidence.rollout_prompt
    uint32_t tag;    // UINT32_MAX without
    uint32_t sample;
    bool is_eos;
    bool is_end_unknown; // is_eos says nothing
    float tokens;        // or words: evidence.rollout_unit
    float words;
    float score, score_raw;
    float gold;        // what the score stands in for; read of imported runs
    float kl_sequence; // as its trainer wrote it, whatever that is
    float k1, kl;      // sums over tokens
    float reward_kl, entropy;  // sums
    float value_error;         // mean over tokens of return - value, where a
                               // return is what is paid from the token on
    float advantage_white;     // mean over tokens
    float advantage_white_eos; // of the EOS token
    float eos_gap;             // that minus the mean of other tokens at the
                               // same place (bins of EVIDENCE_BIN tokens) in
                               // the same iteration
    float p_eos, p_eos_ref;    // sums over states
    float measure;             // sum of exp(-k1): as many as tokens, on average
    float feature[FEATURES];
};

/* What a length counts. */
enum evidence_unit {
    EVIDENCE_TOKENS,
    EVIDENCE_WORDS
};

#define EVIDENCE_BIN 5
#define EVIDENCE_TOKENS_MAX ((size_t)1 << 21)
#define EVIDENCE_DECILES 10

/* Classes of tokens in the ledger of the penalty. */
enum evidence_class {
    EVIDENCE_EOS,      // the response stopped here
    EVIDENCE_BOUNDARY, // a sentence had ended: to stop or to go on
    EVIDENCE_FIRST,    // the first five tokens
    EVIDENCE_REPEATED, // ends a run of four tokens that the response had before
    EVIDENCE_OTHER,
    EVIDENCE_CLASSES
};

struct evidence_ledger {
    double tokens;
    double k1, kl;    // sums, nats
    double paid;      // sum of reward_kl where it is above 0: the penalty pays
    double charged;   // sum of -reward_kl where it is below
    double advantage; // sum, whitened
};

/* An iteration. */
struct evidence_step {
    int64_t step;
    size_t responses, tokens;
    double beta_low, beta_high; // as its rows have it
    double temperature_low, temperature_high;
    double sampler_error;             // largest |exp(logp - logp_sample) - 1|
    double engine_tokens;             // that have both of these
    double engine_gap, engine_size;   // sums of logp - logp_sample, and of
                                      // its size
    double reference_error;           // largest |logp - logp_ref|
    double surprise, surprise_square; // sums over tokens of -logp - entropy
    double returns, returns_square;   // sums over tokens
    double errors, errors_square;     // sums over tokens of return - value
    double eos_zero; // EOS tokens whose whitened advantage is exactly 0
    struct evidence_ledger by_class[EVIDENCE_CLASSES];
    struct evidence_ledger by_decile[EVIDENCE_DECILES]; // of the response
};

/* Something that is not there or not whole. */
struct evidence_loss {
    const char *what;    // "probes/relaxation.json"
    const char *why;     // "not there", or what is wrong with it
    const char *command; // that would make it
    bool is_part;        // the rest of it is used
};

enum {
    EVIDENCE_LOSSES_MAX = 32
};

enum evidence_probe {
    PROBE_EDITS,
    PROBE_PAIRS,
    PROBE_PREFIXES,
    PROBE_REFERENCE,
    PROBE_PUSH,
    PROBE_GRADIENT,
    PROBE_RELAXATION,
    PROBES
};

struct imported;

struct evidence {
    char project[FILE_PATH_MAX], run[FILE_PATH_MAX];
    struct arena arena; // of texts
    struct bootstrap plan;

    struct evidence_setting *setting; // of all stages
    size_t n_setting, room_setting;

    size_t n_prompts; // of replies, votes and probes together
    size_t *place;    // [prompt.n] number of the prompt with this name
    struct names prompt, tag, judge, pair;
    struct evidence_reply *reply;
    size_t n_reply, room_reply;
    struct evidence_vote *vote;
    size_t n_vote, room_vote;
    size_t votes_strange; // votes on replies that are not among these: left out
    const char *votes_damage;   // why they cannot be read; NULL: they can, or
                                // there are none
    const char *votes_from;     // "human/a.db and human/b.db"; NULL: no votes
    struct evidence_spot *spot; // by iteration, then in their files' order
    size_t n_spot, room_spot;
    struct evidence_vote *judged; // of a model, first visits and second
    size_t n_judged, room_judged;
    const char *judged_from; // "judge/gpt.jsonl"; NULL: no votes of a model

    /* Exact KL of the first EVIDENCE_TOKENS_MAX tokens of the policy's held-out
     * replies, token by token. */
    double *token_kl;
    size_t *token_prompt, *token_class; // enum evidence_class
    size_t n_token, room_token;

    bool *ends_sentence; // [n_vocab] tokens whose text ends in . ? ! or a line
    size_t n_vocab;      // as held-out replies show them; 0: they do not
    struct names rollout_prompt;
    struct evidence_rollout *rollout;
    size_t n_rollout, room_rollout;
    struct evidence_step *step;
    size_t n_step, room_step;
    enum evidence_unit rollout_unit, reply_unit; // votes go with replies

    struct imported *import;                        // NULL: a run of Plumb's
    struct run_table metrics;                       // n == 0: absent
    struct json *settings, *curve, *reward_heldout; // NULL: absent
    struct json *whatif;
    struct table probe[PROBES]; // json NULL: absent

    struct evidence_loss loss[EVIDENCE_LOSSES_MAX];
    size_t n_loss;
};

/*
 * Read what is there of a project D, or of a run D/ppo.  ERR_MISSING when the
 * directory holds nothing that could be diagnosed; ERR_MEMORY.  A file that is
 * damaged is a loss, not a failure.
 */
enum status evidence_read(struct evidence *out, const char *path,
                          const struct bootstrap *plan,
                          struct err *err) MUST_CHECK;
void evidence_free(struct evidence *e);

struct team;

/* The same with votes from another file or database, which then must be there
 * and whole (NULL: the project's own), and with workers, which share the files
 * of rollouts (NULL: none); what comes out does not depend on them. */
enum status evidence_read_with(struct evidence *out, const char *path,
                               const char *human, struct team *team,
                               const struct bootstrap *plan,
                               struct err *err) MUST_CHECK;

/* Nothing but the votes on policy and placebo pairs of a pool that is still
 * being voted on, as of one moment; 0: of all pools.  Failure: as
 * records_walk(). */
struct db;
enum status evidence_read_pool(struct evidence *out, struct db *db,
                               int64_t pool, const struct bootstrap *plan,
                               struct err *err) MUST_CHECK;

/* "tokens" or "words". */
const char *evidence_units(enum evidence_unit u);

/* A recorded setting as text, "ppo.beta" of stage "ppo"; NULL when absent. */
const char *evidence_text(const struct evidence *e, const char *stage,
                          const char *key);
/* As a number; NaN when absent or no number. */
double evidence_number(const struct evidence *e, const char *stage,
                       const char *key);

/* The KL coefficient at the first and at the last iteration: as the rollouts
 * have it, else as the run was configured; NaN when neither is there. */
double evidence_beta_first(const struct evidence *e);
double evidence_beta(const struct evidence *e);

/* The iteration of the policy whose held-out replies these are, as their
 * evaluation names it; -1 when it does not. */
int64_t evidence_policy_step(const struct evidence *e);

/* A prompt's number by its id; SIZE_MAX when nothing is known of it. */
size_t evidence_prompt(const struct evidence *e, const char *id);

/* Why a file is lost, or NULL when it is not. */
const struct evidence_loss *evidence_lost(const struct evidence *e,
                                          const char *what);
/* What is wrong with a file that is used all the same, or NULL. */
const struct evidence_loss *evidence_damaged(const struct evidence *e,
                                             const char *what);

/*
 * One value a prompt: the mean of `member` over the prompt's replies of one
 * model.  out [n_prompts]; NaN where there is none.
 *     evidence_prompt_means(x, e, true, offsetof(struct evidence_reply, score))
 */
enum status evidence_prompt_means(double *out, const struct evidence *e,
                                  bool is_policy, size_t member,
                                  struct err *err) MUST_CHECK;

#endif
