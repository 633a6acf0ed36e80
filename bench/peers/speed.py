"""What the scripts that are measured against Plumb share."""

import statistics
import sys
import time

import torch


def threads(n):
    """The thread count of every row."""
    torch.set_num_threads(n)
    torch.set_grad_enabled(True)


def autocast(kind):
    """f32 as it is, or bf16 where PyTorch's autocast uses it."""
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=kind == "bf16")


def told(seconds, formats):
    """The figure, as bench/versus.c reads it."""
    print("formats", formats)
    print(f"seconds {statistics.median(seconds):.6f}")
    sys.stdout.flush()


def timed(step, runs, warm=1):
    """Seconds of each run of step() after `warm` that do not count."""
    seconds = []
    for i in range(warm + runs):
        begin = time.perf_counter()
        step()
        if i >= warm:
            seconds.append(time.perf_counter() - begin)
    return seconds
