"""Parameters as data: what each may be, how it is read from text, and how it is checked.

Degradations, methods and networks declare theirs with the same kinds. In a degradation a number may be fixed, drawn
from a range, or drawn from a few choices: ``1.6``, ``0.3..4``, ``5|9|15|21``. Where the parameter allows, a word may be
drawn from a few choices too: ``4:2:0|4:4:4``.
"""

from __future__ import annotations

from resolvent.parameters.kinds import Array, Flag, Kind, Number, Several, Text, Word
from resolvent.parameters.settings import Setting, check_settings, read_settings
from resolvent.parameters.values import Choice, FixedArray, Range, format_number, format_value, values_of

__all__ = [
    "Array",
    "Choice",
    "FixedArray",
    "Flag",
    "Kind",
    "Number",
    "Range",
    "Setting",
    "Several",
    "Text",
    "Word",
    "check_settings",
    "format_number",
    "format_value",
    "read_settings",
    "values_of",
]
