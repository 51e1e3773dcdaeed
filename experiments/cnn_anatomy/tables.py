"""The tables of the page, and what came out of the claims."""

from __future__ import annotations

import math
from typing import Any

from experiments.cnn_anatomy.convolution import SHIFTS, STRIDES
from experiments.cnn_anatomy.depth import LABELS
from experiments.seed.variants import BLURS

__all__ = ["claims", "tables"]

AT = "9"
"""Side of the blur that pictures are compared at."""

RATE = "0.2"

SHARES = ("90 %", "99 %")
"""Of a squared gradient."""


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def span(values: list[float], text: str = "{:.0f}") -> str:
    """Least and largest."""
    return f"{text.format(min(values))} to {text.format(max(values))}"


def departure(rows: dict[str, Any]) -> float:
    """Largest relative difference of a distance from sqrt(s^2 / T + b^2)."""
    return max(
        abs(distance / math.hypot(row["spread"] / math.sqrt(count), row["bias"]) - 1)
        for row in rows.values()
        for count, distance in zip(row["means"], row["distance"], strict=True)
    )


def claims(report: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Each claim, what was measured, and whether it came out."""
    shifts, cuts, drops = report["shifts"]["skips"], report["skips"], report["dropout"]
    at = [value for k, stride in STRIDES.items() for value in shifts[k][::stride]] + shifts["output"][::8]
    between = [shifts[k][s] for k, stride in STRIDES.items() for s in SHIFTS if s % stride]
    output = [shifts["output"][s] for s in SHIFTS if s % 8]
    moved, mean = report["filters"]["moved"], report["filters"]["mean"]
    pools = report["pooling"]
    psnr = {name: row["psnr"][AT] for name, row in cuts.items()}
    kept = {name: row["high"] / cuts["all skips"]["high"] for name, row in cuts.items()}
    depth = report["depth"]
    checked, equal = (sum(row[key] for row in depth.values()) for key in ("checked", "equal"))
    looks, sees = depth["skips"]["layers"]["d1"]["90 %"], depth["skips"]["layers"]["d1"]["side"]
    rank, farthest = drops[RATE]["rank"], departure(drops)
    return [
        (
            "after n poolings a shift by a multiple of 2ⁿ pixels shifts the tensor and changes nothing else",
            f"largest change {max(at):.2g}", max(at) < 1e-4,
        ),
        (
            "so does a shift by any other number",
            f"encoder: {100 * min(between):.0f} to {100 * max(between):.0f} % of the standard deviation; output: "
            f"{span(output, '{:.1f}')} gray levels",
            max(between) < 0.01,
        ),
        (
            "training moves the first filters by more than half of their length",
            f"{span([100 * v for v in moved])} % from the random start; "
            f"{span([100 * v for v in mean])} % mean color, 11 % by chance",
            min(moved) > 0.5,
        ),
        (
            "max pooling halves the effect of a shift by a pixel, or better",
            f"{100 * pools['max']['change']:.0f} % of it stays", pools["max"]["change"] < 0.5,
        ),
        (
            "max pooling keeps a picture better than averages do",
            f"{pools['max']['bilinear'] - pools['average']['bilinear']:+.2f} dB, "
            f"{pools['max']['brighter']:+.1f} gray levels",
            pools["max"]["bilinear"] > pools["average"]["bilinear"],
        ),
        (
            "the mean of T passes with dropout approaches the network without as √(s²/T + b²)",
            f"within {100 * farthest:.1f} %; at {RATE} s is {drops[RATE]['spread']:.1f}, b {drops[RATE]['bias']:.1f}",
            farthest < 0.05,
        ),
        ("the spread of the passes shows where the error is", f"rank correlation {rank:.2f}", rank > 0.5),
        (
            "fine detail comes through skip 1",
            f"without it {psnr['skip 1 averaged'] - psnr['all skips']:+.2f} dB and "
            f"{100 * kept['skip 1 averaged']:.0f} % of the high frequencies",
            kept["skip 1 averaged"] < 0.5,
        ),
        (
            "the middle carries the coarse picture",
            f"without it {psnr['middle averaged'] - psnr['all skips']:+.2f} dB; it alone is "
            f"{psnr['skips averaged'] - psnr['mean color']:+.2f} dB against the mean color",
            psnr["all skips"] > psnr["middle averaged"] + 1 or psnr["skips averaged"] > psnr["mean color"] + 1,
        ),
        ("the receptive field is what counting says", f"gradient: {equal} of {checked}", equal == checked),
        (
            "the output uses at least half of the width of it",
            f"90 % of the squared gradient in {looks} of {sees} pixels", looks >= sees / 2,
        ),
    ]  # fmt: skip


def tables(report: dict[str, Any]) -> str:
    """All tables of the page."""
    verdicts = [[claim, measured, "yes" if holds else "**no**"] for claim, measured, holds in claims(report)]
    pools = [
        [name, *(f"{row[how]:.2f}" for how in ("nearest", "bilinear")), f"{row['brighter']:+.1f}",
         *(f"{row[f'shift {how}']:.1f}" for how in ("nearest", "bilinear")), f"{100 * row['change']:.0f} %"]
        for name, row in report["pooling"].items()
    ]  # fmt: skip
    drops = [
        [rate, f"{row['spread']:.1f}", f"{row['distance'][-1]:.2f}", f"{row['bias']:.2f}",
         *(f"{value:.2f}" for value in row["psnr"]), f"{row['rank']:.2f}"]
        for rate, row in report["dropout"].items()
    ]  # fmt: skip
    cuts = [
        [name, *(f"{row['psnr'][str(ksize)]:.2f}" for ksize in BLURS), f"{row['high']:.3f}", f"{row['error']:.3f}"]
        for name, row in report["skips"].items()
    ]
    with_skips, without = (report["depth"][name]["layers"] for name in ("skips", "no skips"))
    fields = [
        [LABELS[layer], str(row["side"]), *(str(of[layer][key]) for of in (with_skips, without) for key in SHARES)]
        for layer, row in with_skips.items()
    ]
    last = next(iter(report["dropout"].values()))["means"][-1]
    return "\n\n".join(
        [
            table(["claim", "measured", ""], verdicts),
            table(["PSNR, dB", *(f"blur {k}x{k}" for k in BLURS), "high frequencies", "of the error"], cuts),
            table(
                [
                    "2x2 pooling",
                    "nearest, dB",
                    "bilinear, dB",
                    "brighter by",
                    "shift, nearest",
                    "shift, bilinear",
                    "change",
                ],
                pools,
            ),
            table(
                ["dropout", "s", f"distance, T = {last}", "b", "one pass, dB", f"mean of {last}", "without", "rank"],
                drops,
            ),
            table(
                ["receptive field, pixels", "side", *(f"{k}, {n}" for n in ("skips", "without") for k in SHARES)],
                fields,
            ),
        ]
    )
