"""Where a training runs: Lightning Fabric, set up for one processor, one GPU, or several."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.precision import MixedPrecision
    from lightning_fabric.strategies.ddp import DDPStrategy

Accelerator = Literal["auto", "cpu", "gpu"]
Precision = Literal["auto", "fp32", "bf16"]
Strategy = Literal["auto", "ddp", "ddp_spawn", "ddp_fork"]

_STARTS: dict[Strategy, Literal["popen", "spawn", "fork"]] = {
    "auto": "popen",
    "ddp": "popen",
    "ddp_spawn": "spawn",
    "ddp_fork": "fork",
}

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Numbers of glibc's malloc.h: how much free memory is kept, and which pieces never are."""
_MOST = (1 << 31) - 1
"""Bytes."""


@dataclass(frozen=True)
class DeviceSettings:
    """The machine's part of a training.

    Attributes:
        accelerator: "auto" takes a GPU where there is one.
        devices: how many take part; more than one train by DDP (``ddp``).
        precision: "fp32", or "bf16": bfloat16 where it is exact enough; on a processor that is the
            face encoder alone. "auto" is bf16 on a GPU, fp32 on a processor.
        strategy: how the processes of several devices start: "auto" and "ddp" run the program
            again, "ddp_spawn" and "ddp_fork" start what is launched.
    """

    accelerator: Accelerator = "cpu"
    devices: int = 1
    precision: Precision = "auto"
    strategy: Strategy = "auto"


def make_fabric(settings: DeviceSettings | None = None) -> Fabric:
    """Fabric for the settings; with several devices the caller launches it."""
    import torch
    from lightning_fabric import Fabric

    settings = settings or DeviceSettings()
    on_gpu = settings.accelerator != "cpu" and torch.cuda.is_available()
    automatic: Precision = "bf16" if on_gpu else "fp32"
    precision = automatic if settings.precision == "auto" else settings.precision
    keep_freed_memory()
    return Fabric(
        accelerator="gpu" if on_gpu else "cpu",
        devices=settings.devices,
        plugins=_mixed("cuda" if on_gpu else "cpu") if precision == "bf16" else None,
        strategy=_ddp(settings) if settings.devices > 1 else "auto",
    )


def _mixed(device: str) -> MixedPrecision:
    """Fabric's bf16, which would round signals and targets too before a step sees them."""
    from lightning_fabric.plugins.precision import MixedPrecision

    class Bfloat16(MixedPrecision):
        def convert_input(self, data: Any) -> Any:
            return data

    return Bfloat16("bf16-mixed", device)


def keep_freed_memory() -> bool:
    """Have the C library keep freed memory for the next step; false where it cannot.

    glibc gives a large tensor's pages back to the system at once, which clears each of them anew
    for the next tensor: up to a sixth of a training step.
    """
    if not sys.platform.startswith("linux"):
        return False
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is None:
        return False
    options = ((_MMAP_THRESHOLD, _MOST), (_TRIM_THRESHOLD, _MOST))
    return all(set_option(option, value) for option, value in options)


def _ddp(settings: DeviceSettings) -> DDPStrategy:
    """One device may see no face where the other sees some: its face encoder gets no gradient.

    Without ``find_unused_parameters`` both then wait for each other for ever.
    """
    from lightning_fabric.strategies.ddp import DDPStrategy

    return DDPStrategy(start_method=_STARTS[settings.strategy], find_unused_parameters=True)
