/* fuzz_import_rows.c - any rows and tables (import_target.h). */
#include "import_target.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    import_target("jsonl csv", data, size);
    return 0;
}
