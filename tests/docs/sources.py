# SPDX-License-Identifier: GPL-2.0
"""What the code says, read from its text, and what the documents say."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from lab.base.paths import ROOT, TREE

ADMIN_GUIDE = ROOT / "Documentation/admin-guide/mm/page_reporting.rst"
XEN_GUIDE = ADMIN_GUIDE.with_name("page_reporting_xen.rst")
DESIGN = ROOT / "Documentation/mm/page_reporting.rst"
ABI = ROOT / "Documentation/ABI/testing/sysfs-kernel-mm-page-reporting"
SYSFS = "/sys/kernel/mm/page_reporting/"
BACKEND = "backends/<name>/"

CORE = ROOT / "mm/page_reporting"
TOOLS = ROOT / "tools/mm"
TOOL = TOOLS / "page_reporting_top.c"
WHY = TOOLS / "page_reporting_why.c"
COLD = TOOLS / "page_reporting_cold"
UML_BACKEND = ROOT / "arch/um/drivers/page_reporting_uml.c"
XEN_BACKEND = ROOT / "drivers/xen/xen-page-reporting.c"
TRACE_HEADER = ROOT / "include/trace/events/page_reporting.h"
LAYERS = ROOT / "scripts/layers.toml"

Row = list[str]


def text(path: Path) -> str:
    """Read a file; say what is missing if it is one of the kernel tree."""
    assert path.exists(), f"{path} does not exist: run 'make tree' first"
    return path.read_text(encoding="utf-8")


def source(name: str) -> str:
    """Return a source file of the core."""
    return text(CORE / name)


def core() -> str:
    """Return all source files of the core, whichever has what is looked for."""
    return "".join(map(text, sorted(CORE.glob("*.c"))))


# --- the code


def _listed(attrs: str) -> str:
    """Return what is in an array of attributes in sysfs.c."""
    found = re.search(rf"{attrs}\[\] = \{{(.*?)\}}", source("sysfs.c"), re.DOTALL)
    assert found, f"sysfs.c has no list {attrs}[]"
    return found[1]


def _counters() -> dict[str, str]:
    """Return the counters by their constants."""
    found = re.findall(r'\[(FPR_\w+)\]\s*= "(\w+)"', source("sysfs.c"))
    assert found, "sysfs.c has no names of counters"
    return {name: f"stats/{file}" for name, file in found}


def attributes() -> set[str]:
    """Return the files that the core has in sysfs, counters as stats/NAME."""
    listed = re.findall(r"&(\w+)_attr\.attr", _listed("fpr_attrs"))
    return {*listed, *_counters().values()}


def backend_attributes() -> set[str]:
    """Return the files in the directory of a backend, without its counters."""
    sysfs = source("sysfs.c")
    named = dict(re.findall(r"(\w+)_attr =\s+__ATTR\((\w+),", sysfs))
    listed = re.findall(r"&(\w+)_attr\.attr", _listed("fpr_dir_attrs"))
    return {named.get(name, name) for name in listed}


def optional() -> dict[str, set[str]]:
    """Return the files that are absent without an option, by the option."""
    files: dict[str, set[str]] = {}
    for option, part in re.findall(
        r"#ifdef (\w+)\n(.*?)#endif", _listed("fpr_attrs"), re.DOTALL
    ):
        files[option] = set(re.findall(r"&(\w+)_attr\.attr", part))
    for cases, option in re.findall(
        r"((?:\tcase FPR_\w+:\n)+)\t\treturn IS_ENABLED\((\w+)\);", source("sysfs.c")
    ):
        counters = {_counters()[name] for name in re.findall(r"FPR_\w+", cases)}
        files.setdefault(option, set()).update(counters)
    return files


def selectable() -> dict[str, bool]:
    """Return the parts that can be left out, and whether each is on by default."""
    parts = re.split(r"^config ", source("Kconfig"), flags=re.MULTILINE)
    return {
        f"CONFIG_{part.split()[0]}": "\n\tdefault y\n" in part
        for part in parts[1:]
        if "KUNIT" not in part.split()[0]
    }


def part_files() -> dict[str, set[str]]:
    """Return the source files of each part that can be left out."""
    makefile = source("Makefile").split("# The KUnit suites.")[0]
    makefile = makefile.replace("\\\n\t", "")
    found = re.findall(r"-\$\((CONFIG_\w+)\) \+= ((?:\w+\.o ?)+)$", makefile, re.M)
    return {
        option: {f"{name.removesuffix('.o')}.c" for name in objects.split()}
        for option, objects in found
        if option in selectable()
    }


def layers() -> list[set[str]]:
    """Return the files of each layer without their suffix, the highest first."""
    listed = tomllib.loads(text(LAYERS))["layer"]
    return [set(layer["files"]) for layer in reversed(listed)]


def constant(name: str) -> int:
    """Return the value of a macro of tunables.h: a number or a shifted one."""
    found = re.search(
        rf"#define {name}\s+(?:(\d+)|\((\d+)U? << (\d+)\))", source("tunables.h")
    )
    assert found, f"tunables.h does not define {name} as a number"
    return int(found[1]) if found[1] else int(found[2]) << int(found[3])


def limits() -> dict[str, str]:
    """Return the largest value of each tunable, as a document would put it."""
    sysfs = source("sysfs.c")
    limit = dict(re.findall(r"^FPR_TUNABLE\((\w+), (\w+)\);", sysfs, re.MULTILINE))
    limit |= re.findall(r'fpr_parse\("(\w+)", buf, (\w+),', sysfs)
    # The largest unsigned int is no number but "max".
    limit |= dict.fromkeys(_unlimited(), str(2**32 - 2))
    return {
        name: str(constant(top)) if top.startswith("FPR_") else top
        for name, top in limit.items()
    }


def _unlimited() -> list[str]:
    """Return the tunables that take "max" besides a number."""
    assert "FPR_NO_LIMIT\t\tUINT_MAX" in source("tunables.h")
    return re.findall(r'pr_notice\("(\w+) takes max or a number', source("sysfs.c"))


def initial_values() -> dict[str, str]:
    """Return the initial value of each tunable, and of those that only tests set."""
    initial = re.search(
        r"^struct fpr_tunables fpr_tunables\b[^;]*?\{(.*?)^\}", core(),
        re.DOTALL | re.MULTILINE,
    )  # fmt: skip
    assert initial, "the core does not initialise fpr_tunables"
    words = {"true": "1", "false": "0", "FPR_NO_LIMIT": "max"}
    return {
        name: words.get(value, value)
        for name, value in re.findall(r"\.(\w+) = (\w+),", initial[1])
    }


def defaults() -> dict[str, str]:
    """Return the initial value of each tunable that users can set."""
    files = attributes()
    return {name: v for name, v in initial_values().items() if name in files}


def fixed() -> dict[str, str]:
    """Return the values that are no files."""
    files = attributes()
    return {name: v for name, v in initial_values().items() if name not in files}


def parameters() -> set[str]:
    """Return the boot parameters, without their prefix."""
    return set(re.findall(r"^module_param_cb\((\w+),", core(), re.MULTILINE))


def _fields(definition: str) -> set[str]:
    return set(re.findall(r"__(?:field\([^,]+, ?|string\()(\w+)", definition))


def events() -> dict[str, set[str]]:
    """Return the fields of each tracepoint."""
    begin = r"^(?=DECLARE_EVENT_CLASS|DEFINE_EVENT|TRACE_EVENT)"
    parts = re.split(begin, text(TRACE_HEADER), flags=re.MULTILINE)
    classes: dict[str, set[str]] = {}
    found: dict[str, set[str]] = {}
    for part in parts:
        head = re.match(r"(\w+)\((\w+),\s*(\w+)?", part)
        if not head:
            continue
        kind, first, second = head.groups()
        if kind == "DECLARE_EVENT_CLASS":
            classes[first] = _fields(part)
        elif kind == "DEFINE_EVENT":
            found[second] = classes[first]
        elif kind == "TRACE_EVENT":
            found[first] = _fields(part)
    return found


# --- the documents


def section(path: Path, title: str) -> str:
    """Return the text of a section of an rst file, up to the next title."""
    found = re.search(
        rf"^{title}\n=+\n(.*?)(?=^[^\n]+\n===+\n\n|\Z)",
        text(path),
        re.DOTALL | re.MULTILINE,
    )
    assert found, f"{path.name} has no section '{title}'"
    return found[1]


def recipes() -> list[tuple[str, str]]:
    """Return what the recipes of the admin guide write, and to which files."""
    pattern = rf"^    w {SYSFS}(\w+) - - - - (\w+)$"
    return re.findall(pattern, section(ADMIN_GUIDE, "Recipes"), re.MULTILINE)


def reasons() -> dict[str, str]:
    """Return the defaults for which the admin guide has a reason."""
    body = section(ADMIN_GUIDE, "Tunables")
    return dict(re.findall(r"^``(\w+)``: (.+)\n   \S", body, re.MULTILINE))


def picture() -> list[set[str]]:
    """Return the files in each box of the picture of the layers."""
    boxes = re.split(r"^   \+-.*$", section(DESIGN, "Layers"), flags=re.MULTILINE)
    named = [set(re.findall(r"^   \| (\w+)\.[ch] ", box, re.M)) for box in boxes]
    return [names for names in named if names]


def table(body: str) -> list[Row]:
    """Return the rows of the simple rst table in a section, without the head."""
    lines = body.splitlines()
    rulers = [i for i, line in enumerate(lines) if re.fullmatch(r"=+( +=+)+", line)]
    assert len(rulers) == 3, f"{len(rulers)} rulers where a table has three"
    starts = [found.start() for found in re.finditer("=+", lines[rulers[0]])]
    spans = list(zip(starts, [*starts[1:], None]))
    rows: list[Row] = []
    for line in lines[rulers[1] + 1 : rulers[2]]:
        cells = [line[start:end].strip() for start, end in spans]
        if cells[0]:
            rows.append(cells)
        else:
            rows[-1] = [f"{a} {b}".strip() for a, b in zip(rows[-1], cells)]
    return rows


def documented(title: str) -> dict[str, Row]:
    """Return the rows of a table of the admin guide by the name they are about."""
    rows = table(section(ADMIN_GUIDE, title))
    return {row[0].strip("`"): row[1:] for row in rows}


def abi_entries() -> dict[str, str]:
    """Return the entries of the ABI file by the file that they describe."""
    entries = {}
    for entry in text(ABI).split("\n\nWhat:"):
        what, rest = entry.removeprefix("What:").strip().split("\n", 1)
        entries[what.removeprefix(SYSFS)] = rest
    return entries


def maintained() -> list[str]:
    """Return the file patterns of our entry in MAINTAINERS."""
    entry = re.search(
        r"^FREE PAGE REPORTING\n(.*?)\n\n",
        text(TREE / "MAINTAINERS"),
        re.DOTALL | re.MULTILINE,
    )
    assert entry, "MAINTAINERS has no entry FREE PAGE REPORTING"
    return re.findall(r"^F:\t(.+)$", entry[1], re.MULTILINE)
