#!/usr/bin/env python3
"""Golden files for tests/io/test_safetensors.c, from the safetensors package.

    python3 tools/make_safetensors_golden.py tests/data/safetensors

f32.safetensors    what our writer must reproduce byte for byte
half.safetensors   the same in two bytes a value
mixed.safetensors  other types, an empty tensor and a scalar
Made with safetensors 0.8.0.
"""
import ctypes
import struct
import sys

from safetensors import TensorSpec, serialize_file

alive = []  # the package takes addresses


def pack(code, values):
    return struct.pack(f"<{len(values)}{code}", *values)


def tensor(dtype, shape, data):
    alive.append(ctypes.create_string_buffer(data, max(len(data), 1)))
    return TensorSpec(dtype=dtype, shape=shape,
                      data_ptr=ctypes.addressof(alive[-1]),
                      data_len=len(data))


def main():
    folder = sys.argv[1]
    serialize_file({
        "bias": tensor("float32", [3], pack("f", [0.5, -1.25, 3e-39])),
        "w\u00e9\"ight": tensor("float32", [2, 3],
                                pack("f", [1, 2, 3, 4, 5, 6])),
    }, f"{folder}/f32.safetensors", {"format": "pt"})
    # 1/3, 1e5 and -2 rounded by hand: 0.333... is 0x3eaaaaab as a float.
    serialize_file({
        "b": tensor("bfloat16", [3], pack("H", [0x3eab, 0x47c3, 0xc000])),
        "h": tensor("float16", [3], pack("H", [0x3555, 0x7bff, 0xc000])),
        "one": tensor("float16", [], pack("e", [1.0])),
    }, f"{folder}/half.safetensors", {"format": "pt"})
    serialize_file({
        "bf16": tensor("bfloat16", [2, 2],
                       pack("H", [0x3f80, 0xc020, 0x7f80, 0x0001])),
        "empty": tensor("float32", [0, 4], b""),
        "f16": tensor("float16", [3], pack("e", [1.5, -2.0, 6e-8])),
        "i64": tensor("int64", [1], pack("q", [-7])),
        "scalar": tensor("float32", [], pack("f", [2.5])),
        "u8": tensor("uint8", [3], b"\x01\x02\x03"),
    }, f"{folder}/mixed.safetensors", None)


if __name__ == "__main__":
    main()
