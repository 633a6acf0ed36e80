#include "rlhf/reward_weights.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "rlhf/reward_judges.h"

/* ---- weights of records ------------------------------------------------- */

/* What a record says of itself; 1 when it says nothing. */
static enum status read_weight(double *weight, bool *is_told,
                               const struct record *r, const char *key,
                               struct err *err)
{
    struct json *extra = NULL;
    *weight = 1;
    *is_told = false;
    if (r->extra == NULL)
        return OK;
    TRY(json_parse(&extra, r->extra, strlen(r->extra), "its members", err));
    const struct json *node = json_get(extra, key);
    enum status status = OK;
    if (node != NULL && !json_is_null(node)) {
        *is_told = true;
        *weight = json_number(node, (double)NAN);
        if (!(*weight >= 0 && *weight <= 1e6))
            status =
                err_set(err, ERR_FORMAT, "%s is no number from 0 to 1e6", key);
    }
    json_free(extra);
    return status;
}

static enum status read_weights(struct reward_weights *w,
                                const struct reward_weights_config *c,
                                const struct dataset *data, size_t n_train,
                                struct err *err)
{
    const char *key = c->key != NULL ? c->key : "weight";
    size_t told = 0;
    double sum = 0;
    for (size_t i = 0; i < n_train; i++) {
        bool is_told;
        enum status status =
            read_weight(&w->record[i], &is_told, &data->record[i], key, err);
        if (status != OK) {
            err_context(err, "%s: record '%s'", data->path, data->record[i].id);
            return status;
        }
        told += is_told;
        sum += w->record[i];
    }
    if (told == 0)
        return err_set(err, ERR_FORMAT,
                       "%s: reward.weights, but no record has a %s", data->path,
                       key);
    if (!(sum > 0))
        return err_set(err, ERR_FORMAT, "%s: every record's %s is 0",
                       data->path, key);
    return OK;
}

/* A weight for each record, with mean 1 over those trained on. */
static enum status weigh_records(struct reward_weights *w,
                                 const struct reward_weights_config *c,
                                 const struct dataset *data, size_t n_train,
                                 struct err *err)
{
    double sum = 0;
    TRY(MEM_NEW(w->record, data->n, err));
    for (size_t i = 0; i < n_train; i++)
        w->record[i] = 1;
    if (c->is_given)
        TRY(read_weights(w, c, data, n_train, err));
    if (c->judges == JUDGES_WEIGHTED)
        TRY(reward_judges_weigh(w->record, data, n_train, err));
    for (size_t i = 0; i < n_train; i++)
        sum += w->record[i];
    for (size_t i = 0; i < n_train; i++)
        w->record[i] *= (double)n_train / sum;
    return OK;
}

double reward_weights_record(const struct reward_weights *w, size_t record)
{
    return w->record != NULL ? w->record[record] : 1;
}

/* ---- weights of pairs by length ----------------------------------------- */

static size_t difference(const struct sequence *a, const struct sequence *b)
{
    return a->len_response > b->len_response
               ? a->len_response - b->len_response
               : b->len_response - a->len_response;
}

/* The bin of two lengths that differ. */
static size_t bin_of(const struct reward_weights *w, const struct sequence *a,
                     const struct sequence *b)
{
    return (difference(a, b) - 1) / w->width;
}

/* Is this pair in a bin, i being the better one? */
static bool is_binned(const struct sequence *seq, const int32_t *rank, size_t i,
                      size_t j)
{
    return rank[i] < rank[j] && seq[i].len_response != seq[j].len_response;
}

/* Count a record's pairs; the mass of all of them, in bins or not. */
static double count_record(struct reward_weights *w, const struct sequence *seq,
                           const int32_t *rank, size_t K, double weight)
{
    if (K < 2)
        return 0;
    double mass = weight * 2 / ((double)K * (double)(K - 1));
    for (size_t i = 0; i < K; i++) {
        for (size_t j = 0; j < K; j++) {
            if (!is_binned(seq, rank, i, j))
                continue;
            struct reward_bin *bin = &w->bin[bin_of(w, &seq[i], &seq[j])];
            bool is_longer = seq[i].len_response > seq[j].len_response;
            bin->longer += is_longer;
            bin->shorter += !is_longer;
            *(is_longer ? &bin->mass_longer : &bin->mass_shorter) += mass;
        }
    }
    return weight;
}

/* The bins' weights, from their masses and that of all pairs. */
static enum status weigh_bins(struct reward_weights *w, double all,
                              struct err *err)
{
    double gone = 0;
    size_t kept = 0;
    for (size_t b = 0; b < w->n_bin; b++) {
        struct reward_bin *bin = &w->bin[b];
        if (bin->mass_longer > 0 && bin->mass_shorter > 0) {
            kept++;
            continue;
        }
        gone += bin->mass_longer + bin->mass_shorter;
        w->dropped += bin->longer + bin->shorter;
    }
    if (kept == 0)
        return err_set(err, ERR_ARG,
                       "reward.balance: of pairs whose lengths differ alike, "
                       "the longer or the shorter response always won; there "
                       "is nothing to balance");
    w->equal = all / (all - gone);
    for (size_t b = 0; b < w->n_bin; b++) {
        struct reward_bin *bin = &w->bin[b];
        double half = w->equal * (bin->mass_longer + bin->mass_shorter) / 2;
        if (!(bin->mass_longer > 0 && bin->mass_shorter > 0))
            continue;
        bin->weight_longer = half / bin->mass_longer;
        bin->weight_shorter = half / bin->mass_shorter;
    }
    return OK;
}

static enum status balance(struct reward_weights *w, int64_t width,
                           const struct corpus *corpus,
                           const struct dataset *data, size_t n_train,
                           struct err *err)
{
    size_t longest = 0;
    double all = 0;
    for (size_t s = 0; s < corpus->first[n_train]; s++)
        if (corpus->seq[s].len_response > longest)
            longest = corpus->seq[s].len_response;
    w->width = (size_t)width;
    w->n_bin = longest / w->width + 1;
    TRY(MEM_NEW(w->bin, w->n_bin, err));
    for (size_t i = 0; i < n_train; i++)
        all += count_record(
            w, corpus->seq + corpus->first[i], data->record[i].ranking,
            data->record[i].n_responses, reward_weights_record(w, i));
    return weigh_bins(w, all, err);
}

enum status reward_weights_make(struct reward_weights *out,
                                const struct reward_weights_config *c,
                                const struct corpus *corpus,
                                const struct dataset *data, size_t n_train,
                                struct err *err)
{
    enum status status = OK;
    struct reward_weights w = {.equal = 1};
    if (c->is_given || c->judges == JUDGES_WEIGHTED)
        TRY_DONE(weigh_records(&w, c, data, n_train, err));
    if (c->balance == BALANCE_LENGTH)
        TRY_DONE(balance(&w, c->bin, corpus, data, n_train, err));
    *out = w;
done:
    if (status != OK)
        reward_weights_free(&w);
    return status;
}

void reward_weights_free(struct reward_weights *w)
{
    mem_free(w->record);
    mem_free(w->bin);
    memset(w, 0, sizeof *w);
}

bool reward_weights_pairs(double *weight, const struct reward_weights *w,
                          const struct sequence *seq, const int32_t *rank,
                          size_t K)
{
    if (w->n_bin == 0)
        return false;
    for (size_t i = 0; i < K; i++) {
        for (size_t j = 0; j < K; j++) {
            double *to = &weight[i * K + j];
            *to = w->equal;
            if (!is_binned(seq, rank, i, j))
                continue;
            const struct reward_bin *bin = &w->bin[bin_of(w, &seq[i], &seq[j])];
            *to = seq[i].len_response > seq[j].len_response
                      ? bin->weight_longer
                      : bin->weight_shorter;
        }
    }
    return true;
}

bool reward_weights_range(double *least, double *most,
                          const struct reward_weights *w)
{
    *least = HUGE_VAL;
    *most = 0;
    for (size_t b = 0; b < w->n_bin; b++) {
        const struct reward_bin *bin = &w->bin[b];
        if (bin->weight_longer == 0)
            continue;
        *least = fmin(*least, fmin(bin->weight_longer, bin->weight_shorter));
        *most = fmax(*most, fmax(bin->weight_longer, bin->weight_shorter));
    }
    return w->n_bin > 0;
}

void reward_weights_write(struct json_writer *w,
                          const struct reward_weights *weights)
{
    double least, most;
    if (!reward_weights_range(&least, &most, weights))
        return;
    json_put_key(w, "balance");
    json_open(w, '{');
    json_field_int(w, "bin", (int64_t)weights->width);
    json_field_number(w, "least_weight", least);
    json_field_number(w, "largest_weight", most);
    json_field_int(w, "dropped_pairs", (int64_t)weights->dropped);
    json_put_key(w, "bins");
    json_open(w, '[');
    for (size_t b = 0; b < weights->n_bin; b++) {
        const struct reward_bin *bin = &weights->bin[b];
        if (bin->longer + bin->shorter == 0)
            continue;
        json_open(w, '{');
        json_field_int(w, "from", (int64_t)(b * weights->width + 1));
        json_field_int(w, "longer_won", (int64_t)bin->longer);
        json_field_int(w, "shorter_won", (int64_t)bin->shorter);
        json_field_number(w, "longer_weight", bin->weight_longer);
        json_field_number(w, "shorter_weight", bin->weight_shorter);
        json_close(w, '}');
    }
    json_close(w, ']');
    json_close(w, '}');
}
