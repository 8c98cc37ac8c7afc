# SPDX-License-Identifier: GPL-2.0
"""What is written to sysfs by mistake is refused, and changes nothing."""

from __future__ import annotations

import random
import re
import string

from lab.guest.vm import Vm
from reporting import SYSFS

PARAMETERS = "/sys/module/page_reporting/parameters"
MS_MAX = 600000
NO_LIMIT = (1 << 32) - 1

# The files that take a number, and the largest that they take.
LARGEST = {
    f"{SYSFS}/enabled": 1,
    f"{SYSFS}/order": 10,
    f"{SYSFS}/age_ms": MS_MAX,
    f"{SYSFS}/max_age_ms": MS_MAX,
    f"{SYSFS}/piece_age_ms": MS_MAX,
    f"{SYSFS}/consolidate_percent": 100,
    f"{SYSFS}/unbacked_max_kb": NO_LIMIT - 1,
    f"{SYSFS}/unbacked_reserve_percent": 100,
    f"{PARAMETERS}/page_reporting_order": 10,
    f"{PARAMETERS}/page_reporting_delay_ms": MS_MAX,
}
WORDS = {f"{SYSFS}/unbacked_max_kb": ("max",), f"{SYSFS}/flush": ("1", "all")}
# A flush is refused once reporting is off.
WRITABLE = [f"{SYSFS}/flush", *LARGEST]

REFUSALS = ("Invalid argument", "Numerical result out of range")

BAD = (
    b"\n", b" ", b"\t\n", b"-", b"+", b"-1", b"-0", b"+1", b" 1", b"1 ", b"1\n\n",
    b"1\r\n", b"1.0", b"1e3", b"1,000", b"1k", b"0x", b"0xg", b"08", b"010", b"0x1",
    b"1\0", b"1\0002", b"\0", b"\0001", b"MAX", b"max", b"max\n", b"max\0", b"maximum",
    b"none", b"yes", b"true", b"all", b"%s%n", b"../order", b"\xff\xfe", b"\xd9\xa1",
    b"0" * 99 + b"1", b"9" * 4000, b"a" * 5000,
    b"-9223372036854775808", b"4294967294", b"4294967295", b"4294967296",
    b"9223372036854775807", b"9223372036854775808", b"18446744073709551615",
    b"18446744073709551616",
)  # fmt: skip
SEED, GENERATED = 17, 12
ALPHABET = b"0123456789abcdefx+- \n\0.,k"


def generated() -> list[bytes]:
    """Return text that is nearly a number: the same in each run."""
    source = random.Random(SEED)
    return [
        bytes(source.choices(ALPHABET, k=source.randint(1, 9)))
        for _ in range(GENERATED)
    ]


def meaning(name: str, text: bytes) -> str | None:
    """Return what a file reads after this was written to it; None if it is refused.

    Numbers are as everywhere in the kernel: octal with a 0 in front, hexadecimal
    with a 0x; a plus may be before, a newline may follow, and a NUL ends it all.
    """
    word = text.partition(b"\0")[0].decode(errors="replace").removesuffix("\n")
    if word in WORDS.get(name, ()):
        return word
    if name not in LARGEST:
        return None
    if not re.fullmatch(r"\+?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)", word, re.ASCII):
        return None
    digits = word.removeprefix("+")
    octal = digits.startswith("0") and digits[1:2] not in tuple("xX")
    number = int(digits, 8 if octal else 0)
    return str(number) if number <= LARGEST[name] else None


def octal(text: bytes) -> str:
    """Return text as printf takes it."""
    plain = string.ascii_letters + string.digits
    return "".join(chr(c) if chr(c) in plain else f"\\{c:03o}" for c in text)


def snapshot(vm: Vm) -> dict[str, str]:
    """Return what all tunables are."""
    values = vm.run(f"cat {' '.join(LARGEST)}").splitlines()
    return dict(zip(LARGEST, values, strict=True))


def write(vm: Vm, text: bytes) -> dict[str, str]:
    """Write text to each file at once; return what the errors were."""
    lines = vm.run(
        f"printf '{octal(text)}' >/tmp/text; for file in {' '.join(WRITABLE)}; do"
        " echo $file $(dd if=/tmp/text of=$file bs=8k status=none 2>&1); done",
        timeout=300,
    ).splitlines()
    return {name: error for name, _, error in (line.partition(" ") for line in lines)}


def restore(vm: Vm, values: dict[str, str]) -> None:
    """Write values back."""
    vm.run("; ".join(f"echo {value} >{name}" for name, value in values.items()))


def test_text_is_taken_as_documented_or_refused(vm: Vm) -> None:
    """By each file for itself: what is refused changes nothing, and nothing else does.

    The parameters have the values of two files; what these take, those take as well.
    """
    before = snapshot(vm)
    for text in (*BAD, *generated()):
        taken = {name: meaning(name, text) for name in WRITABLE}
        for name, error in write(vm, text).items():
            if taken[name] is None:
                assert any(reason in error for reason in REFUSALS), (text, name, error)
            else:
                assert not error, (text, name)
        after = snapshot(vm)
        assert after == {name: taken[name] or before[name] for name in LARGEST}, text
        if after != before:
            restore(vm, before)
            assert snapshot(vm) == before, text


def test_what_is_only_read(vm: Vm) -> None:
    """All other files refuse everything."""
    files = vm.run(f"find {SYSFS} -type f").split()
    assert {name for name in WRITABLE if name.startswith(SYSFS)} <= set(files)
    for name in set(files) - set(WRITABLE):
        assert vm.try_run(f"echo 1 >{name}").status != 0, name
