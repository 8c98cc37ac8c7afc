#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Benchmarks on Xen: what giving and taking costs, how many domains fit.

Writes build/report/xen.json.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab.demo import REPORT, first_line
from lab.vm import QEMU, Guest, VmError
from lab.xen_host import KINDS, Domain, XenHost

MEMORY = "2G"
DOM0_MIB = 512
DOMAIN_MIB = 256
USED_MIB = 128
SETTLE_SECONDS = 60

SYSFS = "/sys/kernel/mm/page_reporting"
SWITCH = "/sys/module/kernel/parameters/xen_page_reporting"
TRACING = "/sys/kernel/tracing"
BLOCK_KIB = 2048
KIB_PER_PAGE = 4

# Adds up the tracepoints: KiB and nanoseconds of giving and of taking.
TOTALS = (
    "awk '{ split(\"\", f); for (i = 1; i <= NF; i++) { split($i, w, \"=\");"
    " f[w[1]] = w[2] } }"
    " /page_reporting_batch:/ { gk += f[\"kb\"]; gn += f[\"ns\"] }"
    f" /page_reporting_restore:/ {{ tk += f[\"pages\"] * {KIB_PER_PAGE};"
    " tn += f[\"ns\"] }"
    f" END {{ printf \"%.0f %.0f %.0f %.0f\\n\", gk, gn, tk, tn }}' {TRACING}/trace"
)

Result = dict[str, float | int]


@dataclass(frozen=True)
class Cost:
    """What was given and taken, and the time that it took."""

    given_kib: int
    given_ns: int
    taken_kib: int
    taken_ns: int

    def result(self) -> Result:
        """Return it for one block."""
        return {
            "given_mib": self.given_kib >> 10,
            "give_us": us_per_block(self.given_kib, self.given_ns),
            "taken_mib": self.taken_kib >> 10,
            "take_us": us_per_block(self.taken_kib, self.taken_ns),
        }


def us_per_block(kib: int, ns: int) -> float:
    """Return the microseconds for 2 MiB."""
    if not kib:
        raise VmError("nothing was given or taken while it was measured")
    return round(ns / 1000 * BLOCK_KIB / kib, 1)


def settle(guest: Guest) -> int:
    """Wait until a guest has given away what it can; return that in KiB."""
    deadline = time.monotonic() + SETTLE_SECONDS
    before, held = -1, 0
    while held != before:
        if time.monotonic() > deadline:
            raise VmError(f"{guest.name}: still gives memory away")
        time.sleep(2)
        before, held = held, int(guest.read(f"{SYSFS}/held_kb"))
    return held


def measure(guest: Guest) -> Result:
    """Give memory away and take it back."""
    guest.run(f"echo 1 >{TRACING}/events/page_reporting/enable")
    guest.write(SWITCH, "on")
    settle(guest)
    guest.run(f"touch-free -p 4k {USED_MIB}", timeout=120)
    guest.write(SWITCH, "off")
    guest.run(f"echo 0 >{TRACING}/events/page_reporting/enable")
    return Cost(*map(int, guest.run(TOTALS).split())).result()


def costs(host: XenHost) -> dict[str, Result]:
    """Measure a domain of each kind, and dom0."""
    results = {}
    for kind in KINDS:
        domain = host.domain("cost", kind, mib=DOMAIN_MIB)
        results[kind] = measure(domain)
        domain.destroy()
        print(f"cost of 2 MiB, {kind}: {results[kind]}", flush=True)
    results["dom0"] = measure(host)
    print(f"cost of 2 MiB, dom0: {results['dom0']}", flush=True)
    return results


def fill(host: XenHost, state: str) -> list[Domain]:
    """Start domains until no further one fits."""
    domains: list[Domain] = []
    while host.free_mib() > DOMAIN_MIB:
        name = f"{state}{len(domains) + 1}"
        domain = Domain(host, name, "pvh")
        domain.configure(DOMAIN_MIB, 1, f"xen_page_reporting={state}", ())
        try:
            domain.create()
        except VmError:
            # Xen needs some memory beside that of the domain.
            break
        domain.connect()
        domains.append(domain)
        if state == "on":
            settle(domain)
        print(f"    {len(domains)} domains, {host.free_mib()} MiB left", flush=True)
    return domains


def density(host: XenHost, state: str) -> Result:
    """Count the idle domains that fit; each must work, one after the other."""
    print(f"domains of {DOMAIN_MIB} MiB, reporting {state}:", flush=True)
    domains = fill(host, state)
    for domain in domains:
        domain.run(f"touch-free {USED_MIB}", timeout=120)
    free = host.free_mib()
    for domain in domains:
        domain.destroy()
    return {"domains": len(domains), "free_mib": free}


def main() -> int:
    """Entry point of `make bench-xen`."""
    try:
        with XenHost(name="bench-xen", memory=MEMORY, dom0_mib=DOM0_MIB) as host:
            report = {
                "host": {"kernel": platform.release(), "cpus": os.cpu_count()},
                "qemu": first_line(QEMU, "--version"),
                "xen": host.run("xl info xen_version || true").splitlines()[-1],
                "memory": MEMORY,
                "dom0_mib": DOM0_MIB,
                "domain_mib": DOMAIN_MIB,
                "used_mib": USED_MIB,
                "cost_of_2_mib": costs(host),
                "density": {state: density(host, state) for state in ("off", "on")},
            }
    except VmError as error:
        print(f"bench-xen: {error}", file=sys.stderr)
        return 1
    REPORT.mkdir(parents=True, exist_ok=True)
    path = REPORT / "xen.json"
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report["density"]))
    print(f"written: build/report/{path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
