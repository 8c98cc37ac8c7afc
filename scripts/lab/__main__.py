# SPDX-License-Identifier: GPL-2.0
"""All commands of the harness: python3 -m lab COMMAND, as the Makefile calls them.

What a command needs is imported when it is run, so that no other one waits for it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module


@dataclass(frozen=True)
class Command:
    """A command: the module whose main() it is, what it does, what follows it."""

    module: str
    about: str
    usage: str = ""

    def run(self, name: str, arguments: list[str]) -> int | str | None:
        """Run it; return its exit status, or what went wrong."""
        # what argparse calls the program
        sys.argv[0] = f"lab {name}"
        main = import_module(f"lab.{self.module}").main
        if self.usage:
            status: int | str | None = main(arguments)
            return status
        if arguments:
            print(f"lab {name}: takes no arguments", file=sys.stderr)
            return 2
        status = main()
        return status


COMMANDS = {
    "tree": Command(
        "kernel.tree", "unpack the kernel source and integrate", "[--stock-only]"
    ),
    "kernels": Command("kernel.kernels", "build kernels for guests", "NAME..."),
    "kunit": Command("kernel.kunit", "run the KUnit suites", "[FILTER]"),
    "coverage": Command("kernel.coverage", "count which lines the suites run"),
    "quick": Command(
        "kernel.quick", "run suites in user space", "[FILTER | --fuzz SECONDS]"
    ),
    "deb": Command("kernel.deb", "build Debian packages", "FLAVOUR"),
    "series": Command("series.writer", "write our changes to the kernel as patches"),
    "qemu": Command("guest.qemu", "fetch the QEMU that is chosen"),
    "image": Command("guest.image", "build the guest's root file system"),
    "shell": Command("guest.shell", "log in to a guest"),
    "xen-image": Command("xen.image", "fetch Xen, and build what boots it"),
    "demo": Command("demo.run", "show freed memory coming back"),
    "bench": Command("bench.command", "run benchmarks", "NAME..."),
    "stress": Command("stress.run", "have everything happen at random", "[--check]"),
    "report": Command("results.collect", "show what was measured", "[--keep]"),
    "check": Command("check.static", "look for mistakes without running", "[--quick]"),
    "suite": Command(
        "testing.suite", "run groups of tests", "TARGET... [--beside TARGET...]"
    ),
}


def overview() -> str:
    """Return the commands, one a line."""
    calls = {f"{name} {each.usage}": each.about for name, each in COMMANDS.items()}
    width = max(map(len, calls))
    lines = [f"  {call:{width}}  {about}" for call, about in calls.items()]
    return "\n".join(["usage: python3 -m lab COMMAND ...", "", *lines])


def main(words: list[str]) -> int | str | None:
    """Run the command that the first word names, with the others."""
    name, *arguments = words or [""]
    if name in ("-h", "--help"):
        print(overview())
        return 0
    if name not in COMMANDS:
        why = f"{name}: no such command" if name else "a command is missing"
        print(f"lab: {why}\n\n{overview()}", file=sys.stderr)
        return 2
    return COMMANDS[name].run(name, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
