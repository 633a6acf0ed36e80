#include "io/score_length.h"

#include <math.h>

static enum status parse(double *out, const struct json *json, const char *key,
                         double low, double high, const char *what,
                         struct err *err)
{
    const struct json *node = json_get(json, key);
    double value;
    if (node == NULL || json_is_null(node))
        return OK;
    TRY(json_need_number(&value, json, key, what, err));
    if (value != 0 && !(value >= low && value <= high))
        return err_set(err, ERR_FORMAT, "%s: %s is %g, want %g..%g", what, key,
                       value, low, high);
    *out = value;
    return OK;
}

enum status score_length_parse(struct score_length *s, const struct json *json,
                               const char *what, struct err *err)
{
    struct score_length read = *s;
    TRY(parse(&read.gain, json, SCORE_LENGTH_GAIN, -SCORE_LENGTH_GAIN_MAX,
              SCORE_LENGTH_GAIN_MAX, what, err));
    TRY(parse(&read.target, json, SCORE_LENGTH_TARGET, SCORE_LENGTH_TARGET_MIN,
              SCORE_LENGTH_TARGET_MAX, what, err));
    *s = read;
    return OK;
}

void score_length_write(struct json_writer *w, const struct score_length *s)
{
    if (s->gain != 0)
        json_field_number(w, SCORE_LENGTH_GAIN, s->gain);
    if (s->target != 0)
        json_field_number(w, SCORE_LENGTH_TARGET, s->target);
}

bool score_length_counts(const struct score_length *s)
{
    return s->gain != 0 || s->target != 0;
}

double score_length_add(const struct score_length *s, double head,
                        size_t tokens)
{
    double score = head;
    if (s->gain != 0)
        score += s->gain * (double)tokens;
    if (s->target != 0)
        score += 1 - fabs((double)tokens / s->target - 1);
    return score;
}
