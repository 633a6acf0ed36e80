#include "cli/option_rows.h"

static const struct option rows[] = {
    /* records of data sets */
    CHOICE("import.format", import.format, "auto", "auto|json|csv|tsv",
           "JSON Lines or an array, values separated by commas or by tabs; "
           "auto tells JSON by its first character, a table by the rest",
           FOR_IMPORT, 0),
    TEXT("import.prompt_column", import.columns.prompt, NULL,
         "tables: the prompt's column", FOR_IMPORT, 0),
    TEXT("import.response_column", import.columns.response, NULL,
         "tables: the response's column", FOR_IMPORT, 0),
    TEXT("import.chosen_column", import.columns.chosen, NULL,
         "tables: the column of the preferred response", FOR_IMPORT, 0),
    TEXT("import.rejected_column", import.columns.rejected, NULL,
         "tables: the column of the other response", FOR_IMPORT, 0),
    TEXT("import.extra_columns", import.columns.extra, NULL,
         "tables: columns that are kept beside them, with commas between; * "
         "is all",
         FOR_IMPORT, 0),
    TEXT("import.id_prefix", import.id_prefix, NULL,
         "put before every id, so that files can be put together", FOR_IMPORT,
         0),
    BOOL("import.unique", import.unique, "false",
         "only the first record of each prompt", FOR_IMPORT, 0),
    INT("import.shuffle_seed", import.shuffle_seed, "-1", -1,
        9007199254740991.0,
        "order the records at random, the same for the same seed; -1: as they "
        "stand",
        FOR_IMPORT, 0),
    INT("import.skip", import.skip, "0", 0, MANY,
        "records left out, from the first in that order", FOR_IMPORT, 0),
    INT("import.take", import.take, "0", 0, MANY,
        "records written at most; 0: all", FOR_IMPORT, 0),
    /* runs of other trainers */
    TEXT("import.map", import.map, NULL,
         "runs: OURS=THEIRS, the source's field that is ours (score=reward); "
         "several times, or with commas between",
         FOR_IMPORT | FOR_DIAGNOSE, 0),
    BOOL("import.sniff", import.sniff, "false",
         "runs: tell what the file looks like, and end", FOR_IMPORT, 0),
    TEXT("import.policy", import.policy, NULL,
         "comparisons: the model that is diagnosed, by its name in the files",
         FOR_IMPORT | FOR_DIAGNOSE, 0),
    TEXT("import.reference", import.reference, NULL,
         "comparisons: the model it is compared with; '*': every other one",
         FOR_IMPORT | FOR_DIAGNOSE, 0),
    CHOICE("import.judge_kind", import.judge_kind, "auto",
           "auto|human|model|script",
           "comparisons: who judged; auto: as the format says",
           FOR_IMPORT | FOR_DIAGNOSE, 0),
};

struct option_rows option_table_import(void)
{
    return (struct option_rows){rows, sizeof rows / sizeof *rows};
}
