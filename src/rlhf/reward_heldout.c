#include "rlhf/reward_heldout.h"

#include <stdbool.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"

#define DOCUMENT_MAX ((size_t)1 << 20)

static struct pairwise_side side(const struct reward_heldout *h, size_t record,
                                 size_t k)
{
    size_t s = h->corpus->first[record] + k;
    const char *text = h->data->record[record].responses[k];
    return (struct pairwise_side){
        .score = h->score[s],
        .tokens = (double)h->corpus->seq[s].len_response,
        .characters = (double)utf8_count(text, strlen(text)),
    };
}

/* Pairs of one record, of prompt number `prompt`, with different ranks; pair
 * NULL: only counted. */
static size_t list_pairs(struct pairwise_pair *pair,
                         const struct reward_heldout *h, size_t record,
                         size_t prompt)
{
    const struct record *r = &h->data->record[record];
    size_t n = 0;
    for (size_t i = 0; i < r->n_responses; i++) {
        for (size_t j = 0; j < r->n_responses; j++) {
            if (r->ranking[i] >= r->ranking[j])
                continue;
            if (pair != NULL)
                pair[n] = (struct pairwise_pair){
                    .prompt = prompt,
                    .better = side(h, record, i),
                    .worse = side(h, record, j),
                };
            n++;
        }
    }
    return n;
}

enum status reward_heldout_measure(struct reward_heldout_result *out,
                                   const struct reward_heldout *h,
                                   struct err *err)
{
    struct reward_heldout_result r = {.prompts = 0};
    const struct bootstrap plan = {.seed = h->seed};
    enum status status = OK;
    struct pairwise_pair *pair = NULL;
    size_t *prompt = NULL;
    size_t n = 0, last = h->data->n;
    TRY_DONE(MEM_NEW(prompt, last - h->first, err));
    TRY_DONE(dataset_number_prompts(prompt, &r.prompts, h->data, h->first, last,
                                    err));
    for (size_t i = h->first; i < last; i++)
        r.pairs += list_pairs(NULL, h, i, 0);
    TRY_DONE(MEM_NEW(pair, r.pairs, err));
    for (size_t i = h->first; i < last; i++)
        n += list_pairs(pair + n, h, i, prompt[i - h->first]);
    for (size_t i = 0; i < n; i++)
        r.equal += pair[i].better.tokens == pair[i].worse.tokens;
    TRY_DONE(pairwise_measure(&r.measures, pair, n, r.prompts, &plan, err));
    *out = r;
done:
    mem_free(prompt);
    mem_free(pair);
    return status;
}

static void put_settings(struct json_writer *w,
                         const struct reward_heldout_result *r)
{
    json_put_key(w, "settings");
    json_open(w, '{');
    json_field_int(w, "prompts", (int64_t)r->prompts);
    json_field_int(w, "pairs", (int64_t)r->pairs);
    json_field_int(w, "pairs_of_equal_tokens", (int64_t)r->equal);
    json_close(w, '}');
}

enum status reward_heldout_write(const struct reward_heldout_result *r,
                                 const struct reward_heldout *h,
                                 const char *run_dir, int64_t step,
                                 struct err *err)
{
    enum status status = OK;
    char path[FILE_PATH_MAX];
    char data[FILE_PATH_MAX];
    bool is_file = strcmp(h->path, "-") != 0; // else standard input
    struct buf text;
    struct buf words;
    struct json_writer w;
    buf_init(&text, DOCUMENT_MAX);
    buf_init(&words, DOCUMENT_MAX);
    if (is_file)
        TRY_DONE(file_relative(data, run_dir, h->path, err));
    pairwise_words(&words, &r->measures);
    TRY_DONE(buf_status(&words, err));
    json_writer_init(&w, &text, true);
    json_open(&w, '{');
    json_field_text(&w, "schema", "plumb.reward_heldout/1");
    json_field_text(&w, "plumb_version", PLUMB_VERSION);
    json_field_int(&w, "seed", (int64_t)h->seed);
    json_field_int(&w, "step", step);
    json_field_text(&w, "data", is_file ? data : NULL);
    put_settings(&w, r);
    json_field_text(
        &w, "length_rule",
        "the response of which the model read more tokens, end mark "
        "included, is the better one; equally many count one "
        "half");
    measures_write(&w, &r->measures);
    json_field_text(&w, "verdict", buf_text(&words));
    json_close(&w, '}');
    buf_putc(&text, '\n');
    TRY_DONE(buf_status(&text, err));
    TRY_DONE(file_join(path, run_dir, "eval", err));
    TRY_DONE(file_make_dir(path, err));
    TRY_DONE(file_join(path, run_dir, "eval/heldout.json", err));
    TRY_DONE(file_write(path, text.data, text.len, err));
done:
    buf_free(&text);
    buf_free(&words);
    return status;
}
