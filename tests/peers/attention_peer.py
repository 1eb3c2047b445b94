# SPDX-License-Identifier: MIT
"""What PyTorch's attention back ends do with MLA's training shape on this machine.

python3 tests/peers/attention_peer.py [SEQUENCES HEADS LENGTH]

Causal, queries and keys of 192, values of 128, BF16. Operations counted as in
tests/kernels/attention_gpu_main.cu: forward 2 (192 + 128) S^2 / 2 per head and sequence, backward
2 (3 * 192 + 2 * 128) S^2 / 2. CUDA events, median, three rotating sets of random inputs.
"""
import statistics
import sys

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

B, H, S = (int(x) for x in sys.argv[1:4]) if len(sys.argv) > 3 else (4, 16, 4096)
PAIRS = 0.5 * S * S * B * H
FORWARD, BACKWARD = 2 * (192 + 128) * PAIRS, 2 * (3 * 192 + 2 * 128) * PAIRS


def median_ms(run, repeats=30):
    times = []
    for i in range(repeats + 5):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        run(i)
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return statistics.median(times[5:])


def tensors(d):
    # (batch, length, heads, d) in memory, as a model has it
    return [torch.randn(B, S, H, d, device="cuda", dtype=torch.bfloat16).transpose(1, 2)
            .requires_grad_() for _ in range(3)]


def main():
    q, k, v = tensors(192), tensors(192), tensors(128)
    grad = torch.randn(B, S, H, 128, device="cuda", dtype=torch.bfloat16).transpose(1, 2)
    print(torch.cuda.get_device_name(), "PyTorch", torch.__version__, "cuDNN",
          torch.backends.cudnn.version())
    for backend in (SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION,
                    SDPBackend.EFFICIENT_ATTENTION):
        try:
            with sdpa_kernel(backend):
                def forward(i):
                    return scaled_dot_product_attention(q[i % 3], k[i % 3], v[i % 3],
                                                        is_causal=True)
                repeats = 30 if backend is SDPBackend.CUDNN_ATTENTION else 5
                with torch.no_grad():
                    ms = median_ms(forward, repeats)
                outs = [forward(i) for i in range(3)]

                def backward(i):
                    torch.autograd.grad(outs[i % 3], (q[i % 3], k[i % 3], v[i % 3]), grad,
                                        retain_graph=True)
                back = median_ms(backward, repeats)
            print(f"{backend.name}: forward {ms:.3f} ms {FORWARD / ms * 1e-9:.1f} TFLOP/s, "
                  f"backward {back:.3f} ms {BACKWARD / back * 1e-9:.1f} TFLOP/s")
        except RuntimeError as error:
            print(f"{backend.name}: {str(error).splitlines()[0]}")


main()
