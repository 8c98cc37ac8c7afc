# SPDX-License-Identifier: GPL-2.0
"""The documents say what the code does, and can be rendered."""

from __future__ import annotations

import re
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest
import sources
from lab.base.paths import ROOT, TREE

SECTIONS = ("Tunables", "State and flush", "Counters")
DOCUMENTS = (sources.ADMIN_GUIDE, sources.DESIGN, sources.ABI)
INDEXES = {"mm": ("",), "admin-guide/mm": ("", "_xen")}

SPHINX_CONF = """
import sys
sys.path.insert(0, "{tree}/Documentation/sphinx")
extensions = ["kerneldoc"]
kerneldoc_bin = "{tree}/scripts/kernel-doc"
kerneldoc_srctree = "{tree}"
"""


def kernel_files() -> list[str]:
    """Return our files under their names in the kernel tree."""
    folders = ("Documentation", "arch", "drivers", "include", "mm", "tools")
    paths = [path for name in folders for path in (ROOT / name).rglob("*")]
    names = [str(path.relative_to(ROOT)) for path in paths if path.is_file()]
    return [name for name in names if not name.startswith("Documentation/images/")]


def test_admin_guide_has_every_file() -> None:
    """Every file of sysfs is in a table of the admin guide, and no other."""
    named = {
        f"stats/{name}" if title == "Counters" else name
        for title in SECTIONS
        for name in sources.documented(title)
    }
    assert named == sources.attributes()


def test_abi_has_every_file() -> None:
    """Every file of sysfs is in the ABI document, and no other."""
    named = {name for name in sources.abi_entries() if name[-1:] not in ("", "/")}
    backend = {f"{sources.BACKEND}{name}" for name in sources.backend_attributes()}
    ours = "/sys/module/page_reporting/parameters"
    parameters = {f"{ours}/{name}" for name in sources.parameters()}
    parameters.add("/sys/module/kernel/parameters/xen_page_reporting")
    assert named == sources.attributes() | backend | parameters


def test_admin_guide_has_every_file_of_a_backend() -> None:
    """Every file in the directory of a backend is in the admin guide."""
    named = set(sources.documented("Backends")) - {"stats/"}
    assert named == sources.backend_attributes()


def test_options() -> None:
    """The admin guide says which files are absent without an option, and why."""
    rows = sources.documented("Configuration")
    listed = {name: re.findall(r"``([\w/]+)``", row[1]) for name, row in rows.items()}
    files = {name: set(names) for name, names in listed.items()}
    assert files == sources.optional()
    defaults = {name: row[0] == "y" for name, row in rows.items()}
    assert defaults == sources.selectable()
    body = sources.section(sources.ADMIN_GUIDE, "Configuration")
    for name in rows:
        assert f"\n``{name}``\n   " in body


@pytest.mark.parametrize(
    ("option", "name"),
    [(option, name) for option, names in sources.optional().items() for name in names],
)
def test_abi_names_option(option: str, name: str) -> None:
    """The entry of a file that may be absent says what it needs."""
    assert f"\tNeeds {option}." in sources.abi_entries()[name]


def test_files_of_options() -> None:
    """The design says which source files an option leaves out."""
    rows = sources.table(sources.section(sources.DESIGN, "Layers"))
    named = {row[0].strip("`"): set(row[1].split(", ")) for row in rows}
    assert named == sources.part_files()


def test_picture_has_the_layers() -> None:
    """The picture shows every source file, in the layer that is checked."""
    assert sources.picture() == sources.layers()


@pytest.mark.parametrize("what", sorted(sources.abi_entries()))
def test_abi_entry_is_complete(what: str) -> None:
    """An entry has all its fields."""
    entry = sources.abi_entries()[what]
    keys = re.findall(r"^(\w+):", entry, re.MULTILINE)
    assert keys == ["Date", "KernelVersion", "Contact", "Description"]
    assert not what or what.endswith("/") or re.search(r"\((RW|RO|WO)\)", entry)


@pytest.mark.parametrize("name", sorted(sources.limits()))
def test_range_of_tunable(name: str) -> None:
    """The range is the one that the code checks."""
    top = sources.limits()[name]
    _, allowed, _ = sources.documented("Tunables")[name]
    word = ", max" if sources.defaults().get(name) == "max" else ""
    assert allowed == f"0 to {top}{word}"
    if top not in ("1", "MAX_PAGE_ORDER"):
        entry = " ".join(sources.abi_entries()[name].split())
        assert re.search(rf"from 0 to {top}[.,]", entry)
        assert not word or ', or "max"' in entry


def test_recipes_set_what_there_is() -> None:
    """What a recipe writes is a tunable, and not its default or out of range."""
    recipes = sources.recipes()
    assert recipes
    for name, value in recipes:
        top = sources.limits()[name]
        # the core alone knows the largest order
        assert 0 <= int(value) <= int(top if top.isdigit() else 10), name
    useless = [one for one in recipes if one in sources.defaults().items()]
    # to be sure, as the text says
    assert useless == [("piece_age_ms", "0")]


@pytest.mark.parametrize("name", sorted(sources.defaults()))
def test_default_of_tunable(name: str) -> None:
    """The default is the one that the code has."""
    value = sources.defaults()[name]
    assert sources.documented("Tunables")[name][0] == value
    entry = sources.abi_entries()[name]
    assert f"Default: {value}." in entry or f"{value} (default)" in entry


@pytest.mark.parametrize("name", sorted(sources.defaults()))
def test_default_has_a_reason(name: str) -> None:
    """The reason for a default is beside it."""
    assert sources.reasons()[name] == sources.defaults()[name]


@pytest.mark.parametrize("name", sorted(sources.fixed()))
def test_fixed_value(name: str) -> None:
    """The design says what is no tunable."""
    value = sources.fixed()[name]
    design = " ".join(sources.text(sources.DESIGN).split())
    assert f"(``{name}`` = {value})" in design


def test_every_tunable_has_a_limit() -> None:
    """No tunable escapes the comparison of ranges."""
    assert set(sources.limits()) >= set(sources.defaults())


def test_tool_follows_sysfs() -> None:
    """The reader in tools/mm reads files that exist, and is shown as it is."""
    tool = sources.text(sources.TOOL)
    read = set(re.findall(r'SYSFS "(\w[\w/]*)"', tool))
    assert read and read <= sources.attributes()
    heading = re.search(r'("free",[^;]*);', tool)
    assert heading
    columns = re.findall(r'"(\w+)"', heading[1])
    shown = sources.section(sources.ADMIN_GUIDE, "Watching").splitlines()
    assert columns in [line.split() for line in shown]


def test_why_follows_sysfs() -> None:
    """The counter of pages reads files that exist, and each of its lines is shown."""
    tool = sources.text(sources.WHY)
    read = set(re.findall(r'SYSFS "(\w[\w/]*)"', tool)) - {"backends"}
    assert read and read <= sources.attributes()
    lines = re.findall(r'^\t\{ \d, .*"([^"]+)" \},$', tool, re.MULTILINE)
    assert len(lines) > 20
    shown = sources.section(sources.ADMIN_GUIDE, "Where the memory is")
    for line in lines:
        assert re.search(rf"^ +{line} +[\d.]+ +[\d.]+$", shown, re.MULTILINE)


def test_range_of_seconds() -> None:
    """The guide has the range and the default of the script."""
    script = sources.text(sources.COLD)
    least, most = re.findall(r'"\$1" -(?:lt|gt) (\d+)', script)
    default = re.findall(r'start "\$\{2-(\d+)\}"', script)[0]
    assert f"from {least} to {most}" in script
    guide = " ".join(sources.section(sources.ADMIN_GUIDE, "Cold memory").split())
    assert f"from {least} to {most} seconds, by default {default}" in guide


def test_boot_parameters() -> None:
    """Every parameter is where people look for it, with the code's range."""
    listing = sources.text(TREE / "Documentation/admin-guide/kernel-parameters.txt")
    guide = sources.section(sources.ADMIN_GUIDE, "Boot parameters")
    assert sources.parameters(), "the core has no boot parameters"
    for name in sources.parameters():
        assert f"``page_reporting.{name}=``" in guide
        assert f"\n\tpage_reporting.{name}=\n" in listing
    delay = listing.split("page_reporting_delay_ms=", 1)[1].split("\n\n", 1)[0]
    assert f"Range: 0 - {sources.limits()['age_ms']}\n" in delay
    assert f"Default: {sources.defaults()['age_ms']}" in delay


def test_xen_parameter() -> None:
    """The switch of the Xen backend is where people look for it."""
    code = sources.text(sources.XEN_BACKEND)
    found = re.search(r'__module_param_call\("", (\w+),', code)
    assert found
    listing = sources.text(TREE / "Documentation/admin-guide/kernel-parameters.txt")
    assert f"\n\t{found[1]}=\t" in listing
    guide = sources.text(sources.XEN_GUIDE)
    assert f"{found[1]}=on" in guide
    assert f"/sys/module/kernel/parameters/{found[1]}" in guide


def test_uml_parameter() -> None:
    """The switch of the backend for User Mode Linux is where people look for it."""
    found = re.search(r"core_param\((\w+),", sources.text(sources.UML_BACKEND))
    assert found
    listing = sources.text(TREE / "Documentation/admin-guide/kernel-parameters.txt")
    assert f"\n\t{found[1]}=\t" in listing
    guide = sources.section(sources.ADMIN_GUIDE, "Boot parameters")
    assert f"``{found[1]}=``" in guide
    guide = sources.section(sources.ADMIN_GUIDE, "User Mode Linux")
    assert f"``{found[1]}=on``" in guide


def test_xen_node() -> None:
    """Toolstack authors are told the node that the Xen backend reads."""
    code = sources.text(sources.XEN_BACKEND)
    parts = re.findall(r'#define XPR_NODE(?:_DIR)?\s+"([\w-]+)"', code)
    assert len(parts) == 2
    assert f"``{'/'.join(parts)}``" in sources.text(sources.XEN_GUIDE)


def test_every_tracepoint() -> None:
    """Every event of the trace header is in the admin guide, and no other."""
    assert set(sources.documented("Tracepoints")) == set(sources.events())


@pytest.mark.parametrize("event", sorted(sources.events()))
def test_fields_of_tracepoint(event: str) -> None:
    """The admin guide names every field of an event."""
    fields = sources.events()[event]
    assert fields, f"no fields found for {event}"
    (row,) = sources.documented("Tracepoints")[event]
    assert fields == set(re.findall(r"``(\w+)``", row))


@pytest.mark.parametrize("name", kernel_files())
def test_file_names_exist(name: str) -> None:
    """Every kernel file that one of our files names is in the tree."""
    if not name.endswith((".rst", ".c", ".h", "Kconfig", "page-reporting")):
        return
    named = re.findall(
        r"(?<![\w/])(?:Documentation|arch|drivers|mm|include)/[\w/-]+\.[\w.]*\w",
        (ROOT / name).read_text(encoding="utf-8"),
    )
    missing = sorted({path for path in named if not (TREE / path).exists()})
    assert not missing, f"{name} names files that are not there"


def test_functions_exist() -> None:
    """Every function that a document names is in the code that it is about."""
    folders = (
        "arch/um/drivers", "mm", "include/linux", "drivers/virtio", "drivers/xen",
        "fs", "kernel",
    )  # fmt: skip
    files = [path for name in folders for path in (TREE / name).rglob("*.[ch]")]
    code = "".join(path.read_text(encoding="utf-8") for path in files)
    for document in (sources.ADMIN_GUIDE, sources.DESIGN):
        for function in set(re.findall(r"\b(\w+)\(\)", sources.text(document))):
            assert re.search(rf"\b{function}\(", code), f"{function}() is not there"


@pytest.mark.parametrize("folder", INDEXES)
def test_index(folder: str) -> None:
    """The index leads to our document and to none that is gone."""
    index = TREE / "Documentation" / folder / "index.rst"
    entries = re.findall(r"^   ([\w/-]+)$", sources.text(index), re.MULTILINE)
    named = {f"page_reporting{suffix}" for suffix in INDEXES[folder]}
    assert named <= set(entries)
    missing = [e for e in entries if not (index.parent / f"{e}.rst").exists()]
    assert not missing


def test_maintainers_patterns_match() -> None:
    """Every pattern of our entry matches files of the tree."""
    for pattern in sources.maintained():
        assert list(TREE.glob(pattern.rstrip("/"))), f"{pattern} matches nothing"


@pytest.mark.parametrize("name", kernel_files())
def test_file_has_maintainer(name: str) -> None:
    """Our entry in MAINTAINERS covers each of our files."""
    patterns = [p + "*" if p.endswith("/") else p for p in sources.maintained()]
    assert any(fnmatch(name, pattern) for pattern in patterns)


def test_examples_are_those_that_are_tested() -> None:
    """The document shows a backend that is in use, and modules of the VM tests."""
    shown = re.findall(r"literalinclude:: (\S+)", sources.text(sources.DESIGN))
    modules = (ROOT / "tests/guest/modules").glob("example_*/*.c")
    tested = {sources.UML_BACKEND, *(module.resolve() for module in modules)}
    assert {(sources.DESIGN.parent / name).resolve() for name in shown} == tested


def test_result_of_a_callback_stays_with_it() -> None:
    """No line of a member's text is taken for a section of the structure."""
    header = TREE / "include/linux/page_reporting.h"
    run = subprocess.run(
        [TREE / "scripts/kernel-doc", "-rst", header],
        capture_output=True,
        text=True,
        check=True,
    )
    struct = run.stdout.split("c:struct:: page_reporting_dev_info", 1)[1]
    assert "**Return**" not in struct.split(".. c:", 1)[0]


def test_sphinx_has_no_complaint(tmp_path: Path) -> None:
    """The documents and the kernel-doc that they include render cleanly."""
    pages = tmp_path / "Documentation"
    examples = sources.DESIGN.parent.glob("page_reporting_example*.c")
    for path in (sources.DESIGN, *examples, sources.UML_BACKEND):
        place = tmp_path / path.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes())
    (pages / "admin_guide.rst").write_bytes(sources.ADMIN_GUIDE.read_bytes())
    (pages / "xen_guide.rst").write_bytes(sources.XEN_GUIDE.read_bytes())
    (pages / "conf.py").write_text(SPHINX_CONF.format(tree=TREE), encoding="utf-8")
    (pages / "index.rst").write_text(
        "Index\n=====\n\n.. toctree::\n\n   mm/page_reporting\n   admin_guide\n"
        "   xen_guide\n",
        encoding="utf-8",
    )
    run = subprocess.run(
        ["sphinx-build", "-q", "-W", "--keep-going", pages, tmp_path / "html"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    html = (tmp_path / "html/mm/page_reporting.html").read_text(encoding="utf-8")
    for function in ("page_reporting_register", "page_reporting_unregister"):
        assert f'id="c.{function}"' in html
