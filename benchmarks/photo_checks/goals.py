"""The table of goals: before, goal, aim, reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["GOALS", "Goal", "goals_table"]


@dataclass(frozen=True)
class Goal:
    """One line.

    Attributes:
        what: What is measured.
        before: At fd56309, as it was stated when the goal was set.
        least: The goal.
        aim: The further aim.
        checks: Keys of ``photographs.json``.
        text: The figures, as ``str.format`` fills them in from those of the checks.
    """

    what: str
    before: str
    least: str
    aim: str
    checks: tuple[str, ...]
    text: str


GOALS = (
    Goal("PolyU (34 whole images), no options", "36.4", "38.3", "38.8", ("polyu",),
         "{polyu[output]:.2f} (input {polyu[input]:.2f}; worst {polyu[worst]:+.2f})"),
    Goal("no photograph of PolyU, val, Kodak24, 60 drawings, texts and screenshots ends worse than its input by more "
         "than", "2.7 dB", "0.1 dB", "0", ("harmless",),
         "worst {harmless[worst]:+.2f}; {harmless[harmed]} of {harmless[count]} below -0.1, {harmless[worse]} below 0"),
    Goal("`restore` at CBSD68 sigma 15/25/50 (blind)", "32.46/30.30/27.29", "33.60/31.00/27.75", "33.75/31.15/27.95",
         ("denoise",), "{denoise[restore15]:.2f}/{denoise[restore25]:.2f}/{denoise[restore50]:.2f}"),
    Goal("`denoise` at CBSD68 sigma 15/25/50", "33.70/31.05/27.84",
         "33.87/31.21/27.96 (FFDNet's, at no more than its time)", "33.95/31.40/28.15",
         ("denoise",), "{denoise[denoise15]:.2f}/{denoise[denoise25]:.2f}/{denoise[denoise50]:.2f}"),
    Goal("choice within 0.2 dB of the best, 300 random degradations by a generator not used for learning",
         "76 %", "92 %", "95 %, mean loss <= 0.05", ("choice",),
         "{choice[near]:.0%}, mean loss {choice[loss]:.2f}, worst {choice[worst]:.2f}"),
    Goal("40 clean photographs as JPEG 90 to 100, 4:2:0 and 4:4:4: mean change; worst", "-1.8; -7.6 dB at q95 4:4:4",
         "0; -0.1", "touched only where it gains", ("jpegs",),
         "{jpegs[mean]:+.2f}; {jpegs[worst]:+.2f} dB; {jpegs[touched]:.0%} touched"),
    Goal("restored and saved, then restored again: touched", "", "none", "none", ("again",),
         "{again[touched]:.0%}; worst {again[worst]:+.2f} dB"),
    Goal("flowers of the paper, 50 test ones, no options: gain at blur 15x15; 5x5; worse than the input",
         "about +3.3; +2.7 dB; some", "+4.3; +3.5; none", "+4.8; +4.5", ("flowers",),
         "{flowers[gain15]:+.2f}; {flowers[gain5]:+.2f} dB; {flowers[worse15]} and {flowers[worse5]}"),
    Goal("x2 of 160-pixel pictures after JPEG 60, and after noise 8 (Y)", "24.93; 25.97",
         "+0.77; +1.33 (25.7; 27.3 on the pictures that set the goal)",
         "+0.3", ("thumbnails",), "{thumbnails[jpeg]:.2f}; {thumbnails[noise]:.2f}"),
    Goal("`upscale2` / `upscale4`, Set5 Y", "37.10/31.04", "37.6/31.4", "37.9/31.9", ("upscale",),
         "{upscale[upscale22]:.2f}/{upscale[upscale44]:.2f}"),
    Goal("`dejpeg` LIVE1 Y q10/q20/q40", "29.06/31.42/33.76", "29.25/31.65/34.0", "29.4/31.8/34.2", ("dejpeg",),
         "{dejpeg[dejpeg10]:.2f}/{dejpeg[dejpeg20]:.2f}/{dejpeg[dejpeg40]:.2f}"),
    Goal("`dejpeg` in color, 4:2:0, PSNR-RGB over val, q10/q20/q40", "", "", "", ("color-jpeg",),
         "{color-jpeg[10-420]:.2f}/{color-jpeg[20-420]:.2f}/{color-jpeg[40-420]:.2f}"),
    Goal("defocus radius 3, noise 1; motion 9 at 30 degrees, noise 1 (8 of CBSD68, blind)", "+1.3; +0.1 dB",
         "+3.5; +2.0", "+4.5; +4", ("real-blur",),
         "{real-blur[defocus-automatic]:+.2f}; {real-blur[motion-automatic]:+.2f} dB (`deblur` "
         "{real-blur[defocus-deblur]:+.2f}; {real-blur[motion-deblur]:+.2f})"),
)  # fmt: skip


def goals_table(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The table in Markdown.

    Args:
        before: Figures of ``photographs.py`` at fd56309, by check; they replace those that were stated then.
        now: What it kept last.
    """
    lines = ["| what | at fd56309 | at least | aim | reached |", "|---" * 5 + "|"]
    for goal in GOALS:
        was = _filled(goal, before)
        cells = [goal.what, was or goal.before, goal.least, goal.aim, _filled(goal, now) or "not measured"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _filled(goal: Goal, stored: Mapping[str, Any]) -> str:
    """The figures of a goal; none where one of its checks was not run."""
    if any(check not in stored for check in goal.checks):
        return ""
    return goal.text.format(**{check: stored[check]["figures"] for check in goal.checks})
