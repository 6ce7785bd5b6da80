"""Starts one program as an ordinary user that ends when its parent ends; a script that needs nothing but Python.

PostgreSQL refuses to run as root, yet a checkout below /root is closed to everybody else: the new user keeps the one
right of looking through folders (an ambient capability, Linux only), and nothing more.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_SET_SECUREBITS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 8, 28, 47, 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE = 2, 1  # containers often have only the second
CAPABILITY_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Set(ctypes.Structure):
    _fields_ = [("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32)]


def become(uid: int, gid: int) -> None:
    """Gives root up for this user, keeping only the right to look through folders where the system allows it."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is not None:
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
        # Only so does access(2), by which PostgreSQL looks for its own parts, count what an ordinary user is granted.
        libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if libc is None:
        return
    for capability in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE):
        sets = (_Set * 2)()
        sets[0].effective = sets[0].permitted = sets[0].inheritable = 1 << capability
        if libc.capset(ctypes.byref(_Header(CAPABILITY_VERSION_3, 0)), sets) == 0:
            libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0)
            return


def end_with(parent: int) -> None:
    """Asks the system for a fast shutdown (SIGINT) of this process the moment its parent is gone (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGINT), 0, 0, 0)
        if os.getppid() != parent:
            sys.exit(1)


def main() -> None:
    """Usage: unprivileged.py UID GID PARENT PROGRAM ARGUMENTS...; UID -1 stays who we are, PARENT 0 outlives it."""
    uid, gid, parent = (int(word) for word in sys.argv[1:4])
    if uid >= 0:
        become(uid, gid)
    if parent:
        end_with(parent)
    # An interrupt ignored by whoever started us would stay ignored over exec, and a fast shutdown is an interrupt.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.umask(0o077)
    os.execv(sys.argv[4], sys.argv[4:])  # noqa: S606


if __name__ == "__main__":
    main()
