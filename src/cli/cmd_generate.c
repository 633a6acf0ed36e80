#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/ids_text.h"
#include "cli/outside_given.h"
#include "cli/session.h"
#include "rlhf/best_of.h"
#include "rlhf/speaker.h"

#define TEXT_MAX ((size_t)1 << 32)

static struct draw make_draw(const struct options *o, const struct context *c)
{
    const struct generate_values *g = &o->v.generate;
    bool is_file = g->prompts != NULL;
    return (struct draw){
        .sampling =
            {
                .temperature = g->greedy ? 0 : g->temperature,
                .top_p = g->top_p,
                .top_k = (size_t)g->top_k,
                .max_new = (size_t)g->max_new,
            },
        .samples = (size_t)g->samples,
        .seed = (uint64_t)o->v.common.seed,
        .purpose = is_file ? RNG_CANDIDATE : RNG_GENERATE,
        .context = c,
    };
}

static void put_reply(struct json_writer *w, const struct speaker_reply *r,
                      bool has_score)
{
    json_field_ints(w, "response_ids", r->ids.id, r->ids.n);
    json_field_text(w, "text", buf_text(&r->text));
    json_field_floats(w, "logp", r->logp, r->logp != NULL ? r->ids.n : 0);
    json_field_text(w, "finish", r->is_eos ? "eos" : "length");
    if (has_score)
        json_field_number(w, "score_raw", r->score);
}

/* A model by its path, or the program in its place. */
static void put_source(struct json_writer *w, const char *model,
                       const char *program, const char *path,
                       const struct outside *outside)
{
    if (outside != NULL)
        json_field_text(w, program, outside_command(outside));
    else
        json_field_text(w, model, path);
}

/* One reply: its members stand in the document itself.  Several: "samples"
 * lists them. */
static void put_json(struct buf *out, const struct speaker *s,
                     const struct ids *prompt,
                     const struct speaker_reply *reply, const struct draw *d)
{
    struct json_writer w;
    size_t n = d->samples;
    bool has_score = d->best != NULL;
    json_writer_init(&w, out, false);
    json_open(&w, '{');
    json_field_text(&w, "schema", "plumb.generate/1");
    json_field_text(&w, "plumb_version", PLUMB_VERSION);
    put_source(&w, "model", "policy_command", s->path, s->outside);
    if (has_score) {
        const struct reward_reader *r = &d->best->reader;
        put_source(&w, "reward_model", "reward_command", r->path, r->outside);
        json_field_int(&w, "best_of", (int64_t)d->best->n);
    }
    json_field_ints(&w, "prompt_ids", prompt->id, prompt->n);
    if (n == 1) {
        put_reply(&w, reply, has_score);
    } else {
        json_put_key(&w, "samples");
        json_open(&w, '[');
        for (size_t k = 0; k < n; k++) {
            json_open(&w, '{');
            put_reply(&w, &reply[k], has_score);
            json_close(&w, '}');
        }
        json_close(&w, ']');
    }
    json_close(&w, '}');
    buf_putc(out, '\n');
}

/* Replies to the prompt that was given, the best of several if so asked; all
 * that were drawn are the caller's to free, also on failure. */
static enum status reply_to_one(struct speaker_reply *reply, struct ids *prompt,
                                const struct options *o,
                                const struct speaker *s, const struct draw *d,
                                struct err *err)
{
    static char name[] = "prompt", none[] = "";
    const struct generate_values *g = &o->v.generate;
    struct record record = {.id = name, .prompt = none};
    const struct speaker_prompts one = {
        .ids = prompt, .record = &record, .n = 1};
    bool is_program = s->outside != NULL;
    if (!g->prompt)
        TRY(ids_text_option(prompt, g->prompt_ids, "generate.prompt_ids", err));
    else if (!is_program)
        TRY(speaker_encode(prompt, s, g->prompt, err));
    char *text = mem_strdup(g->prompt ? g->prompt : none);
    if (text == NULL)
        return err_set(err, ERR_MEMORY, "out of memory: the prompt");
    record.prompt = text;
    enum status status = speaker_reply(reply, s, &one, d, err);
    if (status == OK && d->best != NULL)
        status =
            best_of_choose(reply, d->best, &record, is_program ? NULL : prompt,
                           1, d->samples, d->context, err);
    mem_free(text);
    return status;
}

/* Ids are a model's, and say nothing to who reads texts. */
static enum status check_ids(const struct options *o, const struct speaker *s,
                             const struct best_of *best, struct err *err)
{
    if (o->v.generate.prompt_ids == NULL)
        return OK;
    if (s->outside != NULL)
        return err_set(err, ERR_ARG,
                       "--policy-command reads the prompt's text: --prompt "
                       "TEXT");
    if (best != NULL && best->reader.outside != NULL)
        return err_set(err, ERR_ARG,
                       "--reward-command reads the prompt's text: --prompt "
                       "TEXT");
    if (best != NULL && !best->reader.reads_ids)
        return err_set(err, ERR_ARG,
                       "%s has another tokenizer than the model and reads the "
                       "prompt's text: --prompt TEXT",
                       best->reader.path);
    return OK;
}

static enum status answer_one(struct buf *out, const struct options *o,
                              const struct speaker *s, const struct draw *d,
                              struct err *err)
{
    struct speaker_reply *reply;
    struct ids prompt = {0};
    size_t drawn = speaker_drawn(d);
    TRY(MEM_NEW(reply, drawn, err));
    enum status status = reply_to_one(reply, &prompt, o, s, d, err);
    if (status == OK && o->v.common.json) {
        put_json(out, s, &prompt, reply, d);
    } else if (status == OK) {
        for (size_t k = 0; k < d->samples; k++)
            buf_printf(out, "%s\n", buf_text(&reply[k].text));
    }
    for (size_t k = 0; k < drawn; k++)
        speaker_free_reply(&reply[k]);
    mem_free(reply);
    ids_free(&prompt);
    return status;
}

/* To --out, else to standard output. */
static enum status deliver(const struct buf *text, const char *path,
                           struct err *err)
{
    if (!path)
        return terminal_print(text, err);
    TRY(buf_status(text, err));
    return file_write(path, buf_text(text), text->len, err);
}

static enum status open_speaker(struct speaker *s, const struct options *o,
                                const struct context *context, struct err *err)
{
    const struct generate_values *g = &o->v.generate;
    return g->model != NULL
               ? speaker_open(s, g->model, g->chat, options_precision(o), err)
               : speaker_open_command(s, &o->v.outside.policy, context, err);
}

static enum status generate(struct buf *out, const struct options *o,
                            const struct context *context, struct err *err)
{
    struct speaker s;
    struct best_of best = {.n = (size_t)o->v.generate.best_of};
    const struct generate_values *g = &o->v.generate;
    const struct outside_config *reward = &o->v.outside.reward;
    struct draw d = make_draw(o, context);
    enum status status = OK;
    TRY(open_speaker(&s, o, context, err));
    if (g->reward_model != NULL || reward->command != NULL) {
        TRY_DONE(best_of_open(&best, &s, g->reward_model, reward, best.n,
                              options_precision(o), context, err));
        d.best = &best;
    }
    TRY_DONE(check_ids(o, &s, d.best, err));
    status = g->prompts
                 ? speaker_reply_file(out, &s, g->prompts, &o->v.data, &d, err)
                 : answer_one(out, o, &s, &d, err);
    if (status == OK)
        status = deliver(out, o->v.common.out, err);
done:
    best_of_close(&best);
    speaker_close(&s);
    return status;
}

/* What the ranges of single settings cannot say. */
static enum status check(const struct options *o, struct err *err)
{
    const struct generate_values *g = &o->v.generate;
    const char *reward = o->v.outside.reward.command;
    TRY(outside_given_one(g->model, "generate.model", &o->v.outside.policy,
                          "policy", err));
    if (g->reward_model != NULL)
        TRY(outside_given_one(g->reward_model, "generate.reward_model",
                              &o->v.outside.reward, "reward", err));
    if ((g->prompt != NULL) + (g->prompt_ids != NULL) + (g->prompts != NULL) !=
        1)
        return err_set(err, ERR_ARG,
                       "one of --prompt TEXT, --prompt-ids 1,2,3 and "
                       "--prompts FILE is wanted");
    if (g->best_of > 1 && g->reward_model == NULL && reward == NULL)
        return err_set(err, ERR_ARG,
                       "generate.best_of = %lld: --reward-model says which is "
                       "the best",
                       (long long)g->best_of);
    return OK;
}

enum status cmd_generate(struct options *o, struct err *err)
{
    struct session s;
    struct buf out;
    TRY(check(o, err));
    TRY(session_check_file(o, err));
    TRY(session_open(&s, o, "generate", err));
    buf_init(&out, TEXT_MAX);
    enum status status = generate(&out, o, &s.context, err);
    buf_free(&out);
    session_close(&s);
    return status;
}
