/* fuzz_import_verl.c - dumps and logs of verl (import_target.h). */
#include "import_target.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    import_target("verl", data, size);
    return 0;
}
