# SPDX-License-Identifier: GPL-2.0
"""Static checks of everything in the repository; every complaint is a failure.

With --quick only those that take seconds and need no kernel tree.
"""

import argparse
import re
import socket
import subprocess
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab.base import paths
from lab.base.tally import Tally
from lab.check import imports, layers
from lab.kernel import kernels
from lab.kernel.tree import Integration

# Sparse and W=1 have an output directory of their own: other warning flags
# would make build/ours compile the same objects again.
CHECKED = kernels.Kernel(
    "check",
    paths.TREE,
    "obj-check",
    ("guest.config", "kunit.config", "bench.config", "check.config"),
)

# What is for User Mode Linux only is compiled for that.
CHECKED_UML = kernels.Kernel(
    "check-uml", paths.TREE, "obj-check-uml", ("uml.config",), arch="um"
)
UML_SOURCES = "arch/um/"

# Where checkpatch is not followed: the type, the files, the reason.
CHECKPATCH_EXCEPTIONS = (
    # the kernel's own page flag names; the check writes a cache into the tree
    ("CAMELCASE", ""),
    # what we change is checked as a bare diff
    ("COMMIT_MESSAGE", ""),
    # TRACE_EVENT() is laid out like this in every trace header of the kernel
    ("OPEN_ENDED_LINE", "include/trace/events/"),
    ("PARENTHESIS_ALIGNMENT", "include/trace/events/"),
    # an argument more of a newer kernel is nothing to an older one, and one that
    # takes the place of several cannot be in parentheses
    ("MACRO_ARG_UNUSED", "mm/page_reporting/compat.h"),
    ("COMPLEX_MACRO", "mm/page_reporting/compat.h"),
    # a macro that defines an attribute pastes its name several times
    ("MACRO_ARG_REUSE", "mm/page_reporting/sysfs.c"),
    # these files define, for user space, what the kernel has by the same names
    *(
        (kind, "tools/testing/page_reporting/k")
        for kind in (
            "IS_ENABLED_CONFIG",
            "MACRO_ARG_PRECEDENCE",
            "MACRO_ARG_REUSE",
            "MACRO_ARG_UNUSED",
            "MEMORY_BARRIER",
            "NEW_TYPEDEFS",
            "PREFER_DEFINED_ATTRIBUTE_MACRO",
            "VOLATILE",
        )
    ),
)

LAB = Path("scripts/lab")

COCCI_GROUPS = ("api", "free", "iterators", "locks", "misc", "null", "tests")

# Hosts that the repository may mention.
HOSTS = re.compile(
    r"(([\w-]+\.)*(kernel\.org|gnu\.org|debian\.org|xenproject\.org|qemu\.org"
    r"|oasis-open\.org|python\.org)|spdx\.org|lwn\.net|lkml\.org|github\.com"
    r"|coccinelle\.gitlabpages\.inria\.fr|example\.(org|com))$"
)

# Words that codespell does not know, in small letters.
WORDS = ("damon", "uptodate")

# Files that cannot carry a comment, or need none.
NO_SPDX = re.compile(
    r"(\.(png|json|md|txt|svg|css)|\.gitignore|\.gitattributes|LICENSE"
    r"|Documentation/ABI/.*)$"
)


def output(command: list[str], cwd: Path = paths.ROOT) -> tuple[int, list[str]]:
    """Run a command; return its status and everything it printed."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=kernels.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return done.returncode, done.stdout.splitlines()


def complaints(command: list[str], cwd: Path = paths.ROOT) -> list[str]:
    """Run a command that prints nothing, and succeeds, if all is well."""
    code, lines = output(command, cwd)
    return lines or ([f"{command[0]} exits with status {code}"] if code else [])


def repository() -> list[str]:
    """List the files of the repository, new ones included."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = sorted(set(output(command)[1]))
    return [name for name in names if (paths.ROOT / name).is_file()]


def integration() -> Integration:
    """Return what makes the integrated tree."""
    return Integration(paths.ROOT, paths.STOCK_TREE, paths.TREE)


def overlay(*suffixes: str) -> list[str]:
    """List our files in the kernel tree by how their names end."""
    return [name for name in integration().overlay_files() if name.endswith(suffixes)]


def changed() -> list[str]:
    """List the kernel's own files that the rules change."""
    ours = integration().overlay_files()
    return [name for name in integration().load_rules() if name not in ours]


def checkpatch() -> list[str]:
    """Run checkpatch on every kernel file of ours, and on what we change."""
    names = overlay(".c", ".h", ".rst", "Kconfig", "Makefile", ".py")
    return run_checkpatch("-f", *names) + run_checkpatch(str(write_changes()))


def write_changes() -> Path:
    """Write what the rules change in existing kernel files, as a patch."""
    changes = paths.BUILD / "integration.patch"
    lines: list[str] = []
    for name in changed():
        labels = [f"--label=a/{name}", f"--label=b/{name}"]
        files = [str(paths.STOCK_TREE / name), str(paths.TREE / name)]
        lines += output(["diff", "-u", *labels, *files])[1]
    changes.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return changes


def run_checkpatch(*files: str) -> list[str]:
    """Run checkpatch; leave out what we do not follow."""
    everywhere = [kind for kind, prefix in CHECKPATCH_EXCEPTIONS if not prefix]
    command = ["scripts/checkpatch.pl", "--strict", "--terse", "--show-types"]
    command += ["--no-summary", "--no-tree", "--root=.", "--no-signoff", "--showfile"]
    command += ["--ignore", ",".join(everywhere)]
    code, lines = output([*command, *files], paths.TREE)
    if code and not lines:
        return [f"checkpatch.pl exits with status {code}"]
    return [line for line in lines if not excepted(line)]


def excepted(line: str) -> bool:
    """Tell whether a complaint of checkpatch is one that we do not follow."""
    return any(
        prefix and line.startswith(prefix) and f":{kind}:" in line
        for kind, prefix in CHECKPATCH_EXCEPTIONS
    )


def targets(sources: list[str]) -> list[str]:
    """Name the make targets that compile C files of the kernel tree."""
    core = "mm/page_reporting/"
    names = [name for name in sources if name.startswith(("mm/", "drivers/"))]
    return sorted(
        {
            core if name.startswith(core) else name.removesuffix(".c") + ".o"
            for name in names
            if name.endswith(".c")
        }
    )


def uml_targets(sources: list[str]) -> list[str]:
    """Name the objects that are compiled for User Mode Linux only."""
    return [
        name.removesuffix(".c") + ".o"
        for name in sources
        if name.startswith(UML_SOURCES) and name.endswith(".c")
    ]


def compile_strictly(
    kernel: kernels.Kernel, names: list[str], *flags: str
) -> list[str]:
    """Compile with W=1; return every warning."""
    command = kernels.make_command(kernel, "W=1", "KCFLAGS=-Werror", *flags, *names)
    code, lines = output(command, paths.TREE)
    found = [line for line in lines if re.search(r"warning:|error:|\*\*\*", line)]
    return found or (lines[-20:] if code else [])


def warnings() -> list[str]:
    """Compile with W=1 what is ours and what we change, and run sparse on ours.

    Files that we change are not given to sparse: it complains of the locking
    in the stock mm/page_alloc.c.
    """
    try:
        kernels.configure(CHECKED)
        kernels.configure(CHECKED_UML)
    except kernels.KernelError as error:
        return str(error).splitlines()
    ours = overlay(".c")
    found = compile_strictly(CHECKED, targets(changed()))
    found += compile_strictly(CHECKED, targets(ours), "C=2")
    return found + compile_strictly(CHECKED_UML, uml_targets(ours), "C=2")


def kernel_doc() -> list[str]:
    """Check the kernel-doc comments."""
    names = overlay(".c", ".h")
    return complaints(["scripts/kernel-doc", "-none", "-Wall", *names], paths.TREE)


def coccicheck() -> list[str]:
    """Run the kernel's semantic checks on our files."""
    folder = paths.TREE / "scripts" / "coccinelle"
    scripts = [path for group in COCCI_GROUPS for path in folder.glob(f"{group}/**/*")]
    usable = [path for path in sorted(scripts) if is_usable(path)]
    with ThreadPoolExecutor() as pool:
        return [line for lines in pool.map(semantic_check, usable) for line in lines]


def is_usable(script: Path) -> bool:
    """Tell whether Debian's spatch can run a script, and report what it finds."""
    if script.suffix != ".cocci":
        return False
    text = script.read_text(encoding="utf-8")
    return "virtual report" in text and "script:ocaml" not in text


def semantic_check(script: Path) -> list[str]:
    """Run one semantic check on our files."""
    text = script.read_text(encoding="utf-8")
    options = re.search(r"^// Options:(.*)$", text, re.MULTILINE)
    command = ["spatch", "-D", "report", "--no-show-diff", "--very-quiet"]
    command += ["--cocci-file", str(script)]
    command += options[1].split() if options else []
    code, lines = output([*command, *overlay(".c")], paths.TREE)
    # spatch also has opinions on the script itself
    opinion = re.compile(r"warning: line \d+: should \w+ be a metavariable")
    found = [line for line in lines if line and not opinion.match(line)]
    if code:
        found.append(f"spatch exits with status {code}")
    return [f"{script.name}: {line}" for line in found]


def python_files() -> list[str]:
    """List the Python files."""
    return [name for name in repository() if name.endswith(".py")]


def name_space(name: str) -> Path:
    """Return the folder that all modules are in with which a file is checked."""
    # scripts/lab is a package, every other folder a set of modules
    return LAB if LAB in Path(name).parents else Path(name).parent


def search_path(folder: Path) -> list[Path]:
    """Return where the modules are that the files of a folder import."""
    if folder == LAB:
        return [LAB.parent]
    with open(paths.ROOT / "pyproject.toml", "rb") as stream:
        settings = tomllib.load(stream)["tool"]["pytest"]["ini_options"]
    return list(dict.fromkeys([folder, *map(Path, settings["pythonpath"])]))


def mypy() -> list[str]:
    """Check the types of the Python files, one name space at a time."""
    found = []
    groups: dict[Path, list[str]] = {}
    for name in python_files():
        groups.setdefault(name_space(name), []).append(name)
    for folder, names in groups.items():
        search = ":".join(map(str, search_path(folder)))
        command = ["/usr/bin/python3", "-m", "mypy", *names]
        found += complaints(["env", f"MYPYPATH={search}", *command])
    return found


def flake8() -> list[str]:
    """Check the style of the Python files."""
    # W503 and E203 contradict PEP 8
    options = ["--max-line-length=88", "--extend-ignore=E203,W503"]
    return complaints(["/usr/bin/python3", "-m", "flake8", *options, *python_files()])


def text_files() -> dict[str, str]:
    """Return the text of every file of the repository that is text."""
    files = {name: (paths.ROOT / name).read_bytes() for name in repository()}
    return {
        name: data.decode(errors="replace")
        for name, data in files.items()
        if b"\0" not in data
    }


def shell() -> list[str]:
    """Check the shell scripts."""
    scripts = [
        name
        for name, text in text_files().items()
        if re.match(r"#!/bin/(sh|bash)\b", text)
    ]
    return complaints(["shellcheck", "--external-sources", "--format=gcc", *scripts])


def spelling() -> list[str]:
    """Look for words that are often misspelt."""
    names = [name for name in text_files() if not name.endswith(".json")]
    return complaints(["codespell", f"--ignore-words-list={','.join(WORDS)}", *names])


def line_ends() -> list[str]:
    """Look for what .editorconfig asks editors to keep away from."""
    found = []
    for name, text in text_files().items():
        if text and (not text.endswith("\n") or text.endswith("\n\n")):
            found.append(f"{name}: does not end with one newline")
        for number, line in enumerate(text.split("\n"), 1):
            if line != line.rstrip():
                found.append(f"{name}:{number}: ends with white space")
    return found


def spdx() -> list[str]:
    """Require a licence in the first lines of every source file."""
    found = []
    for name in repository():
        if NO_SPDX.search(name):
            continue
        head = (paths.ROOT / name).read_bytes().split(b"\n")[:3]
        if not any(b"SPDX-License-Identifier: GPL-2.0" in line for line in head):
            found.append(f"{name}: no 'SPDX-License-Identifier: GPL-2.0' on top")
    return found


def foreign() -> list[str]:
    """Look for paths and hosts that mean something on one machine only."""
    here = {str(paths.ROOT), f"{Path.home()}/"}
    host = socket.gethostname()
    # A short name may be any word.
    if "." in host:
        here.add(host)
    here -= {"/", "//"}
    found = []
    for name, text in text_files().items():
        for number, line in enumerate(text.splitlines(), 1):
            bad = [word for word in here if word in line]
            urls = re.findall(r"https?://([\w.-]+)", line)
            bad += [url for url in urls if not HOSTS.match(url.rstrip("."))]
            found += [f"{name}:{number}: mentions {word}" for word in bad]
    return found


QUICK: dict[str, Callable[[], list[str]]] = {
    "SPDX identifiers": spdx,
    "paths and hosts": foreign,
    "line ends": line_ends,
    "shellcheck": shell,
    "codespell": spelling,
    "flake8": flake8,
    "direction of calls": layers.check,
    "direction of imports": imports.check,
}

THOROUGH: dict[str, Callable[[], list[str]]] = {
    "mypy --strict": mypy,
    "checkpatch --strict": checkpatch,
    "kernel-doc -Wall": kernel_doc,
    "coccicheck": coccicheck,
    "sparse and W=1": warnings,
}


def main(arguments: list[str]) -> int:
    """Entry point of `make check` and `make lint`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only what takes seconds")
    quick = parser.parse_args(arguments).quick
    tally = Tally()
    for name, function in (QUICK if quick else QUICK | THOROUGH).items():
        tally.check(name, function)
    return tally.finish()
