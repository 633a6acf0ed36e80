/*
 * outside_line.h - the lines that go to and come from somebody else's reward
 * model or policy (docs/commands.md), without the program itself.
 *
 *     reward   {"id":7,"left":0,"prompt":"...","response":"..."}
 *              {"id":7,"score":0.25}
 *     policy   {"id":8,"left":0,"prompt":"...","max_new":96,"temperature":1,
 *               "seed":1}
 *              {"id":8,"response":"...","tokens":[5,6],"logp":[-1.5,-0.2]}
 */
#ifndef PLUMB_IO_OUTSIDE_LINE_H
#define PLUMB_IO_OUTSIDE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "io/dialogue.h"

enum outside_kind {
    OUTSIDE_REWARD,
    OUTSIDE_POLICY
};

/* "reward", "policy" */
const char *outside_kind_name(enum outside_kind kind);

struct outside_request {
    const char *prompt;
    const struct dialogue *dialogue; // the prompt's messages; NULL: a text
    /* reward */
    const char *response;
    bool is_cut; // the response met its length limit
    /* policy */
    int64_t max_new; // tokens
    int64_t top_k;   // 0: all
    double temperature, top_p;
    uint32_t seed; // of this reply alone
};

struct outside_answer {
    double score;   // reward
    char *response; // policy: its text
    bool is_cut;    // "finish" is "length"
    int32_t *token; // [n], of a vocabulary of its own; n is 0: not told
    float *logp;    // [n], or NULL: not told
    size_t n;
};
void outside_answer_free(struct outside_answer *a);

/* Append a request as a line.  `left` requests of its batch follow. */
void outside_line_put(struct buf *out, enum outside_kind kind,
                      const struct outside_request *r, int64_t id, size_t left);

/*
 * Read an answer.  Members that are not ours are passed over; "finish" is
 * "length" for a response that was cut.  ERR_FORMAT, and nothing to free: no
 * JSON object; "id" absent or no integer; a member twice; "error", whose text
 * is passed on; a score that is absent or not finite; a response that is
 * absent; tokens below 0 or another number of "logp" than of "tokens"; a
 * logp that is above 0 or NaN.
 */
enum status outside_line_read(int64_t *id, struct outside_answer *out,
                              enum outside_kind kind, const char *line,
                              size_t len, struct err *err) MUST_CHECK;

#endif
