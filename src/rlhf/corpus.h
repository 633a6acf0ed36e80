/*
 * corpus.h - a data set as token sequences.
 */
#ifndef PLUMB_RLHF_CORPUS_H
#define PLUMB_RLHF_CORPUS_H

#include "io/chat.h"
#include "io/dataset.h"
#include "io/tokenizer.h"
#include "rlhf/batch.h"

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
};

/*
 * Encode every prompt (laid out by the tokenizer's chat template) and every
 * response, ended by `eos` unless it was cut at the length limit: the record's
 * "finish", a text or a list of one per response, then says "length".  A
 * sequence longer than max_tokens, or a word the vocabulary lacks, is an error
 * that names the record; nothing is cut here.
 */
enum status corpus_encode(struct corpus *out, const struct dataset *data,
                          const struct tokenizer *tokenizer, int32_t eos,
                          size_t max_tokens, struct err *err) MUST_CHECK;
void corpus_free(struct corpus *c);

#endif
