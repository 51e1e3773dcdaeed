"""Restore a photograph in one call, or many with the models kept loaded."""

from __future__ import annotations

import reprlib
from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, overload

import numpy as np

from resolvent.engine.options import Options, make_request
from resolvent.engine.plan import Plan, make_plan
from resolvent.engine.run import Progress, Restoration, check_progress, run
from resolvent.image import Image, Limits, check_limits
from resolvent.image.sources import File, Source, as_given, open_source
from resolvent.inference.runtime import open_session

if TYPE_CHECKING:
    import PIL.Image
    from numpy.typing import NDArray

    from resolvent.methods.control import Control

__all__ = ["Restorer", "plan", "restore"]

Value = TypeVar("Value", bound=np.generic)
"""Of the pixels of an array."""


class Restorer:
    """Restores photographs by the same options, and keeps the models that it has loaded.

    Several threads may share one. Pickled, it takes its options with it and no model: another
    process loads its own.

    Args:
        limits: The largest file that is read.
        **options: Those of ``restore``; checked here, once.

    Raises:
        UsageError: An option is unknown or breaks its rule, or two do not go together.
        InputError: A model's file cannot be used.

    Examples:
        >>> restorer = Restorer(model="denoise", sigma=25)
        >>> restorer
        Restorer(model='denoise', sigma=25)
        >>> restorer(np.full((32, 32, 3), 0.5)).shape
        (32, 32, 3)
    """

    def __init__(self, *, limits: Limits = Limits(), **options: Unpack[Options]) -> None:  # noqa: B008 - frozen
        check_limits(limits)
        self.request, self.limits = make_request(**options), limits
        self._options = options
        self._open_session = cache(open_session)

    def __repr__(self) -> str:
        """Show the options that were given, long ones cut short, in one line."""
        given = {**self._options, **({} if self.limits == Limits() else {"limits": self.limits})}
        shown = (f"{name}={' '.join(reprlib.repr(value).split())}" for name, value in given.items())
        return f"Restorer({', '.join(shown)})"

    def __reduce__(self) -> tuple[Callable[[], Restorer], tuple[()]]:
        """Pickle what it was made with."""
        return partial(Restorer, limits=self.limits, **self._options), ()

    @overload
    def __call__(
        self, source: NDArray[Value], *, progress: Progress | None = None, control: Control | None = None
    ) -> NDArray[Value]: ...
    @overload
    def __call__(
        self, source: PIL.Image.Image, *, progress: Progress | None = None, control: Control | None = None
    ) -> PIL.Image.Image: ...
    @overload
    def __call__(
        self, source: File | Image, *, progress: Progress | None = None, control: Control | None = None
    ) -> Image: ...
    def __call__(self, source: Source, *, progress: Progress | None = None, control: Control | None = None) -> Any:
        """Restore a photograph; see ``restore``."""
        restoration = self.run(source, progress=progress, control=control)
        return as_given(restoration.image, source, unchanged=restoration.plan.unchanged)

    def plan(self, source: Source) -> Plan:
        """Decide what to do to a photograph, and say why; see ``plan``.

        Args:
            source: The photograph, in any form that ``restore`` takes.

        Raises:
            InputError: The image cannot be used, or there is too little memory for the method.
        """
        return make_plan(*self._opened(source))

    def run(self, source: Source, *, progress: Progress | None = None, control: Control | None = None) -> Restoration:
        """Restore a photograph, and say what was done, how far it came and how long it took.

        Args:
            source: The photograph, in any form that ``restore`` takes.
            progress: Called with the tiles or steps that are done, and all of them.
            control: Cancels an iterative method, which then gives what it has.

        Raises:
            UsageError: ``progress`` cannot be called.
            InputError: The image cannot be used.
            QualityError: The result failed its checks.
        """
        check_progress(progress)
        self.request.check_written()
        opened = self._opened(source)
        return run(opened[0], make_plan(*opened), progress, self._open_session, control=control)

    def _opened(self, source: Source) -> Any:
        image, file = open_source(source, self.limits)
        return image, self.request, file, self._open_session


@overload
def restore(
    source: NDArray[Value], *, limits: Limits = ..., progress: Progress | None = ..., control: Control | None = ...,
    **options: Unpack[Options],
) -> NDArray[Value]: ...  # fmt: skip
@overload
def restore(
    source: PIL.Image.Image, *, limits: Limits = ..., progress: Progress | None = ..., control: Control | None = ...,
    **options: Unpack[Options],
) -> PIL.Image.Image: ...  # fmt: skip
@overload
def restore(
    source: File | Image, *, limits: Limits = ..., progress: Progress | None = ..., control: Control | None = ...,
    **options: Unpack[Options],
) -> Image: ...  # fmt: skip
def restore(
    source: Source,
    *,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    progress: Progress | None = None,
    control: Control | None = None,
    **options: Unpack[Options],
) -> Any:
    """Restore a photograph.

    With neither model nor method, diagnosis chooses, and an image with nothing to fix comes back unchanged; ``plan``
    says which, and why.

    Args:
        source: A path, the bytes of a file, an open file, an Image, a Pillow image, or an array: (H, W) or (H, W, C),
            uint8, uint16 or float, of either byte order. Floats are nominally in [0, 1], and noise beyond that reaches
            the model as it is; another range that the values use, such as 12 bits in 16, or 0 to 255 or counts of
            photons in floats, is recognized: see ``value_range.used_range``.
        limits: The largest file that is read.
        progress: Called with the tiles that are done and all tiles, or the steps of an iterative method. An exception
            that it raises ends the restoration, and passes through.
        control: Cancels an iterative method, from a signal handler or another thread: it gives what it has.
        **options: All are optional.

            - model: Name of a bundled model, or path of a model file.
            - sigma: Noise level for the model, in 8-bit gray levels: 255 are the range that the image uses; measured
              if not given.
            - scale: Enlarge by 2 or 4 with a bundled model, after restoring what diagnosis finds wrong.
            - uncertainty: Also say how far each pixel may be from the truth: True, or ``"jacobian:probes=4"``; it is in
              what ``Restorer.run`` returns.
            - method: A key of METHODS, instead of a model; see ``list_methods``.
            - degradation: The known degradation that the method inverts, such as ``"blur:sigma=1.6 + noise:sigma=2"``.
            - settings: Options of the method itself, by name.
            - budget: Seconds after which an iterative method gives what it has.
            - preview: A PNG of the image so far, updated every few seconds by an iterative method; a new file.
            - repair: Find scratches, dust and creases and fill them, before anything else, and change no other pixel;
              without a model, a method or a scale, nothing else is done.
            - mask: Fill this too: a picture, or an array (H, W), as large as the photograph; white or True is filled.
            - write_mask: A PNG of what is filled, white; a new file.
            - strength: From 0, the image as it is, to 1, fully restored (the default).
            - memory: For tiles, bytes or text such as ``"512M"``; for a method, all it may take.
            - seed: Random seed of a method.
            - tile: Pixels a side that a tile contributes.
            - runtime: ``onnxruntime``, ``openvino`` or ``torch``, which runs the models.

    Returns:
        What was given: an array of the same type for an array, a Pillow image for one, else an Image; of the same size,
        or enlarged. Values are clipped to the range that the image uses, floats in [0, 1] to that; outliers of a float
        image, such as highlights, keep their values. Where nothing is to be done it is the very input, a
        Pillow image upright.

    Raises:
        UsageError: An option is unknown or breaks its rule, or two do not go together.
        InputError: The image or a model's file cannot be used.
        QualityError: The result failed its checks.
    """
    return Restorer(limits=limits, **options)(source, progress=progress, control=control)


def plan(source: Source, *, limits: Limits = Limits(), **options: Unpack[Options]) -> Plan:  # noqa: B008 - frozen
    """Decide what to do to a photograph, and say why, before any work; ``run`` carries it out.

    Args:
        source: The photograph, in any form that ``restore`` takes.
        limits: The largest file that is read.
        **options: Those of ``restore``.

    Returns:
        What will be done, with the reasons in sentences.

    Raises:
        UsageError: An option is unknown or breaks its rule, or two do not go together.
        InputError: The image or a model's file cannot be used, or there is too little memory for the method.

    Examples:
        >>> plan(np.full((32, 32), 0.5), model="denoise", sigma=25).reasons
        ('all pixels are alike: there is no noise to remove',)
    """
    return Restorer(limits=limits, **options).plan(source)
