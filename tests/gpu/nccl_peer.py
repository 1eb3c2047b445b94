# SPDX-License-Identifier: MIT
"""Rates of PyTorch's collectives, as nccl_suite bandwidth prints them: one process for each GPU,
started with RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT."""
import json
import os
import time

import torch
import torch.distributed as dist

rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
dist.init_process_group("nccl", device_id=torch.device("cuda", int(os.environ["LOCAL_RANK"])))
others = (size - 1) / size
MOST = 256 << 20
a = torch.zeros(size * MOST // 4, device="cuda")
b = torch.zeros(size * MOST // 4, device="cuda")


def seconds_of(turns, call):
    for _ in range(5):
        call()
    torch.cuda.synchronize()
    dist.barrier()
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(turns):
        call()
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / turns


def tell(name, size_bytes, seconds, moved):
    if rank == 0:
        print(json.dumps({"by": "torch", "op": name, "bytes_a_peer": size_bytes,
                          "us": round(1e6 * seconds, 1), "gb_s": round(moved / seconds / 1e9, 1)}),
              flush=True)


size_bytes = 1 << 20
while size_bytes <= MOST:
    share = size_bytes // 4
    total = size_bytes * size
    turns = 20 if size_bytes >= 64 << 20 else 50
    x, y = a[:share * size], b[:share * size]
    tell("all_to_all", size_bytes, seconds_of(turns, lambda: dist.all_to_all_single(y, x)),
         total * others)
    tell("all_reduce", size_bytes, seconds_of(turns, lambda: dist.all_reduce(x)),
         2 * total * others)
    tell("all_gather", size_bytes,
         seconds_of(turns, lambda: dist.all_gather_into_tensor(y, x[:share])), total * others)
    tell("reduce_scatter", size_bytes,
         seconds_of(turns, lambda: dist.reduce_scatter_tensor(y[:share], x)), total * others)
    size_bytes *= 4
one = a[:1]
tell("all_reduce of one number", 4, seconds_of(200, lambda: dist.all_reduce(one)), 4)
dist.destroy_process_group()
