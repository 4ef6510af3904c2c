"""What the system takes from this process for good, once it asks for that: files, the network, other programs.

Linux does so without a privilege: Landlock (5.13 and newer; https://docs.kernel.org/userspace-api/landlock.html) takes
the files, a seccomp filter the calls. Both are a few system calls, made here with ctypes, as the Python packages for
them are young or no longer kept. Elsewhere there is nothing of the kind; `missing` says so.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
import sysconfig
from contextlib import suppress

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same numbers on every processor
_ASK_VERSION, _ASK_ACTION = 1, 2
_BENEATH = 1
_READ = 1 << 2 | 1 << 3  # files and folders
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
"""How many rights on files each version of Landlock knows; 16 from the fifth on."""
_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050001, 0x80000000  # _REFUSE with EPERM
_PROCESSORS = {
    "x86_64": (0xC000003E, 317, (41, 425, 59, 322, 101, 310, 311, 62)),
    "aarch64": (0xC00000B7, 277, (198, 425, 221, 281, 117, 270, 271, 129)),
}
"""The kernel's number for the processor, that of `seccomp`, and those of the calls that are refused: socket,
io_uring_setup (whose rings open sockets, too), execve, execveat, ptrace, process_vm_readv, process_vm_writev, kill."""
_OTHER_CALLS = 0x40000000
"""From here on, x86_64 numbers the same calls once more (x32)."""


def missing() -> tuple[str, ...]:
    """Of "files" and "network" what `confine` cannot take on this system."""
    return (*(() if _landlock() else ("files",)), *(() if _has_seccomp() else ("network",)))


def confine() -> None:
    """Take from this thread, and all that it starts, what the system can take, for good: every file but Python's own
    library and packages, which it may read; every file's execution; sockets; other processes' memory and signals.

    What is open already stays open. Raises OSError where the system can, and did not.
    """
    if sys.platform != "linux":
        return
    version, has_seccomp = _landlock(), _has_seccomp()
    if version or has_seccomp:
        _prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if version:
        _take_files(version)
    if has_seccomp:
        _take_calls()


def _landlock() -> int:
    """The version of Landlock that the kernel has; 0 where it has none, or does not let us."""
    if sys.platform != "linux":
        return 0
    with suppress(OSError):
        return _system_call(_CREATE_RULESET, 0, 0, _ASK_VERSION)
    return 0


def _has_seccomp() -> bool:
    """Whether the kernel filters system calls, and we know the numbers of this processor's."""
    processor = _PROCESSORS.get(os.uname().machine) if sys.platform == "linux" else None
    if processor is None or sys.maxsize < 2**32:
        return False
    asked = ctypes.c_uint32(_REFUSE & 0xFFFF0000)
    with suppress(OSError):
        _system_call(processor[1], _ASK_ACTION, 0, ctypes.addressof(asked))
        return True
    return False


def _take_files(version: int) -> None:
    handled = (1 << _RIGHTS.get(version, 16)) - 1
    network = 0b11 if version >= 4 else 0  # TCP
    scoped = 0b11 if version >= 6 else 0  # others' abstract sockets, and signals to them
    attributes = ctypes.create_string_buffer(struct.pack("QQQ", handled, network, scoped), 24)
    rules = _system_call(_CREATE_RULESET, ctypes.addressof(attributes), 24, 0)
    # Not `sys.path`: what an installation for development adds to it may hold articles.
    for folder in {sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")}:
        with suppress(FileNotFoundError):
            beneath = os.open(folder, os.O_PATH | os.O_CLOEXEC)
            rule = ctypes.create_string_buffer(struct.pack("=Qi", _READ, beneath), 12)
            _system_call(_ADD_RULE, rules, _BENEATH, ctypes.addressof(rule), 0)
            os.close(beneath)
    _system_call(_RESTRICT_SELF, rules, 0)
    os.close(rules)


def _take_calls() -> None:
    processor, _, refused = _PROCESSORS[os.uname().machine]
    left = len(refused)
    code = [(0x20, 0, 0, 4), (0x15, 0, left + 4, processor)]  # load the processor; another's calls: to _KILL
    code += [(0x20, 0, 0, 0), (0x35, left + 1, 0, _OTHER_CALLS)]  # load the call's number
    code += [(0x15, left - n, 0, number) for n, number in enumerate(refused)]
    code += [(0x06, 0, 0, _ALLOW), (0x06, 0, 0, _REFUSE), (0x06, 0, 0, _KILL)]
    filter_ = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
    program = ctypes.create_string_buffer(struct.pack("HP", len(code), ctypes.addressof(filter_)))
    _prctl(_SET_SECCOMP, _FILTER, ctypes.addressof(program), 0, 0)


def _system_call(number: int, *arguments: int) -> int:
    return _call("syscall", ctypes.c_long, number, *arguments)


def _prctl(*arguments: int) -> None:
    _call("prctl", ctypes.c_int, *arguments)


def _call(name: str, result: type[ctypes.c_long | ctypes.c_int], *arguments: int) -> int:
    """What the C library's function returns; raises OSError where that is an error."""
    function = ctypes.CDLL(None, use_errno=True)[name]
    function.restype = result
    returned: int = function(*map(ctypes.c_long, arguments))
    if returned < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return returned
