#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "diagnose/evidence_internal.h"
#include "io/jsonl.h"
#include "io/vote.h"
#include "store/human.h"
#include "store/records.h"

#define PAIR_NAME_MAX ((size_t)1 << 20)
#define DAMAGED "a whole copy of it, put back"

/*
 * Which held-out reply a vote is about: (prompt, model, sample) in one number,
 * since all three are small, and a sorted list of them.  The texts are compared
 * too: a vote may be about an earlier policy's reply.
 */
struct key {
    uint64_t key;
    size_t reply;
};

struct reading {
    struct evidence *e;
    struct key *key; // [n_reply] ascending
    struct evidence_seen seen;
    size_t seen_votes; // cast since their judge looked behind the blind
    size_t first_seer; // in e->judge, of the first of them
    bool has_seers;    // besides that one
    bool is_database;  // it holds votes on every policy that was asked about
    struct buf pair;
};

static uint64_t key_of(size_t prompt, bool is_policy, int64_t sample)
{
    return (uint64_t)prompt << 32 | (uint64_t)is_policy << 31 |
           ((uint64_t)sample & 0x7fffffff);
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = ((const struct key *)a)->key;
    uint64_t y = ((const struct key *)b)->key;
    return (x > y) - (x < y);
}

static enum status index_replies(struct reading *r, struct err *err)
{
    const struct evidence *e = r->e;
    TRY(MEM_NEW(r->key, e->n_reply, err));
    for (size_t i = 0; i < e->n_reply; i++) {
        const struct evidence_reply *x = &e->reply[i];
        r->key[i] = (struct key){key_of(x->prompt, x->is_policy, x->sample), i};
    }
    if (e->n_reply > 0)
        qsort(r->key, e->n_reply, sizeof *r->key, ascending);
    return OK;
}

static size_t find_reply(const struct reading *r, size_t prompt,
                         const struct json *side)
{
    const char *source = json_text(json_get(side, "source"), "");
    const char *text = json_text(json_get(side, "response"), NULL);
    /* Verdicts of other programs may name a reply without its text. */
    bool has_text = text != NULL || r->e->import == NULL;
    int64_t sample = json_int(json_get(side, "sample"), -1);
    struct key want = {key_of(prompt, strcmp(source, "policy") == 0, sample),
                       0};
    if (sample < 0 || r->e->n_reply == 0)
        return SIZE_MAX;
    const struct key *found =
        bsearch(&want, r->key, r->e->n_reply, sizeof want, ascending);
    if (found == NULL || (has_text && r->e->reply[found->reply].hash !=
                                          names_hash(text != NULL ? text : "")))
        return SIZE_MAX;
    return found->reply;
}

static enum status read_names(struct evidence_vote *v, struct reading *r,
                              const char *prompt, const struct json *row,
                              const char *what, struct err *err)
{
    const char *pair;
    struct evidence *e = r->e;
    const char *judge = json_text(json_get(row, "judge"), NULL);
    TRY(json_need_text(&pair, row, "pair_id", what, err));
    pair = vote_pair(&r->pair, row);
    TRY(buf_status(&r->pair, err));
    TRY(names_add(&e->prompt, &v->prompt, prompt, err));
    TRY(names_add(&e->pair, &v->pair, pair, err));
    v->judge = SIZE_MAX;
    return judge != NULL ? names_add(&e->judge, &v->judge, judge, err) : OK;
}

static enum status count_side(double *out, const struct json *side,
                              struct err *err)
{
    const char *text = json_text(json_get(side, "response"), NULL);
    double feature[FEATURES];
    *out = (double)NAN;
    if (text == NULL)
        return OK;
    TRY(features_of(feature, "", 0, text, strlen(text), err));
    *out = feature[FEATURE_WORDS];
    return OK;
}

/* Of a run that another trainer made, whose replies may have no tokens, and
 * whose votes may have no texts. */
static enum status count_words(struct evidence_vote *v,
                               const struct evidence *e,
                               const struct json *tested,
                               const struct json *other, struct err *err)
{
    TRY(count_side(&v->words, tested, err));
    TRY(count_side(&v->words_other, other, err));
    if (isnan(v->words) && v->reply != SIZE_MAX)
        v->words = e->reply[v->reply].feature[FEATURE_WORDS];
    if (isnan(v->words_other) && v->reply_other != SIZE_MAX)
        v->words_other = e->reply[v->reply_other].feature[FEATURE_WORDS];
    return OK;
}

static enum status read_vote(struct evidence_vote *out, struct reading *r,
                             const struct json *row, const char *what,
                             struct err *err)
{
    struct vote said;
    TRY(vote_read(&said, row, what, err));
    const struct json *tested = said.tested.reply, *other = said.other.reply;
    struct evidence_vote v = {
        .is_placebo = said.is_placebo,
        .is_left = said.is_left,
        .is_side_unknown = json_bool(json_get(row, "side_unknown"), false),
        .visit = said.visit == 2 ? 2 : 1,
        .win = said.win,
        .direct = said.tested.direct,
        .direct_other = said.other.direct,
        .helpful = said.tested.helpful,
        .helpful_other = said.other.helpful,
        .correct = said.tested.correct,
        .correct_other = said.other.correct,
        .too_long = said.tested.too_long,
        .too_long_other = said.other.too_long,
        .words = (double)NAN,
        .words_other = (double)NAN};
    TRY(read_names(&v, r, said.prompt, row, what, err));
    v.reply = find_reply(r, v.prompt, tested);
    v.reply_other = find_reply(r, v.prompt, other);
    TRY(json_may_number(&v.tokens, tested, "tokens", 0, EVIDENCE_NUMBER_MAX,
                        what, err));
    TRY(json_may_number(&v.tokens_other, other, "tokens", 0,
                        EVIDENCE_NUMBER_MAX, what, err));
    if (r->e->import != NULL)
        TRY(count_words(&v, r->e, tested, other, err));
    if (v.reply != SIZE_MAX)
        v.tokens = r->e->reply[v.reply].tokens;
    if (v.reply_other != SIZE_MAX)
        v.tokens_other = r->e->reply[v.reply_other].tokens;
    *out = v;
    return OK;
}

/* Cast by somebody who had looked how it stands (store/unblind.h)? */
static bool is_seen(const struct json *row)
{
    int64_t looked = json_int(json_get(row, "unblinded_at"), 0);
    return looked > 0 && json_int(json_get(row, "voted_at"), 0) >= looked;
}

static enum status add_vote(void *ctx, const struct json *row, size_t line,
                            struct err *err)
{
    struct reading *r = ctx;
    struct evidence *e = r->e;
    bool is_again = false;
    if (e->n_vote == e->room_vote) {
        size_t room = e->room_vote > 0 ? 2 * e->room_vote : 256;
        struct evidence_vote *grown =
            mem_grow(e->vote, e->n_vote, room, sizeof *grown);
        if (grown == NULL)
            return err_set(err, ERR_MEMORY, "out of memory: %zu votes", room);
        e->vote = grown;
        e->room_vote = room;
    }
    struct evidence_vote *v = &e->vote[e->n_vote];
    TRY(read_vote(v, r, row, "row", err));
    bool is_strange =
        e->n_reply > 0 && (v->reply == SIZE_MAX || v->reply_other == SIZE_MAX);
    e->votes_strange += is_strange && r->is_database;
    if (is_strange && r->is_database)
        return OK;
    if (!r->is_database)
        TRY(evidence_see_vote(&is_again, &r->seen, row, line, "row", err));
    if (is_again)
        return OK;
    e->votes_strange += is_strange;
    e->n_vote += !is_strange;
    if (!is_strange && is_seen(row) && v->judge != SIZE_MAX) {
        if (r->seen_votes++ == 0)
            r->first_seer = v->judge;
        r->has_seers = r->has_seers || v->judge != r->first_seer;
    }
    return OK;
}

static void reading_open(struct reading *r, struct evidence *e,
                         bool is_database)
{
    *r = (struct reading){.e = e, .is_database = is_database};
    buf_init(&r->pair, PAIR_NAME_MAX);
}

static void reading_close(struct reading *r)
{
    evidence_seen_free(&r->seen);
    buf_free(&r->pair);
    mem_free(r->key);
}

/* Votes that several databases hold. */
static enum status tell_copies(struct evidence *e, const struct human_notes *n,
                               struct err *err)
{
    struct err reason;
    char changed[64] = "", apart[160] = "";
    if (n->again == 0 && n->namesakes == 0)
        return OK;
    if (n->changed > 0)
        (void)snprintf(changed, sizeof changed,
                       ", of the %zu that differ the later", n->changed);
    if (n->namesakes > 0)
        (void)snprintf(apart, sizeof apart,
                       "; %zu more %s of a name and pair that is there already "
                       "in another order or from another time, and counted "
                       "as somebody else's",
                       n->namesakes, n->namesakes == 1 ? "is" : "are");
    (void)err_set(&reason, ERR_FORMAT,
                  "%zu %s there twice and counted once%s%s", n->again,
                  n->again == 1 ? "row is" : "rows are", changed, apart);
    return evidence_lose_part(e, "human/spotcheck.jsonl", evidence_judges(e),
                              &reason, err);
}

static enum status tell_seen(struct evidence *e, const struct reading *r,
                             struct err *err)
{
    struct err reason;
    if (r->seen_votes == 0)
        return OK;
    (void)err_set(
        &reason, ERR_FORMAT,
        "%zu vote%s not blind: cast since %.60s%s looked how it stood",
        r->seen_votes, r->seen_votes == 1 ? " is" : "s are",
        e->judge.text[r->first_seer], r->has_seers ? " and others" : "");
    return evidence_lose_part(e, "blind votes", evidence_judges(e), &reason,
                              err);
}

static enum status read_votes(struct evidence *e, const char *path,
                              struct err *err)
{
    struct reading r;
    struct human_notes notes;
    reading_open(&r, e, human_is_database(path));
    enum status status = index_replies(&r, err);
    if (status == OK)
        status = human_read_noting(&notes, path, add_vote, &r, err);
    if (status == OK)
        status = evidence_lose_again(e, &r.seen, "human/spotcheck.jsonl",
                                     evidence_judges(e), err);
    if (status == OK)
        status = tell_copies(e, &notes, err);
    if (status == OK)
        status = tell_seen(e, &r, err);
    reading_close(&r);
    return status;
}

/* What was said is damaged: that is not as if nobody had said anything, and
 * nobody else's votes stand in for it. */
static enum status lose_people(struct evidence *e, enum status why,
                               const struct err *reason, struct err *err)
{
    e->n_vote = 0;
    TRY(evidence_keep(&e->votes_damage, e, reason->text, err));
    return evidence_lose(e, "human/spotcheck.jsonl", DAMAGED, why, reason, err);
}

/* Files among people's databases that are nobody's votes: nothing rests on
 * them, but whoever put them there may think so. */
static enum status tell_passed(struct evidence *e, struct err *err)
{
    char names[HUMAN_NAMES];
    const char *what;
    struct err reason;
    TRY(human_passed(names, e->project, err));
    if (names[0] == '\0')
        return OK;
    (void)err_set(&reason, ERR_FORMAT, "no Plumb project, and passed over");
    TRY(evidence_keep(&what, e, names, err));
    return evidence_lose_part(e, what, "plumb label PROJECT.db", &reason, err);
}

enum status evidence_read_people(struct evidence *e, const char *human,
                                 struct err *err)
{
    char path[FILE_PATH_MAX], names[HUMAN_NAMES];
    struct err reason;
    if (human == NULL)
        TRY(tell_passed(e, err));
    enum status status = human != NULL ? file_join(path, "", human, &reason)
                                       : human_find(path, e->project, &reason);
    if (status == OK)
        status = read_votes(e, path, &reason);
    /* What was asked for by name is no evidence that happens to be damaged. */
    if (status != OK && human != NULL) {
        *err = reason;
        return status;
    }
    if (status != OK && status != ERR_MISSING && status != ERR_MEMORY)
        return lose_people(e, status, &reason, err);
    /* A database keeps the votes on every policy that was ever asked about;
     * those on this one are told by their texts. */
    bool is_database = status == OK && human_is_database(path);
    if (status == OK && e->votes_strange > 0 &&
        (!is_database || e->n_vote == 0)) {
        status = err_set(&reason, ERR_MISMATCH,
                         "%zu votes are about replies that "
                         "eval/samples.jsonl does not hold",
                         e->votes_strange);
    } else if (status == OK && e->n_vote == 0) {
        status = err_set(&reason, ERR_FORMAT, "it holds no votes");
    }
    if (status != OK)
        e->n_vote = 0;
    if (status == OK) {
        human_names(names, path);
        TRY(evidence_keep(&e->votes_from, e, names, err));
    }
    return evidence_lose(e, "human/spotcheck.jsonl", evidence_judges(e), status,
                         &reason, err);
}

/* A row of the database's own making. */
static enum status add_line(void *ctx, const char *line, size_t len,
                            struct err *err)
{
    struct reading *r = ctx;
    struct json *row;
    TRY(json_parse(&row, line, len, "a vote", err));
    enum status status = add_vote(r, row, r->e->n_vote + 1, err);
    json_free(row);
    return status;
}

enum status evidence_read_pool(struct evidence *out, struct db *db,
                               int64_t pool, const struct bootstrap *plan,
                               struct err *err)
{
    enum status status = OK;
    struct evidence *e = out;
    *e = (struct evidence){.plan = summary_plan(plan)};
    struct reading r;
    const struct records_config c = {.format = RECORDS_SPOTCHECK, .pool = pool};
    reading_open(&r, e, true);
    TRY_DONE(index_replies(&r, err));
    TRY_DONE(records_walk(db, &c, add_line, &r, err));
    TRY_DONE(evidence_number_prompts(e, err));
done:
    reading_close(&r);
    if (status != OK)
        evidence_free(e);
    return status;
}

/* ---- models ------------------------------------------------------------- */

#define JUDGES "judge"

/* Votes are read into people's place: this puts a model's there, and back. */
static void swap_votes(struct evidence *e, size_t *strange)
{
    struct evidence_vote *vote = e->vote;
    size_t n = e->n_vote, room = e->room_vote, old = e->votes_strange;
    e->vote = e->judged;
    e->n_vote = e->n_judged;
    e->room_vote = e->room_judged;
    e->votes_strange = *strange;
    e->judged = vote;
    e->n_judged = n;
    e->room_judged = room;
    *strange = old;
}

static bool is_rows(const char *name)
{
    const char *end = strstr(name, ".jsonl");
    return end != NULL && (end[6] == '\0' || strcmp(end + 6, ".zst") == 0 ||
                           strcmp(end + 6, ".gz") == 0);
}

/* All files of votes in a folder; `names` is what they are told by. */
static enum status read_folder(struct buf *names, struct evidence *e,
                               const char *dir, struct err *err)
{
    struct file_list list = {.n = 0};
    struct reading r;
    char path[FILE_PATH_MAX];
    enum status status = OK;
    reading_open(&r, e, false);
    TRY_DONE(index_replies(&r, err));
    TRY_DONE(file_list(&list, dir, err));
    for (size_t i = 0; i < list.n; i++) {
        if (!is_rows(list.name[i]))
            continue;
        TRY_DONE(file_join(path, dir, list.name[i], err));
        TRY_DONE(jsonl_read(path, add_vote, &r, err));
        buf_printf(names, "%s" JUDGES "/%.80s", names->len > 0 ? ", " : "",
                   list.name[i]);
    }
    if (e->votes_strange > 0)
        TRY_DONE(err_set(err, ERR_MISMATCH,
                         "%zu votes are about replies that "
                         "eval/samples.jsonl does not hold",
                         e->votes_strange));
    TRY_DONE(evidence_lose_again(e, &r.seen, JUDGES, "the model", err));
done:
    file_list_free(&list);
    reading_close(&r);
    return status;
}

enum status evidence_read_judges(struct evidence *e, struct err *err)
{
    char dir[FILE_PATH_MAX];
    struct err reason;
    struct buf names;
    size_t strange = 0;
    TRY(file_join(dir, e->project, JUDGES, err));
    if (!file_is_dir(dir))
        return OK;
    buf_init(&names, (size_t)1 << 20);
    swap_votes(e, &strange);
    enum status why = read_folder(&names, e, dir, &reason);
    swap_votes(e, &strange);
    if (why != OK)
        e->n_judged = 0;
    enum status status = buf_status(&names, err);
    if (status == OK && e->n_judged > 0)
        status = evidence_keep(&e->judged_from, e, buf_text(&names), err);
    buf_free(&names);
    TRY(status);
    return evidence_lose(e, JUDGES, "the model, asked again", why, &reason,
                         err);
}
