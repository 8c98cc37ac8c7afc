# SPDX-License-Identifier: GPL-2.0
"""What the hardware of a stressed guest does: memory and the balloon go and come."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from lab.base import waiting
from lab.guest.qmp import QmpError
from lab.guest.vm import BALLOON, Guest, Vm
from lab.stress import plan

MIB = 1 << 20
MEMORY_MIB = 3072
MOST_MIB = 2 * 512 + 1024
# Kernel memory stays off what can be taken away: off the modules that are plugged in,
# and off a part of what is there from the start.
APPEND = "memhp_default_state=online_movable movablecore=1G"
MEMORY = f"{MEMORY_MIB}M,slots=4,maxmem={MEMORY_MIB + 2 * MOST_MIB}M"
DISK_MIB = 1024
# Against hanging for ever, on a slow host.
PATIENCE_SECONDS = 300
# How long a guest may try to let go of a memory module.
UNPLUG_SECONDS = 60

BALLOON_BOUND = "ls /sys/bus/virtio/drivers/virtio_balloon | grep -q ^virtio"


class StressError(Exception):
    """Something happened that must not."""


class Refused(Exception):
    """The guest did not do what it may refuse."""


def wait_until(
    condition: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS
) -> None:
    """Wait for a condition."""
    try:
        waiting.wait_until(condition, what, seconds)
    except waiting.WaitError as error:
        raise StressError(str(error)) from None


def succeeds(vm: Guest, command: str) -> bool:
    """Does a command in the guest have the status 0?"""
    return vm.try_run(command, timeout=600).status == 0


def arguments(kinds: Sequence[str]) -> list[str]:
    """Return QEMU's arguments for these kinds of events.

    A disk full of zeros, for the page cache, and memory that can grow.
    """
    disk = f"null-co,node-name=zeros,size={DISK_MIB * MIB},read-zeroes=on"
    words = []
    if "cache" in kinds:
        words += ["-blockdev", disk, "-device", "virtio-blk-pci,drive=zeros"]
    if plan.VIRTIO_MEM.name in kinds:
        words += ["-object", "memory-backend-ram,id=growing,size=1G"]
        words += ["-device", "virtio-mem-pci,id=growth,memdev=growing"]
    return words


class Hardware:
    """Does those events that the guest's own programs cannot do."""

    def __init__(self, vm: Vm) -> None:
        self.vm = vm
        self._do: dict[str, Callable[..., None]] = {
            plan.DIMM.name: self.turn_dimm,
            plan.DEVICE.name: self.replace_balloon,
            plan.INFLATE.name: self.inflate,
            plan.VIRTIO_MEM.name: self.resize,
            plan.SLEEP.name: self.sleep,
        }

    def does(self, kind: str) -> bool:
        """Is this an event of the hardware?"""
        return kind in self._do

    def do(self, event: plan.Event) -> None:
        """Have one event happen."""
        self._do[event.kind](*event.arguments)

    def dimms(self) -> list[str]:
        """Return the memory modules that are plugged in."""
        found = self.vm.qmp.execute("query-memory-devices")
        return [x["data"]["id"] for x in found if x["type"] == "dimm"]

    def turn_dimm(self, dimm: str, mib: str) -> None:
        """Plug a memory module in, or take it out if it is."""
        if dimm in self.dimms():
            self.take_dimm(dimm)
        else:
            # one that went when nobody waited any more
            with suppress(QmpError):
                self._forget_dimm(dimm)
            self.vm.add_dimm(dimm, int(mib))

    def _forget_dimm(self, dimm: str) -> None:
        self.vm.qmp.execute("object-del", {"id": f"ram-{dimm}"})

    def take_dimm(self, dimm: str) -> None:
        """Take a memory module out, if the guest lets go of it."""
        try:
            self.vm.qmp.execute("device_del", {"id": dimm})
        except QmpError as error:
            raise Refused(str(error)) from None
        deadline = time.monotonic() + UNPLUG_SECONDS
        while dimm in self.dimms():
            if self._happened("MEM_UNPLUG_ERROR", device=dimm):
                raise Refused("the guest keeps the module")
            if time.monotonic() > deadline:
                raise Refused("the guest is silent about the module")
            time.sleep(0.2)
        self._forget_dimm(dimm)

    def _happened(self, name: str, **data: str) -> bool:
        try:
            self.vm.qmp.wait_event(name, 0, **data)
        except QmpError:
            return False
        return True

    def replace_balloon(self) -> None:
        """Unplug the balloon, and plug it in again."""
        self.vm.remove_device("balloon", PATIENCE_SECONDS)
        self.vm.add_balloon(BALLOON)
        wait_until(lambda: succeeds(self.vm, BALLOON_BOUND), "a balloon again")

    def inflate(self, mib: str) -> None:
        """Have the balloon take so much memory, in MiB."""
        # the target is what is left of all that there is now
        sizes = self.vm.qmp.execute("query-memory-size-summary")
        target = sizes["base-memory"] + sizes["plugged-memory"] - int(mib) * MIB
        self.vm.qmp.execute("balloon", {"value": target})

    def sleep(self) -> None:
        """Suspend to idle, until the power button is pressed.

        The guest answers nothing meanwhile, so its log has to tell.
        """

        def logged(text: str) -> int:
            return self.vm.console_text().count(text)

        asleep, awake = "Suspending console", "PM: suspend exit"
        nights, mornings = logged(asleep), logged(awake)
        # the shell has to have answered before it is frozen
        self.vm.run("(sleep 5; echo freeze >/sys/power/state) >/dev/null 2>&1 &")
        wait_until(
            lambda: logged(asleep) > nights or logged(awake) > mornings, "it sleeps"
        )

        def pressed() -> bool:
            self.vm.qmp.execute("system_powerdown")
            time.sleep(1)
            return logged(awake) > mornings

        wait_until(pressed, "it wakes")

    def resize(self, mib: str) -> None:
        """Ask for so much memory through virtio-mem."""
        self.vm.qmp.execute(
            "qom-set",
            {
                "path": "/machine/peripheral/growth",
                "property": "requested-size",
                "value": int(mib) * MIB,
            },
        )

    def grown_mib(self) -> int:
        """Return how much memory virtio-mem has given."""
        found = self.vm.qmp.execute("query-memory-devices")
        sizes = [x["data"]["size"] for x in found if x["type"] == "virtio-mem"]
        return int(sum(sizes)) // MIB

    def put_back(self) -> None:
        """Have everything as it was in the beginning."""
        for dimm in self.dimms():
            wait_until(partial(self._is_out, dimm), f"{dimm} out")
        if self.grown_mib():
            self.resize("0")
            wait_until(lambda: not self.grown_mib(), "virtio-mem at 0")
        self.inflate("0")

    def _is_out(self, dimm: str) -> bool:
        try:
            if dimm in self.dimms():
                self.take_dimm(dimm)
        except Refused:
            return False
        return True
