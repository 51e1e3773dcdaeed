"""A photograph in memory, and the largest one that is read."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resolvent.errors import InputError, SizeError, UsageError
from resolvent.image.decode import Decoded, decode_pil, split
from resolvent.image.encode import encode_pil
from resolvent.image.formats import QUALITY
from resolvent.image.jpeg_header import JpegHeader
from resolvent.image.metadata import Metadata
from resolvent.image.value_range import ValueRange, full_range, used_range

if TYPE_CHECKING:
    import PIL.Image

__all__ = ["Image", "Limits", "check_limits"]


@dataclass(frozen=True)
class Limits:
    """The largest input that is read.

    Attributes:
        megapixels: Of the decoded image, in millions of pixels; checked before it is decoded, and so is that it takes
            no more than four bytes for each of them: of samples of 16 bits and of floats there may be less.
        megabytes: Of the file, in millions of bytes.

    Raises:
        UsageError: A limit is not a number above zero.
    """

    megapixels: float = 250
    megabytes: float = 500

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not isinstance(value, Real):
                raise UsageError(f"limit of {name} = {value!r:.80}: must be a number; give {name}=50")
            if not float(value) > 0:
                raise UsageError(f"limit of {name} = {float(value):g}: must be above zero")

    def check_bytes(self, size: int) -> None:
        """Raise InputError for a file that is empty, SizeError for one larger than `megabytes`."""
        if size == 0:
            raise InputError("it is empty")
        if size > self.megabytes * 1e6:
            raise SizeError(f"more than {self.megabytes:g} megabytes; raise that limit")

    def check_pixels(self, width: int, height: int, size: int) -> None:
        """Raise SizeError for an image of more than `megapixels`, or `size` bytes a pixel that are too many."""
        if width * height > self.megapixels * 1e6:
            total = f"{width} x {height} are {width * height / 1e6:.1f} megapixels"
            raise SizeError(f"{total}, more than {self.megapixels:g}; raise that limit")
        if width * height * size > self.megapixels * 4e6:
            total = f"{width} x {height} of {size} bytes are {width * height * size / 1e6:.0f} megabytes"
            raise SizeError(f"{total}, more than 4 for each of {self.megapixels:g} megapixels; raise that limit")


def check_limits(limits: object) -> None:
    """Refuse what is no ``Limits``.

    Raises:
        UsageError: It is none.
    """
    if not isinstance(limits, Limits):
        raise UsageError(f"limits {limits!r:.80}: must be Limits; give limits=resolvent.Limits(megapixels=50)")


@dataclass(frozen=True, eq=False, repr=False)
class Image:
    """A photograph, upright.

    Attributes:
        data: (H, W, C) with C = 1 or 3, as the file stores it: uint8, uint16 or float32.
        alpha: (H, W) of the same type, or None; in a float file 1 is opaque.
        metadata: ICC, EXIF, XMP, resolution.
        format: The format it was read from, a key of FORMATS.
        path: The file that it was read from.
        warnings: What reading it changed or left out, one line each.
        extra: (H, W) of the same type, or None: a further plane that is neither color nor alpha, such as a scanner's
            infrared. It is kept as it is in a TIFF of the same size.
        jpeg: How the file that it was read from is compressed, if it is a JPEG.
        value_range: The values of `data` that `read` gives as 0 and 1, and those that are outliers; that of the type
            where it is left out. `read_image`, `from_array` and `from_pil` find the one that the picture uses, such as
            12 bits in 16, or the bulk of the values of an HDR picture: see `value_range.used_range`.

    Raises:
        UsageError: `data`, `alpha` or `extra` is of another shape or type; of floats and byte orders, any is taken.
        InputError: NaN or infinity.
    """

    data: NDArray[Any]
    alpha: NDArray[Any] | None = None
    metadata: Metadata = field(default_factory=Metadata)
    format: str = "png"
    path: Path | None = None
    warnings: tuple[str, ...] = ()
    extra: NDArray[Any] | None = None
    jpeg: JpegHeader | None = None
    value_range: ValueRange = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        shape = np.shape(self.data)
        if len(shape) != 3 or shape[2] not in (1, 3) or 0 in shape:
            raise UsageError(
                f"data of shape {shape} is no image; give (H, W, 1 or 3), or Image.from_array anything else"
            )
        object.__setattr__(self, "data", _plain(self.data))
        for name in ("alpha", "extra"):
            if getattr(self, name) is not None:
                plane = _plain(getattr(self, name))
                if plane.shape != shape[:2] or plane.dtype != self.data.dtype:
                    raise UsageError(
                        f"{name} is {plane.shape} {plane.dtype}; give {shape[:2]} {self.data.dtype}, as the data"
                    )
                object.__setattr__(self, name, plane)
        if self.value_range is None:
            object.__setattr__(self, "value_range", full_range(self.data.dtype))

    def __repr__(self) -> str:
        """Describe it in one line, without its pixels."""
        colors = ("gray" if self.channels == 1 else "RGB") + " with alpha" * (self.alpha is not None)
        path = f", {str(self.path)!r}" if self.path else ""
        return f"<Image {self.width}x{self.height} {colors}, {self.data.dtype}, {self.format}{path}>"

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.data.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.data.shape[1])

    @property
    def channels(self) -> int:
        """1 or 3; alpha is not counted."""
        return int(self.data.shape[2])

    @property
    def depth(self) -> int:
        """Bits of a sample: 8, 16 or 32 (float)."""
        return self.data.itemsize * 8

    @property
    def pixels(self) -> NDArray[np.float32]:
        """The whole image as a new float32 (H, W, C) array, as `read` gives it."""
        return self.read(0, 0, self.height, self.width)

    def read(self, top: int, left: int, bottom: int, right: int) -> NDArray[np.float32]:
        """One box as a new float32 (bottom - top, right - left, C) array in [0, 1].

        Noise and ringing of float data may leave that range; outliers are brought to its `floor` or `ceiling`.
        """
        known = self.value_range
        box: NDArray[np.float32] = self.data[top:bottom, left:right].astype(np.float32)
        if self.depth > 8:
            np.clip(box, known.floor, known.ceiling, out=box)
        if known.low:
            box -= np.float32(known.low)
        box /= np.float32(known.high - known.low)
        return box

    def quantize(self, values: NDArray[np.floating[Any]]) -> NDArray[Any]:
        """Bring values in [0, 1], clipped to it, to the type and `value_range` of `data`, rounding half to even.

        Examples:
            >>> Image.from_array(np.zeros((1, 3), np.uint8)).quantize(np.array([-0.1, 0.5, 1.0]))
            array([  0, 128, 255], dtype=uint8)
        """
        low, high = self.value_range.low, self.value_range.high
        scaled: NDArray[Any] = np.clip(values, 0, 1) * (high - low) + low
        return (scaled if self.depth == 32 else np.rint(scaled)).astype(self.data.dtype)

    def in_range_of(self, other: Image) -> Image:
        """Read the values by the range of another image of the same type, so that their `pixels` can be compared."""
        return replace(self, value_range=other.value_range) if self.data.dtype == other.data.dtype else self

    def with_data(self, data: NDArray[Any], alpha: NDArray[Any] | None = None) -> Image:
        """Give this image other pixels, of the same type, and the rest unchanged.

        What cannot be true of another size, such as the extra plane, is left out then, and named in the warnings.

        Args:
            data: (H, W, C), of any size.
            alpha: (H, W); None keeps the alpha that there is.

        Raises:
            UsageError: The shapes or types do not fit together.
        """
        alpha = self.alpha if alpha is None else alpha
        if data.ndim != 3 or data.dtype != self.data.dtype:
            raise UsageError(f"data is {data.shape} {data.dtype}; give (H, W, 1 or 3) {self.data.dtype}")
        x, y = data.shape[1] / self.width, data.shape[0] / self.height
        if x == y == 1:
            return replace(self, data=data, alpha=alpha, jpeg=None)
        lost = ("its extra plane, of another size: left out",) if self.extra is not None else ()
        metadata, warnings = self.metadata.resized(x, y), self.warnings + lost
        return replace(self, data=data, alpha=alpha, extra=None, jpeg=None, metadata=metadata, warnings=warnings)

    @classmethod
    def from_array(cls, array: ArrayLike) -> Image:
        """Take an array: (H, W), or (H, W, C) with C = 1, 2 (gray, alpha), 3 or 4 (RGB, alpha).

        Args:
            array: uint8, uint16 or float, of either byte order. Floats are nominally in [0, 1], and noise may leave
                that; 12 bits in 16, and other ranges of floats, are recognized as they are in files.

        Raises:
            UsageError: Another shape or type.
            InputError: NaN or infinity.
        """
        values = np.asarray(array)
        if values.ndim == 2:
            values = values[..., None]
        if values.ndim != 3 or values.shape[2] not in (1, 2, 3, 4) or 0 in values.shape:
            raise UsageError(f"an array of shape {np.shape(array)} is no image; give (H, W) or (H, W, 1 to 4)")
        data, alpha = split(_plain(values))
        return cls(data, alpha, value_range=used_range(data))

    @classmethod
    def from_pil(cls, image: PIL.Image.Image) -> Image:
        """Take a Pillow image, upright: an EXIF orientation is applied and reset, as `read_image` does.

        Raises:
            InputError: NaN, infinity, or 32-bit integers outside 0..65535.
        """
        return cls._from_decoded(decode_pil(image))

    def to_pil(self) -> PIL.Image.Image:
        """Make a Pillow image: L, LA, RGB, RGBA, I;16 or F; what those cannot hold is rounded to 8 bits."""
        return encode_pil(self.data, self.alpha, (self.value_range.low, self.value_range.high), self.metadata)

    def save(
        self,
        path: str | Path,
        *,
        overwrite: bool = False,
        format: str | None = None,  # noqa: A002 - the word that Pillow and scikit-image use
        quality: int = QUALITY,
    ) -> tuple[str, ...]:
        """Write it, as `write_image` does."""
        from resolvent.image.files import write_image  # it imports this file

        return write_image(self, path, overwrite=overwrite, format=format, quality=quality)

    @classmethod
    def _from_decoded(cls, decoded: Decoded) -> Image:
        data = _plain(decoded.data)
        return cls(
            data,
            decoded.alpha,
            decoded.metadata,
            warnings=decoded.warnings,
            extra=decoded.extra,
            jpeg=decoded.jpeg,
            value_range=used_range(data),
        )


def _plain(array: ArrayLike) -> NDArray[Any]:
    """Bring pixels to uint8, uint16 or finite float32, of the machine's byte order."""
    values = np.asarray(array)
    if values.dtype.kind == "f":
        with np.errstate(over="ignore"):
            values = values.astype(np.float32, copy=False)
        if values.size and not np.isfinite((values.min(), values.max())).all():
            raise InputError("it holds NaN or infinite values; repair it first")
        return values
    if values.dtype.kind == "u" and values.dtype.itemsize <= 2:
        return values.astype(values.dtype.newbyteorder("="), copy=False)
    raise UsageError(f"pixels of type {values.dtype}; give uint8, uint16, or float in [0, 1]")
