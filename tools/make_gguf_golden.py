#!/usr/bin/env python3
"""Golden files for tests/io, from the gguf package (pip install gguf).

    python3 tools/make_gguf_golden.py tests/data/gguf

metadata.gguf  a value of every type, arrays of every type, and an alignment
               that is not the default
quant.gguf     for each type T the tensor "T" and, as F32, what the package
               makes of it ("T.f32"); "x" is what Q8_0 was made from, "bf16.x"
               what BF16 and "half.x" what F16 was made from
written.gguf   what test_gguf_write.c must write byte for byte

The package has no quantisers for K types: their blocks are random bytes with
scales of a sane size.  Made with gguf 0.19.0 and numpy 2.4.6.
"""
import sys

import numpy as np
from gguf import GGUFWriter
from gguf.constants import (GGML_QUANT_SIZES, GGMLQuantizationType,
                            GGUFValueType)
from gguf.quants import dequantize, quantize

ROWS, COLS = 2, 512


def write(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def metadata(path):
    w = GGUFWriter(path, "llama")
    w.add_custom_alignment(64)
    w.add_uint8("u8", 255)
    w.add_int8("i8", -128)
    w.add_uint16("u16", 65535)
    w.add_int16("i16", -32768)
    w.add_uint32("u32", 4294967295)
    w.add_int32("i32", -2147483648)
    w.add_uint64("u64", 18446744073709551615)
    w.add_int64("i64", -9223372036854775808)
    w.add_float32("f32", 0.1)
    w.add_float64("f64", 0.1)
    w.add_bool("yes", True)
    w.add_bool("no", False)
    w.add_string("text", "na\u00efve \U0001f44b")
    w.add_key_value("text.empty", "", GGUFValueType.STRING)
    w.add_array("array.text", ["", "a", "\u0120the", "\n\n"])
    w.add_array("array.int", [-1, 0, 7])
    w.add_array("array.real", [0.5, -2.25])
    w.add_array("array.bool", [True, False])
    w.add_key_value("array.u64", [1, 2 ** 63], GGUFValueType.ARRAY,
                    sub_type=GGUFValueType.UINT64)
    w.add_array("array.array", [[1, 2], [3]])
    w.add_tensor("a", np.arange(6, dtype=np.float32).reshape(2, 3))
    w.add_tensor("b", np.arange(24, dtype=np.float16).reshape(4, 3, 2))
    w.add_tensor("c", np.arange(5, dtype=np.int32))
    write(w)


def written(path):
    rng = np.random.default_rng(5)
    w = GGUFWriter(path, "llama")
    w.add_uint8("u8", 255)
    w.add_int8("i8", -128)
    w.add_uint16("u16", 65535)
    w.add_int16("i16", -2)
    w.add_uint32("u32", 4294967295)
    w.add_int32("i32", -3)
    w.add_uint64("u64", 9223372036854775807)
    w.add_int64("i64", -4)
    w.add_float32("f32", 0.1)
    w.add_float64("f64", 0.1)
    w.add_bool("yes", True)
    w.add_bool("no", False)
    w.add_string("text", "na\u00efve")
    w.add_array("texts", ["", "a", "\n\n"])
    w.add_array("ints", [-1, 0, 7])
    w.add_array("reals", [0.5, -2.25])
    x = rng.standard_normal((3, 64)).astype(np.float32)
    w.add_tensor("F32", x)
    w.add_tensor("vector", x[0, :5])
    for name in ("F16", "BF16", "Q8_0"):
        kind = GGMLQuantizationType[name]
        w.add_tensor(name, quantize(x, kind), raw_dtype=kind)
    write(w)


def put_half(blocks, at, scale, rng):
    half = (rng.standard_normal(len(blocks)) * scale).astype(np.float16)
    blocks[:, at:at + 2] = half.view(np.uint8).reshape(-1, 2)


def k_blocks(kind, rng):
    block, size = GGML_QUANT_SIZES[kind]
    b = rng.integers(0, 256, (ROWS * COLS // block, size), dtype=np.uint8)
    if kind == GGMLQuantizationType.Q6_K:
        put_half(b, 208, 0.001, rng)
    else:
        put_half(b, 0, 0.01, rng)
        put_half(b, 2, 0.01, rng)
    return b.reshape(ROWS, -1)


def quant(path):
    kinds = GGMLQuantizationType
    rng = np.random.default_rng(3)
    x = rng.standard_normal((ROWS, COLS)).astype(np.float32)
    x[0, :32] = 0                         # a block of zeros
    x[0, 32:64] *= np.float32(1e-6)       # subnormal scales
    x[0, 64:96] = np.arange(32) - 16      # halves to be rounded
    x[0, 95] = 127
    x[0, 65:95:3] += np.float32(0.5)
    x[0, 96:128] = 1                      # all alike
    x[1, :32] *= np.float32(1e4)
    w = GGUFWriter(path, "llama")
    w.add_tensor("x", x)
    for name in ("Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"):
        q = quantize(x, kinds[name])
        w.add_tensor(name, q, raw_dtype=kinds[name])
        w.add_tensor(name + ".f32", dequantize(q, kinds[name]))
    for name in ("Q4_K", "Q5_K", "Q6_K"):
        q = k_blocks(kinds[name], rng)
        w.add_tensor(name, q, raw_dtype=kinds[name])
        w.add_tensor(name + ".f32", dequantize(q, kinds[name]))
    # Ties on either side of even, subnormals, the largest.
    x = np.concatenate([
        rng.standard_normal(40) * 10.0 ** rng.integers(-9, 5, 40),
        [0, -0.0, 1 + 2.0 ** -8, 1 + 3 * 2.0 ** -8, 1 + 2.0 ** -11,
         1 + 3 * 2.0 ** -11, 2.0 ** -25, 3 * 2.0 ** -25, 2.0 ** -14,
         2.0 ** -14 - 2.0 ** -25, 65519, 1e-40, 65504, -65504]]
    ).astype(np.float32)
    w.add_tensor("half.x", x)
    w.add_tensor("F16", x.astype(np.float16))
    q = quantize(x, kinds.BF16)
    w.add_tensor("BF16", q, raw_dtype=kinds.BF16)
    w.add_tensor("BF16.f32", dequantize(q, kinds.BF16))
    w.add_tensor("F16.f32", x.astype(np.float16).astype(np.float32))
    write(w)


def main():
    folder = sys.argv[1]
    metadata(f"{folder}/metadata.gguf")
    quant(f"{folder}/quant.gguf")
    written(f"{folder}/written.gguf")


if __name__ == "__main__":
    main()
