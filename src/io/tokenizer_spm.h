/*
 * tokenizer_spm.h - the merges that give what SentencePiece's scores give.
 *
 * SentencePiece joins the two neighbours whose joined text is the token of the
 * highest score, the leftmost first among equals.  BPE joins the pair of the
 * lowest rank.  So every way to cut a token into two tokens becomes a merge,
 * and merges are ranked by the score of what they make, highest first; ways to
 * make the same token, the longest left part first.
 *
 * That is the same only while no two tokens that can be made have the same
 * score.  Runs of one character are the exception that real vocabularies have
 * (spaces): joined leftmost first or longest left part first, a run grows from
 * its left end.
 */
#ifndef PLUMB_IO_TOKENIZER_SPM_H
#define PLUMB_IO_TOKENIZER_SPM_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* A token as the file has it; valid UTF-8. */
struct spm_token {
    const char *text;
    size_t len;
    double score;
    int is_normal; // text may become it
};

struct spm_merge {
    uint32_t token; // what it makes
    uint32_t cut;   // bytes of its left part
};

/*
 * The merges in order of rank; *out is freed with mem_free().  ERR_MISMATCH
 * names two tokens of equal score, ERR_LIMIT a token of more than 256 bytes.
 */
enum status tokenizer_spm_merges(struct spm_merge **out, size_t *n_out,
                                 const struct spm_token *token, size_t n,
                                 const char *name, struct err *err) MUST_CHECK;

#endif
