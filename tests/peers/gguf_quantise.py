# SPDX-License-Identifier: MIT
"""Records what the `gguf` package makes of numbers, for tests/gguf/blocks_test.cpp.

Dated 2026-11-30, with gguf 0.19.0 and numpy 2.4.6:
    pip install gguf==0.19.0
    python tests/peers/gguf_quantise.py tests/golden/gguf/blocks.gguf

The file is written by the package itself, so that it also tests our reader. It holds
    x              numbers in F32, a row of 256 for each kind that is hard to round;
    x.TYPE         the same, quantised by the package (F16, BF16, Q8_0, Q4_0, Q5_0, Q4_1, Q5_1);
    y.TYPE         blocks of random bits (Q4_K, Q5_K, Q6_K), which the package only reads;
    x.TYPE.read, y.TYPE.read   what the package reads out of them, in F32.
"""
import sys

import gguf
import numpy as np

TYPES = gguf.GGMLQuantizationType


def numbers():
    rng = np.random.default_rng(20261130)
    rows = [rng.standard_normal(256) * scale for scale in (1e-30, 1e-7, 3e-3, 1.0, 50.0, 2e4)]
    rows.append(np.zeros(256))
    rows.append(-np.zeros(256))
    rows.append(np.tile([1.0, -1.0], 128))  # the first of two equal extremes counts
    rows.append(np.tile([-1.0, 1.0], 128))
    rows.append((rng.integers(-127, 128, 256) + 0.5 * rng.integers(0, 2, 256)) / 127)  # ties
    rows.append(rng.integers(-16, 17, 256) / 16.0)
    lonely = np.zeros(256)
    lonely[::32] = 7.25
    rows.append(lonely)
    rows.append(np.abs(rng.standard_normal(256)))  # of one sign
    rows.append(-np.abs(rng.standard_normal(256)) - 3)
    rows.append(np.float32(2.0) ** rng.integers(-26, 16, 256))  # F16's small numbers, and its last
    return np.array(rows, dtype=np.float32)


def random_blocks(rows, blocks, block_bytes, halves):
    """Random bits; the F16 at the byte offsets `halves` are finite and of moderate size."""
    rng = np.random.default_rng(7)
    out = rng.integers(0, 256, (rows, blocks, block_bytes), dtype=np.uint8)
    for at in halves:
        scale = rng.standard_normal((rows, blocks)).astype(np.float16) / np.float16(8)
        out[:, :, at : at + 2] = scale.view(np.uint8).reshape(rows, blocks, 2)
    return out.reshape(rows, blocks * block_bytes)


def main(path):
    writer = gguf.GGUFWriter(path, "blocks")
    writer.add_description("numbers and their blocks")
    writer.add_array("blocks.words", ["one", "zwei", "\u4e09"])
    writer.add_array("blocks.counts", [1, -2, 3])
    x = numbers()
    writer.add_tensor("x", x)
    for kind in (TYPES.F16, TYPES.BF16, TYPES.Q8_0, TYPES.Q4_0, TYPES.Q5_0, TYPES.Q4_1, TYPES.Q5_1):
        data = gguf.quantize(x, kind)
        writer.add_tensor(f"x.{kind.name}", data, raw_dtype=kind)
        writer.add_tensor(f"x.{kind.name}.read", gguf.dequantize(data, kind))
    for kind, size, halves in ((TYPES.Q4_K, 144, (0, 2)), (TYPES.Q5_K, 176, (0, 2)),
                               (TYPES.Q6_K, 210, (208,))):
        data = random_blocks(4, 2, size, halves)
        writer.add_tensor(f"y.{kind.name}", data, raw_dtype=kind)
        writer.add_tensor(f"y.{kind.name}.read", gguf.dequantize(data, kind))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main(sys.argv[1])
