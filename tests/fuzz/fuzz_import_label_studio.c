/* fuzz_import_label_studio.c - Label Studio's tasks. */
#include "import_target.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    import_target("label-studio", data, size);
    return 0;
}
