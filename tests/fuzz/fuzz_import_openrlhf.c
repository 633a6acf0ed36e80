/* fuzz_import_openrlhf.c - rows and log text of OpenRLHF (import_target.h). */
#include "import_target.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    import_target("openrlhf", data, size);
    return 0;
}
