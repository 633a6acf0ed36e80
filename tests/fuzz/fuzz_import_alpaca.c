/* fuzz_import_alpaca.c - AlpacaEval's and AlpacaFarm's files. */
#include "import_target.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    import_target("alpaca-eval alpaca-farm", data, size);
    return 0;
}
