"""Deep image prior."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from resolvent.errors import UsageError, unknown
from resolvent.image import read_image
from resolvent.methods.control import Control
from resolvent.methods.noise_level import noise_level
from resolvent.methods.untrained.fit import (
    Discrepancy,
    MovingVariance,
    Settings,
    Stop,
    device,
    fit,
    grid_input,
    mean_square,
    noise_input,
    padded,
    seeded,
    to_image,
    to_tensor,
)
from resolvent.methods.untrained.skip import Skip

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from resolvent.physics.forward_model import ForwardModel

__all__ = ["PRESETS", "Preset", "choose", "fast_preset", "restore", "restore_fast", "start"]


@dataclass(frozen=True)
class Preset:
    """One row of the published settings.

    Attributes:
        network: Arguments of ``Skip``.
        settings: How it is fitted.
        grid: The input is the coordinates of the pixels rather than noise.
    """

    network: dict[str, Any] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)
    grid: bool = False


PRESETS: dict[str, Preset] = {
    "denoise": Preset(),
    "jpeg": Preset({"inputs": 3, "down": (8, 16, 32, 64, 128), "skip": (0, 0, 0, 4, 4)}, Settings(2400)),
    "super-resolution": Preset({}, Settings(2000, input_noise=0.03)),
    "super-resolution-8": Preset({}, Settings(4000, input_noise=0.05)),
    "inpaint-text": Preset({"skip": (128,) * 5, "upsampling": "nearest"}, Settings(6001, input_noise=0.03)),
    "inpaint-region": Preset(
        {"inputs": 2, "skip": (0,) * 5, "upsampling": "nearest"}, Settings(5001, input_noise=0.03), grid=True
    ),
    "inpaint-hole": Preset(
        {
            "inputs": 1, "down": (16, 32, 64, 128, 128, 128), "skip": (0,) * 6, "upsampling": "nearest", "size_down": 5,
            "sharp": False,
        },
        Settings(3001, input_noise=0.0, weight_noise=0.02),
    ),
    "inpaint-half": Preset({}, Settings(11000, learning_rate=0.001, input_noise=0.03)),
    "inpaint-most": Preset(
        {"down": (16, 32, 64, 128, 128), "skip": (0,) * 5, "pool": True}, Settings(1000, input_noise=0.0)
    ),
    "flash": Preset(
        {"inputs": 3, "upsampling": ("nearest", "nearest", "bilinear", "bilinear", "bilinear")},
        Settings(601, learning_rate=0.1, input_noise=0.0),
    ),
}  # fmt: skip
"""The tasks of the paper, as its notebooks run them. What is filled between known pixels takes ``inpaint-half``."""


FAST = {"down": (32,) * 5, "skip": (4,) * 5}
"""A sixteenth of the published network's arithmetic."""


def restore(
    y: NDArray[np.float32],
    forward_model: ForwardModel,
    *,
    preset: str | None = None,
    iterations: int | None = None,
    stop: str = "auto",
    guide: NDArray[np.float32] | str | None = None,
    input_noise: float | None = None,
    weight_noise: float | None = None,
    average: float | None = None,
    seed: int = 0,
    control: Control | None = None,
) -> NDArray[np.float32]:
    """Fit an untrained network f_θ(z) to the image, min_θ ‖A f_θ(z) - y‖², and stop in time [1].

    Args:
        y: (H, W, C) in [0, 1] or beyond.
        forward_model: A blur, a downsampling or a mask, or none of them; then noise or JPEG.
        preset: A key of PRESETS; by default for the degradation.
        iterations: At most so many; by default the preset's.
        stop: ``discrepancy``, where the residual is as strong as the noise; ``variance``, where the outputs hardly
            move; ``none``, after the last iteration; ``auto``, the first where the noise level is given and no JPEG
            follows the noise, and else the second, which may come too soon on an even photograph.
        guide: (H, W, 3), or the path of a picture: the input instead of noise, such as the flash picture of a pair.
        input_noise: See Settings, as for the next two; by default the preset's.
        weight_noise: Which [1] meant for its large hole; its code changes nothing there.
        average: 0 gives the last output.
        seed: Of the network, its input and all noise.
        control: See Control.

    Returns:
        (H, W, C), or (scale H, scale W, C), a new array: the running mean of the outputs.

    Raises:
        UsageError: There is no such preset or stop, or the guide has another size.

    References:
        [1] D. Ulyanov, A. Vedaldi, V. Lempitsky, Deep image prior, IJCV 128, 2020.
        https://doi.org/10.1007/s11263-020-01303-4
    """
    chosen = choose(forward_model) if preset is None else preset
    if chosen not in PRESETS:
        raise unknown("preset of dip", chosen, PRESETS)
    given = {
        "iterations": iterations, "input_noise": input_noise, "weight_noise": weight_noise, "average": average,
    }  # fmt: skip
    shown = read_image(guide).pixels if isinstance(guide, str) else guide
    return _restore(y, forward_model, PRESETS[chosen], given, stop, shown, seed, control)


def restore_fast(
    y: NDArray[np.float32],
    forward_model: ForwardModel,
    *,
    iterations: int | None = None,
    stop: str = "auto",
    seed: int = 0,
    control: Control | None = None,
) -> NDArray[np.float32]:
    """Deep image prior [1] with a quarter of the filters, in bfloat16 where that is faster.

    Args:
        y: (H, W, C) in [0, 1] or beyond.
        forward_model: A blur, a downsampling or a mask, or none of them; then noise or JPEG.
        iterations: At most so many; by default those of the preset for the degradation.
        stop: See ``restore``, as for the rest.
        seed: Of the network, its input and all noise.
        control: See Control.

    Returns:
        (H, W, C), or (scale H, scale W, C), a new array: the running mean of the outputs.

    Raises:
        UsageError: There is no such stop.

    References:
        [1] D. Ulyanov, A. Vedaldi, V. Lempitsky, Deep image prior, IJCV 128, 2020.
        https://doi.org/10.1007/s11263-020-01303-4
    """
    preset = fast_preset(choose(forward_model))
    return _restore(y, forward_model, preset, {"iterations": iterations}, stop, None, seed, control)


def _restore(
    y: NDArray[np.float32], forward_model: ForwardModel, preset: Preset, given: dict[str, Any], stop: str,
    guide: NDArray[np.float32] | None, seed: int, control: Control | None,
) -> NDArray[np.float32]:  # fmt: skip
    settings = replace(preset.settings, **{key: value for key, value in given.items() if value is not None})
    generator = torch.Generator().manual_seed(seed)
    size = (forward_model.scale * y.shape[0], forward_model.scale * y.shape[1])
    network, z = start(preset, y.shape[2], size, seed, generator, guide)
    return fit_to(y, forward_model, network, z, settings, stopping(stop, y, forward_model), generator, control)


def fit_to(
    y: NDArray[np.float32], forward_model: ForwardModel, network: nn.Module, z: Tensor, settings: Settings, stop: Stop,
    generator: torch.Generator, control: Control | None,
) -> NDArray[np.float32]:  # fmt: skip
    """Fit a network by ‖A f(z) - y‖² over the known pixels, and give the image; see ``fit``."""
    z = z.to(device())
    known = torch.from_numpy(forward_model.known(y.shape[:2])).to(z.device)
    target = to_tensor(y).to(z)[..., known]
    operator = forward_model.operator_to(y.shape[:2])

    def loss(output: Tensor) -> tuple[Tensor, float]:
        value = mean_square(operator(output)[..., known], target)
        return value, float(value.detach())

    fitted = fit(
        network,
        z,
        loss,
        size=operator.shape,
        settings=settings,
        stop=stop,
        generator=generator,
        control=control or Control(),
    )
    return to_image(fitted)


def choose(forward_model: ForwardModel) -> str:
    """The preset for a degradation."""
    if forward_model.scale > 1:
        return "super-resolution-8" if forward_model.scale >= 8 else "super-resolution"
    if forward_model.masked:
        return "inpaint-half"
    return "denoise" if forward_model.noise.additive else "jpeg"


def fast_preset(name: str) -> Preset:
    """A key of PRESETS with the smaller network, in bfloat16 where that is faster."""
    published = PRESETS[name]
    return replace(published, network=FAST, settings=replace(published.settings, half=True))


def start(
    preset: Preset, channels: int, size: tuple[int, int], seed: int, generator: torch.Generator,
    guide: NDArray[np.float32] | None = None,
) -> tuple[Skip, Tensor]:  # fmt: skip
    """A fresh network and its input, as large as the image and on to the next multiple."""
    inputs = {} if guide is None else {"inputs": guide.shape[2]}
    with seeded(seed):
        network = Skip(**{"channels": channels, **preset.network, **inputs})
    height, width = (padded(side, network.multiple, network.least) for side in size)
    if guide is not None:
        if guide.shape[:2] != size:
            raise UsageError(f"guide of {guide.shape[:2]}: the image has {size} (height x width); they must agree")
        z = torch.nn.functional.pad(to_tensor(guide), (0, width - size[1], 0, height - size[0]), mode="replicate")
    elif preset.grid:
        z = grid_input(height, width)
    else:
        z = noise_input(network.body.down[0][0].in_channels, height, width, generator)  # type: ignore[index]
    return network, z


def stopping(name: str, y: NDArray[np.float32], forward_model: ForwardModel) -> Stop:
    """When to stop, by name."""
    if name == "auto":
        noise = forward_model.noise
        name = "discrepancy" if noise.named and noise.additive else "variance"
    if name == "variance":
        return MovingVariance()
    if name == "discrepancy":
        return Discrepancy(noise_level(y, forward_model) / 255)
    if name == "none":
        return Stop()
    raise unknown("stop of dip", name, ("auto", "variance", "discrepancy", "none"))
