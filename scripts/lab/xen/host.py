# SPDX-License-Identifier: GPL-2.0
"""A machine under QEMU that runs Xen: commands in dom0, domains beside it.

QEMU always emulates the processor here.  Xen would need nested virtualisation
for its own guests otherwise, and what it can do is what is tested.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Self

from lab.base.paths import LOGS
from lab.guest.channel import Result
from lab.guest.vm import ACCELERATORS, KERNEL_TROUBLE, QEMU, Guest, Vm, VmError
from lab.xen.image import DOM0, HYPERVISOR, KERNEL


# Under emulation, PV guests die at their first return to user space with
# smap, and their programs get wrong data with xsave.
XEN_ARGUMENTS = (
    "com1=115200,8n1 console=com1 loglvl=all guest_loglvl=all"
    " dom0_max_vcpus=1 smap=0 xsave=0"
)
XL = "/tmp"
# A guard against hanging for ever: with much else to do, the firmware of an HVM
# domain alone takes minutes.
BOOT_SECONDS = 600

# A domain that ends at once never gets a console.
CONSOLE_SECONDS = 60

# What in-domain and timeout, both in dom0, say with their exit status.
ENDED = 254
TIMED_OUT = 143

# How much of its log a domain that failed leaves in the message.
LOG_LINES = 50
ACCOUNT_SECONDS = 10
GENERAL = re.compile(
    r"General information for domain (\d+):\s.*?nr_pages=(\d+)", re.DOTALL
)
KINDS = ("pv", "pvh", "hvm")
# They boot in seconds; the firmware and devices of the other one take half a minute.
QUICK_KINDS = ("pv", "pvh")

# The state of a domain with hardware virtualisation at its end, if that has an address
# of Xen: the emulator has not changed from the one to the other.  A PVH domain with
# one processor ends like this once in many tests.
EMULATION_FAULT = re.compile(
    r"^\(XEN\) RIP: +\w+:\[<ffff82d\w+>\]\s+\(XEN\) .*CONTEXT: hvm guest", re.MULTILINE
)

# What an HVM domain has besides: a device model, with as little as can be.
HVM_SETTINGS = ("vnc=0", 'vga="none"', "nographic=1")


@dataclass(frozen=True)
class Account:
    """Where the memory of the machine is: pages by domain, and what is free."""

    pages: dict[int, int]
    free_kib: int


class XenHost(Vm):
    """Xen with dom0: what runs in the guest of the base class runs in dom0."""

    def __init__(
        self,
        *,
        name: str,
        memory: str = "2G",
        cpus: int = 2,
        dom0_mib: int = 512,
        dom0_max_mib: int | None = None,
        balloon: str | None = None,
        append: str = "",
    ) -> None:
        self._dom0_memory = f"{dom0_mib}M,max:{dom0_max_mib or dom0_mib}M"
        self._emulation_faults = 0
        super().__init__(
            HYPERVISOR,
            name=name,
            accel="tcg",
            memory=memory,
            cpus=cpus,
            balloon=balloon,
            append=append,
        )

    def machine(
        self, kernel: Path, accel: str, memory: str, cpus: int, append: str
    ) -> list[str]:
        """Return the QEMU command: the kernel and dom0 are modules of Xen."""
        if not DOM0.exists():
            raise VmError(f"{DOM0} does not exist: run 'make xen-image' first")
        if "," in append:
            raise VmError(f"{append!r}: QEMU takes a comma for the end of a module")
        return [
            QEMU, "-nodefaults", "-no-user-config", "-no-reboot",
            "-machine", "q35", "-cpu", "max", *ACCELERATORS[accel],
            "-m", memory, "-smp", str(cpus), "-kernel", str(kernel),
            "-append", f"{XEN_ARGUMENTS} dom0_mem={self._dom0_memory}",
            "-initrd", f"{KERNEL} console=hvc0 panic=-1 {append},{DOM0}",
        ]  # fmt: skip

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def domain(
        self, name: str, kind: str, *, mib: int = 256, cpus: int = 1,
        append: str = "", settings: Sequence[str] = (),
    ) -> Domain:
        """Create a domain and wait until it takes commands."""
        domain = Domain(self, name, kind)
        domain.configure(mib, cpus, append, settings)
        domain.create()
        try:
            domain.connect()
        except VmError:
            # Its name and memory are wanted by the next one.
            domain.destroy()
            raise
        return domain

    def id(self) -> int:
        """Return the number of dom0 among the domains."""
        return 0

    def emulation_failed(self) -> bool:
        """Tell whether a domain has ended by the emulator's fault, since last asked."""
        before = self._emulation_faults
        self._emulation_faults = len(EMULATION_FAULT.findall(self.console_text()))
        return self._emulation_faults > before

    def free_mib(self) -> int:
        """Return the memory that Xen has to give, as `xl info` shows it."""
        return int(self.run("xl info | sed -n 's/^free_memory *: //p'"))

    def account(self) -> Account:
        """Ask Xen for its counts; unlike those of xl, they are not rounded."""
        start = len(self.console_text())
        self.run("xl debug-keys q && xl debug-keys m")
        deadline = time.monotonic() + ACCOUNT_SECONDS
        while time.monotonic() < deadline:
            text = self.console_text()[start:]
            free = re.search(r"Dom heap: (\d+)kB free", text)
            if free:
                pages = GENERAL.findall(text)
                return Account({int(d): int(n) for d, n in pages}, int(free[1]))
            time.sleep(0.1)
        raise VmError(f"{self.name}: Xen does not tell what memory it has")


class Domain(Guest):
    """A domain beside dom0."""

    def __init__(self, host: XenHost, name: str, kind: str) -> None:
        if kind not in KINDS:
            raise VmError(f"{kind!r} is not one of {', '.join(KINDS)}")
        self.host = host
        self.name = name
        self.kind = kind
        self._id = -1
        self._tty = ""

    @property
    def config(self) -> str:
        """The name of its configuration in dom0."""
        return f"{XL}/{self.name}.cfg"

    def configure(
        self, mib: int, cpus: int, append: str, settings: Sequence[str]
    ) -> None:
        """Write its configuration; @settings are further lines of it."""
        lines = {
            "type": self.kind,
            "name": self.name,
            "kernel": "/boot/bzImage" if self.kind == "hvm" else "/boot/vmlinux",
            "ramdisk": "/boot/initramfs.gz",
            "extra": f"console=hvc0 lab.channel=hvc0 panic=-1 {append}".strip(),
            "on_crash": "destroy",
            "on_reboot": "destroy",
            # Reading the time stamp counter traps otherwise, and hangs here.
            "tsc_mode": "native",
        }
        text = [f'{key}="{value}"' for key, value in lines.items()]
        text += [f"memory={mib}", f"vcpus={cpus}", *settings]
        if self.kind == "hvm":
            text += HVM_SETTINGS
        quoted = " ".join(map(shlex.quote, text))
        self.host.run(f"printf '%s\\n' {quoted} >{self.config}")

    def create(self, options: str = "") -> None:
        """Create it, for example paused with -p."""
        self.host.run(f"xl create {options} {self.config}", timeout=BOOT_SECONDS)

    def connect(self) -> None:
        """Wait until the domain takes commands."""
        self.identify()
        waited = self.host.try_run(
            f"timeout {BOOT_SECONDS} in-domain {self._tty}", BOOT_SECONDS + 10
        )
        if waited.status == TIMED_OUT:
            self._fail(f"did not boot within {BOOT_SECONDS} s")
        if waited.status:
            self._fail("ended while it booted")

    def identify(self) -> None:
        """Find out its number and its console, which are new after a restore."""
        self._id = int(self.host.run(f"xl domid {self.name}"))
        node = f"/local/domain/{self._id}/console/tty"
        wait = f"until xenstore-read {node} 2>/dev/null; do usleep 100000; done"
        found = self.host.try_run(f"timeout {CONSOLE_SECONDS} sh -c '{wait}'")
        if found.status:
            self._fail("has no console")
        self._tty = found.output

    @property
    def log(self) -> str:
        """Where dom0 keeps what the domain has printed."""
        return f"/var/log/xen/guest-{self.name}.log"

    def id(self) -> int:
        """Return its number."""
        return self._id

    def try_run(self, command: str, timeout: float = 60) -> Result:
        """Run a shell command in the domain, whatever its exit status."""
        seconds = int(timeout)
        result = self.host.try_run(
            f"timeout {seconds} in-domain {self._tty} {shlex.quote(command)}",
            seconds + 10,
        )
        if result.status == TIMED_OUT:
            self._fail(f"did not answer {command!r}")
        if result.status == ENDED:
            self._fail(f"ended during {command!r}, which said {result.output!r}")
        return result

    def keep_log(self) -> Path:
        """Copy what the domain has printed, and Xen about it, to build/logs."""
        path = LOGS / f"{self.host.name}-{self.name}.log"
        printed = self.host.try_run(f"cat {self.log}").output.splitlines()
        # But not that it looked at the state of an HVM domain's devices.
        about = re.compile(rf"\(XEN\)(?!.* save: ).*\b[dD](omain |om)?{self._id}\b")
        said = filter(about.search, self.host.console_text().splitlines())
        path.write_text("".join(f"{line}\n" for line in (*printed, *said)))
        return path

    def _fail(self, what: str) -> NoReturn:
        path = self.keep_log()
        lines = path.read_text().splitlines()[-LOG_LINES:]
        tail = "\n".join(f"    {line}" for line in lines)
        raise VmError(f"domain {self.name} {what}\nlast lines of {path}:\n{tail}")

    def pages(self) -> int:
        """Return how many pages the domain has, as Xen counts them."""
        return self.host.account().pages[self.id()]

    def trouble(self) -> list[str]:
        """Return the messages in which the domain's kernel complains."""
        found = self.try_run(f"dmesg | grep -E {shlex.quote(KERNEL_TROUBLE.pattern)}")
        return found.output.splitlines()

    def destroy(self) -> None:
        """End the domain, if it still runs; it gets no chance to object."""
        gone = f"xl domid {self.name} >/dev/null 2>&1 || exit 0"
        self.host.run(f"{gone}; xl destroy {self.name}")
