"""Where a training runs: Lightning Fabric, set up for one processor, one GPU, or several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from lightning_fabric.strategies.ddp import DDPStrategy

Accelerator = Literal["auto", "cpu", "gpu"]
Strategy = Literal["auto", "ddp", "ddp_spawn", "ddp_fork"]

_STARTS: dict[Strategy, Literal["popen", "spawn", "fork"]] = {
    "auto": "popen",
    "ddp": "popen",
    "ddp_spawn": "spawn",
    "ddp_fork": "fork",
}


@dataclass(frozen=True)
class DeviceSettings:
    """The machine's part of a training.

    Attributes:
        accelerator: "auto" takes a GPU where there is one.
        devices: how many take part; more than one train by DDP (``ddp``).
        mixed_precision: bfloat16 where it is exact enough, on a GPU only.
        strategy: how the processes of several devices start: "auto" and "ddp" run the program
            again, "ddp_spawn" and "ddp_fork" start what is launched.
    """

    accelerator: Accelerator = "cpu"
    devices: int = 1
    mixed_precision: bool = True
    strategy: Strategy = "auto"


def make_fabric(settings: DeviceSettings | None = None) -> Fabric:
    """Fabric for the settings; with several devices the caller launches it."""
    import torch
    from lightning_fabric import Fabric

    settings = settings or DeviceSettings()
    on_gpu = settings.accelerator != "cpu" and torch.cuda.is_available()
    return Fabric(
        accelerator="gpu" if on_gpu else "cpu",
        devices=settings.devices,
        precision="bf16-mixed" if on_gpu and settings.mixed_precision else "32-true",
        strategy=_ddp(settings) if settings.devices > 1 else "auto",
    )


def _ddp(settings: DeviceSettings) -> DDPStrategy:
    """One device may see no face where the other sees some: its face encoder gets no gradient.

    Without ``find_unused_parameters`` both then wait for each other for ever.
    """
    from lightning_fabric.strategies.ddp import DDPStrategy

    return DDPStrategy(start_method=_STARTS[settings.strategy], find_unused_parameters=True)
