/* fuzz_import_arena.c - battles. */
#include "import_target.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    import_target("arena", data, size);
    return 0;
}
