# SPDX-License-Identifier: GPL-2.0
"""Huge pages of this host, set aside for a guest's memory.

The host's pool is as large as before when the context is left; what a run that
was killed left behind is given back by the next one.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from lab.base.paths import BUILD, locked

POOL = Path("/sys/kernel/mm/hugepages/hugepages-2048kB")
PAGE_KIB = 2048
# How many pages there were before, for as long as there are more.
NOTE = BUILD / ".huge-pages"


class HugePagesError(Exception):
    """The host has no huge pages to spare; the message says why."""


class HugePages:
    """So many huge pages more than the host has, that nobody else uses."""

    def __init__(self, mib: int, pool: Path = POOL, note: Path = NOTE) -> None:
        self._pages = mib * 1024 // PAGE_KIB
        self._pool = pool / "nr_hugepages"
        self._free = pool / "free_hugepages"
        self._note = note
        self._held = ExitStack()

    def __enter__(self) -> HugePages:
        if not self._pool.exists():
            raise HugePagesError(f"this host has no {self._pool}")
        with ExitStack() as stack:
            stack.enter_context(locked("huge-pages"))
            self._give_back()
            before = self._size()
            self._note.write_text(f"{before}\n", encoding="utf-8")
            stack.callback(self._give_back)
            self._resize(before + self._pages)
            self._held = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held.close()

    def free_kib(self) -> int:
        """Return what nobody uses of the host's huge pages."""
        return int(self._free.read_text(encoding="utf-8")) * PAGE_KIB

    def _size(self) -> int:
        return int(self._pool.read_text(encoding="utf-8"))

    def _resize(self, pages: int) -> None:
        try:
            self._pool.write_text(f"{pages}\n", encoding="utf-8")
        except OSError as error:
            raise HugePagesError(f"cannot write {self._pool}: {error}") from None
        if self._size() < pages:
            raise HugePagesError(
                f"{self._pool} is {self._size()} instead of {pages}: the host has"
                " too little free memory, or it is too scattered"
            )

    def _give_back(self) -> None:
        """Make the pool as large as it was before this run, or a killed one."""
        if self._note.exists():
            self._pool.write_text(self._note.read_text(encoding="utf-8"))
            self._note.unlink()
