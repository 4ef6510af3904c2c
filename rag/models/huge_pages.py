"""llama.cpp with its weights on huge pages, where the system has them (Linux, `transparent_hugepage` not "never").

Each token reads all the weights, and on pages of 4 kB a processor spends most of that time looking up where they lie,
twice over in a virtual machine: measured in one, a token is written in half of the time with pages of 2 MB.
"""

from __future__ import annotations

import ctypes
import mmap
from contextlib import suppress
from pathlib import Path
from typing import Any

import llama_cpp

_LEAST = 32 << 20
"""Bytes of a piece of memory that is worth it."""
_MAPS = Path("/proc/self/maps")


class HugePagesLlama(llama_cpp.Llama):
    """A Llama that asks for huge pages once there is memory for the weights, before anything is read into it."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "model_params":  # of which Llama's own arguments leave the callback out
            value.progress_callback = _ALLOCATED
        super().__setattr__(name, value)


def _allocated(progress: float, _: object) -> bool:
    """Called as the weights are read; whether to go on."""
    if progress == 0 and hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError, ValueError, AttributeError):  # then the pages are those that they would be
            _advise(mmap.MADV_HUGEPAGE)
    return True


_ALLOCATED = llama_cpp.llama_progress_callback(_allocated)


def _advise(advice: int) -> None:
    """Give advice about the process's large pieces of memory that no file stands behind."""
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for line in _MAPS.read_text(encoding="ascii", errors="replace").splitlines():
        place, access, *_, inode = line.split()[:5]
        start, end = (int(address, 16) for address in place.split("-"))
        if access == "rw-p" and inode == "0" and end - start >= _LEAST:
            advise(start, end - start, advice)
