/*
 * replay.c - run a fuzz target over every file of its corpus, so that what a
 * fuzzer once found stays fixed, with any compiler.
 *
 *     replay_flat tests/fuzz/corpus/flat [ANOTHER FOLDER OF INPUTS ...]
 */
#include <stdio.h>

#include "base/file.h"
#include "fuzz.h"

static enum status replay(const char *dir, size_t *n, struct err *err)
{
    struct file_list list = {0};
    TRY(file_list(&list, dir, err));
    enum status status = OK;
    for (size_t i = 0; status == OK && i < list.n; i++) {
        char path[FILE_PATH_MAX];
        struct file_map map = {0};
        status = file_join(path, dir, list.name[i], err);
        if (status == OK)
            status = file_map(&map, path, err);
        if (status == OK)
            (void)LLVMFuzzerTestOneInput(map.data, map.len);
        file_unmap(&map);
    }
    *n = list.n;
    file_list_free(&list);
    return status;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    size_t n = 0;
    if (argc < 2) {
        (void)fprintf(stderr, "usage: %s CORPUS ...\n", argv[0]);
        return 2;
    }
    /* The empty input belongs to every corpus. */
    (void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    size_t all = 0;
    for (int i = 1; i < argc; i++, all += n) {
        if (replay(argv[i], &n, &err) != OK || n == 0) {
            (void)fprintf(stderr, "%s: %s\n", argv[i],
                          err.code != OK ? err.text : "the corpus is empty");
            return 1;
        }
    }
    printf("%zu inputs\n", all);
    return 0;
}
