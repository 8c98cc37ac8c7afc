# SPDX-License-Identifier: GPL-2.0
"""Chooses between hardware virtualisation (KVM) and emulation (TCG).

/dev/kvm may exist and guests may hang on it all the same, so KVM is used only
after a small guest has really booted with it.  The answer is kept in build/ for
as long as the host does not reboot.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from lab.base.paths import BUILD, locked
from lab.guest.channel import ChannelError
from lab.guest.vm import Vm, VmError

PROBE_SECONDS = 15
CACHE = BUILD / "accel.json"
CHOICES = ("kvm", "tcg")


def choose(kernel: Path) -> str:
    """Return "kvm" or "tcg"; PR_ACCEL in the environment decides if set."""
    wanted = os.environ.get("PR_ACCEL", "")
    if wanted:
        if wanted not in CHOICES:
            raise VmError(f"PR_ACCEL={wanted} is not one of {', '.join(CHOICES)}")
        return wanted
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    with locked("accel"):
        if CACHE.exists():
            cached = json.loads(CACHE.read_text())
            if cached["boot"] == boot:
                return str(cached["accel"])
        usable = os.access("/dev/kvm", os.R_OK | os.W_OK) and probe(kernel)
        accel = "kvm" if usable else "tcg"
        CACHE.write_text(json.dumps({"boot": boot, "accel": accel}) + "\n")
        return accel


def probe(kernel: Path) -> bool:
    """Tell whether a small guest boots with KVM."""
    print(f"Trying whether a guest boots with KVM (at most {PROBE_SECONDS} s) ...",
          flush=True)
    guest = Vm(kernel, name="probe-kvm", accel="kvm", memory="256M", cpus=1,
               balloon=None)
    try:
        guest.start()
        guest.channel.wait_ready(PROBE_SECONDS)
    except (VmError, ChannelError):
        print("It does not: guests are emulated (TCG).", flush=True)
        return False
    finally:
        guest.stop()
    print("It does: guests use KVM.", flush=True)
    return True
