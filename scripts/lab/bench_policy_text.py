# SPDX-License-Identifier: GPL-2.0
"""What the policy benchmark says in the report."""

from __future__ import annotations

from lab.bench_guest import VARIANTS, Result
from lab.bench_section import Section, Table, show, verdict

Results = dict[str, Result]

# What is shown of a step: how its name begins, which value, in which unit.
SHOWN = (
    ("return-", "seconds_50", "s until 50 % of {} MiB are back"),
    ("return-", "seconds_95", "s until 95 % of {} MiB are back"),
    ("many", "seconds", "s until six guests are near idle"),
    ("mixed", "seconds_95", "s until 95 % are back beside a churn"),
    ("churn-", "learned_percent", "% given again, churn with gaps of {} s"),
    ("churn-", "cycles", "cycles of the churn, gaps of {} s"),
    ("churn-", "mean_ms", "ms for an allocation of it, gaps of {} s"),
    ("churn-", "host_faults", "minor faults of the host, gaps of {} s"),
    ("pieces", "redundancy", "times that freed memory is reported"),
)
RETURN_GOAL = 1.0
MIXED_GOAL = 3.0
CHURN_GOAL = 5.0
CYCLES_GOAL = 0.98
REPORTS_GOAL = 1.05


def describe(results: Results) -> Section:
    """Say what came out."""
    back = value(results, "return-3072", "ours", "seconds_95")
    return Section(
        title="When is memory reported, and what does that cost?",
        question="Freed memory should be back soon, memory in use again and again"
        " should not go.",
        how="Idle guests that free memory, and guests that take and free the same"
        " memory with gaps. What the host had to give again is the sum of the rises of"
        " QEMU's memory, after two rounds of learning, as a share of what was used.",
        headline=(f"{show(back, '.2f')} s", "until 95 % of 3 GiB are back"),
        tables=[table(results), *fine_tables(results)],
        reading=reading(results),
    )


def value(results: Results, step: str, variant: str, key: str) -> float | None:
    """Return one number, if it was measured and there is one."""
    found = results.get(f"{step}/{variant}", {}).get(key)
    return None if found is None else float(found)


def table(results: Results) -> Table:
    """Return the main value of each step."""
    names = list(dict.fromkeys(key.split("/")[0] for key in results))
    rows: list[tuple[str, ...]] = []
    for prefix, key, what in SHOWN:
        for name in names:
            if not name.startswith(prefix):
                continue
            cells = [what.format(name.removeprefix(prefix))]
            for variant in VARIANTS:
                known = f"{name}/{variant.name}" in results
                number = value(results, name, variant.name, key)
                form = ",.0f" if number and number >= 100 else ".2f"
                cells.append(show(number, form, "never" if known else "–"))
            rows.append(tuple(cells))
    head = ("measured", *(variant.label for variant in VARIANTS))
    return Table("Return and reuse", head, rows)


def fine_tables(results: Results) -> list[Table]:
    """Return what reporting of pieces brought and cost, if that was measured."""
    found = results.get("fine/ours")
    if not found:
        return []
    rows: list[tuple[str, ...]] = []
    for values in found["series"]:
        row = dict(zip(found["columns"], values))
        rows.append(
            (
                f"{row['piece_kib']} KiB",
                str(row["back_mib"]),
                f"{row['huge_before_mib']} → {row['huge_after_mib']}",
                f"{row['batches']:,}",
                f"{row['instructions_per_mib']:,}",
            )
        )
    caption = (
        f"Finer order: {found['free_mib']} MiB are free in pieces that alternate with"
        " memory in use, and hardly a block of 2 MiB is whole"
    )
    head = ("pieces of", "MiB back", "huge pages of the host, MiB", "batches",
            "guest instructions per MiB")
    return [Table(caption, head, rows)]


def cycles_reading(results: Results) -> list[str]:
    """Say whether the churn was slowed down."""
    found = [results[key] for key in results if key.startswith("pairs-")]
    if not found:
        return []
    listed = ", ".join(
        f"{pair['ratio']:.3f} at {pair['gap']:g} s ({pair['least']:.2f} to"
        f" {pair['most']:.2f} in {len(pair['on_per_second'])} pairs)"
        for pair in found
    )
    least = min(pair["ratio"] for pair in found)
    return [
        "The cycles in the table are of one boot each, and boots differ by more than"
        " the kernels. With reporting switched on and off in turn in one guest, the"
        f" churn with it runs at this share of its speed without: {listed}; at least"
        f" {CYCLES_GOAL}: {verdict(least >= CYCLES_GOAL)}."
    ]


def reading(results: Results) -> list[str]:
    """Interpret the numbers."""
    text = []
    back = value(results, "return-3072", "ours", "seconds_95")
    if back is not None:
        text.append(
            f"3 GiB are back after {back:.2f} s; at most 1 s:"
            f" {verdict(back <= RETURN_GOAL)}."
        )
    beside = value(results, "mixed", "ours", "seconds_95")
    if beside is not None:
        text.append(
            f"Beside a churn, 1 GiB is back after {beside:.2f} s; at most 3 s:"
            f" {verdict(beside <= MIXED_GOAL)}."
        )
    churns = {
        key.split("/")[0].removeprefix("churn-"): float(result["learned_percent"])
        for key, result in results.items()
        if key.startswith("churn-") and key.endswith("/ours")
    }
    if churns:
        gap = max(churns, key=lambda name: churns[name])
        text.append(
            f"Of churned memory the host has to give {churns[gap]:.1f} % again in the"
            f" worst case (gaps of {gap} s); at most 5 %:"
            f" {verdict(churns[gap] <= CHURN_GOAL)}."
        )
    text += cycles_reading(results)
    reports = value(results, "pieces", "ours", "redundancy")
    if reports is not None:
        text.append(
            f"What was freed is reported {reports:.2f} times; at most 1.05:"
            f" {verdict(reports <= REPORTS_GOAL)}."
        )
    return text
