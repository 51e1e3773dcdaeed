"""Convert color information that is not an ICC profile into an equivalent ICC profile.

Numbers of ITU-T H.273 (cICP in PNG, nclx in AVIF and HEIF) and PNG's gAMA and cHRM become profiles of three primaries
and a curve. Those of H.273 carry the tag ``cicp`` besides, from which the numbers are read back.

Sources: ICC.1:2022, 8.3, 9.2.17, 10.18 and annex E; ITU-T H.273, tables 2 and 3; ITU-R BT.2100; PNG 3rd edition, 11.3.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["cicp_of", "for_channels", "is_sound", "of_cicp", "of_gamma", "space"]

_D65, _D50 = (0.3127, 0.3290), (0.9642, 1.0, 0.8249)
_SRGB = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_PRIMARIES: dict[int, tuple[tuple[float, ...], tuple[float, float]]] = {  # red, green, blue; white
    1: (_SRGB, _D65),
    4: ((0.67, 0.33, 0.21, 0.71, 0.14, 0.08), (0.310, 0.316)),
    5: ((0.64, 0.33, 0.29, 0.60, 0.15, 0.06), _D65),
    6: ((0.630, 0.340, 0.310, 0.595, 0.155, 0.070), _D65),
    7: ((0.630, 0.340, 0.310, 0.595, 0.155, 0.070), _D65),
    8: ((0.681, 0.319, 0.243, 0.692, 0.145, 0.049), (0.310, 0.316)),
    9: ((0.708, 0.292, 0.170, 0.797, 0.131, 0.046), _D65),
    11: ((0.680, 0.320, 0.265, 0.690, 0.150, 0.060), (0.314, 0.351)),
    12: ((0.680, 0.320, 0.265, 0.690, 0.150, 0.060), _D65),
    22: ((0.630, 0.340, 0.295, 0.605, 0.155, 0.077), _D65),
}
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_SAMPLES = 1024
_UNSPECIFIED = 2


def of_cicp(primaries: int, transfer: int) -> bytes | None:
    """Make the profile of the numbers of H.273; None for sRGB, and where it is unspecified.

    Raises:
        LookupError: There is no such profile.
    """
    if primaries in (1, _UNSPECIFIED) and transfer in (13, _UNSPECIFIED):
        return None
    points, white = _PRIMARIES[1 if primaries == _UNSPECIFIED else primaries]
    curve = _curve(13 if transfer == _UNSPECIFIED else transfer)
    numbers = {b"cicp": b"cicp" + bytes(4) + bytes([primaries, transfer, 0, 1])}
    return _profile(f"H.273 {primaries}, {transfer}", _colors(points, white) | _curves(curve) | numbers)


def of_gamma(gamma: float | None, chromaticities: Sequence[float] | None) -> bytes | None:
    """Make the profile of PNG's gAMA, such as 0.45455, and cHRM (white, red, green, blue), where sRGB stands for None.

    Raises:
        ValueError: They are no colors.
    """
    white, points = (tuple(chromaticities[:2]), tuple(chromaticities[2:])) if chromaticities else (_D65, _SRGB)
    if gamma is not None and not 0.05 < gamma < 20:
        raise ValueError(gamma)
    curve = _curve(13) if gamma is None else _parametric(0, 1 / gamma)
    try:
        colors = _colors(points, white)
    except (ZeroDivisionError, np.linalg.LinAlgError, struct.error) as error:
        raise ValueError(chromaticities) from error
    return _profile("gAMA, cHRM", colors | _curves(curve))


def cicp_of(profile: bytes) -> tuple[int, int] | None:
    """Give the numbers of H.273 for primaries and transfer that a profile carries."""
    tag = _tags(profile).get(b"cicp", b"")
    return (tag[8], tag[9]) if len(tag) >= 12 else None


def is_sound(profile: bytes) -> bool:
    """Whether it is a profile, and whole."""
    return profile[36:40] == b"acsp" and 132 <= int.from_bytes(profile[:4], "big") <= len(profile)


def space(profile: bytes) -> str:
    """Name the colors that a profile is for: RGB, GRAY, CMYK, Lab."""
    return profile[16:20].decode("latin-1").strip()


def for_channels(profile: bytes, channels: int) -> bytes | None:
    """Convert a profile of RGB to the equivalent one of gray (1 channel), or the other way round (3).

    None where there is none, as for a profile of lookup tables, of CMYK, or a damaged one.
    """
    wanted = {1: "GRAY", 3: "RGB"}[channels]
    if not is_sound(profile):
        return None
    if space(profile) == wanted:
        return profile
    tags = _tags(profile)
    curve = tags.get({"RGB": b"gTRC", "GRAY": b"kTRC"}.get(space(profile), b""))
    if curve is None or (tags.keys() & {b"A2B0", b"A2B1", b"D2B0"}):
        return None
    shared = {name: tags[name] for name in (b"wtpt", b"chad", b"cprt") if name in tags}
    if channels == 1:
        return _profile("Gray", shared | {b"kTRC": curve}, "GRAY")
    return _profile("Gray", _colors(_SRGB, _D65) | shared | _curves(curve))


def _curve(transfer: int) -> bytes:
    """Make the curve from stored values to light; LookupError for those that are not supported."""
    values = np.linspace(0, 1, _SAMPLES)
    if transfer in (1, 6, 14, 15):
        return _parametric(3, 1 / 0.45, 1 / 1.0993, 0.0993 / 1.0993, 1 / 4.5, 0.0812)
    if transfer == 13:
        return _parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    if transfer == 16:  # PQ; 1 is 10,000 cd/m²
        power = values ** (32 / 2523)
        light = (np.maximum(power - 107 / 128, 0) / (2413 / 128 - 2392 / 128 * power)) ** (8192 / 1305)
        return _sampled(light)
    if transfer == 18:  # HLG, the light of the scene
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        return _sampled(np.where(values <= 0.5, values**2 / 3, (np.exp((values - c) / a) + b) / 12))
    return _parametric(0, {4: 2.2, 5: 2.8, 8: 1.0, 17: 2.6}[transfer])


def _parametric(kind: int, *numbers: float) -> bytes:
    return b"para" + struct.pack(">IHH", 0, kind, 0) + _fixed(numbers)


def _sampled(values: NDArray[np.float64]) -> bytes:
    return b"curv" + struct.pack(">II", 0, len(values)) + bytes(np.rint(values.clip(0, 1) * 65535).astype(">u2"))


def _fixed(numbers: Sequence[float]) -> bytes:
    return struct.pack(f">{len(numbers)}i", *(round(value * 65536) for value in numbers))


def _curves(curve: bytes) -> dict[bytes, bytes]:
    return dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)


def _colors(points: Sequence[float], white: Sequence[float]) -> dict[bytes, bytes]:
    """Make the tags of three primaries and a white, adapted to D50."""

    def xyz(x: float, y: float) -> list[float]:
        return [x / y, 1.0, (1 - x - y) / y]

    primaries = np.array([xyz(*points[at : at + 2]) for at in (0, 2, 4)]).T
    source = np.array(xyz(*white))
    matrix = primaries * np.linalg.solve(primaries, source)
    adapted = np.linalg.inv(_BRADFORD) @ np.diag(_BRADFORD @ _D50 / (_BRADFORD @ source)) @ _BRADFORD
    matrix = adapted @ matrix
    tags = {name: b"XYZ \0\0\0\0" + _fixed(matrix[:, i]) for i, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    return tags | {b"wtpt": b"XYZ \0\0\0\0" + _fixed(_D50), b"chad": b"sf32\0\0\0\0" + _fixed(adapted.ravel())}


def _profile(name: str, tags: dict[bytes, bytes], colors: str = "RGB") -> bytes:
    """Lay out a display profile, version 4.4."""
    text = {b"desc": f"Resolvent {name}", b"cprt": "CC0"}
    for tag, words in text.items():
        encoded = words.encode("utf-16be")
        tags = {tag: b"mluc" + struct.pack(">III2s2sII", 0, 1, 12, b"en", b"US", len(encoded), 28) + encoded} | tags
    offset = 128 + 4 + 12 * len(tags)
    table, body, places = b"", b"", dict[bytes, int]()
    for tag, data in tags.items():
        if data not in places:  # the three curves are one
            places[data] = offset + len(body)
            body += data + bytes(-len(data) % 4)
        table += tag + struct.pack(">II", places[data], len(data))
    header = struct.pack(
        ">I4sI4s4s4s6H4s4sIIIQI3i4s",
        *(offset + len(body), b"\0\0\0\0", 0x04400000, b"mntr", colors.ljust(4).encode(), b"XYZ "),
        *(2024, 1, 1, 0, 0, 0, b"acsp", b"\0\0\0\0", 0, 0, 0, 0, 0),
        *(round(value * 65536) for value in _D50),
        b"\0\0\0\0",
    )
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _tags(profile: bytes) -> dict[bytes, bytes]:
    """Read the tags of a profile, those that lie in it."""
    tags = {}
    count = int.from_bytes(profile[128:132], "big")
    for at in range(132, 132 + 12 * min(count, 100), 12):
        name, offset, size = (
            profile[at : at + 4],
            *(int.from_bytes(profile[at + k : at + k + 4], "big") for k in (4, 8)),
        )
        if offset + size <= len(profile):
            tags[name] = profile[offset : offset + size]
    return tags
