/* fuzz_import_samples.c - replies, verdicts, records of rewards. */
#include "import_target.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    import_target("samples rewardspy", data, size);
    return 0;
}
