"""On what machine figures were measured, and how quickly the program starts on it."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from measured_command import children_seconds

_PACKAGES = ("affectscope", "torch", "openvino", "onnxruntime", "av", "mediapipe", "numpy")
_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
_STARTS = {
    "python -c pass": ["-c", "pass"],
    'python -c "import affectscope"': ["-c", "import affectscope"],
    "affectscope --help": ["-m", "affectscope", "--help"],
    "affectscope assess --help": ["-m", "affectscope", "assess", "--help"],
}


def machine() -> dict[str, Any]:
    """Processor, memory and versions; nothing that names the machine."""
    stated = _processor()
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": stated.get("model name", platform.machine()),
        "cores": len(os.sched_getaffinity(0)),
        "instructions": [flag for flag in _FLAGS if flag in stated.get("flags", "").split()],
        "memory_gb": round(pages / 1e9),
        "python": platform.python_version(),
        "versions": {name: found for name in _PACKAGES if (found := _version(name))},
    }


def _processor() -> dict[str, str]:
    """The first processor of /proc/cpuinfo."""
    path = Path("/proc/cpuinfo")
    first = path.read_text().split("\n\n")[0] if path.exists() else ""
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def start_figures(times: int) -> dict[str, dict[str, float]]:
    """Seconds from a command's start to its end: the median of so many, the longest, and the median
    of the processor's."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in _STARTS}
    for turn in range(times + 1):
        for name, arguments in _STARTS.items():  # in turns: a busy moment then hits them all
            began, cpu_began = time.perf_counter(), children_seconds()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            if turn:  # the first fills the disk's cache
                seconds = time.perf_counter() - began
                found[name].append((seconds, children_seconds() - cpu_began))
    figures = {}
    for name, each in found.items():
        figures[name] = {
            "median": round(statistics.median(seconds for seconds, _ in each), 3),
            "longest": round(max(seconds for seconds, _ in each), 3),
            "cpu": round(statistics.median(cpu for _, cpu in each), 3),
        }
    return figures
