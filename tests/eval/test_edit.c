/*
 * Sentences and edits: what they cut and write, exactly, and what holds for any
 * text.
 */
#include "eval/edit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "files.h"

static struct err err;

static void must(enum status status)
{
    files_must(status, &err);
}

/* The cores of a text's sentences, '|' behind each, '.' where it is open. */
static const char *cut(const char *text)
{
    static char out[1024];
    struct sentence *s;
    size_t n, at = 0;
    must(sentence_cut(&s, &n, text, strlen(text), &err));
    for (size_t i = 0; i < n; i++) {
        int len = snprintf(out + at, sizeof out - at, "%.*s%s|", (int)s[i].core,
                           s[i].text, s[i].is_closed ? "" : "...");
        assert_in_range(len, 1, sizeof out - at - 1);
        at += (size_t)len;
    }
    out[at] = '\0';
    mem_free(s);
    return out;
}

static void test_cut(void **state)
{
    (void)state;
    assert_string_equal(cut(""), "");
    assert_string_equal(cut(" \n\t "), "");
    assert_string_equal(cut("one two"), "one two...|");
    assert_string_equal(cut("one. two? three!"), "one.|two?|three!|");
    assert_string_equal(cut("one.  two"), "one.|two...|");
    assert_string_equal(cut("it is 3.50 now. see example.com."),
                        "it is 3.50 now.|see example.com.|");
    assert_string_equal(cut("really?! \"yes.\" (no.) so"),
                        "really?!|\"yes.\"|(no.)|so...|");
    assert_string_equal(cut("a line\nand one.\n\nthe end"),
                        "a line...|and one.|the end...|");
    assert_string_equal(cut("1. first.\n 2. second"),
                        "1. first.|2. second...|");
    assert_string_equal(cut("wait... what"), "wait...|what...|");
    assert_string_equal(cut("...\n.\n"), "...|.|");
}

/* Any text is its sentences, one after the other. */
static void test_cut_is_whole(void **state)
{
    (void)state;
    static const char letter[] = "ab .?!\n\"'1)\t";
    struct rng r;
    rng_init(&r, 1, RNG_TEST, 0, 0);
    for (int trial = 0; trial < 5000; trial++) {
        char text[32];
        size_t len = rng_below(&r, sizeof text), at = 0, n;
        bool is_blank = true;
        struct sentence *s;
        for (size_t i = 0; i < len; i++) {
            text[i] = letter[rng_below(&r, sizeof letter - 1)];
            is_blank = is_blank && strchr(" \n\t", text[i]) != NULL;
        }
        must(sentence_cut(&s, &n, text, len, &err));
        assert_int_equal(n == 0, is_blank);
        for (size_t i = 0; i < n; i++) {
            assert_ptr_equal(s[i].text, text + at);
            assert_in_range(s[i].core, 1, s[i].len);
            assert_null(strchr(" \n\t", s[i].text[s[i].core - 1]));
            at += s[i].len;
        }
        if (n > 0)
            assert_int_equal(at, len);
        mem_free(s);
    }
}

/* A text and room for what becomes of it. */
struct bench {
    struct edit_text text;
    struct sentence *sentence;
    struct buf out;
};

static struct edit_text *lay(struct bench *b, const char *text)
{
    must(sentence_cut(&b->sentence, &b->text.n, text, strlen(text), &err));
    b->text.text = text;
    b->text.len = strlen(text);
    b->text.sentence = b->sentence;
    buf_init(&b->out, 1 << 16);
    return &b->text;
}

static void is(struct bench *b, const char *want)
{
    assert_string_equal(buf_text(&b->out), want);
    mem_free(b->sentence);
    buf_free(&b->out);
}

static void test_edits(void **state)
{
    (void)state;
    struct bench b = {.sentence = NULL};
    struct rng r;
    edit_append(&b.out, lay(&b, "yes. no."), "so.");
    is(&b, "yes. no. so.");
    edit_append(&b.out, lay(&b, "yes.\n"), "so.");
    is(&b, "yes.\nso.");
    edit_prefix(&b.out, lay(&b, "yes."), "so.");
    is(&b, "so. yes.");
    assert_true(edit_restate(&b.out, lay(&b, "a line\nyes. no.")));
    is(&b, "a line\nyes. no. yes.");
    assert_false(edit_restate(&b.out, lay(&b, "a line\nand more")));
    is(&b, "");
    edit_without(&b.out, lay(&b, "yes. no. so."), 2);
    is(&b, "yes. no.");
    edit_without(&b.out, lay(&b, "yes. no.\nso.\n"), 1);
    is(&b, "yes. so.\n");
    edit_without(&b.out, lay(&b, "yes. no."), 0);
    is(&b, "no.");
    edit_list(&b.out, lay(&b, " yes. no.\nso."));
    is(&b, "- yes.\n- no.\n- so.");
    edit_bold(&b.out, lay(&b, " yes. no."));
    is(&b, " **yes.** no.");
    rng_init(&r, 1, RNG_TEST, 0, 0);
    assert_true(edit_reorder(&b.out, lay(&b, "yes.\nno. so"), &r));
    is(&b, "no.\nyes. so");
    /* Neither equal neighbours nor one that is not whole change places. */
    assert_false(edit_reorder(&b.out, lay(&b, "yes. yes. so"), &r));
    is(&b, "");
}

/* Every pair of neighbours is drawn, each about as often as the others. */
static void test_reorder_draws(void **state)
{
    (void)state;
    static const char *const want[] = {"b. a. c. d.", "a. c. b. d.",
                                       "a. b. d. c."};
    size_t seen[3] = {0};
    struct rng r;
    rng_init(&r, 2, RNG_TEST, 0, 0);
    for (int i = 0; i < 3000; i++) {
        struct bench b = {.sentence = NULL};
        size_t k = 0;
        assert_true(edit_reorder(&b.out, lay(&b, "a. b. c. d."), &r));
        while (k < 3 && strcmp(buf_text(&b.out), want[k]) != 0)
            k++;
        assert_in_range(k, 0, 2);
        seen[k]++;
        is(&b, want[k]);
    }
    /* Binomial(3000, 1/3): deviation 26; five of them. */
    for (size_t k = 0; k < 3; k++)
        assert_in_range(seen[k], 870, 1130);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_cut_is_whole),
        cmocka_unit_test(test_edits),
        cmocka_unit_test(test_reorder_draws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
