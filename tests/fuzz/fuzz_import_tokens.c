/* fuzz_import_tokens.c - dumps of token ids (import_target.h). */
#include "import_target.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    import_target("nemo-rl open-instruct trlx", data, size);
    return 0;
}
