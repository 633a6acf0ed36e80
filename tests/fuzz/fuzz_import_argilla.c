/* fuzz_import_argilla.c - Argilla's records. */
#include "import_target.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    import_target("argilla", data, size);
    return 0;
}
