/* fuzz_import_helpsteer.c - ratings. */
#include "import_target.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    import_target("helpsteer", data, size);
    return 0;
}
