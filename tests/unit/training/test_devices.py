from __future__ import annotations

import resource

import pytest
import torch

from affectscope.training.devices import (
    DeviceSettings,
    Precision,
    keep_freed_memory,
    make_fabric,
)


@pytest.mark.parametrize(("precision", "half"), [("auto", False), ("fp32", False), ("bf16", True)])
def test_on_a_processor_only_asking_for_bf16_gives_it(precision: Precision, half: bool) -> None:
    with make_fabric(DeviceSettings(precision=precision)).autocast():
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if half else torch.float32)


def test_bf16_rounds_no_signal_or_target_before_a_step_sees_it() -> None:
    given = torch.tensor([1.0001, -0.3])
    fabric = make_fabric(DeviceSettings(precision="bf16"))
    assert torch.equal(fabric.setup_module(torch.nn.Identity())(given), given)


def test_freed_memory_is_used_again() -> None:
    if not keep_freed_memory():
        pytest.skip("this C library has no such option")
    new_pages(96 << 20)
    assert new_pages(64 << 20) < 1000  # of 16384


def new_pages(size: int) -> int:
    """How many pages the system hands out for a tensor of ``size`` bytes that is then freed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    tensor = torch.ones(size // 4)
    assert float(tensor[-1]) == 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
