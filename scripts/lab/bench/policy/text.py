# SPDX-License-Identifier: GPL-2.0
"""What the policy benchmark says in the report."""

from __future__ import annotations

from lab.bench.guest import Result
from lab.guest.variants import measured
from lab.report.section import Line, Section, Table, show, verdict

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
    ("counted-", "million_instructions", "million instructions a cycle, gaps of {} s"),
    ("flush-", "seconds_done", "s until {} MiB are freed and asked for"),
    ("flush-", "percent_done", "% of the {} MiB back by then"),
    ("flush-", "seconds_95", "s until 95 % of the {} MiB asked for are back"),
    ("pieces", "redundancy", "times that freed memory is reported"),
)
RETURN_GOAL = 1.0
MIXED_GOAL = 3.0
SETTLED_MIB = 16
CHURN_GOAL = 5.0
CYCLES_GOAL = 0.98
REPORTS_GOAL = 1.05

# What the short document says.
COMPARED = (
    Line("until 95 % of 3 GiB are back",
         row=("s until 95 % of 3072 MiB are back",), unit="s"),
    Line("given again, of a churn with gaps of 0.4 s",
         row=("% given again, churn with gaps of 0.4 s",), unit="%"),
)  # fmt: skip


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
        compared=COMPARED,
    )


def value(results: Results, step: str, variant: str, key: str) -> float | None:
    """Return one number, if it was measured and there is one."""
    found = results.get(f"{step}/{variant}", {}).get(key)
    return None if found is None else float(found)


def table(results: Results) -> Table:
    """Return the main value of each step."""
    names = list(dict.fromkeys(key.split("/")[0] for key in results))
    variants = measured(results)
    rows: list[tuple[str, ...]] = []
    for prefix, key, what in SHOWN:
        for name in names:
            if not name.startswith(prefix):
                continue
            cells = [what.format(name.removeprefix(prefix))]
            for variant in variants:
                known = f"{name}/{variant.name}" in results
                number = value(results, name, variant.name, key)
                form = ",.0f" if number and number >= 100 else ".2f"
                cells.append(show(number, form, "never" if known else "–"))
            rows.append(tuple(cells))
    head = ("measured", *(variant.label for variant in variants))
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
                show(row.get("pieces_mib"), ","),
                show(row["instructions_per_mib"], ","),
            )
        )
    caption = (
        f"Finer order: {found['free_mib']} MiB are free in pieces that alternate with"
        " memory in use, and hardly a block of 2 MiB is whole"
    )
    head = ("pieces of", "MiB back", "huge pages of the host, MiB", "batches",
            "MiB in pieces", "guest instructions per MiB of these")
    return [Table(caption, head, rows)]


def speeds(results: Results, variant: str) -> dict[float, float]:
    """Return by gap how fast a churn runs, as a share of that without reporting.

    The gap is part of a cycle; the emulator's processor does a billion
    instructions a second.
    """
    found = {}
    for key, result in results.items():
        base = results.get(f"{key.split('/')[0]}/none")
        if key.startswith("counted-") and key.endswith(f"/{variant}") and base:
            gap_ms = 1000 * float(result["gap"])
            without = gap_ms + float(base["million_instructions"])
            with_it = gap_ms + float(result["million_instructions"])
            found[float(result["gap"])] = without / with_it
    return found


def cycles_reading(results: Results) -> list[str]:
    """Say whether the churn was slowed down."""
    ours, stock = speeds(results, "ours"), speeds(results, "stock")
    if not ours:
        return []
    listed = ", ".join(f"{speed:.4f} at {gap:g} s" for gap, speed in ours.items())
    theirs = ", ".join(f"{speed:.4f}" for speed in stock.values())
    reached = verdict(min(ours.values()) >= CYCLES_GOAL)
    return [
        "The cycles in the table are of one boot each, and boots differ by more than"
        " the kernels. By the guest's instructions, on a processor that does a billion"
        f" a second, the churn runs at this share of its speed without reporting:"
        f" {listed} (stock kernel: {theirs}); at least {CYCLES_GOAL}: {reached}. What"
        " the host does to give memory again is not in that: it is what the share"
        " given again and the host's minor faults tell."
    ]


def age_reading(results: Results) -> list[str]:
    """Say what became of memory while the use of it changed."""
    found = []
    for key, result in results.items():
        if not key.startswith("age-"):
            continue
        name = key.removeprefix("age-").split("/")[0]
        peak = max(row[3] for row in result["series"])
        least = min(row[3] for row in result["series"])
        later = [row[0] for row in result["series"] if row[2] > SETTLED_MIB]
        end = (
            f"{result['series'][-1][2]} MiB still waited in the end"
            if result["series"][-1][2] > SETTLED_MIB
            else f"after {max(later, default=0):.0f} s nothing waited any more"
        )
        found.append(
            f"{name}: the host had to give {result['risen_mib']} MiB in all, between"
            f" {least} and {peak} MiB were there at a time, and {end}"
        )
    if not found:
        return []
    return [
        "The age over time is that of the youngest memory that was reported in a pass:"
        " it is high while memory that is expected to be used again is kept, and the"
        f" rest goes at 0.5 s all the same. {'; '.join(found)}."
    ]


def flush_reading(results: Results) -> list[str]:
    """Say what is back when a kernel was asked, and says that it is done."""
    found = {
        variant.label: results[f"{name}/{variant.name}"]
        for name in dict.fromkeys(key.split("/")[0] for key in results)
        for variant in measured(results)
        if name.startswith("flush-") and f"{name}/{variant.name}" in results
    }
    if not found:
        return []
    listed = "; ".join(
        f"{label}: done after {show(each['seconds_done'], '.2f')} s with"
        f" {show(each['percent_done'], '.0f')} % back, 95 % after"
        f" {show(each['seconds_95'], '.2f', 'a time that was not waited for,')} s"
        for label, each in found.items()
    )
    return [
        "Asked for what was just freed, this library by its flush, the stock kernel by"
        f" a delay of 0, which does not hasten a pass that is due already: {listed}."
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
    text += flush_reading(results)
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
    text += age_reading(results)
    if "fine/ours" in results:
        text.append(
            "Pieces of less than 32 KiB cannot be reported, and where hardly any larger"
            " ones are free, looking for them is what costs. Where they are found, the"
            " huge pages of the host go: so pieces are off unless asked for."
        )
    reports = value(results, "pieces", "ours", "redundancy")
    if reports is not None:
        text.append(
            f"What was freed is reported {reports:.2f} times; at most 1.05:"
            f" {verdict(reports <= REPORTS_GOAL)}."
        )
    return text
