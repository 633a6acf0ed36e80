/*
 * fuzz_scan.c - any bytes as one JSON text: read or refused as Jansson does,
 * and with the same values (tests/io/scan_oracle.h).
 */
#include "fuzz.h"
#include "io/scan_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *why;
    FUZZ_CHECK(scan_oracle(&why, NULL, (const char *)data, size) !=
               ORACLE_DIFFERENT);
    return 0;
}
