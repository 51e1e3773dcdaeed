"""The photographs that are measured: those of a folder, and pairs of a real one and its reference."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from resolvent.errors import InputError

if TYPE_CHECKING:
    from resolvent.evaluation.metrics import Pixels
    from resolvent.image import Image

__all__ = ["find_images", "list_files", "read_pair", "reference_of"]


def reference_of(file: Path) -> Path:
    """The reference of a real photograph, in the same folder."""
    return file.with_name(file.name.replace("_real", "_mean"))


def read_pair(file: Path) -> tuple[Image, Pixels]:
    """Read a real photograph, and its reference (H, W, C), in the range that the photograph uses."""
    from resolvent.image import read_image

    image = read_image(file)
    return image, read_image(reference_of(file)).in_range_of(image).pixels


def find_images(folder: Path, *, pairs: bool = False) -> list[Path]:
    """List the images of a folder, sorted by name; of pairs, those whose reference is in the folder."""
    from resolvent.image import FORMATS

    known = {extension for extensions in FORMATS.values() for extension in extensions}
    found = sorted(file for file in folder.glob("*") if file.suffix.lower() in known)
    return [file for file in found if "_real" in file.stem and reference_of(file).is_file()] if pairs else found


def list_files(images: Path, *, pairs: bool = False) -> list[Path]:
    """List what ``find_images`` finds; of one file, that file.

    Raises:
        InputError: There is nothing to list.
    """
    if images.is_file():
        return [images]
    found = find_images(images, pairs=pairs)
    if not found:
        wanted = (
            "no pairs in it; give a folder of NAME_real and NAME_mean"
            if pairs
            else "no images in it; give a folder of sharp"
        )
        raise InputError(f"{images}: {wanted} images")
    return found
