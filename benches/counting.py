"""Instructions that this process executes, counted by the processor: the same on a busy machine.

Linux only, where the kernel lets a process count its own; elsewhere there is no counter, and time
has to do.
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import struct
import sys
from collections.abc import Callable

__all__ = ["counter"]

SYSCALL = {"x86_64": 298, "aarch64": 241}
HARDWARE, INSTRUCTIONS = 0, 1
SIZE = 64
# Not the kernel's, not a hypervisor's: page faults and interrupts are none of ours.
EXCLUDE_KERNEL, EXCLUDE_HYPERVISOR = 1 << 5, 1 << 6


@functools.cache  # the processor has few of them
def counter() -> Callable[[], int] | None:
    """Return a function that reads the count so far, None where nothing can be counted."""
    number = SYSCALL.get(platform.machine())
    if sys.platform != "linux" or number is None:
        return None
    flags = EXCLUDE_KERNEL | EXCLUDE_HYPERVISOR
    attributes = struct.pack("<IIQQQQQ", HARDWARE, SIZE, INSTRUCTIONS, 0, 0, 0, flags)
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(attributes.ljust(SIZE, b"\0"), SIZE)
    file = libc.syscall(number, buffer, 0, -1, -1, 0)
    if file < 0:
        return None

    def read() -> int:
        return int(struct.unpack("<Q", os.read(file, 8))[0])

    return read if read() > 0 else None
