/*
 * plumb.h - RLHF in C: sample from a model, ask a reward model, diagnose a
 * training run.
 *
 *     struct plumb_error e;
 *     struct plumb_context *c;
 *     struct plumb_model *m;
 *     struct plumb_replies *r;
 *     const char *prompt[] = {"where is order #Q4?"};
 *     if (plumb_context_create(&c, 0, &e) == PLUMB_OK &&
 *         plumb_model_load(&m, "plumb-demo/ppo", NULL, &e) == PLUMB_OK &&
 *         plumb_generate(c, m, prompt, 1, NULL, &r, &e) == PLUMB_OK)
 *         puts(plumb_replies_text(r, 0));
 *     else
 *         fprintf(stderr, "%s\n", e.text);
 *
 * (Whoever goes on frees what was made: plumb_replies_free() and so on.)
 *
 * Results.  A function that can fail returns an enum plumb_status as int, 0 for
 * success, and takes `error` last, which may be NULL.  On failure *error says
 * why and nothing else is written; on success *error is left alone.  NULL for
 * any other pointer is PLUMB_USAGE unless its function says what it means.
 *
 * Ownership.  What a function hands out through `out` is the caller's: the
 * function that frees it is named with it, takes NULL, and may be called in any
 * order: nothing that is handed out needs another thing to stay.  What an
 * accessor returns belongs to the object it was asked of and lives as long.
 * Inputs are copied or only read during the call.
 *
 * Threads.  A context is for one call at a time; a second one gets PLUMB_FAILED
 * ("in use").  Calls with different contexts may run at the same time, also
 * with the same model, which no call changes; it may not be freed meanwhile.
 * Calls without a context may run at any time.  fork() leaves contexts unusable
 * in the child.
 *
 * The process around.  Nothing here prints, ends the process, handles a signal,
 * starts a process or uses the network.  A call computes in threads of its own,
 * which receive no signals, while the thread that called waits and handles them
 * as ever; the program's locale, OpenMP settings and signal masks are neither
 * changed nor used.  The same seed gives the same bytes, however many threads a
 * context has.  Texts are UTF-8 with a NUL at the end.
 *
 * Compatibility.  A program built with one minor version runs with the
 * libraries of that version; see plumb_version().  Structures with a member
 * `size` may grow: initialise them with their _DEFAULT macro.
 */
#ifndef PLUMB_H
#define PLUMB_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define PLUMB_API __attribute__((visibility("default")))
#else
#define PLUMB_API
#endif

/* The version of this header. */
#define PLUMB_VERSION "0.1.0"

/* The version of the library that runs, as PLUMB_VERSION is written. */
PLUMB_API const char *plumb_version(void);

/* ---- failure ------------------------------------------------------------- */

/* The exit codes of the program plumb. */
enum plumb_status {
    PLUMB_OK = 0,
    PLUMB_FAILED = 1,   /* no memory, no permission, numbers gone bad */
    PLUMB_USAGE = 2,    /* an argument is out of its range, or NULL */
    PLUMB_CORRUPT = 4,  /* a file is damaged, or does not fit another one */
    PLUMB_MISSING = 5,  /* no such file, no such model in the cache */
    PLUMB_STOPPED = 130 /* the progress function asked to stop */
};

#define PLUMB_ERROR_MAX 512

/* What went wrong.  The caller's, usually on its stack: one per thread. */
struct plumb_error {
    int status;                 /* enum plumb_status */
    char text[PLUMB_ERROR_MAX]; /* one line without a line break */
};

/* The status in words: "done", "failed", ...; never NULL. */
PLUMB_API const char *plumb_status_name(int status);

/* Give back a text that a function of this library has made; NULL is fine. */
PLUMB_API void plumb_text_free(char *text);

/* ---- contexts: workers --------------------------------------------------- */

struct plumb_context;

/*
 * Workers for calls, as many as `threads`, at most 1024.  0: one per processor
 * that the process may use.  End them with plumb_context_free().
 */
PLUMB_API int plumb_context_create(struct plumb_context **out, size_t threads,
                                   struct plumb_error *error);

/* Not while a call with this context runs. */
PLUMB_API void plumb_context_free(struct plumb_context *context);

/*
 * Told between two parts of a call how far it is: `done` of `total` prompts or
 * responses.  A result other than 0 asks to stop: the call then returns
 * PLUMB_STOPPED and hands out nothing.  Runs in the thread that called, and may
 * not use the call's context.
 */
typedef int (*plumb_progress_fn)(void *user, size_t done, size_t total);

/* Have `progress` called by later calls with this context; NULL: nothing. */
PLUMB_API int plumb_context_progress(struct plumb_context *context,
                                     plumb_progress_fn progress, void *user,
                                     struct plumb_error *error);

/* ---- models -------------------------------------------------------------- */

/* How a model is read.  Zero members take what PLUMB_LOAD_DEFAULT has. */
struct plumb_load {
    size_t size;       /* of this structure */
    int is_bf16;       /* keep weights as bfloat16: half the memory */
    int computes_bf16; /* multiply bfloat16: faster on processors made for it */
    const char *chat;  /* a chat template by its name (plumb generate --help);
                         NULL: the one the model brings */
};
#define PLUMB_LOAD_DEFAULT                                                     \
    {                                                                          \
        sizeof(struct plumb_load), 0, 0, NULL                                  \
    }

struct plumb_model;
struct plumb_reward_model;

/*
 * Read a language model with its tokenizer and chat template.
 *
 *   path     a Hugging Face folder, a GGUF file, an adapter's folder, a run
 *            (its newest checkpoint), a project (its ppo run), or the name of
 *            a repository in the local cache of the Hugging Face hub
 *   options  NULL: PLUMB_LOAD_DEFAULT
 *
 * PLUMB_MISSING says what was looked for.  Free with plumb_model_free().
 */
PLUMB_API int plumb_model_load(struct plumb_model **out, const char *path,
                               const struct plumb_load *options,
                               struct plumb_error *error);
PLUMB_API void plumb_model_free(struct plumb_model *model);

/* The folder or file that was read; tokens that prompt and response may have
 * together; tokens of the vocabulary.  Of NULL: "" and 0. */
PLUMB_API const char *plumb_model_path(const struct plumb_model *model);
PLUMB_API size_t plumb_model_positions(const struct plumb_model *model);
PLUMB_API size_t plumb_model_vocabulary(const struct plumb_model *model);

/*
 * The same for a reward model: `path` as above, of a project its reward run.
 * options->chat must be NULL, since a reward model lays texts out as its own
 * training did.  Free with plumb_reward_model_free().
 */
PLUMB_API int plumb_reward_model_load(struct plumb_reward_model **out,
                                      const char *path,
                                      const struct plumb_load *options,
                                      struct plumb_error *error);
PLUMB_API void plumb_reward_model_free(struct plumb_reward_model *model);

/* ---- generate ------------------------------------------------------------ */

/* How replies are drawn.  Unlike elsewhere zero means zero. */
struct plumb_sampling {
    size_t size;        /* of this structure */
    uint64_t seed;      /* the same seed, the same replies; below 2^53 */
    size_t samples;     /* replies to each prompt, 1 to 1024 */
    size_t max_new;     /* tokens of a reply at most, 1 to 65536 */
    double temperature; /* 0: the most probable token each time; up to 100 */
    double top_p;       /* the fewest tokens that hold this mass; 1: all */
    size_t top_k;       /* the most probable so many; 0: all */
};
#define PLUMB_SAMPLING_DEFAULT                                                 \
    {                                                                          \
        sizeof(struct plumb_sampling), 1, 1, 96, 1, 1, 0                       \
    }

struct plumb_replies;

/*
 * Draw replies to n >= 1 prompts, each of which is one message of a user and is
 * laid out by the model's chat template.  Control tokens written in a prompt
 * are ordinary text.
 *
 *   prompts   [n]
 *   sampling  NULL: PLUMB_SAMPLING_DEFAULT
 *   out       n * samples replies: sample k of prompt i is number
 *             i * samples + k
 *
 * A reply depends on seed, i, k, its prompt and the model alone.  The first
 * prompt has the replies that `plumb generate --prompt` gives.
 *
 * PLUMB_CORRUPT names a prompt that is no UTF-8 or too long for the model.
 * Free with plumb_replies_free().
 */
PLUMB_API int plumb_generate(struct plumb_context *context,
                             const struct plumb_model *model,
                             const char *const *prompts, size_t n,
                             const struct plumb_sampling *sampling,
                             struct plumb_replies **out,
                             struct plumb_error *error);
PLUMB_API void plumb_replies_free(struct plumb_replies *replies);

/* How many there are. */
PLUMB_API size_t plumb_replies_count(const struct plumb_replies *replies);

/* The text of reply i without control tokens; NULL when there is none. */
PLUMB_API const char *plumb_replies_text(const struct plumb_replies *replies,
                                         size_t i);

/*
 * How many tokens reply i has, the one that ended it included; 0 when there is
 * no such reply.  Each may be NULL:
 *
 *   token  becomes their ids
 *   logp   becomes the log-probability of each, in nats, under the whole
 *          distribution (before top_p and top_k) at the temperature of the
 *          draw, 1 for temperature 0
 */
PLUMB_API size_t plumb_replies_tokens(const struct plumb_replies *replies,
                                      size_t i, const int32_t **token,
                                      const float **logp);

/* 1 when the model ended reply i itself, 0 when it was cut at max_new. */
PLUMB_API int plumb_replies_ended(const struct plumb_replies *replies,
                                  size_t i);

/* ---- score --------------------------------------------------------------- */

/*
 * What a reward model says of n responses.
 *
 *   prompts, responses  [n] response i answers prompt i
 *   ended               [n] 0 where response i was cut and did not end itself
 *                       (plumb_replies_ended()); NULL: all ended themselves
 *   scores              [n] raw, as the score head has them: only differences
 *                       mean something
 *
 * The same list has the same scores; those of a part of it may differ in the
 * last digits of a float, since responses are computed together.
 *
 * PLUMB_CORRUPT names a pair that is no UTF-8, or is longer than the model's
 * positions: nothing is ever cut.
 */
PLUMB_API int plumb_score(struct plumb_context *context,
                          const struct plumb_reward_model *model,
                          const char *const *prompts,
                          const char *const *responses, const int *ended,
                          size_t n, double *scores, struct plumb_error *error);

/* ---- diagnose ------------------------------------------------------------ */

/* How a run is diagnosed.  Zero members take what PLUMB_DIAGNOSE_DEFAULT
 * has. */
struct plumb_diagnose_options {
    size_t size;       /* of this structure */
    uint64_t seed;     /* of resampling; below 2^53 */
    size_t resamples;  /* for intervals, 100 to 1000000 */
    const char *human; /* a file or database of votes; NULL: the project's */
};
#define PLUMB_DIAGNOSE_DEFAULT                                                 \
    {                                                                          \
        sizeof(struct plumb_diagnose_options), 1, 2000, NULL                   \
    }

enum plumb_verdict {
    PLUMB_INCONCLUSIVE = 0,
    PLUMB_HEALTHY = 1,
    PLUMB_PARADOX = 2, /* the reward rises, the answers get worse */
    PLUMB_OTHER = 3,   /* something else explains what was seen */
    PLUMB_BUG = 4      /* the run computes something else than it says */
};

/* As the document has it: "inconclusive", "healthy", "paradox",
 * "other_pathology", "bug"; never NULL. */
PLUMB_API const char *plumb_verdict_name(int verdict);

struct plumb_diagnosis;

/*
 * Read what training, evaluation and people have left in a project or its run,
 * and say what happened.  Files are read; no model is, and nothing is written.
 *
 *   path     a project, or the run in it
 *   options  NULL: PLUMB_DIAGNOSE_DEFAULT
 *
 * A file that is damaged is named in the document; it is no failure.
 * PLUMB_MISSING: there is nothing to diagnose.  Free with
 * plumb_diagnosis_free().
 */
PLUMB_API int plumb_diagnose(struct plumb_context *context, const char *path,
                             const struct plumb_diagnose_options *options,
                             struct plumb_diagnosis **out,
                             struct plumb_error *error);
PLUMB_API void plumb_diagnosis_free(struct plumb_diagnosis *diagnosis);

/* enum plumb_verdict; of NULL PLUMB_INCONCLUSIVE. */
PLUMB_API int plumb_diagnosis_verdict(const struct plumb_diagnosis *diagnosis);

/* The explanation that ranks first, by the id it has in the document ("R1");
 * of NULL "". */
PLUMB_API const char *
plumb_diagnosis_rival(const struct plumb_diagnosis *diagnosis);

/* The document that `plumb diagnose --json` prints (docs/diagnosis.md has its
 * schema).  Free with plumb_text_free(). */
PLUMB_API int plumb_diagnosis_json(const struct plumb_diagnosis *diagnosis,
                                   char **out, struct plumb_error *error);

/* Write diagnosis.json and report.html into the project, each whole or not at
 * all. */
PLUMB_API int plumb_diagnosis_save(const struct plumb_diagnosis *diagnosis,
                                   struct plumb_error *error);

#ifdef __cplusplus
}
#endif

#endif
