"""Options of the command line, where an error names parameters of Python functions."""

from __future__ import annotations

import re

__all__ = ["in_flags"]

FLAGS = {"scale": "-s", "model": "-m", "settings": "--set", "output": "-o", "megapixels": "--max-megapixels"}
FLAGS |= {"megabytes": "--max-megabytes"}
SAME = """
strength realism tile memory runtime seed frame budget method degradation sigma preview repair mask write_mask suffix
ext quality strip cluster resume overwrite limit uncertainty levels epochs
"""
"""Parameters whose option has the same name."""

FLAGS |= {name: f"--{name.replace('_', '-')}" for name in SAME.split()}
"""The option that sets a parameter of the Python functions."""

_NAMES = "|".join(FLAGS)


def in_flags(message: str) -> str:
    """Name options where an error of a Python function names its parameters.

    Examples:
        >>> in_flags("sigma 90: model 'denoise' is for 0 to 75 gray levels of 255")
        "--sigma 90: model 'denoise' is for 0 to 75 gray levels of 255"
        >>> in_flags("write_mask m.png: writes what repair finds; give repair (--repair) too")
        '--write-mask m.png: writes what repair finds; give --repair too'
        >>> in_flags("method 'tv': needs the degradation that it inverts; give degradation='noise:sigma=25'")
        "--method 'tv': needs the degradation that it inverts; give --degradation 'noise:sigma=25'"
        >>> in_flags("model of pnp = 'dejpeg': must be a model that takes a noise level")
        "model of pnp = 'dejpeg': must be a model that takes a noise level"
    """
    message = re.sub(rf"\b(?:{_NAMES})(?:=\S*| [\w.]+)? \((-{{1,2}}[a-z][^)]*)\)", r"\1", message)
    message = re.sub(
        rf"(?<![:,\w])({_NAMES})=(['\w]?)", lambda match: f"{FLAGS[match[1]]} {match[2]}".rstrip(), message
    )
    head, colon, rest = re.sub(r"^limit of (\w+) =", r"\1", message).partition(":")
    return re.sub(rf"(^|\band )({_NAMES})(?= )(?! of )", lambda match: match[1] + FLAGS[match[2]], head) + colon + rest
