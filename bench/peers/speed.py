"""What the scripts of PyTorch's side share."""

import torch

from speed_clock import timed, told  # pylint: disable=unused-import


def threads(n):
    """The thread count of every row."""
    torch.set_num_threads(n)


def autocast(kind):
    """f32 as it is, or bf16 where PyTorch's autocast uses it."""
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=kind == "bf16")
