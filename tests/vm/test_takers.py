# SPDX-License-Identifier: GPL-2.0
"""Others who want memory while a batch is on its way, and it takes long."""

from __future__ import annotations

import pytest
from conftest import Boot
from lab.guest.vm import Vm, numa_arguments
from reporting import (
    LARGE,
    TRACING,
    be_aggressive,
    is_under_way,
    retain_nothing,
    stat,
    trace_of,
    traced,
    tune,
    unbind,
    wait_drained,
    wait_until,
)

GIGANTIC = "/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages"
TRIES = 8


def be_slow(vm: Vm, milliseconds: int) -> None:
    """Have the host take so long for each batch, once it has got all so far."""
    unbind(vm)
    vm.run("insmod /modules/broken_backend.ko")
    wait_drained(vm)
    vm.write("/sys/module/broken_backend/parameters/slow_ms", milliseconds)


def gigantic_pages(vm: Vm, wanted: int) -> int:
    """Have the guest set so many gigantic pages up; return how many it got."""
    vm.run(f"echo {wanted} >{GIGANTIC}", timeout=120)
    return int(vm.read(GIGANTIC))


@LARGE
@pytest.mark.parametrize(
    "area",
    [
        pytest.param("", id="any"),
        pytest.param("hugetlb_cma=1G", id="cma", marks=pytest.mark.long),
    ],
)
def test_contiguous_allocations_wait_for_a_batch(boot: Boot, area: str) -> None:
    """Who takes memory by address gets it though it is being reported meanwhile."""
    # the kernel lies in the first gibibyte, and leaves the second alone
    with boot("takers-contiguous", memory="4G", append=f"nokaslr {area}") as vm:
        be_aggressive(vm)
        wait_drained(vm)
        tune(vm, enabled=0)
        most = gigantic_pages(vm, 4)
        assert most > 0, "none even without reporting"
        gigantic_pages(vm, 0)
        tune(vm, enabled=1)
        be_slow(vm, 300)
        got = []
        for _ in range(TRIES):
            got.append(gigantic_pages(vm, most))
            # what is freed is due at once, and on its way for 0.3 s
            before = stat(vm, "reported_kb")
            gigantic_pages(vm, 0)
            wait_until(lambda: is_under_way(vm, before), "a batch on its way")
        assert got == [most] * TRIES


ISOLATED = f"{TRACING}/events/page_isolation/test_pages_isolated/enable"
PLUG_MIB = 512
# The balloon of this guest is another backend's, so that the host can be slow.
PLUGGED = (
    "-object", f"memory-backend-ram,id=plug,size={PLUG_MIB}M",
    "-device", f"virtio-mem-pci,id=plugged,memdev=plug,requested-size={PLUG_MIB}M",
)  # fmt: skip
MOVABLE = "memhp_default_state=online_movable"


def resize(vm: Vm, mib: int) -> None:
    """Have virtio-mem plug or unplug memory, and wait until there is so much."""
    device = {"path": "/machine/peripheral/plugged"}
    size = {"property": "requested-size", "value": mib << 20}
    vm.qmp.execute("qom-set", {**device, **size})

    def plugged() -> int:
        return int(vm.qmp.execute("qom-get", {**device, "property": "size"}))

    wait_until(lambda: plugged() == mib << 20, f"{mib} MiB plugged", 600)


def test_unplugging_waits_for_a_batch(boot: Boot) -> None:
    """virtio-mem gets each of its blocks though memory around is being reported.

    What it does not get at once it tries again, 50 s later: so it is not asked
    whether all goes in the end, but how often a block was not to be had.
    """
    memory = "512M,maxmem=2G"
    with boot(
        "takers-unplug", memory=memory, append=MOVABLE, arguments=PLUGGED
    ) as vm:
        vm.run("insmod /modules/virtio_mem.ko")
        resize(vm, PLUG_MIB)
        be_aggressive(vm)
        wait_drained(vm)
        be_slow(vm, 300)
        vm.write(ISOLATED, 1)
        for _ in range(TRIES // 2):
            before = stat(vm, "reported_kb")
            vm.run("touch-free 600", timeout=300)
            wait_until(lambda: is_under_way(vm, before), "a batch on its way")
            resize(vm, PLUG_MIB // 2)
            resize(vm, PLUG_MIB)
        vm.write(ISOLATED, 0)
        taken = vm.run(f"grep -c ret=success {TRACING}/trace")
        assert int(taken) >= TRIES // 2 * (PLUG_MIB // 2) // 128
        missed = vm.try_run(f"grep ret=fail {TRACING}/trace").output
        assert not missed, missed


def nodes_reported(vm: Vm) -> list[str]:
    """Return the nodes of the batches so far."""
    return [event["nid"] for event in trace_of(vm, "page_reporting_batch")]


def test_a_busy_node_does_not_starve_the_next(boot: Boot) -> None:
    """A node has its turn before another, which takes long, is done."""
    with boot("takers-nodes", arguments=numa_arguments(1024, 1024)) as vm:
        wait_drained(vm)
        retain_nothing(vm)
        # a batch takes longer than a pass may
        be_slow(vm, 1100)
        tune(vm, enabled=0)
        for node in (0, 1):
            vm.run(f"touch-free -n {node} 448", timeout=300)
        with traced(vm, "page_reporting_batch"):
            tune(vm, enabled=1)
            wait_until(lambda: len(set(nodes_reported(vm))) == 2, "both nodes")
            first = nodes_reported(vm).index("1")
            wait_until(lambda: len(nodes_reported(vm)) > first + 3, "more batches")
            nodes = nodes_reported(vm)
            vm.write("/sys/module/broken_backend/parameters/slow_ms", 0)
        assert "0" in nodes[first:], f"one after the other: {nodes}"
