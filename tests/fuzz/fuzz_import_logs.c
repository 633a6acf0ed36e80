/* fuzz_import_logs.c - logs as text (import_target.h). */
#include "import_target.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    import_target("deepspeed-chat torchtune tldr grpo-log", data, size);
    return 0;
}
