#include "diagnose/remedy_value.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "stat/klprice.h"

/* Below this share of the rise the path is no curve. */
#define FIT_MIN 0.5
#define BETA_MAX 10.0
#define KL_MAX 1e6

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/* ---- numbers ------------------------------------------------------------ */

static double sd_within(const struct remedy_sources *s)
{
    const struct finding *f = rivals_row(s->rows, "S1");
    return f != NULL ? measures_find(&f->detail, "sd_within").estimate
                     : (double)NAN;
}

static bool is_by_path(const struct remedy_sources *s)
{
    return s->path.is_there && s->path.fit >= FIT_MIN;
}

static double find_price(const struct remedy_sources *s)
{
    double beta = evidence_beta(s->e), kl = s->wanted.kl;
    double x = is_by_path(s) ? remedy_curve_price(&s->path.all, sqrt(kl))
                             : klprice_coefficient(sd_within(s), kl);
    if (!(x > 1.2 * beta))
        x = klprice_coefficient(sd_within(s), kl);
    if (!(x > 1.2 * beta))
        x = 2 * beta;
    return x > 0 && isfinite(x) ? clamp(x, 0, BETA_MAX) : (double)NAN;
}

static double find_token(const struct remedy_sources *s)
{
    double slope = s->response.token_slope;
    return slope > 0 ? clamp(slope, 0, 10) : (double)NAN;
}

static enum status find_cap(double *out, const struct remedy_sources *s,
                            struct err *err)
{
    const struct evidence *e = s->e;
    double *x, now = evidence_number(e, "ppo", "ppo.max_new");
    size_t n = 0;
    TRY(MEM_NEW(x, e->n_reply, err));
    for (size_t i = 0; i < e->n_reply; i++)
        if (!e->reply[i].is_policy && !isnan(e->reply[i].tokens))
            x[n++] = e->reply[i].tokens;
    summary_sort(x, n);
    *out = ceil(summary_quantile(x, n, 0.95));
    mem_free(x);
    if (*out >= now)
        *out = (double)NAN;
    return OK;
}

/* What cannot be read is not there, unless memory is short. */
static enum status unless_short(enum status status, const struct err *why,
                                struct err *err)
{
    if (status != ERR_MEMORY)
        return OK;
    *err = *why;
    return status;
}

static enum status find_steps(double *out, const char *sft, struct err *err)
{
    char path[FILE_PATH_MAX];
    struct json *result = NULL;
    struct err why;
    enum status status = file_join(path, sft, "result.json", &why);
    if (status == OK)
        status = json_read(&result, path, (size_t)1 << 24, &why);
    *out = (double)NAN;
    if (status == OK) {
        *out = json_number(json_get(result, "steps"), (double)NAN);
        json_free(result);
    }
    return unless_short(status, &why, err);
}

static enum status find_epoch(double *out, const struct remedy_sources *s,
                              struct err *err)
{
    char sft[FILE_PATH_MAX];
    struct err why;
    int64_t *list = NULL;
    double steps;
    size_t n = 0, best = 0;
    TRY(file_join(sft, s->e->project, "sft", err));
    TRY(find_steps(&steps, sft, err));
    TRY(unless_short(run_checkpoints(&list, &n, sft, &why), &why, err));
    /* The last one is what is there now. */
    if (n < 2) {
        mem_free(list);
        return OK;
    }
    for (size_t i = 1; i + 1 < n; i++)
        if (2 * list[i] <= list[n - 1])
            best = i;
    *out =
        (double)list[best] * evidence_number(s->e, "sft", "sft.epochs") / steps;
    mem_free(list);
    return OK;
}

static enum status find_number(double *out, const struct remedy_row *row,
                               const struct remedy_sources *s, struct err *err)
{
    const struct evidence *e = s->e;
    double x, wanted = s->wanted.kl;
    *out = (double)NAN;
    switch (row->value) {
    case REMEDY_VALUE_NONE:
        break;
    case REMEDY_VALUE_FIXED:
        *out = strtod(row->fixed, NULL);
        break;
    case REMEDY_VALUE_PRICE:
        *out = wanted > 0 ? find_price(s) : (double)NAN;
        break;
    case REMEDY_VALUE_KL:
        *out = wanted > 0 ? clamp(wanted, 0, KL_MAX) : (double)NAN;
        break;
    case REMEDY_VALUE_TOKEN:
        *out = find_token(s);
        break;
    case REMEDY_VALUE_EPOCH:
        return find_epoch(out, s, err);
    case REMEDY_VALUE_CAP:
        return find_cap(out, s, err);
    case REMEDY_VALUE_TEMPERATURE:
        x = evidence_number(e, "ppo", "ppo.log_temperature");
        *out = x > 0 ? x : (double)NAN;
        break;
    case REMEDY_VALUE_MISSING_EOS:
        x = evidence_number(e, "ppo", "ppo.missing_eos");
        *out = x > 0 ? 2 * x : 1;
        break;
    }
    return OK;
}

static void print_number(char out[32], enum remedy_value kind, double x)
{
    bool is_whole = kind == REMEDY_VALUE_CAP || x >= 100;
    (void)snprintf(out, 32,
                   is_whole                     ? "%.0f"
                   : kind == REMEDY_VALUE_EPOCH ? "%.4g"
                   : x >= 10                    ? "%.3g"
                                                : "%.2g",
                   x);
}

/* ---- does it apply ------------------------------------------------------ */

static const char *stage_of(const char *key)
{
    return strncmp(key, "reward.", 7) == 0 ? "reward"
           : strncmp(key, "ppo.", 4) == 0  ? "ppo"
                                           : "";
}

static bool is_same(const char *a, const char *b)
{
    char *end_a, *end_b;
    double x = strtod(a, &end_a), y = strtod(b, &end_b);
    bool are_numbers =
        *a != '\0' && *b != '\0' && *end_a == '\0' && *end_b == '\0';
    return strcmp(a, b) == 0 || (are_numbers && x == y);
}

static const char *setting_to(const struct remedy_row *row, size_t k,
                              const char *text)
{
    return row->to[k] != NULL ? row->to[k] : text;
}

/* Does the run have all of it already? */
static bool is_in_place(const struct remedy_row *row, const char *text,
                        const struct evidence *e)
{
    for (size_t k = 0; k < 2 && row->key[k] != NULL; k++) {
        const char *now = evidence_text(e, stage_of(row->key[k]), row->key[k]);
        const char *to = setting_to(row, k, text);
        if (now == NULL || *to == '\0' || !is_same(now, to))
            return false;
    }
    return row->key[0] != NULL;
}

static bool is_desk(const struct evidence *e)
{
    char path[FILE_PATH_MAX];
    return file_join(path, e->project, "world", NULL) == OK &&
           file_is_dir(path);
}

static bool meets(const struct remedy_row *row, const struct remedy_sources *s)
{
    const struct finding *acts = rivals_row(s->rows, "V7");
    switch (row->condition) {
    case REMEDY_ALWAYS:
        return true;
    case REMEDY_IF_DESK:
        return is_desk(s->e);
    case REMEDY_IF_PENALTY:
        return acts == NULL || acts->verdict != VERDICT_NOT_SUPPORTED;
    case REMEDY_IF_REST:
        return !(s->response.judges_rest < 0);
    case REMEDY_IF_SET:
        return evidence_text(s->e, stage_of(row->key[0]), row->key[0]) != NULL;
    }
    return false;
}

enum status remedy_value_find(bool *applies, double *value, char text[32],
                              const struct remedy_row *row,
                              const struct remedy_sources *s, struct err *err)
{
    bool is_fixed = row->value == REMEDY_VALUE_FIXED;
    bool has_value = row->value != REMEDY_VALUE_NONE;
    *applies = false;
    *value = (double)NAN;
    text[0] = '\0';
    if (!meets(row, s))
        return OK;
    TRY(find_number(value, row, s, err));
    if (has_value && !is_fixed && !isfinite(*value))
        return OK;
    if (is_fixed)
        (void)snprintf(text, 32, "%s", row->fixed);
    else if (has_value)
        print_number(text, row->value, *value);
    /* What is printed is what is run, so it is what is predicted. */
    if (has_value)
        *value = strtod(text, NULL);
    *applies = !is_in_place(row, text, s->e);
    return OK;
}

/* ---- in words ----------------------------------------------------------- */

void remedy_value_append(char *out, size_t room, const char *fmt, ...)
{
    size_t at = strlen(out);
    va_list args;
    va_start(args, fmt);
    if (at < room)
        (void)vsnprintf(out + at, room - at, fmt, args);
    va_end(args);
}

static void say_wanted(struct remedy *r, const struct remedy_sources *s)
{
    const struct remedy_wanted *w = &s->wanted;
    double end = s->path.all.end * s->path.all.end;
    if (isfinite(w->worse))
        remedy_value_append(
            r->why, sizeof r->why,
            "; %s is best at iteration %.0f and told from that at iteration "
            "%.0f, so half way is wanted, %.2g nats (now %.2g)",
            w->key, w->best, w->worse, w->kl, end);
    else
        remedy_value_append(
            r->why, sizeof r->why,
            "; %s, so half of the KL is wanted, %.2g of %.2g nats",
            w->key != NULL ? "no checkpoint is told from the best"
                           : "no gold over checkpoints",
            w->kl, end);
}

void remedy_value_say(struct remedy *r, const struct remedy_row *row,
                      double value, const struct remedy_sources *s)
{
    const struct remedy_path *p = &s->path;
    if (row->value == REMEDY_VALUE_PRICE || row->value == REMEDY_VALUE_KL)
        say_wanted(r, s);
    if (row->value == REMEDY_VALUE_PRICE && is_by_path(s))
        remedy_value_append(
            r->why, sizeof r->why,
            "; on the run's own way a nat is worth %.2g there and %.2g at "
            "its end, beta is %.2g",
            remedy_curve_price(&p->all, sqrt(s->wanted.kl)),
            remedy_curve_price(&p->all, p->all.end), evidence_beta(s->e));
    else if (row->value == REMEDY_VALUE_PRICE)
        remedy_value_append(
            r->why, sizeof r->why,
            "; scores of replies to a prompt deviate by %.2g, so normal "
            "ones would rest there at %.2g, beta is %.2g",
            sd_within(s), value, evidence_beta(s->e));
    if (row->model == REMEDY_MODEL_LENGTH_OFF)
        remedy_value_append(
            r->why, sizeof r->why,
            "; score and tokens correlate by %.2f within prompts",
            s->response.tokens_r);
    if (row->model == REMEDY_MODEL_LENGTH_OFF &&
        isfinite(s->response.judges_rest))
        remedy_value_append(
            r->why, sizeof r->why,
            ", and what is left of it agrees with those who spot-check by "
            "%.2f",
            s->response.judges_rest);
    if (row->model == REMEDY_MODEL_JUDGES ||
        row->model == REMEDY_MODEL_JUDGES_HALF)
        remedy_value_append(
            r->why, sizeof r->why,
            "; among the reference's replies those who spot-check agree "
            "with the score by %.2f and with length by %.2f (score with "
            "length: %.2f)",
            s->response.judges_r, s->response.judges_tokens,
            s->response.tokens_r);
}

/* ---- as text ------------------------------------------------------------ */

const char *remedy_value_quote(char *out, const char *path)
{
    size_t len = strlen(path), n = 0;
    bool is_plain = true;
    while (len > 1 && path[len - 1] == '/')
        len--;
    for (size_t i = 0; i < len; i++)
        is_plain = is_plain && (isalnum((unsigned char)path[i]) ||
                                strchr("/._-+=,", path[i]) != NULL);
    if (is_plain && len > 0) {
        (void)snprintf(out, FILE_PATH_MAX, "%.*s", (int)len, path);
        return out;
    }
    out[n++] = '\'';
    for (size_t i = 0; i < len && n + 6 < FILE_PATH_MAX; i++) {
        if (path[i] == '\'') {
            memcpy(out + n, "'\\''", 4);
            n += 4;
        } else {
            out[n++] = path[i];
        }
    }
    out[n++] = '\'';
    out[n] = '\0';
    return out;
}

/* What plumb whatif works out by itself. */
static const char *made_text(const struct remedy_row *row, size_t k,
                             const char *text, const struct evidence *e,
                             char out[64])
{
    if (strcmp(row->id, "relabel") == 0)
        return "whatif/relabel/labels/rankings.jsonl";
    if (strcmp(row->id, "fresh-labels") == 0)
        return "whatif/fresh-labels/labels/rankings.jsonl";
    if (strcmp(row->id, "ensemble") == 0)
        return "(3 more, of the same rankings and other seeds)";
    if (strcmp(row->id, "sft-epoch") == 0) {
        (void)snprintf(out, 64, "sft, its checkpoint at epoch %s", text);
        return out;
    }
    if (strcmp(row->id, "bounded") == 0 && k == 1) {
        (void)snprintf(out, 64, "%.3g", evidence_beta(e) / 4);
        return out;
    }
    return "(made for it)";
}

static void write_change(struct remedy *r, const struct remedy_row *row,
                         const char *text, const struct evidence *e)
{
    char made[64];
    for (size_t k = 0; k < 2 && row->key[k] != NULL; k++) {
        const char *now = evidence_text(e, stage_of(row->key[k]), row->key[k]);
        const char *to = setting_to(row, k, text);
        if (row->to[k] != NULL && *to == '\0')
            to = made_text(row, k, text, e, made);
        if (now != NULL)
            remedy_value_append(r->change, sizeof r->change, "- %s: %s\n",
                                row->key[k], now);
        remedy_value_append(r->change, sizeof r->change, "+ %s: %s\n",
                            row->key[k], to);
    }
    double other = row->excludes != NULL
                       ? evidence_number(e, "ppo", row->excludes)
                       : (double)NAN;
    if (other >= 0)
        remedy_value_append(r->change, sizeof r->change, "- %s: %g\n+ %s: -1\n",
                            row->excludes, other, row->excludes);
    size_t len = strlen(r->change);
    if (len > 0 && r->change[len - 1] == '\n')
        r->change[len - 1] = '\0';
}

void remedy_value_write(struct remedy *r, const struct remedy_row *row,
                        const char *text, const struct evidence *e)
{
    char project[FILE_PATH_MAX];
    remedy_value_quote(project, e->project);
    r->change[0] = r->command[0] = r->name[0] = '\0';
    if (row->command != NULL) {
        remedy_value_append(r->command, sizeof r->command, "plumb ");
        for (const char *c = row->command; *c != '\0'; c++) {
            bool is_hole = c[0] == '%' && c[1] == 's';
            remedy_value_append(r->command, sizeof r->command, "%.*s",
                                is_hole ? 0 : 1, c);
            if (is_hole) {
                remedy_value_append(r->command, sizeof r->command, "%s",
                                    project);
                c++;
            }
        }
        return;
    }
    (void)snprintf(r->name, sizeof r->name, "%s%s%s", row->id,
                   *text != '\0' ? "=" : "", text);
    write_change(r, row, text, e);
    remedy_value_append(r->command, sizeof r->command,
                        "plumb whatif %s --change %s --seeds 3", project,
                        r->name);
}
