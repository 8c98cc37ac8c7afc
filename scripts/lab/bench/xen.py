# SPDX-License-Identifier: GPL-2.0
"""Benchmark on Xen: what giving and taking costs, and how many domains fit.

The hypervisor is the real one, in an emulated machine.  Every step boots it anew.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from lab.bench.guest import KIB_PER_MIB, SYSFS, Bench, Result
from lab.bench.runner import SMOKE_SCALE, Benchmark, Results, Step
from lab.guest.variants import Variant
from lab.guest.vm import Guest, VmError
from lab.report.plot import COLOURS, legend, panels, save, style
from lab.report.section import Line, Section, Table
from lab.xen.host import KINDS, Domain, XenHost

ON = Variant("on", "with reporting", "ours", "")
OFF = Variant("off", "without", "ours", "")

MEMORY_MIB = 2048
DOM0_MIB = 512
DOMAIN_MIB = 256
USED_MIB = 128
SPARE_MIB = 32  # what Xen needs for a domain beside its memory, and more
MOST_DOMAINS = 64
SETTLE_SECONDS = 60
ATTEMPTS = 3  # to boot a domain
INTEGRITY_SECONDS = 300
INTEGRITY_MIB = 120

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

# What the short document says.
COMPARED = (
    Line("idle domains of 256 MiB on a host of 2 GiB",
         ("with reporting", None, "without"), "domains"),
)  # fmt: skip


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
            "given_mib": self.given_kib // KIB_PER_MIB,
            "give_us": us_per_block(self.given_kib, self.given_ns),
            "taken_mib": self.taken_kib // KIB_PER_MIB,
            "take_us": us_per_block(self.taken_kib, self.taken_ns),
        }


def us_per_block(kib: int, ns: int) -> float:
    """Return the microseconds for 2 MiB."""
    if not kib:
        raise VmError("nothing was given or taken while it was measured")
    return round(ns / 1000 * BLOCK_KIB / kib, 1)


def xen_host(name: str) -> XenHost:
    """Boot Xen."""
    return XenHost(
        name=f"bench-xen-{name}", memory=f"{MEMORY_MIB}M", dom0_mib=DOM0_MIB
    )


def settle(guest: Guest) -> int:
    """Wait until a guest has given away what it can; return that in KiB."""
    deadline = time.monotonic() + SETTLE_SECONDS
    before, held = -1, 0
    while held != before:
        if time.monotonic() > deadline:
            raise VmError(f"{guest.name}: still gives memory away")
        time.sleep(2)
        before, held = held, int(guest.read(f"{SYSFS}/unbacked_kb"))
    return held


def exchange(guest: Guest) -> Result:
    """Give memory away and take it back, with the tracepoints on."""
    guest.run(f"echo 1 >{TRACING}/events/page_reporting/enable")
    guest.write(SWITCH, "on")
    settle(guest)
    guest.run(f"touch-free -p 4k {USED_MIB}", timeout=120)
    guest.write(SWITCH, "off")
    guest.run(f"echo 0 >{TRACING}/events/page_reporting/enable")
    return Cost(*map(int, guest.run(TOTALS).split())).result()


def cost(bench: Bench, _variant: Variant) -> Result:
    """Measure a domain of each kind, and dom0; to try, only that."""
    results: Result = {}
    with xen_host("cost") as host:
        for kind in KINDS if bench.scale < SMOKE_SCALE else ():
            domain = host.domain("cost", kind, mib=DOMAIN_MIB)
            results[kind] = exchange(domain)
            domain.destroy()
        results["dom0"] = exchange(host)
    return results


def start(host: XenHost, name: str, state: str) -> tuple[Domain | None, int]:
    """Start a domain if there is room; return it, and how often it crashed.

    Under emulation, a domain now and then does not survive the calibration of its
    clock, with or without reporting.
    """
    for crashes in range(ATTEMPTS):
        domain = Domain(host, name, "pvh")
        domain.configure(DOMAIN_MIB, 1, f"xen_page_reporting={state}", ())
        try:
            domain.create()
        except VmError:
            # Xen needs some memory beside that of the domain.
            if host.free_mib() >= DOMAIN_MIB + SPARE_MIB:
                raise
            return None, crashes
        try:
            domain.connect()
            return domain, crashes
        except VmError as error:
            print(f"    {error}", flush=True)
            host.try_run(f"xl destroy {name}")
    raise VmError(f"domain {name} did not boot in {ATTEMPTS} attempts")


def domains(bench: Bench, variant: Variant) -> Result:
    """Count the idle domains that fit; in the end all of them use memory in turn."""
    running: list[Domain] = []
    crashed = 0
    free = []
    with xen_host(f"domains-{variant.name}") as host:
        while len(running) < MOST_DOMAINS // bench.scale:
            free.append(host.free_mib())
            name = f"{variant.name}{len(running) + 1}"
            domain, crashes = start(host, name, variant.name)
            crashed += crashes
            if domain is None:
                break
            running.append(domain)
            if variant is ON:
                settle(domain)
            print(f"    {len(running)} domains, {host.free_mib()} MiB left", flush=True)
        used = sum(use_all(domain, variant) for domain in running)
    return {
        "domains": len(running),
        "can_use": used,
        "crashed": crashed,
        "free_mib": free,
    }


def use_all(domain: Domain, variant: Variant) -> bool:
    """Have a domain use memory, and give it back; tell whether it could."""
    try:
        done = domain.try_run(f"touch-free {USED_MIB}", timeout=120)
    except VmError as error:
        print(f"    {error}", flush=True)
        return False
    if variant is ON:
        settle(domain)
    return done.status == 0


def integrity(bench: Bench, _variant: Variant) -> Result:
    """Check the contents of memory that is given away and taken all the time."""
    seconds = round(bench.seconds(INTEGRITY_SECONDS))
    with xen_host("integrity") as host:
        running = [
            host.domain(f"check-{kind}", kind, mib=DOMAIN_MIB) for kind in KINDS
        ]
        for domain in running:
            domain.write(f"{SYSFS}/max_age_ms", "0")
            domain.write(SWITCH, "on")
            domain.run(
                f"(integrity -t 1 -m {INTEGRITY_MIB} -s {seconds}; echo status $?)"
                " >/tmp/integrity.out 2>&1 &"
            )
        time.sleep(seconds)
        found = {domain.kind: checked(domain) for domain in running}
    return {"seconds": seconds, **found}


def checked(domain: Domain) -> Result:
    """Return what came out in a domain."""
    command = "until grep -q status /tmp/integrity.out; do sleep 1; done"
    domain.run(command, timeout=120)
    output = domain.read("/tmp/integrity.out")
    if "status 0" not in output or domain.trouble():
        raise VmError(f"domain {domain.name}: {output}\n{domain.trouble()}")
    stats = f"{SYSFS}/stats"
    return {
        "given_mib": int(domain.read(f"{stats}/reported_kb")) // KIB_PER_MIB,
        "taken_mib": int(domain.read(f"{stats}/restored_kb")) // KIB_PER_MIB,
    }


def draw(results: Results, folder: Path, name: str) -> list[Path]:
    """Show how the host's memory goes with every domain, and the costs."""
    figure, (memory, times) = panels(2)
    for variant, colour in ((OFF, COLOURS["none"]), (ON, COLOURS["ours"])):
        result = results.get(f"domains/{variant.name}")
        if result:
            memory.plot(range(len(result["free_mib"])), result["free_mib"], marker="o",
                        markersize=3, color=colour, label=variant.label)
    style(memory, "memory left to Xen (MiB)")
    memory.set_xlabel(f"domains of {DOMAIN_MIB} MiB")
    legend(memory, 2)
    costs = results.get("cost/on", {})
    kinds = [kind for kind in (*KINDS, "dom0") if kind in costs]
    for offset, key, label in ((-0.2, "give_us", "give"), (0.2, "take_us", "take")):
        spots = [spot + offset for spot in range(len(kinds))]
        heights = [costs[kind][key] / 1000 for kind in kinds]
        bars = times.bar(spots, heights, 0.4, label=label)
        times.bar_label(bars, fmt="%.2g", fontsize=8)
    times.set_xticks(range(len(kinds)), kinds)
    style(times, "2 MiB, under emulation (ms)")
    legend(times, 2)
    return [save(figure, folder / f"{name}.png")]


def describe(results: Results) -> Section:
    """Say what came out."""
    fits = {v.name: results.get(f"domains/{v.name}") for v in (OFF, ON)}
    tables = []
    rows: list[tuple[str, ...]] = [
        (v.label, str(fit["domains"]), str(fit["can_use"]), str(fit["free_mib"][-1]),
         str(fit["crashed"]))
        for v in (OFF, ON) if (fit := fits[v.name])
    ]
    if rows:
        tables.append(
            Table(
                f"Idle domains of {DOMAIN_MIB} MiB on a host of {MEMORY_MIB} MiB, of"
                f" which dom0 has {DOM0_MIB}",
                ("reporting", "domains", f"can use {USED_MIB} MiB in turn",
                 "MiB left at the end", "crashed in the emulator, started again"),
                rows,
            )
        )
    costs = results.get("cost/on", {})
    rows = [
        (kind, f"{costs[kind]['give_us'] / 1000:.2f}",
         f"{costs[kind]['take_us'] / 1000:.2f}",
         str(costs[kind]["given_mib"]), str(costs[kind]["taken_mib"]))
        for kind in (*KINDS, "dom0") if kind in costs
    ]
    if rows:
        tables.append(
            Table(
                "To give 2 MiB and to take them back, in ms, and the MiB that were"
                " given and taken while this was measured",
                ("domain", "give", "take", "given", "taken"), rows,
            )
        )
    fit = fits["on"]
    return Section(
        title="Domains on Xen",
        question="How many domains fit, and what do giving and taking cost?",
        how="Xen 4.17 of Debian in an emulated machine (TCG), so times are far from"
        " those of hardware and compare only with each other."
        " Domains are PVH with one virtual CPU; one is started after the other has"
        " given away what it can, until Xen refuses one.",
        headline=(str(fit["domains"]) if fit else "–", "domains instead of "
                  + (str(fits["off"]["domains"]) if fits["off"] else "–")),
        tables=tables,
        reading=xen_reading(results),
        compared=COMPARED,
    )


def xen_reading(results: Results) -> list[str]:
    """Interpret the numbers."""
    text = []
    fit = results.get("domains/on")
    if fit and fit["can_use"] < fit["domains"]:
        text.append(
            f"{fit['domains'] - fit['can_use']} of {fit['domains']} domains could not"
            f" use {USED_MIB} MiB when it was their turn: what a domain gave away"
            " comes back only as long as Xen has got it."
        )
    elif fit:
        text.append(
            f"Each of the {fit['domains']} domains could use {USED_MIB} MiB when it was"
            " its turn, because the others had given it back by then."
        )
    found = results.get("integrity/on")
    if found:
        moved = ", ".join(
            f"{kind} {found[kind]['given_mib']} MiB given and"
            f" {found[kind]['taken_mib']} MiB taken"
            for kind in KINDS if kind in found
        )
        text.append(
            f"Memory was checked word by word for {found['seconds']} s in"
            f" {sum(kind in found for kind in KINDS)} domains that gave and took"
            f" meanwhile ({moved}): no wrong word."
        )
    return text


def steps() -> list[Step]:
    """Return all steps."""
    return [
        Step("cost", 240, cost, (ON,)),
        Step("domains", 500, domains, (OFF, ON)),
        Step("integrity", INTEGRITY_SECONDS + 90, integrity, (ON,)),
    ]


BENCHMARK = Benchmark("xen", steps, draw, describe)
