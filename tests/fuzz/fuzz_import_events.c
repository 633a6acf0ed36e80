/* fuzz_import_events.c - event files (import_target.h). */
#include "import_target.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    import_target("tensorboard", data, size);
    return 0;
}
