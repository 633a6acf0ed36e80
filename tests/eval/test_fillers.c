/*
 * Fillers: the desk's, the user's, those built in, and those found in replies,
 * which must be what the desk's table calls fillers.
 */
#include "eval/fillers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "files.h"
#include "world/desk.h"
#include "world/replies.h"
#include "world/world.h"

enum {
    REPLIES = 600
};

static struct err err;
static const char *dir;
static struct setup desk; // as much of one as fillers look at
static struct heldout_config config = {.n_prompts = 1};
static bool has_ticket[1] = {true};

static void must(enum status status)
{
    files_must(status, &err);
}

static int open_desk(void **state)
{
    (void)state;
    dir = files_dir();
    must(desk_write_tokenizer(dir, &err));
    must(tokenizer_open(&desk.tokenizer, dir, &err));
    must(chat_open(&desk.chat, desk.tokenizer, NULL, NULL, &err));
    desk.config = &config;
    desk.has_ticket = has_ticket;
    return 0;
}

static int close_desk(void **state)
{
    (void)state;
    tokenizer_free(desk.tokenizer);
    files_remove(dir);
    return 0;
}

/* Demonstrations of the desk and their prompts. */
struct demos {
    struct dataset data;
    const char *text[REPLIES], *prompt_text[REPLIES];
    size_t prompt[REPLIES];
    struct fillers_replies replies;
};

static void demos_open(struct demos *d)
{
    const char *path = files_path(dir, "demos.jsonl");
    must(desk_write_demos(path, REPLIES, 3, &err));
    must(dataset_read(&d->data, path, DATASET_DEMOS, &err));
    assert_int_equal(d->data.n, REPLIES);
    for (size_t i = 0; i < REPLIES; i++) {
        d->text[i] = d->data.record[i].response;
        d->prompt_text[i] = d->data.record[i].prompt;
        d->prompt[i] = i;
    }
    d->replies = (struct fillers_replies){d->text, d->prompt, REPLIES,
                                          d->prompt_text, REPLIES};
}

static const struct fillers_replies none = {.n = 0};

static void test_can_write(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool can;
    } row[] = {
        {"we have a new blender.", true},
        {"order #Q4 costs $35.", true},
        {"we have a new xylophone.", false},
        {"We have a new blender.", false},
        {"we  have a new blender.", false}, // two blanks become one
        {"- we have", false},
        {"**we have**", false},
        {"we have\nnew", false},
        {"", true},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        bool can;
        must(fillers_can_write(&can, &desk, row[i].text, &err));
        if (can != row[i].can)
            fail_msg("'%s': %d", row[i].text, can);
    }
}

static void test_desk(void **state)
{
    (void)state;
    struct fillers f;
    size_t hedges = 0, thanks = 0;
    must(fillers_open(&f, NULL, &desk, &none, &err));
    assert_string_equal(f.source, "desk");
    assert_int_equal(f.pad.n, TABLES_FILLERS);
    assert_int_equal(f.dropped, 0);
    for (size_t i = 0; i < TABLES_FILLERS; i++) {
        hedges += tables_filler[i].kind == FILLER_HEDGE;
        thanks += tables_filler[i].kind == FILLER_THANKS;
        /* The table has a blank in front of the mark, the text has not. */
        assert_int_equal(strlen(f.pad.text[i]) + 1,
                         strlen(tables_filler[i].sentence));
    }
    assert_int_equal(f.hedge.n, hedges);
    assert_int_equal(f.flatter.n, thanks);
    const char *last = f.pad.text[TABLES_FILLERS - 1];
    assert_int_equal(fillers_find(&f, last, strlen(last)), TABLES_FILLERS - 1);
    assert_int_equal(fillers_find(&f, last, strlen(last) - 1), -1);
    fillers_close(&f);
}

/* Without tickets the English ones come next, of which the desk's vocabulary
 * has none; then it is the replies. */
static void test_samples(void **state)
{
    (void)state;
    static struct demos d;
    struct setup plain = desk;
    bool has_none[1] = {false};
    struct fillers f, known;
    plain.has_ticket = has_none;
    demos_open(&d);
    must(fillers_open(&known, NULL, &desk, &none, &err));
    must(fillers_open(&f, NULL, &plain, &d.replies, &err));
    assert_string_equal(f.source, "samples");
    assert_int_equal(f.hedge.n, 0);
    assert_int_equal(f.flatter.n, 0);
    /* A demonstration has half a closing of three, and 0.85 fillers of 18 and
     * more: all stand in one in fifty.  Next steps stand in as many replies
     * but go with what was asked, so none may be here. */
    size_t fillers = 0;
    for (size_t i = 0; i < f.pad.n; i++) {
        const char *text = f.pad.text[i];
        size_t len = strlen(text);
        bool is_closing = strcmp(text, "best regards.") == 0 ||
                          strcmp(text, "kind regards.") == 0 ||
                          strcmp(text, "have a nice day.") == 0;
        bool is_filler = fillers_find(&known, text, len) >= 0;
        if (!is_closing && !is_filler)
            fail_msg("'%s' is no filler", text);
        fillers += is_filler;
    }
    assert_in_range(fillers, 15, TABLES_FILLERS);
    fillers_close(&known);
    fillers_close(&f);
    dataset_free(&d.data);
}

/* Of a few replies nothing can be said. */
static void test_too_few(void **state)
{
    (void)state;
    static const char *const text[] = {"we are sorry.", "we are sorry."};
    static const char *const asked[] = {"where is it", "what is it"};
    static const size_t prompt[] = {0, 1};
    const struct fillers_replies replies = {text, prompt, 2, asked, 2};
    struct fillers_list list;
    must(fillers_mine(&list, &replies, &err));
    assert_int_equal(list.n, 0);
    fillers_free_list(&list);
    must(fillers_mine(&list, &none, &err));
    assert_int_equal(list.n, 0);
    fillers_free_list(&list);
}

static void test_file(void **state)
{
    (void)state;
    struct fillers f;
    const char *path = files_write(dir, "own.txt",
                                   "we are so sorry.\n\n  thank you so much. "
                                   "\r\nWhat a day.\nplease wait");
    must(fillers_open(&f, path, &desk, &none, &err));
    assert_string_equal(f.source, "file");
    assert_int_equal(f.pad.n, 3);
    assert_int_equal(f.dropped, 1);
    assert_string_equal(f.pad.text[0], "we are so sorry.");
    assert_string_equal(f.pad.text[1], "thank you so much.");
    assert_string_equal(f.pad.text[2], "please wait");
    assert_true(f.hedge.n > 0);
    fillers_close(&f);

    /* Nothing in it can be written: the next source. */
    path = files_write(dir, "own.txt", "What a day.\n");
    must(fillers_open(&f, path, &desk, &none, &err));
    assert_string_equal(f.source, "desk");
    assert_int_equal(f.dropped, 1);
    fillers_close(&f);

    path = files_write(dir, "own.txt", "we are sorry.\nyes. no.\n");
    assert_int_equal(fillers_open(&f, path, &desk, &none, &err), ERR_FORMAT);
    assert_non_null(strstr(err.text, "own.txt:2: "));
    char longer[FILLERS_LENGTH_MAX + 2];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    path = files_write(dir, "own.txt", longer);
    assert_int_equal(fillers_open(&f, path, &desk, &none, &err), ERR_FORMAT);
    assert_int_equal(fillers_open(&f, "/nowhere", &desk, &none, &err), ERR_ARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_can_write), cmocka_unit_test(test_desk),
        cmocka_unit_test(test_samples),   cmocka_unit_test(test_too_few),
        cmocka_unit_test(test_file),
    };
    return cmocka_run_group_tests(tests, open_desk, close_desk);
}
