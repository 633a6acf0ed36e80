/* test_dataset_formats.c - the same pair from every format that has one, what
 * each kind of stage gets from each, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "io/dataset.h"

static struct err err;

static void read_text(struct dataset *d, const char *text,
                      enum dataset_kind kind)
{
    err = (struct err){OK, ""};
    if (dataset_parse(d, text, strlen(text), "f", kind, &err) != OK)
        fail_msg("%s\n%s", err.text, text);
}

static void refuse(const char *text, enum dataset_kind kind, const char *want)
{
    struct dataset d = {0};
    err = (struct err){OK, ""};
    assert_int_equal(dataset_parse(&d, text, strlen(text), "f", kind, &err),
                     ERR_FORMAT);
    if (strstr(err.text, want) == NULL)
        fail_msg("%s\nlacks %s", err.text, want);
    assert_null(d.record);
}

/* ---- pairs -------------------------------------------------------------- */

#define USER(x) "{\"role\":\"user\",\"content\":\"" x "\"}"
#define BOT(x) "{\"role\":\"assistant\",\"content\":\"" x "\"}"
#define THREE USER("p") "," BOT("r") "," USER("q")
#define SYSTEM(x) "{\"role\":\"system\",\"content\":\"" x "\"}"

static const struct {
    enum dataset_format format;
    size_t turns; // of the prompt; 0: a text
    const char *text, *extra;
} pairs[] = {
    {FORMAT_OURS, 0,
     "{\"prompt\":\"q\",\"responses\":[\"yes\",\"no\"],\"ranking\":[1,2],"
     "\"margin\":0.5}",
     "{\"margin\":0.5}"},
    {FORMAT_OURS, 2,
     "{\"prompt\":[" SYSTEM("s") "," USER("q") "],\"responses\":[[" BOT(
         "yes") "],\"no\"],\"ranking\":[1,2]}",
     "{}"},
    {FORMAT_ANSWERS, 0,
     "{\"prompt\":\"q\",\"answers\":[{\"answer\":\"yes\",\"rank\":1.0,"
     "\"model\":\"m\"},{\"answer\":\"no\",\"rank\":2}],\"turns\":1}",
     "{\"turns\":1}"},
    {FORMAT_ANSWERS, 1,
     "{\"prompt\":\"\\n\\nHuman: q\\n\\nAssistant: \",\"answers\":[{\"answer\":"
     "\"yes\",\"rank\":1},{\"answer\":\"no\",\"rank\":2}]}",
     "{}"},
    {FORMAT_PAIR, 0,
     "{\"prompt\":\"q\",\"chosen\":\"yes\",\"rejected\":\"no\","
     "\"annotators\":[\"a\"],\"agreement\":1}",
     "{\"annotators\":[\"a\"],\"agreement\":1}"},
    {FORMAT_PAIR, 1,
     "{\"prompt\":[" USER("q") "],\"chosen\":[" BOT(
         "yes") "],\"rejected\":[" BOT("no") "]}",
     "{}"},
    {FORMAT_PAIR, 1,
     "{\"prompt\":\"q\",\"prompt_id\":\"x\",\"chosen\":[" USER("q") "," BOT(
         "yes") "],\"rejected\":[" USER("q") "," BOT("no") "],\"messages\":[1],"
                                                           "\"score_chosen\":8."
                                                           "5,\"score_"
                                                           "rejected\":7}",
     "{\"prompt_id\":\"x\",\"messages\":[1],\"score_chosen\":8.5,"
     "\"score_rejected\":7}"},
    {FORMAT_PAIR, 1,
     "{\"prompt\":\"\\n\\nHuman: q\\n\\nAssistant:\",\"chosen\":\" yes\","
     "\"rejected\":\" no\"}",
     "{}"},
    {FORMAT_IMPLICIT, 3,
     "{\"chosen\":[" THREE "," BOT("yes") "],\"rejected\":[" THREE
                                          "," BOT("no") "]}",
     "{}"},
    {FORMAT_HH, 1,
     "{\"chosen\":\"\\n\\nHuman: q\\n\\nAssistant: yes\","
     "\"rejected\":\"\\n\\nHuman: q\\n\\nAssistant: no\"}",
     "{}"},
    {FORMAT_UNPAIRED, 0,
     "{\"prompt\":\"q\",\"completion\":\"yes\",\"label\":true,\"time\":3}\n"
     "{\"prompt\":\"q\",\"completion\":\"no\",\"label\":false}",
     "{\"time\":3}"},
};

static void test_pairs(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct dataset d = {0};
        read_text(&d, pairs[i].text, DATASET_RANKINGS);
        const struct record *r = d.record;
        assert_int_equal(d.n, 1);
        assert_int_equal(d.format, pairs[i].format);
        assert_int_equal(r->n_responses, 2);
        assert_string_equal(r->responses[0], "yes");
        assert_string_equal(r->responses[1], "no");
        assert_int_equal(r->ranking[0], 1);
        assert_int_equal(r->ranking[1], 2);
        assert_string_equal(r->extra, pairs[i].extra);
        assert_int_equal(r->dialogue.n, pairs[i].turns);
        if (pairs[i].turns > 0) {
            const struct chat_message *last =
                &r->dialogue.turn[pairs[i].turns - 1];
            assert_string_equal(last->role, "user");
            assert_string_equal(last->content, "q");
        }
        if (pairs[i].turns < 2)
            assert_string_equal(r->prompt, "q");
        dataset_free(&d);
    }
}

/* Where a pair of texts is cut: TRL's rule. */
static void test_common_beginning(void **state)
{
    (void)state;
    static const char *const cut[][4] = {
        /* chosen, rejected, prompt, chosen response */
        {"The sky is blue.", "The sky is green.", "The sky is", " blue."},
        {"a1", "a2", "a", "1"},
        {"abc", "ab", "a", "bc"}, // one character short of the shorter
        {"a  b", "a  c", "a ", " b"},
        {"a\xc3\xa9", "a\xc3\xa8", "a", "\xc3\xa9"}, // never within a character
    };
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) {
        struct dataset d = {0};
        char text[200];
        snprintf(text, sizeof text, "{\"chosen\":\"%s\",\"rejected\":\"%s\"}",
                 cut[i][0], cut[i][1]);
        read_text(&d, text, DATASET_RANKINGS);
        assert_int_equal(d.format, FORMAT_IMPLICIT);
        assert_string_equal(d.record->prompt, cut[i][2]);
        assert_string_equal(d.record->responses[0], cut[i][3]);
        dataset_free(&d);
    }
}

static void test_hh_text(void **state)
{
    (void)state;
    struct dataset d = {0};
    read_text(&d,
              "{\"chosen\":\"\\n\\nHuman: a \\n b\\n\\nAssistant:c\\n\\nHuman: "
              " d\\n\\nAssistant: Human: e\\n\",\"rejected\":\"\\n\\nHuman: a "
              "\\n b\\n\\nAssistant:c\\n\\nHuman:  d\\n\\nAssistant: \"}",
              DATASET_RANKINGS);
    const struct dialogue *t = &d.record->dialogue;
    assert_int_equal(t->n, 3);
    assert_string_equal(t->turn[0].content, "a \n b");
    assert_string_equal(t->turn[1].role, "assistant");
    assert_string_equal(t->turn[1].content, "c");
    assert_string_equal(t->turn[2].content, " d");
    assert_string_equal(d.record->responses[0], "Human: e\n");
    assert_string_equal(d.record->responses[1], "");
    assert_string_equal(d.record->prompt,
                        "user: a \n b\n\nassistant: c\n\nuser:  d");
    dataset_free(&d);
}

/* ---- kinds -------------------------------------------------------------- */

/* What a kind gets: the response and how many responses; NULL is refused. */
static void check_kind(const char *text, enum dataset_kind kind,
                       const char *prompt, const char *response, size_t n)
{
    struct dataset d = {0};
    read_text(&d, text, kind);
    assert_int_equal(d.n, 1);
    assert_string_equal(d.record->prompt, prompt);
    if (response == NULL)
        assert_null(d.record->response);
    else
        assert_string_equal(d.record->response, response);
    assert_int_equal(d.record->n_responses, n);
    dataset_free(&d);
}

static void test_kinds(void **state)
{
    (void)state;
    static const char pair[] =
        "{\"prompt\":\"q\",\"chosen\":\"yes\",\"rejected\":\"no\"}";
    check_kind(pair, DATASET_PROMPTS, "q", NULL, 0);
    check_kind(pair, DATASET_DEMOS, "q", "yes", 0);
    check_kind(pair, DATASET_ANY, "q", NULL, 2);

    static const char completion[] =
        "{\"prompt\":[" USER("q") "],\"completion\":[" BOT("r") "]}";
    check_kind(completion, DATASET_PROMPTS, "q", NULL, 0);
    check_kind(completion, DATASET_DEMOS, "q", "r", 0);
    refuse(completion, DATASET_RANKINGS,
           "f:1: a record of the format completion has not ranked responses");

    static const char messages[] =
        "{\"messages\":[" USER("q") "," BOT("r") "]}";
    check_kind(messages, DATASET_PROMPTS, "q", NULL, 0);
    check_kind(messages, DATASET_DEMOS, "q", "r", 0);
    check_kind("{\"messages\":[" USER("q") "]}", DATASET_PROMPTS, "q", NULL, 0);
    check_kind("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
               "\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]}]"
               "}",
               DATASET_PROMPTS, "ab", NULL, 0);
    refuse("{\"messages\":[" USER("q") "]}", DATASET_DEMOS,
           "messages has not a response");
    refuse(messages, DATASET_RANKINGS, "messages has not ranked responses");

    check_kind("{\"text\":\"t\"}", DATASET_DEMOS, "", "t", 0);
    refuse("{\"text\":\"t\"}", DATASET_PROMPTS, "text has not a prompt");
    check_kind("{\"prompt\":\"q\",\"completion\":\"r\",\"label\":true}",
               DATASET_DEMOS, "q", "r", 0);
}

static void test_unpaired(void **state)
{
    (void)state;
    static const char rows[] =
        "{\"id\":\"1\",\"prompt\":\"b\",\"completion\":\"b1\",\"label\":false}"
        "\n{\"id\":\"2\",\"prompt\":\"a\",\"completion\":\"a1\",\"label\":true}"
        "\n{\"id\":\"3\",\"prompt\":\"b\",\"completion\":\"b2\",\"label\":true}"
        "\n{\"id\":\"4\",\"prompt\":\"b\",\"completion\":\"b3\",\"label\":true}"
        "\n{\"id\":\"5\",\"prompt\":\"c\",\"completion\":\"c\",\"label\":false}"
        "\n";
    struct dataset d = {0};
    read_text(&d, rows, DATASET_RANKINGS);
    assert_int_equal(d.n, 1);
    assert_int_equal(d.count.read, 5);
    assert_int_equal(d.count.unused, 2);
    const struct record *r = d.record;
    assert_string_equal(r->id, "1");
    assert_int_equal(r->n_responses, 3);
    assert_string_equal(r->responses[0], "b1");
    assert_string_equal(r->responses[2], "b3");
    assert_memory_equal(r->ranking, ((int32_t[]){2, 1, 1}), 3 * 4);
    dataset_free(&d);

    read_text(&d, rows, DATASET_DEMOS);
    assert_int_equal(d.n, 3);
    assert_int_equal(d.count.unused, 2);
    assert_string_equal(d.record[0].response, "a1");
    dataset_free(&d);

    read_text(&d, rows, DATASET_PROMPTS);
    assert_int_equal(d.n, 5);
    dataset_free(&d);

    refuse("{\"prompt\":\"a\",\"completion\":\"x\",\"label\":true}\n",
           DATASET_RANKINGS, "the rows are unpaired");
    refuse("{\"prompt\":\"a\",\"completion\":\"x\",\"label\":1}\n",
           DATASET_DEMOS, "\"label\" is neither true nor false");
}

/* Rankings whose responses are one text, in every format, beside one that
 * compares something; others get what they can use of them. */
static void test_one_text(void **state)
{
    (void)state;
    static const struct {
        const char *same, *other;
        size_t rows; // of the first
    } row[] = {
        {"{\"prompt\":\"q\",\"responses\":[\"a\",\"a\"],\"ranking\":[2,1]}",
         "{\"prompt\":\"q\",\"responses\":[\"a\",\"a\",\"b\"],\"ranking\":"
         "[1,2,3]}",
         1},
        {"{\"prompt\":\"q\",\"answers\":[{\"answer\":\"a\",\"rank\":1},"
         "{\"answer\":\"a\",\"rank\":2},{\"answer\":\"a\",\"rank\":3}]}",
         "{\"prompt\":\"q\",\"answers\":[{\"answer\":\"a\",\"rank\":1},"
         "{\"answer\":\"b\",\"rank\":2}]}",
         1},
        {"{\"prompt\":\"q\",\"chosen\":\"a\",\"rejected\":\"a\"}",
         "{\"prompt\":\"q\",\"chosen\":\"a\",\"rejected\":\"a \"}", 1},
        {"{\"prompt\":[" USER("q") "],\"chosen\":[" BOT(
             "a") "],\"rejected\":[" BOT("a") "]}",
         "{\"prompt\":[" USER("q") "],\"chosen\":[" BOT(
             "a") "],\"rejected\":[" BOT("b") "]}",
         1},
        {"{\"chosen\":\"q a\",\"rejected\":\"q a\"}",
         "{\"chosen\":\"q a\",\"rejected\":\"q b\"}", 1},
        {"{\"chosen\":\"\",\"rejected\":\"\"}",
         "{\"chosen\":\"q a\",\"rejected\":\"q b\"}", 1},
        {"{\"chosen\":\"\\n\\nHuman: q\\n\\nAssistant: a\",\"rejected\":"
         "\"\\n\\nHuman: q\\n\\nAssistant: a\"}",
         "{\"chosen\":\"\\n\\nHuman: q\\n\\nAssistant: a\",\"rejected\":"
         "\"\\n\\nHuman: q\\n\\nAssistant: b\"}",
         1},
        {"{\"prompt\":\"p\",\"completion\":\"a\",\"label\":true}\n"
         "{\"prompt\":\"p\",\"completion\":\"a\",\"label\":false}",
         "{\"prompt\":\"q\",\"completion\":\"a\",\"label\":true}\n"
         "{\"prompt\":\"q\",\"completion\":\"b\",\"label\":false}",
         2},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct dataset d = {0};
        char text[1024];
        int n =
            snprintf(text, sizeof text, "%s\n%s\n", row[i].same, row[i].other);
        assert_true(n > 0 && (size_t)n < sizeof text);
        read_text(&d, text, DATASET_RANKINGS);
        if (d.n != 1 || d.count.unused != row[i].rows || d.count.bad != 0)
            fail_msg("%zu records, %zu unused:\n%s", d.n, d.count.unused, text);
        assert_string_not_equal(d.record->responses[d.record->n_responses - 1],
                                "a");
        dataset_free(&d);
    }
    struct dataset d = {0};
    read_text(&d, row[2].same, DATASET_DEMOS);
    assert_string_equal(d.record->response, "a");
    dataset_free(&d);
    read_text(&d, row[2].same, DATASET_PROMPTS);
    assert_int_equal(d.n, 1);
    dataset_free(&d);
    read_text(&d, row[0].same, DATASET_ANY);
    assert_int_equal(d.record->n_responses, 2);
    dataset_free(&d);
}

/* ---- refused ------------------------------------------------------------ */

static void test_refused(void **state)
{
    (void)state;
    refuse("{\"chosen\":\"\\n\\nHuman: a\\n\\nAssistant: b\",\"rejected\":"
           "\"\\n\\nHuman: x\\n\\nAssistant: b\"}",
           DATASET_RANKINGS, "f:1: \"chosen\" and \"rejected\" differ before");
    refuse("{\"chosen\":\"\\n\\nHuman: a\",\"rejected\":\"\\n\\nHuman: a\"}",
           DATASET_RANKINGS, "\"chosen\" does not end with a message");
    refuse("{\"chosen\":\"\\n\\nHuman: a\\n\\nAssistant: b\",\"rejected\":3}",
           DATASET_RANKINGS, "\"rejected\" is not a string");
    refuse("{\"chosen\":\"a\",\"rejected\":\"a\"}", DATASET_DEMOS,
           "are the same text");
    refuse(
        "{\"chosen\":[" USER("q") "," BOT("a") "],\"rejected\":[" BOT("b") "]}",
        DATASET_RANKINGS, "differ before their last message");
    refuse("{\"prompt\":[" USER("q") "," BOT("a") "]}", DATASET_PROMPTS,
           "does not end with a message to be answered");
    refuse("{\"prompt\":[]}", DATASET_PROMPTS,
           "\"prompt\" is not a list of messages");
    refuse("{\"prompt\":[{\"role\":\"tool\",\"content\":\"x\"}]}",
           DATASET_PROMPTS, "message 1 of \"prompt\": role 'tool' is not");
    refuse("{\"prompt\":[{\"role\":\"user\"}]}", DATASET_PROMPTS,
           "message 1 of \"prompt\" has no \"content\"");
    refuse("{\"prompt\":[{\"content\":\"user\"}]}", DATASET_PROMPTS,
           "message 1 of \"prompt\" has no \"role\"");
    refuse("{\"prompt\":[{\"role\":\"user\",\"content\":\"\",\"tool_calls\":"
           "[{}]}]}",
           DATASET_PROMPTS, "message 1 of \"prompt\" calls tools");
    refuse("{\"prompt\":\"q\",\"completion\":[" BOT("a") "," USER("b") "]}",
           DATASET_DEMOS, "is not one message of the assistant");
    refuse("{\"prompt\":\"q\",\"answers\":[{\"answer\":\"a\",\"rank\":1}]}",
           DATASET_RANKINGS, "\"answers\" is not a list of 2 to 64");
    refuse("{\"prompt\":\"q\",\"answers\":[{\"answer\":\"a\",\"rank\":1},"
           "{\"answer\":\"b\",\"rank\":3}]}",
           DATASET_RANKINGS, "item 2 of \"ranking\" is not a rank in 1..2");
    refuse("{\"prompt\":\"q\",\"answers\":[{\"answer\":\"a\",\"rank\":1.5},"
           "{\"answer\":\"b\",\"rank\":2}]}",
           DATASET_RANKINGS, "item 1 of \"ranking\" is not a rank in 1..2");
    refuse("{\"prompt\":\"q\",\"response\":\"r\"}\n{\"text\":\"t\"}",
           DATASET_DEMOS,
           "f:2: the record's format is text, the file's is plumb");
    refuse("{\"a\":1}", DATASET_PROMPTS, "\"prompt\" is missing");
    refuse("{\"input\":\"q\",\"chosen\":\"x\",\"rejected\":\"y\"}",
           DATASET_RANKINGS, "no common beginning and \"prompt\" is missing");
}

/* ---- files -------------------------------------------------------------- */

static void test_array(void **state)
{
    (void)state;
    struct dataset d = {0};
    read_text(&d,
              "\xEF\xBB\xBF \n[ {\"prompt\":\"a]\\\"[,\"} ,\n\n"
              "{\"prompt\":\"b\",\"x\":[[1,2],{\"y\":[]}]}\n]\n ",
              DATASET_PROMPTS);
    assert_int_equal(d.n, 2);
    assert_string_equal(d.record[0].id, "2");
    assert_string_equal(d.record[0].prompt, "a]\"[,");
    assert_string_equal(d.record[1].id, "4");
    dataset_free(&d);
    read_text(&d, "[{\"prompt\":\"a\"},{\"prompt\":\"b\"}]", DATASET_PROMPTS);
    assert_string_equal(d.record[0].id, "1");
    assert_string_equal(d.record[1].id, "1.2");
    dataset_free(&d);
    read_text(&d, "[]", DATASET_PROMPTS);
    assert_int_equal(d.n, 0);
    dataset_free(&d);
    refuse("[{\"prompt\":\"\"},\n]", DATASET_PROMPTS,
           "f:2: a comma without an item");
    refuse("[,{}]", DATASET_PROMPTS, "f:1: a comma without an item");
    refuse("[{\"prompt\":\"\"}\n", DATASET_PROMPTS,
           "f:2: the array is not closed");
    refuse("[{\"prompt\":\"\"}] x", DATASET_PROMPTS,
           "f:1: something follows the array");
    refuse("[{\"prompt\":\"\"} {}]", DATASET_PROMPTS, "f:1:");
    refuse("[\n{\"prompt\":\"\"},\n{\"prompt\":3}]", DATASET_PROMPTS,
           "f:3: \"prompt\" is not a string");
}

struct heard {
    struct context context;
    size_t warnings;
    char last[400];
};

static void hear(void *ctx, const struct event *event)
{
    struct heard *h = ctx;
    if (event->kind != EVENT_WARNING)
        return;
    h->warnings++;
    snprintf(h->last, sizeof h->last, "%s", event->text);
}

static void test_skipping(void **state)
{
    (void)state;
    static const char text[] = "{\"prompt\":\"a\"}\n{\"prompt\":3}\nnot\n"
                               "{\"text\":\"t\"}\n{\"prompt\":\"b\"}\n";
    char root[] = "/tmp/plumb-test-XXXXXX", path[FILE_PATH_MAX];
    assert_non_null(mkdtemp(root));
    assert_int_equal(file_join(path, root, "d", NULL), OK);
    assert_int_equal(file_write(path, text, sizeof text - 1, NULL), OK);
    struct dataset_config c = {.skip_bad = 3};
    struct heard heard = {.warnings = 0};
    heard.context = (struct context){.sink = hear, .sink_ctx = &heard};
    struct dataset d = {0};
    if (dataset_load(&d, path, DATASET_PROMPTS, &c, &heard.context, &err) != OK)
        fail_msg("%s", err.text);
    assert_int_equal(d.n, 2);
    assert_int_equal(d.count.read, 5);
    assert_int_equal(d.count.bad, 3);
    assert_int_equal(heard.warnings, 3);
    assert_non_null(strstr(heard.last, "d:4: the record's format is text"));
    dataset_free(&d);

    c.skip_bad = 2;
    assert_int_equal(
        dataset_load(&d, path, DATASET_PROMPTS, &c, &heard.context, &err),
        ERR_FORMAT);
    assert_non_null(strstr(err.text, "more than 2 bad records: "));
    assert_non_null(strstr(err.text, "d:4: "));
    c.skip_bad = 0;
    assert_int_equal(dataset_load(&d, path, DATASET_PROMPTS, &c, NULL, &err),
                     ERR_FORMAT);
    assert_non_null(strstr(err.text, "d:2: \"prompt\" is not a string"));
    assert_int_equal(file_remove(root, NULL), OK);
}

/* OpenRLHF's keys. */
static void test_keys(void **state)
{
    (void)state;
    static const char text[] =
        "{\"question\":\"q\",\"answer\":\"r\",\"prompt\":\"p\",\"better\":"
        "\"yes\",\"worse\":\"no\"}";
    char root[] = "/tmp/plumb-test-XXXXXX", path[FILE_PATH_MAX];
    assert_non_null(mkdtemp(root));
    assert_int_equal(file_join(path, root, "d", NULL), OK);
    assert_int_equal(file_write(path, text, sizeof text - 1, NULL), OK);
    struct dataset_config c = {.prompt_key = "question",
                               .response_key = "answer"};
    struct dataset d = {0};
    if (dataset_load(&d, path, DATASET_DEMOS, &c, NULL, &err) != OK)
        fail_msg("%s", err.text);
    assert_string_equal(d.record->prompt, "q");
    assert_string_equal(d.record->response, "r");
    assert_string_equal(d.record->extra,
                        "{\"better\":\"yes\",\"worse\":\"no\"}");
    dataset_free(&d);
    c = (struct dataset_config){.prompt_key = "question",
                                .chosen_key = "better",
                                .rejected_key = "worse"};
    if (dataset_load(&d, path, DATASET_RANKINGS, &c, NULL, &err) != OK)
        fail_msg("%s", err.text);
    assert_string_equal(d.record->responses[1], "no");
    dataset_free(&d);
    /* One that is misspelt is not made up for by ours. */
    static const struct {
        struct dataset_config config;
        const char *wanted;
    } wrong[] = {
        {{.prompt_key = "qestion"},
         "d:1: \"qestion\" is missing, which is to stand for \"prompt\" "
         "(--prompt-key)"},
        {{.response_key = "x"}, "(--response-key)"},
        {{.chosen_key = "x", .rejected_key = "worse"}, "(--chosen-key)"},
        {{.chosen_key = "better", .rejected_key = "x"}, "(--rejected-key)"},
        {{.label_key = "x"}, "(--label-key)"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(
            dataset_load(&d, path, DATASET_ANY, &wrong[i].config, NULL, &err),
            ERR_FORMAT);
        if (strstr(err.text, wrong[i].wanted) == NULL)
            fail_msg("%s\nlacks %s", err.text, wrong[i].wanted);
    }
    assert_int_equal(file_remove(root, NULL), OK);
}

/* Each format written in ours reads back as the same bytes. */
static void test_round_trip(void **state)
{
    (void)state;
    struct buf first, second;
    buf_init(&first, 10000);
    buf_init(&second, 10000);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct dataset d = {0}, again = {0};
        read_text(&d, pairs[i].text, DATASET_RANKINGS);
        buf_clear(&first);
        dataset_write_record(&first, d.record);
        read_text(&again, first.data, DATASET_RANKINGS);
        buf_clear(&second);
        dataset_write_record(&second, again.record);
        assert_string_equal(first.data, second.data);
        dataset_free(&d);
        dataset_free(&again);
    }
    buf_free(&first);
    buf_free(&second);
}

/* Jansson 2.14 does not notice that it has no memory for a word of 14 or more
 * characters, and reads on. */
static bool has_long_word(const char *text)
{
    size_t len = 0;
    for (; *text != '\0'; text++) {
        len = *text == '"' ? 0 : len + 1;
        if (len >= 14)
            return true;
    }
    return false;
}

static void test_memory(void **state)
{
    (void)state;
    size_t done = 0;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        enum status status = ERR_MEMORY;
        if (has_long_word(pairs[i].text))
            continue;
        for (long n = 0; status != OK; n++) {
            struct dataset d = {0};
            mem_fail_at(n);
            status = dataset_parse(&d, pairs[i].text, strlen(pairs[i].text),
                                   "f", DATASET_RANKINGS, &err);
            assert_true(status == OK || status == ERR_MEMORY);
            dataset_free(&d);
        }
        done++;
    }
    assert_true(done >= 5);
    enum status status = ERR_MEMORY;
    for (long n = 0; status != OK; n++) {
        struct dialogue d = {0};
        mem_fail_at(n);
        status = dialogue_parse_hh(
            &d, "\n\nHuman: a question\n\nAssistant: an answer", &err);
        assert_true(status == OK || status == ERR_MEMORY);
        dialogue_free(&d);
    }
    mem_fail_at(-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_common_beginning),
        cmocka_unit_test(test_hh_text),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_unpaired),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_array),
        cmocka_unit_test(test_skipping),
        cmocka_unit_test(test_one_text),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests_name("dataset_formats", tests, NULL, NULL);
}
