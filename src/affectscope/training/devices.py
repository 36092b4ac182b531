"""Where a training runs: Lightning Fabric, set up for one processor, one GPU, or several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Accelerator = Literal["auto", "cpu", "gpu"]


@dataclass(frozen=True)
class DeviceSettings:
    """The machine's part of a training.

    Attributes:
        accelerator: "auto" takes a GPU where there is one.
        devices: how many take part; more than one train by DDP.
        mixed_precision: bfloat16 where it is exact enough, on a GPU only.
        strategy: Fabric's name of how several devices are started.
    """

    accelerator: Accelerator = "cpu"
    devices: int = 1
    mixed_precision: bool = True
    strategy: str = "auto"


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
        strategy=settings.strategy,
    )
