"""What a photograph may be given as, and a result in the same form."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

from resolvent.errors import InputError, UsageError
from resolvent.image.files import read_image
from resolvent.image.image import Image, Limits

if TYPE_CHECKING:
    import PIL.Image

__all__ = ["File", "Source", "as_given", "open_source"]

File: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO"
"""A path, the bytes of a file, or an open file, such as io.BytesIO."""

Source: TypeAlias = "File | NDArray[Any] | PIL.Image.Image | Image"
"""A photograph in any form."""


def open_source(source: Source, limits: Limits = Limits()) -> tuple[Image, bytes | None]:  # noqa: B008 - frozen
    """Read a photograph, in whatever form it is given.

    Args:
        source: A file, see ``read_image``; an array, see ``Image.from_array``; a Pillow image; or an Image.
        limits: The largest file that is read.

    Returns:
        The image; and the bytes of its file, where it has no path that they could be read from again.

    Raises:
        UsageError: It is none of these.
        InputError: It cannot be read.
    """
    if isinstance(source, Image):
        return source, None
    if isinstance(source, np.ndarray):
        return Image.from_array(source), None
    if _is_pillow(source):
        return Image.from_pil(source), None
    if isinstance(source, str | os.PathLike):
        return read_image(source if isinstance(source, str) else Path(source), limits), None
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
    elif hasattr(source, "read"):
        data = _read(source, limits)
    else:
        raise _refused(source)
    return read_image(data, limits), data


def as_given(result: Image, source: Source, *, unchanged: bool = False) -> Any:
    """Give a result in the form of what it was made from.

    Args:
        result: The result.
        source: What was given.
        unchanged: Whether nothing was done, so that a copy is the very input.

    Returns:
        An array of the same type for an array, a Pillow image for a Pillow image, else an Image.
    """
    if isinstance(source, np.ndarray):
        return source.copy() if unchanged else _as_array(result, source)
    if _is_pillow(source):
        from PIL import ImageOps

        return ImageOps.exif_transpose(source) if unchanged else result.to_pil()
    return result


def _is_pillow(source: object) -> TypeGuard[PIL.Image.Image]:
    """Tell a Pillow image, without importing Pillow."""
    return "PIL.Image" in sys.modules and isinstance(source, sys.modules["PIL.Image"].Image)


def _read(file: Any, limits: Limits) -> bytes:
    """Read an open file to its end, and no more of it than is needed to see that it is too large."""
    try:
        data = file.read(int(min(limits.megabytes * 1e6, sys.maxsize - 1)) + 1)
    except (OSError, ValueError) as error:  # ValueError: it is closed
        raise InputError(f"the open file: it cannot be read: {error}") from error
    if isinstance(data, str):
        raise UsageError("the open file: is open as text; open it with mode 'rb'")
    if not data:
        raise InputError("the open file: is empty, or at its end; call seek(0) first")
    return bytes(data)


def _refused(source: object) -> UsageError:
    kind = type(source)
    name = f"{kind.__module__.partition('.')[0]}.{kind.__name__}".removeprefix("builtins.")
    if name.startswith("torch."):
        remedy = "give tensor.permute(1, 2, 0).cpu().numpy(), an array (H, W, C)"
    elif isinstance(source, list | tuple) or hasattr(source, "__array__"):
        remedy = "give numpy.asarray() of it, in uint8, uint16, or float in [0, 1]"
    else:
        remedy = "give a path, bytes, an open file, an array, a Pillow image or an Image"
    return UsageError(f"{name}: cannot be read as an image; {remedy}")


def _as_array(image: Image, like: NDArray[Any]) -> NDArray[Any]:
    """The pixels in the shape and type of an array, with its alpha."""
    data: NDArray[Any] = image.data.astype(like.dtype, copy=False)
    if like.dtype == np.float64 and data.size == like.size:
        exact = like.reshape(data.shape)
        data = np.where(data == exact.astype(np.float32), exact, data)
    if image.alpha is not None:
        same = data.shape[:2] == like.shape[:2]
        alpha = like[..., -1] if same else image.alpha.astype(like.dtype)
        return np.concatenate([data, alpha[..., None]], 2)
    return data[..., 0] if like.ndim == 2 else data
