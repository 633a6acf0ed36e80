/* fuzz_import_pairs.c - comparisons of two replies. */
#include "import_target.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    import_target("pairs llmfao pandalm", data, size);
    return 0;
}
