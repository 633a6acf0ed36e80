/* fuzz_import_comparator.c - LLM Comparator's document. */
#include "import_target.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    import_target("llm-comparator", data, size);
    return 0;
}
