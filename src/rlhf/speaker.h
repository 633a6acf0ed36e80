/*
 * speaker.h - a model with its tokenizer, or somebody else's program in its
 * place, and its replies to prompts.
 */
#ifndef PLUMB_RLHF_SPEAKER_H
#define PLUMB_RLHF_SPEAKER_H

#include "base/context.h"
#include "base/file.h"
#include "base/rng.h"
#include "io/chat.h"
#include "io/dataset.h"
#include "io/outside.h"
#include "model/generate.h"
#include "rlhf/corpus.h"

struct speaker {
    struct model model;
    struct tokenizer *tokenizer;
    struct chat chat;
    char path[FILE_PATH_MAX]; // the model's folder
    struct outside *outside;  // a program asked in place of the model, which
                              // is then none, as tokenizer and path are
};

/* Open the model that run_find_model() finds.  `chat` names a template; NULL:
 * the model's own. */
enum status speaker_open(struct speaker *s, const char *path, const char *chat,
                         int precision, struct err *err) MUST_CHECK;
/* The same with a program (io/outside.h).  The context outlives the speaker.
 * ERR_MISSING: it cannot be started. */
enum status speaker_open_command(struct speaker *s,
                                 const struct outside_config *command,
                                 const struct context *context,
                                 struct err *err) MUST_CHECK;
void speaker_close(struct speaker *s);

/* Append a prompt as ids, laid out by the template.  ERR_LIMIT: it has no
 * tokens, or the model has no room for it and a reply. */
enum status speaker_encode(struct ids *out, const struct speaker *s,
                           const char *prompt, struct err *err) MUST_CHECK;

/* One reply, in memory of its own. */
struct speaker_reply {
    struct ids ids; // EOS included; a program's are its own, or not told
    float *logp;    // [ids.n]; NULL: not told
    bool is_eos;
    struct buf text; // special tokens left out
    double score;    // of a reward model, raw, where one was asked
};
void speaker_free_reply(struct speaker_reply *r);

struct best_of; // rlhf/best_of.h

/* How replies are drawn. */
struct draw {
    struct sampling sampling;
    size_t samples;             // replies per prompt
    const struct best_of *best; // each the best of several; NULL: as drawn
    uint64_t seed;
    enum rng_purpose purpose;
    const struct context *context;
};

/* Prompts, and where they stand, for a message about one. */
struct speaker_prompts {
    const char *const *text;     // [n]; NULL: `ids` has them
    const struct ids *ids;       // [n]
    const struct record *record; // [n], for a program, which reads texts
    const char *const *id;       // [n] of records; NULL: not from a file
    const char *file;
    size_t n;
    size_t first; // number of the first in the file
};

/* How many replies to a prompt are drawn to keep d->samples of them. */
size_t speaker_drawn(const struct draw *d);

/*
 * Draw replies to each of n prompts: reply[i * speaker_drawn(d) + k].  Each has
 * its own stream (purpose, first + i, k), so a part of a file gives the same
 * replies as the whole of it; a program is told a seed from that stream.  On
 * success the caller frees each with
 * speaker_free_reply(); on failure there is nothing to free.
 */
enum status speaker_reply(struct speaker_reply *reply, const struct speaker *s,
                          const struct speaker_prompts *p, const struct draw *d,
                          struct err *err) MUST_CHECK;

/*
 * The same for a file of prompts, read as `c` says but laid out by the
 * speaker's template: candidate sets {"id","prompt","responses","finish", ...}
 * are appended to `out`, other members passed on.
 */
enum status speaker_reply_file(struct buf *out, const struct speaker *s,
                               const char *prompts_path,
                               const struct data_config *c,
                               const struct draw *d,
                               struct err *err) MUST_CHECK;

#endif
