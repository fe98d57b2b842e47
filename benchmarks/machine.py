"""What a measurement depends on: processor, threads, versions; and how much memory a call takes."""
# ruff: noqa: INP001  # scripts, never imported by the package

from __future__ import annotations

import ctypes
import os
import platform
import resource
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

_PACKAGES = ("torch", "torchvision", "fvcore", "thop")


def describe(threads: int = 1) -> str:
    """One line a fact; the reader compares like with like."""
    lines = [
        f"processor  {_processor()}, {os.cpu_count()} cores, {threads} thread(s) used",
        f"system     {platform.system()} {platform.release()} {platform.machine()}",
        f"python     {platform.python_version()}",
    ]
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            lines.append(f"{package:<10} {version(package)}")
    return "\n".join(lines)


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown processor"


class Peak:
    """Most resident memory above the start, in bytes, while the block runs.

    Linux resets its high-water mark on request; elsewhere the mark only ever rises, so a small peak
    after a big one shows as 0.
    """

    def __enter__(self) -> Self:
        self.extra_bytes = 0
        with suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(
                0
            )  # freed memory that is kept would hide new memory
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
        self._before = _resident("VmRSS")
        return self

    def __exit__(self, *_: object) -> None:
        self.extra_bytes = max(0, _resident("VmHWM") - self._before)


def _resident(field: str) -> int:
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) * 1024
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def peak_bytes() -> int:
    """Most resident memory that this process ever had."""
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
