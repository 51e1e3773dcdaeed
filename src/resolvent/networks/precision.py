"""How a device computes convolutions fastest."""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["fast_bfloat16", "memory_format"]


def fast_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 matrices faster than float32: a GPU, or a CPU with AMX or AVX512_BF16."""
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # older releases of torch lack it
    on_cpu = any(capabilities.get(each) for each in ("amx_bf16", "avx512_bf16"))
    return device.type == "cuda" or (device.type == "cpu" and on_cpu)


def memory_format(device: torch.device) -> torch.memory_format:
    """Matrix units want channels last; in float32, oneDNN's own blocked layout is faster from contiguous tensors."""
    return torch.channels_last if fast_bfloat16(device) else torch.contiguous_format
