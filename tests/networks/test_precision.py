"""Which devices compute in bfloat16."""

import pytest
import torch

from resolvent.networks.precision import fast_bfloat16, memory_format


@pytest.mark.parametrize("emulated", [False, True])
@pytest.mark.parametrize("hardware", [False, True])
def test_a_gpu_that_emulates_bfloat16_computes_in_float32(hardware, emulated, monkeypatch):
    """As torch says of GPUs before Ampere: supported, but by emulation, which is slower than float32."""

    def supported(including_emulation=True):
        return hardware or (emulated and including_emulation)

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    device = torch.device("cuda")
    assert fast_bfloat16(device) is hardware
    assert memory_format(device) == (torch.channels_last if hardware else torch.contiguous_format)


@pytest.mark.parametrize(
    ("capabilities", "fast"), [({}, False), ({"avx512_bf16": True}, False), ({"amx_bf16": True}, True)]
)
def test_a_cpu_needs_matrix_units(capabilities, fast, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert fast_bfloat16(torch.device("cpu")) is fast
    assert not fast_bfloat16(torch.device("meta"))
