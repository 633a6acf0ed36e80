/*
 * test_tfevents.c - frames and checksums, and the records as protoc reads
 * them by event.proto.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "io/tfevents.h"

static char root[] = "/tmp/plumb-test-XXXXXX";
static char path[FILE_PATH_MAX];

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(root) == NULL)
        return -1;
    return file_join(path, root, "events", NULL) == OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return file_remove(root, NULL) == OK ? 0 : -1;
}

/* RFC 3720, appendix B.4, and the customary check word. */
static void test_crc(void **state)
{
    (void)state;
    unsigned char bytes[32] = {0};
    assert_int_equal(tfevents_crc(bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, 32);
    assert_int_equal(tfevents_crc(bytes, 32), 0x62a8ab43);
    for (int i = 0; i < 32; i++)
        bytes[i] = (unsigned char)i;
    assert_int_equal(tfevents_crc(bytes, 32), 0x46dd794e);
    assert_int_equal(tfevents_crc("123456789", 9), 0xe3069283);
    assert_int_equal(tfevents_crc("", 0), 0);
    assert_int_equal(tfevents_mask(0), 0xa282ead8);
    assert_int_equal(tfevents_mask(0x8000), 0xa282ead9);
}

static uint64_t little(const unsigned char *p, int n)
{
    uint64_t x = 0;
    for (int i = n - 1; i >= 0; i--)
        x = x << 8 | p[i];
    return x;
}

/* Write a few events; returns the number of records expected. */
static int write_events(void)
{
    struct tfevents *t = NULL;
    assert_int_equal(tfevents_open(&t, path, 1.5, NULL), OK);
    for (int step = 0; step < 3; step++) {
        assert_int_equal(
            tfevents_scalar(t, 2.0, step, "objective/kl", step / 4.0, NULL),
            OK);
        assert_int_equal(tfevents_scalar(t, 2.0, step * 1000, "lr", 1e-5, NULL),
                         OK);
    }
    assert_int_equal(tfevents_flush(t, NULL), OK);
    tfevents_close(t);
    return 7;
}

/* Walk the frames, checking both checksums; calls fn with every payload. */
static int walk(void (*fn)(const unsigned char *data, size_t len, int record))
{
    struct file_map map;
    assert_int_equal(file_map(&map, path, NULL), OK);
    size_t at = 0;
    int records = 0;
    while (at < map.len) {
        assert_true(map.len - at >= 16);
        uint64_t len = little(map.data + at, 8);
        assert_int_equal(little(map.data + at + 8, 4),
                         tfevents_mask(tfevents_crc(map.data + at, 8)));
        assert_true(map.len - at - 16 >= len);
        const unsigned char *data = map.data + at + 12;
        assert_int_equal(little(data + len, 4),
                         tfevents_mask(tfevents_crc(data, len)));
        fn(data, len, records);
        records++;
        at += 16 + len;
    }
    file_unmap(&map);
    return records;
}

static void check_time(const unsigned char *data, size_t len, int record)
{
    assert_true(len > 9);
    /* The first field of an event is its wall time, a double. */
    double time;
    memcpy(&time, data + 1, sizeof time);
    assert_int_equal(data[0], 1 << 3 | 1);
    assert_true(time == (record == 0 ? 1.5 : 2.0));
}

static void test_frames(void **state)
{
    (void)state;
    int want = write_events();
    assert_int_equal(walk(check_time), want);
    /* Opening again truncates. */
    struct tfevents *t = NULL;
    assert_int_equal(tfevents_open(&t, path, 1.5, NULL), OK);
    tfevents_close(t);
    assert_int_equal(walk(check_time), 1);
}

/* What protoc prints for a record. */
static void decode(const unsigned char *data, size_t len, int record)
{
    static const char *const want[] = {
        "wall_time: 1.5\nfile_version: \"brain.Event:2\"\n",
        "wall_time: 2\nsummary {\n  value {\n    tag: \"objective/kl\"\n"
        "    tensor {\n      dtype: 1\n      shape {\n      }\n"
        "      float_val: 0\n    }\n    metadata {\n      plugin {\n"
        "        name: \"scalars\"\n      }\n      data_class: 1\n    }\n"
        "  }\n}\n",
        NULL,
        "wall_time: 2\nstep: 1\nsummary {\n  value {\n"
        "    tag: \"objective/kl\"\n    tensor {\n      dtype: 1\n"
        "      shape {\n      }\n      float_val: 0.25\n    }\n  }\n}\n",
        "wall_time: 2\nstep: 1000\nsummary {\n  value {\n    tag: \"lr\"\n"
        "    tensor {\n      dtype: 1\n      shape {\n      }\n"
        "      float_val: 1e-05\n    }\n  }\n}\n",
    };
    if (record >= 5 || want[record] == NULL)
        return;
    char file[FILE_PATH_MAX], command[3 * FILE_PATH_MAX], text[1000];
    assert_int_equal(file_join(file, root, "payload", NULL), OK);
    assert_int_equal(file_write(file, data, len, NULL), OK);
    int n = snprintf(command, sizeof command,
                     "protoc --decode=Event --proto_path='%s/../io' "
                     "event.proto <'%s'",
                     TEST_DATA, file);
    assert_true(n > 0 && (size_t)n < sizeof command);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t got = fread(text, 1, sizeof text - 1, pipe);
    text[got] = '\0';
    assert_int_equal(pclose(pipe), 0);
    assert_string_equal(text, want[record]);
}

static void test_protobuf(void **state)
{
    (void)state;
    FILE *pipe = popen("protoc --version 2>/dev/null", "r");
    assert_non_null(pipe);
    char text[100];
    (void)fread(text, 1, sizeof text, pipe);
    if (pclose(pipe) != 0) {
        print_message("protoc is not installed: records not decoded\n");
        skip();
    }
    (void)write_events();
    (void)walk(decode);
}

static void test_cannot_create(void **state)
{
    (void)state;
    struct tfevents *t = NULL;
    struct err err = {0};
    assert_int_equal(tfevents_open(&t, root, 0, &err), ERR_IO);
    assert_null(t);
    tfevents_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_protobuf),
        cmocka_unit_test(test_cannot_create),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
