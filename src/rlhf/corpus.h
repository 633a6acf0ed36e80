/*
 * corpus.h - a data set as token sequences.
 */
#ifndef PLUMB_RLHF_CORPUS_H
#define PLUMB_RLHF_CORPUS_H

#include "io/chat.h"
#include "io/dataset.h"
#include "io/tokenizer.h"
#include "rlhf/batch.h"

/* What is done about a record that is longer than the limit. */
enum corpus_too_long {
    TOO_LONG_REFUSE,
    TOO_LONG_SKIP,
    /*
     * Of a dialogue the oldest turns go first, but for the system's message
     * and the last one.  Is that not enough, responses are cut at the right,
     * and what is cut has no end-of-turn token: nothing learns to stop there.
     * A record whose prompt leaves no room for a response is skipped.
     */
    TOO_LONG_TRUNCATE,
};

/* How data files are read, the same for every stage. */
struct data_config {
    struct dataset_config dataset;
    int too_long;         // enum corpus_too_long
    const char *template; // name of a chat template; NULL, "auto": the model's
    const char *date;     // struct chat
};

/*
 * Record i of the data set owns seq[first[i]] .. seq[first[i+1]-1]: one
 * sequence per response, or one without a response where it has none.  The
 * tokens are owned by the corpus.
 */
struct corpus {
    struct sequence *seq;
    size_t *first; // [n_record + 1]
    size_t n_record, n_seq;
    struct ids pool;
    struct chat chat;
    int32_t end;        // the token behind a response
    size_t n_train;     // records of all files but `heldout` (corpus_load)
    size_t n_extra;     // of the file `extra`, the first of them
    size_t n_too_long;  // records skipped because they are
    size_t n_truncated; // records cut
};

/*
 * Encode every prompt (laid out by the chat template) and every response,
 * ended by the template's end-of-turn token, else `eos`, unless it was cut at
 * the length limit: the record's "finish", a text or a list of one per
 * response, then says "length".  A sequence longer than max_tokens or without
 * a token, or a word the vocabulary lacks, is an error that names the record.
 */
enum status corpus_encode(struct corpus *out, const struct dataset *data,
                          const struct tokenizer *tokenizer, int32_t eos,
                          size_t max_tokens, struct err *err) MUST_CHECK;

/* Which of a record's responses were cut, by its "finish": cut[k] of each, one
 * where it has `response` alone.  ERR_FORMAT: its members are no JSON. */
enum status corpus_find_cut(bool cut[DATASET_RESPONSES_MAX],
                            const struct record *r, struct err *err) MUST_CHECK;

/* What a stage reads. */
struct corpus_files {
    const char *path;
    const char *extra;   // another file, whose records come first; or NULL
    const char *heldout; // a second file, whose records follow; or NULL
    enum dataset_kind kind;
};

/*
 * Read and encode, leaving out of both what is skipped, and say with the
 * context how many records were read, skipped and cut.  Of DATASET_PROMPTS
 * only the prompts become tokens: one sequence a record.  Of DATASET_RANKINGS
 * the records of `path` that rank one prompt come together (dataset_gather()).
 */
enum status corpus_load(struct corpus *out, struct dataset *data,
                        const struct corpus_files *files,
                        const struct data_config *c,
                        const struct tokenizer *tokenizer, int32_t eos,
                        size_t max_tokens, const struct context *context,
                        struct err *err) MUST_CHECK;

/* How many of the records 0..n-1 have the prompt of one of from..data->n-1. */
enum status corpus_count_shared(size_t *shared, const struct dataset *data,
                                size_t n, size_t from,
                                struct err *err) MUST_CHECK;

/* The counts as member "data" of a result. */
void corpus_put_counts(struct json_writer *w, const struct corpus *c,
                       const struct dataset *data);

/* The ids of a record's prompt, appended. */
enum status corpus_encode_prompt(struct ids *out, const struct record *r,
                                 const struct tokenizer *tokenizer,
                                 const struct chat *chat,
                                 struct err *err) MUST_CHECK;

void corpus_free(struct corpus *c);

#endif
