# SPDX-License-Identifier: GPL-2.0
"""What a stressed guest is like when it is at rest: before, and afterwards."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lab.guest.memory import guest_memory_kib
from lab.guest.vm import Vm
from lab.stress.hardware import Hardware, StressError, wait_until

SYSFS = "/sys/kernel/mm/page_reporting"

# How the tunables are in the beginning; what a kernel does not have is left out.
TUNABLES = (
    "enabled",
    "order",
    "age_ms",
    "max_age_ms",
    "piece_age_ms",
    "consolidate_percent",
    "unbacked_max_kb",
    "unbacked_reserve_percent",
)

# What programs that look at the guest free and take meanwhile.
SMALL_KIB = 4 << 10
# Caches of the kernel for objects of every size grow, and stay: none of that is for
# an event of its own, of which there are hundreds.
CACHES_KIB = 96 << 10
# What is between them cannot be reported.
HOLES_KIB = 192 << 10


@dataclass(frozen=True)
class Level:
    """How much memory there is, is free, and is at the host, all in KiB."""

    total: int
    managed: int
    free: int
    host: int


def numbers(text: str) -> list[int]:
    """Return all numbers of a text."""
    return [int(word) for word in re.findall(r"\d+", text)]


def settle(vm: Vm) -> None:
    """Have the guest let go of what it may let go of, and report all."""
    vm.run("sync; echo 3 >/proc/sys/vm/drop_caches", timeout=600)
    vm.run("echo 1 >/proc/sys/vm/compact_memory", timeout=600)
    vm.try_run(f"echo 1 >{SYSFS}/flush", timeout=600)


def measure(vm: Vm) -> Level:
    """Return what there is now."""
    memory = vm.run("grep -wE 'MemTotal|MemFree' /proc/meminfo", timeout=600)
    total, free = numbers(memory)
    managed = vm.run("awk '/ managed /{ n += $2 } END { print n }' /proc/zoneinfo")
    return Level(total, int(managed) * 4, free, guest_memory_kib(vm.pid))


def read_tunables(vm: Vm) -> dict[str, str]:
    """Return the values of the tunables that there are."""
    files = " ".join(f"{SYSFS}/{name}" for name in TUNABLES)
    found = vm.run(f"grep -H . {files} 2>/dev/null; true").splitlines()
    return dict(line.rsplit("/", 1)[1].split(":", 1) for line in found)


def write_tunables(vm: Vm, values: dict[str, str]) -> None:
    """Set tunables."""
    for name, value in values.items():
        vm.run(f"echo {value} >{SYSFS}/{name}", timeout=600)


def at_rest(vm: Vm) -> bool:
    """Is all reported that is free, but for what is freed while one looks?"""
    pending, isolated = numbers(vm.run(f"cat {SYSFS}/pending_kb {SYSFS}/isolated_kb"))
    return pending <= SMALL_KIB and isolated == 0


def free_lists_agree(vm: Vm) -> bool:
    """Do the lists of free blocks have what the counters of the zones say?"""
    # by one program, which takes little memory between the two
    count = """awk '/^Node .*zone +[^ ]+ +[0-9]/ {
            pages = 1; for (i = 5; i <= NF; i++) { lists += $i * pages; pages *= 2 }
        }
        /nr_free_pages / { zones += $2 }
        END { print lists, zones }' /proc/buddyinfo /proc/zoneinfo"""
    both = vm.run(" ".join(count.split()))
    listed, counted = numbers(both)
    return listed == counted


class Before:
    """The guest before its stress, to which it has to come back."""

    def __init__(self, vm: Vm) -> None:
        self.vm = vm
        self.tunables = read_tunables(vm)
        settle(vm)
        wait_until(lambda: at_rest(vm), "all reported in the beginning")
        self.level = measure(vm)

    def put_back(self, hardware: Hardware) -> None:
        """Undo what events have left."""
        write_tunables(self.vm, self.tunables)
        self.vm.run("echo 0 >/proc/sys/vm/nr_hugepages")
        self.vm.run("stress restore", timeout=600)
        hardware.put_back()

    def wait_back(self) -> Level:
        """Wait until the guest is as it was; return what it is like."""

        def back() -> bool:
            settle(self.vm)
            now, then = measure(self.vm), self.level
            return (
                now.total == then.total
                and now.managed == then.managed
                and now.free >= then.free - CACHES_KIB
                and now.host <= then.host + HOLES_KIB
                and at_rest(self.vm)
                and free_lists_agree(self.vm)
            )

        try:
            wait_until(back, "as it was")
        except StressError as error:
            files = f"{SYSFS}/pending_kb {SYSFS}/isolated_kb"
            lists = "free lists agree" if free_lists_agree(self.vm) else "LISTS DIFFER"
            reported = self.vm.run(f"grep . {files}").split()
            raise StressError(
                f"{error}: {self.level} before, {measure(self.vm)} now, "
                f"{' '.join(reported)}, {lists}"
            ) from None
        return measure(self.vm)
