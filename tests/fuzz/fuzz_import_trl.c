/* fuzz_import_trl.c - logs, completions and tables of TRL (import_target.h). */
#include "import_target.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    import_target("trl", data, size);
    return 0;
}
