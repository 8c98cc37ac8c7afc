# SPDX-License-Identifier: GPL-2.0
"""The plan of the patch series, and the tree after each patch, on tiny trees."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.base import paths, version
from lab.kernel import rules
from lab.kernel.tree import REMOVED, Integration
from lab.series import plan, stages, trim, writer
from lab.series.plan import Hunk, Patch, SeriesError
from lab.series.stages import KCONFIG, Stages

MAKEFILE = """# objects
obj-$(CONFIG_X) += page_reporting.o
page_reporting-y := early.o late.o core.o \\
\tother.o
page_reporting-$(CONFIG_LATE) += late.o
"""
LATE_MAKEFILE = """# objects
obj-$(CONFIG_X) += page_reporting.o
page_reporting-y := early.o core.o other.o
"""

SYMBOLS = """# ours
config EARLY
\tbool "Early"
\thelp
\t  Is there.

\t  For long.

config LATE
\tbool "Late"
"""
EARLY_SYMBOLS = SYMBOLS[: SYMBOLS.index("\nconfig LATE")]

FRAGMENT = """# what we test
CONFIG_EARLY=y
CONFIG_LATE=y

# because of it
CONFIG_LATE_TOO=y

# always
CONFIG_KUNIT=y
"""
EARLY_FRAGMENT = """# what we test
CONFIG_EARLY=y

# always
CONFIG_KUNIT=y
"""

EDITS = """
[[edit]]
name = "first"
file = "mm/alloc.c"
match = '^call\\(\\);$'
insert_after = "first();"

[[edit]]
name = "second"
file = "mm/alloc.c"
match = '^call\\(\\);$'
insert_before = "second();"
"""


class Lab:
    """A project, a pristine tree and one for the stages, all tiny."""

    def __init__(self, base: Path) -> None:
        self.project = base / "project"
        self.stock = base / "stock"
        self.tree = base / "linux"
        self.write(self.stock / "mm/alloc.c", "call();\n")
        self.write(self.stock / REMOVED[0], "stock\n")
        self.write(self.stock / "include/api.h", "stock\n")
        self.write(self.project / "integration/edits.toml", EDITS)
        self.write(self.project / KCONFIG, SYMBOLS)
        self.write(self.project / "mm/page_reporting/early.c", "one\nlater\ntwo\n")
        self.write(self.project / "include/api.h", "ours\n")

    @staticmethod
    def write(path: Path, text: str) -> None:
        """Write a file and its folders."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def read(self, name: str) -> str | None:
        """Return what a file of the tree is now."""
        path = self.tree / name
        return path.read_text(encoding="utf-8") if path.exists() else None

    def stages(self, *patches: Patch) -> Stages:
        """Plan a series."""
        return Stages(list(patches), self.project, self.stock)


LATER = Hunk("mm/page_reporting/early.c", "^later\n")


def early(**more: list[str]) -> Patch:
    """Return the first patch of a series of two."""
    files = [r"mm/page_reporting/(Kconfig|early\.c)$", *more.get("files", [])]
    found = [r"edits\.toml \[second\]", *more.get("rules", [])]
    return Patch("early", "", files, found, ["EARLY"])


def late(*hunks: Hunk) -> Patch:
    """Return the second patch."""
    files = ["include/", "Documentation/", r"mm/page_reporting\."]
    return Patch("late", "", files, [r".*\[first"], ["LATE"], list(hunks))


@pytest.fixture(name="lab")
def fixture_lab(tmp_path: Path) -> Lab:
    """A project and a pristine tree."""
    return Lab(tmp_path)


def test_stages(lab: Lab) -> None:
    """Files, rules, symbols and hunks come with their patch; going back is possible."""
    stages = lab.stages(early(), late(LATER))
    for _ in range(2):
        stages.lay(0, lab.tree)
        assert lab.read("mm/alloc.c") == "second();\ncall();\n"
        assert lab.read("mm/page_reporting/early.c") == "one\ntwo\n"
        assert lab.read("include/api.h") == "stock\n"
        assert lab.read(REMOVED[0]) == "stock\n"
        assert lab.read(KCONFIG) == EARLY_SYMBOLS
        stages.lay(1, lab.tree)
        assert lab.read("mm/alloc.c") == "second();\ncall();\nfirst();\n"
        assert lab.read("mm/page_reporting/early.c") == "one\nlater\ntwo\n"
        assert lab.read("include/api.h") == "ours\n"
        assert lab.read(REMOVED[0]) is None
        assert lab.read(KCONFIG) == SYMBOLS
    assert not stages.lay(1, lab.tree)
    assert "mm/page_reporting/early.c" in stages.differences(1)


def test_text_before_a_hunk(lab: Lab) -> None:
    """Until its patch, something else may stand there."""
    stages = lab.stages(early(), late(Hunk(LATER.file, "^later$", "sooner")))
    assert stages.content(LATER.file, 0) == b"one\nsooner\ntwo\n"


@pytest.mark.parametrize(
    "hunk, message",
    [
        (Hunk(LATER.file, "^never$"), r"\[late\].*early\.c matches 0 times"),
        (Hunk(LATER.file, "e"), r"matches 2 times.*\n.*looked for: e$"),
    ],
)
def test_hunk_that_does_not_match(lab: Lab, hunk: Hunk, message: str) -> None:
    """It must match exactly once, and who reads the error finds it."""
    with pytest.raises(SeriesError, match=message):
        lab.stages(early(), late(hunk)).content(hunk.file, 0)


@pytest.mark.parametrize(
    "file, message",
    [
        ("include/api.h", r"include/api\.h: comes too early.*\[late\]"),
        ("mm/other.c", r"mm/other\.c: nothing of ours is in this file"),
    ],
)
def test_hunk_of_a_wrong_file(lab: Lab, file: str, message: str) -> None:
    """A hunk is of a file that an earlier patch brings or changes."""
    with pytest.raises(SeriesError, match=message):
        lab.stages(early(), late(Hunk(file, "")))


@pytest.mark.parametrize(
    "more, message",
    [
        ({"files": ["include/"]}, r"api\.h: \[early\] and \[late\].* this file"),
        ({"rules": [r".*\[first"]}, r"first\]: \[early\] and \[late\].* this rule"),
    ],
)
def test_wanted_twice(lab: Lab, more: dict[str, list[str]], message: str) -> None:
    """What two patches want is an error that names them."""
    with pytest.raises(SeriesError, match=message):
        lab.stages(early(**more), late())


def test_wanted_by_nobody(lab: Lab) -> None:
    """What no patch wants is named."""
    lab.write(lab.project / "mm/page_reporting/new.c", "")
    with pytest.raises(SeriesError, match=r"new\.c: no patch .* wants this file"):
        lab.stages(early(), late())
    with pytest.raises(SeriesError, match=r"no patch .* wants this file"):
        lab.stages(early())


def test_symbols(lab: Lab) -> None:
    """Every symbol comes with one patch, and every patch brings what there is."""
    lab.write(lab.project / KCONFIG, SYMBOLS + "\nconfig NEW\n\tbool\n")
    with pytest.raises(SeriesError, match="NEW: no patch .* wants this symbol"):
        lab.stages(early(), late()).content(KCONFIG, 0)
    lab.write(lab.project / KCONFIG, EARLY_SYMBOLS)
    with pytest.raises(SeriesError, match=r"\[late\]: .*Kconfig has no LATE"):
        lab.stages(early(), late()).content(KCONFIG, 0)


@pytest.mark.parametrize(
    "text, message",
    [
        ("[[patch]]\nsubject = 's'\n", "needs subject and body"),
        ("[[patch]]\nsubject = 's'\nbody = ''\nfile = []\n", "unknown keys .'file'"),
        ("[[patch]]\nsubject = 's'\nbody = ''\nfiles = ['(']\n", "no regular expr"),
        ("[[patch]]\nsubject = 's'\nbody = ''\nhunks = [{file = 'a'}]\n", "file and m"),
        ("[[patch\n", "series.toml: "),
        ("", "has no patch"),
    ],
)
def test_bad_plan(tmp_path: Path, text: str, message: str) -> None:
    """A mistake in the plan is named."""
    file = tmp_path / "series.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SeriesError, match=message):
        plan.load(file)


def test_trimmed_makefile() -> None:
    """Objects without a source go, and nothing changes when there are none."""
    assert trim.makefile(MAKEFILE, lambda name: True) == MAKEFILE
    trimmed = trim.makefile(MAKEFILE, lambda name: name != "late.c")
    assert trimmed == LATE_MAKEFILE


def test_trimmed_makefile_is_wrapped() -> None:
    """A line that becomes too long is continued."""
    names = [f"object{number}.o" for number in range(20)]
    text = f"page_reporting-y := {' '.join(names)}\n"
    trimmed = trim.makefile(text, lambda name: name != "object7.c")
    assert trimmed.replace(" \\\n\t", " ") == text.replace("object7.o ", "")
    assert max(len(line) for line in trimmed.splitlines()) <= 80


def test_trimmed_kconfig() -> None:
    """A symbol goes with its help, paragraphs and all."""
    assert trim.kconfig_symbols(SYMBOLS) == ["EARLY", "LATE"]
    assert trim.kconfig(SYMBOLS, set()) == SYMBOLS
    assert trim.kconfig(SYMBOLS, {"LATE"}) == EARLY_SYMBOLS
    assert trim.kconfig(SYMBOLS, {"EARLY"}).startswith("# ours\nconfig LATE")


def test_trimmed_settings() -> None:
    """A paragraph goes with its comment when it sets nothing any more."""
    assert trim.settings(FRAGMENT, set()) == FRAGMENT
    assert trim.settings(FRAGMENT, {"LATE", "LATE_TOO"}) == EARLY_FRAGMENT
    unset = "# CONFIG_LATE is not set\n# CONFIG_EARLY is not set\n"
    assert trim.settings(unset, {"LATE"}) == "# CONFIG_EARLY is not set\n"


def test_trimmed_includes() -> None:
    """Includes of headers that are not there go."""
    text = '#include <a.h>\n#include "../late.h"\n#include "../early.h"\n'
    trimmed = trim.includes(text, lambda name: name == "../early.h")
    assert trimmed == '#include <a.h>\n#include "../early.h"\n'
    assert trim.beside("mm/x/tests/a.h", "../early.h") == "mm/x/early.h"


@pytest.mark.parametrize("source", paths.SOURCES)
def test_all_of_ours_has_its_patch(source: str) -> None:
    """Every file, rule and symbol belongs to exactly one patch, for every kernel."""
    patches = plan.load()
    project = Integration(paths.ROOT, paths.STOCK_TREE, paths.TREE, source)
    overlay = project.overlay_files()
    plan.file_owners({*overlay, *REMOVED}, patches)
    found = rules.load(paths.ROOT / "integration", source)
    plan.rule_owners((rule.name for rule in found), patches)
    symbols = trim.kconfig_symbols(overlay[KCONFIG].read_text(encoding="utf-8"))
    owners = plan.symbol_owners(symbols, patches)
    assert set(owners) == {symbol for patch in patches for symbol in patch.kconfig}


def test_hunks_of_ours_match() -> None:
    """Each hunk of the plan matches exactly once, in the files of the project."""
    stages = Stages(plan.load())
    ours = {hunk.file for patch in stages.patches for hunk in patch.hunks}
    for name in sorted(ours & stages.overlay.keys()):
        for stage in range(stages.last):
            stages.content(name, stage)


def test_cover_letter_names_the_version(tmp_path: Path) -> None:
    """It is written beside the patches, and git am does not see it."""
    repository = tmp_path / "repository"
    repository.mkdir()
    writer.git(repository, "init", "--quiet", f"--initial-branch={writer.BRANCH}")
    writer.identify(repository)
    for number in range(3):
        (repository / "file").write_text(f"{number}\n", encoding="utf-8")
        writer.commit(repository, f"commit {number}")
    writer.git(repository, "tag", "stock", "HEAD~2")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "OUTPUT", tmp_path)
        writer.export(repository, signoff=False)
    assert len(list(tmp_path.glob("*.patch"))) == 2
    text = (tmp_path / f"{writer.COVER}.txt").read_text(encoding="utf-8")
    subject = plan.load_cover().subject
    assert f"\nSubject: [PATCH 0/2] {subject}\n" in text
    assert f"\nVersion {version.described()}, for Linux " in text
    assert "BLURB" not in text


def test_cover_needs_all(tmp_path: Path) -> None:
    """A plan without a cover letter is refused."""
    file = tmp_path / "plan.toml"
    file.write_text("[cover]\nsubject = 's'\n", encoding="utf-8")
    with pytest.raises(SeriesError, match="needs subject and body"):
        plan.load_cover(file)


def test_rules_run_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule is not applied anew for each stage: some take seconds."""
    calls: list[str] = []
    original = rules.Edit.apply

    def count(rule: rules.Edit, source: str) -> str:
        calls.append(rule.name)
        return original(rule, source)

    monkeypatch.setattr(rules.Edit, "apply", count)
    monkeypatch.setattr(stages, "APPLIED", {})
    both = lab.stages(early(), late())
    for stage in (0, 1, 0, 1, 1):
        both.content("mm/alloc.c", stage)
    # the second anew, where the first one has been at work
    names = [name.removeprefix("edits.toml ") for name in calls]
    assert names == ["[second]", "[first]", "[second]"]
