# SPDX-License-Identifier: GPL-2.0
"""The limited host: both versions of cgroups, and what it leaves behind."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from lab.guest import host_limit
from lab.guest.host_limit import Controller, HostError, HostLimit, find_controller

MIB = 1 << 20


def test_finds_version_1(tmp_path: Path) -> None:
    """A mount with the memory controller."""
    mounts = f"tmpfs /sys/fs/cgroup tmpfs rw 0 0\nx {tmp_path} cgroup rw,memory 0 0\n"
    assert find_controller(mounts) == Controller(1, tmp_path)


def test_finds_version_2(tmp_path: Path) -> None:
    """The one mount, if it has the memory controller."""
    controllers = tmp_path / "cgroup.controllers"
    mounts = f"cgroup2 {tmp_path} cgroup2 rw 0 0\n"
    controllers.write_text("cpu memory\n")
    assert find_controller(mounts) == Controller(2, tmp_path)
    controllers.write_text("cpu\n")
    with pytest.raises(HostError, match="no memory cgroup"):
        find_controller(mounts)


@pytest.mark.parametrize("version", [1, 2])
def test_limits_and_counts(tmp_path: Path, version: int) -> None:
    """The files have the names and the meaning of their version."""
    controller = Controller(version, tmp_path)
    controller.limit(tmp_path, 100 * MIB, 20 * MIB)
    if version == 1:
        written = tmp_path / "memory.memsw.limit_in_bytes"
        assert int(written.read_text()) == 120 * MIB
        (tmp_path / "memory.usage_in_bytes").write_text("7\n")
        (tmp_path / "memory.stat").write_text("cache 1\nswap 5\n")
    else:
        assert int((tmp_path / "memory.swap.max").read_text()) == 20 * MIB
        (tmp_path / "memory.current").write_text("7\n")
        (tmp_path / "memory.swap.current").write_text("5\n")
    assert (controller.memory(tmp_path), controller.swap(tmp_path)) == (7, 5)


def swaps() -> str:
    """Return the swap files in use."""
    return Path("/proc/swaps").read_text(encoding="utf-8")


def test_memory_over_the_limit_goes_to_swap_and_all_is_taken_down() -> None:
    """A program that uses more than there is makes the host inside swap."""
    program = "import time; held = b'x' * (96 << 20); print('held', flush=True);"
    with HostLimit(64, 64) as host:
        command = [*host.wrapper(), "/usr/bin/python3", "-c",
                   f"{program} time.sleep(600)"]  # fmt: skip
        with subprocess.Popen(command, stdout=subprocess.PIPE) as held:
            assert held.stdout is not None and held.stdout.readline() == b"held\n"
            assert host.memory_used_mib() <= 64
            assert host.swap_used_mib() > 16
            assert str(host_limit.SWAP_FILE) in swaps()
            held.kill()
    assert str(host_limit.SWAP_FILE) not in swaps()
    assert not host_limit.SWAP_FILE.exists()


def test_what_a_killed_run_left_is_taken_down_by_the_next() -> None:
    """Leaving without taking down, as after SIGKILL."""
    left = HostLimit(64, 64)
    left.__enter__()
    left._held.pop_all()  # pylint: disable=protected-access
    assert str(host_limit.SWAP_FILE) in swaps()
    with HostLimit(64, 64):
        pass
    assert str(host_limit.SWAP_FILE) not in swaps()


def test_too_little_memory_is_refused() -> None:
    """The message says how much is needed and how much there is."""
    with pytest.raises(HostError, match="are available"):
        with HostLimit(1 << 30, 64):
            pass
