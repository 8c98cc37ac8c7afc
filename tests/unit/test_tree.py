# SPDX-License-Identifier: GPL-2.0
"""The tool that lays the project over a kernel tree, on a tiny tree."""

import os
from pathlib import Path

import pytest
from lab.kernel.rules import RuleError
from lab.kernel.tree import Integration, TreeError, link_copy

ALLOC = """#include "old.h"

void free_one(int page)
{
\tnotify(page);
}
"""

COCCI = """// SPDX-License-Identifier: GPL-2.0
// Target: mm/alloc.c
// Looks for: the call of notify()
// Places: 1
@@ @@
- notify(page)
+ notify(page, 1)
"""

EDITS = """
[[edit]]
name = "makefile"
file = "mm/Makefile"
match = '^obj-y := alloc\\.o$'
insert_after = 'obj-y += page_reporting/'
"""


class Lab:
    """A project, a pristine tree and the integrated one, all tiny."""

    def __init__(self, base: Path) -> None:
        self.project = base / "project"
        self.stock = base / "stock"
        self.tree = base / "linux"
        self.write(self.stock / "mm/alloc.c", ALLOC)
        self.write(self.stock / "mm/Makefile", "obj-y := alloc.o\n")
        self.write(self.stock / "mm/page_reporting.c", "stock\n")
        self.write(self.stock / "include/api.h", "stock\n")
        link_copy(self.stock, self.tree)
        self.rule("alloc.cocci", COCCI)
        self.rule("edits.toml", EDITS)
        self.lay("mm/page_reporting/core.c", "ours\n")

    @staticmethod
    def write(path: Path, text: str) -> None:
        """Write a file and its folders."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def rule(self, name: str, text: str) -> None:
        """Write an integration rule."""
        self.write(self.project / "integration" / name, text)

    def lay(self, name: str, text: str) -> None:
        """Write a file of the project."""
        self.write(self.project / name, text)

    def run(self, source: str = "6.12") -> list[str]:
        """Integrate; return the names of what changed."""
        integration = Integration(self.project, self.stock, self.tree, source)
        return [change.split(maxsplit=1)[1] for change in integration.run()]

    def read(self, name: str) -> str:
        """Read a file of the integrated tree."""
        return (self.tree / name).read_text(encoding="utf-8")


@pytest.fixture(name="lab")
def fixture_lab(tmp_path: Path) -> Lab:
    """Return a fresh tiny project."""
    return Lab(tmp_path)


def test_integrates_and_leaves_the_pristine_tree_alone(lab: Lab) -> None:
    """Files, semantic patches and edits arrive; hard links are not written."""
    lab.run()
    assert lab.read("mm/page_reporting/core.c") == "ours\n"
    assert "notify(page, 1);" in lab.read("mm/alloc.c")
    assert lab.read("mm/Makefile") == "obj-y := alloc.o\nobj-y += page_reporting/\n"
    assert not (lab.tree / "mm/page_reporting.c").exists()
    assert (lab.stock / "mm/alloc.c").read_text(encoding="utf-8") == ALLOC
    assert (lab.stock / "mm/page_reporting.c").exists()


def test_second_run_changes_nothing(lab: Lab) -> None:
    """Time stamps stay, so make compiles nothing again."""
    lab.run()
    before = {path: os.stat(path).st_mtime_ns for path in lab.tree.rglob("*.[ch]")}
    assert not lab.run()
    after = {path: os.stat(path).st_mtime_ns for path in lab.tree.rglob("*.[ch]")}
    assert after == before


def test_unmatched_semantic_patch_stops(lab: Lab) -> None:
    """The error has the rule, the target and what was looked for."""
    lab.rule("alloc.cocci", COCCI.replace("- notify(page)", "- inform(page)"))
    with pytest.raises(RuleError) as error:
        lab.run()
    for word in ("alloc.cocci", "mm/alloc.c", "the call of notify()", "nowhere"):
        assert word in str(error.value)


def test_broken_semantic_patch_stops(lab: Lab) -> None:
    """What spatch cannot read is an error, with spatch's words."""
    lab.rule("alloc.cocci", COCCI.replace("@@ @@", "@@ nonsense"))
    with pytest.raises(RuleError, match="spatch fails"):
        lab.run()


@pytest.mark.parametrize("places, allowed", [(1, True), (2, False)])
def test_number_of_places_is_checked(lab: Lab, places: int, allowed: bool) -> None:
    """A patch that matches only in part stops."""
    lab.rule("alloc.cocci", COCCI.replace("Places: 1", f"Places: {places}"))
    if allowed:
        lab.run()
        return
    with pytest.raises(RuleError, match="changes 1 places"):
        lab.run()


@pytest.mark.parametrize("missing", ["Target", "Looks for", "Places"])
def test_semantic_patch_without_header_stops(lab: Lab, missing: str) -> None:
    """A rule must say what it is about."""
    lab.rule("alloc.cocci", COCCI.replace(f"// {missing}:", "//"))
    with pytest.raises(RuleError, match=f"// {missing}:"):
        lab.run()


@pytest.mark.parametrize(
    "makefile, times", [("obj-y := other.o\n", 0), ("obj-y := alloc.o\n" * 2, 2)]
)
def test_edit_must_match_once(lab: Lab, makefile: str, times: int) -> None:
    """An edit that matches never or twice stops with its name."""
    lab.write(lab.stock / "mm/Makefile", makefile)
    with pytest.raises(RuleError) as error:
        lab.run()
    assert "edits.toml [makefile]" in str(error.value)
    assert f"matches {times} times" in str(error.value)


@pytest.mark.parametrize(
    "action, result",
    [
        ("insert_after = 'new'", "one\ntwo\nnew\nthree\n"),
        ("insert_before = 'new'", "one\nnew\ntwo\nthree\n"),
        ("replace = 'new'", "one\nnewo\nthree\n"),
    ],
)
def test_actions_of_an_edit(lab: Lab, action: str, result: str) -> None:
    """Insertions go above and below the line, a replacement in the match."""
    lab.write(lab.stock / "list", "one\ntwo\nthree\n")
    edit = f"[[edit]]\nname = 'list'\nfile = 'list'\nmatch = 'tw'\n{action}\n"
    lab.rule("edits.toml", edit)
    lab.run()
    assert lab.read("list") == result


@pytest.mark.parametrize(
    "edit, complaint",
    [
        ("name = 'x'\nfile = 'list'\nmatch = 'x'", "one of"),
        ("name = 'x'\nfile = 'list'\nmatch = '('\nreplace = ''", "regular"),
        ("name = 'x'\nfile = 'l'\nmatch = 'x'\nreplace = ''\nfoo = 1", "foo"),
        ("name = 'x'\nfile = 'gone'\nmatch = 'x'\nreplace = ''", "not exist"),
        ("name = ", "edits.toml"),
    ],
)
def test_malformed_edit_stops(lab: Lab, edit: str, complaint: str) -> None:
    """The error names the fault."""
    lab.rule("edits.toml", f"[[edit]]\n{edit}\n")
    with pytest.raises(RuleError, match=complaint):
        lab.run()


def test_changed_rule_redoes_only_its_target(lab: Lab) -> None:
    """The other target keeps its time stamp."""
    lab.run()
    before = os.stat(lab.tree / "mm/Makefile").st_mtime_ns
    lab.rule("alloc.cocci", COCCI.replace("page, 1", "page, 2"))
    assert lab.run() == ["alloc.cocci to mm/alloc.c"]
    assert "notify(page, 2);" in lab.read("mm/alloc.c")
    assert os.stat(lab.tree / "mm/Makefile").st_mtime_ns == before


def test_changed_kernel_redoes_the_rule(lab: Lab) -> None:
    """A newer kernel source goes through the rules again."""
    lab.run()
    lab.write(lab.stock / "mm/alloc.c", ALLOC + "/* newer */\n")
    assert lab.run() == ["alloc.cocci to mm/alloc.c"]
    assert "/* newer */" in lab.read("mm/alloc.c")


def test_damaged_result_is_redone(lab: Lab) -> None:
    """A target that somebody edited by hand is made again."""
    lab.run()
    (lab.tree / "mm/alloc.c").write_text("damaged\n", encoding="utf-8")
    lab.run()
    assert "notify(page, 1);" in lab.read("mm/alloc.c")


def test_two_rules_for_one_target_apply_in_order(lab: Lab) -> None:
    """The second rule sees what the first one made."""
    second = COCCI.replace("- notify(page)", "- notify(page, 1)")
    second = second.replace("+ notify(page, 1)", "+ notify(page, 1, 2)")
    lab.rule("later.cocci", second)
    lab.run()
    assert "notify(page, 1, 2);" in lab.read("mm/alloc.c")


def test_removed_rule_restores_the_target(lab: Lab) -> None:
    """The pristine text comes back, newer than any object made of it."""
    lab.run()
    before = os.stat(lab.tree / "mm/alloc.c").st_mtime_ns
    (lab.project / "integration/alloc.cocci").unlink()
    assert lab.run() == ["mm/alloc.c"]
    assert lab.read("mm/alloc.c") == ALLOC
    assert os.stat(lab.tree / "mm/alloc.c").st_mtime_ns > before


def test_deleted_file_leaves_the_tree(lab: Lab) -> None:
    """So does its folder, once it is empty."""
    lab.run()
    (lab.project / "mm/page_reporting/core.c").unlink()
    assert lab.run() == ["mm/page_reporting/core.c"]
    assert not (lab.tree / "mm/page_reporting").exists()


def test_deleted_file_uncovers_the_stock_one(lab: Lab) -> None:
    """A file that replaced a stock file gives way to it again."""
    lab.lay("include/api.h", "ours\n")
    lab.run()
    assert lab.read("include/api.h") == "ours\n"
    (lab.project / "include/api.h").unlink()
    lab.run()
    assert lab.read("include/api.h") == "stock\n"


def test_file_and_rule_for_the_same_target_stop(lab: Lab) -> None:
    """One of the two would be lost."""
    lab.lay("mm/alloc.c", "ours\n")
    with pytest.raises(TreeError, match="only one"):
        lab.run()


def test_kunit_suites_go_to_their_folder(lab: Lab) -> None:
    """tests/kunit is the folder mm/page_reporting/tests of the kernel."""
    lab.lay("tests/kunit/.kunitconfig", "CONFIG_KUNIT=y\n")
    lab.run()
    assert lab.read("mm/page_reporting/tests/.kunitconfig") == "CONFIG_KUNIT=y\n"


LIMITED = COCCI.replace("// Places", "// Kernels: 6.12\n// Places")


def test_rules_for_one_kernel(lab: Lab) -> None:
    """Another kernel does without them."""
    lab.rule("alloc.cocci", LIMITED)
    lab.rule("edits.toml", EDITS + "kernels = ['7.3']\n")
    lab.run("6.12")
    assert "notify(page, 1);" in lab.read("mm/alloc.c")
    assert "page_reporting/" not in lab.read("mm/Makefile")
    lab.run("7.3")
    assert lab.read("mm/alloc.c") == ALLOC
    assert "page_reporting/" in lab.read("mm/Makefile")


@pytest.mark.parametrize("name", ["alloc.cocci", "edits.toml"])
def test_rule_for_an_unknown_kernel_stops(lab: Lab, name: str) -> None:
    """The message has the rule and the kernels that there are."""
    lab.rule("alloc.cocci", LIMITED.replace("6.12", "6.12 6.1"))
    lab.rule("edits.toml", EDITS + "kernels = ['6.1']\n")
    if name == "edits.toml":
        lab.rule("alloc.cocci", COCCI)
    with pytest.raises(RuleError, match=f"{name}.*6.1.*known are.*6.12"):
        lab.run()


def test_rule_for_one_kernel_changes_our_file(lab: Lab) -> None:
    """It does so anew when the file changes, and not for another kernel."""
    lab.lay("mm/alloc.c", ALLOC)
    lab.rule("alloc.cocci", LIMITED)
    lab.run()
    assert "notify(page, 1);" in lab.read("mm/alloc.c")
    assert not lab.run()
    lab.lay("mm/alloc.c", ALLOC + "/* newer */\n")
    assert lab.run() == ["alloc.cocci to mm/alloc.c"]
    assert "notify(page, 1);" in lab.read("mm/alloc.c")
    lab.run("7.3")
    assert lab.read("mm/alloc.c") == ALLOC + "/* newer */\n"


def test_rule_for_one_kernel_may_concern_a_file_of_ours_only(lab: Lab) -> None:
    """The stock kernel does not have to have the file."""
    lab.lay("mm/page_reporting/new.c", ALLOC)
    lab.rule("alloc.cocci", LIMITED.replace("mm/alloc.c", "mm/page_reporting/new.c"))
    lab.run()
    assert "notify(page, 1);" in lab.read("mm/page_reporting/new.c")


def test_files_for_one_kernel(lab: Lab) -> None:
    """integration/VERSION goes to the top of that kernel's tree."""
    lab.lay("integration/6.12/mm/page_reporting/compat.h", "names\n")
    lab.run("6.12")
    assert lab.read("mm/page_reporting/compat.h") == "names\n"
    lab.run("7.3")
    assert not (lab.tree / "mm/page_reporting/compat.h").exists()
