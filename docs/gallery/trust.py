"""Where a restored photograph may be wrong.

With ``uncertainty``, a restored photograph comes with a half-width for each pixel: nine of ten pixels are within it, on
average over photographs. Here the original is known, so that it can be checked.
"""

# %%
# Noise of sigma 25, removed, with a map.
import matplotlib.pyplot as plt
import numpy as np
from skimage import data

import resolvent

clean = data.astronaut()[0:320, 60:380]
noisy = resolvent.degrade(clean, "noise:sigma=25", seed=0)
done = resolvent.Restorer(model="denoise", sigma=25, uncertainty=True).run(noisy)
half_width = done.uncertainty.half_width  # (H, W), in gray levels of 255
print(done.uncertainty)

# %%
# The error is what nobody knows in practice. The map does not know it either: it says how large it may be. Both are
# large where there is fine detail, such as hair and the flag, and small in the plain background.
error = np.abs(255.0 * done.image.data - clean).max(axis=2)
figure, axes = plt.subplots(1, 3, figsize=(9, 3.6), layout="compressed")
axes[0].imshow(np.clip(done.image.data, 0, 1), interpolation="nearest")
axes[0].set_title("restored")
for axis, values, title in zip(axes[1:], (half_width, error), ("half-width", "error"), strict=True):
    shown = axis.imshow(values, "magma", vmin=0, vmax=40, interpolation="nearest")
    axis.set_title(title)
figure.colorbar(shown, ax=axes[2], shrink=0.75, label="gray levels of 255")
for axis in axes:
    axis.axis("off")

# %%
# Two checks. Of all values, how many are within the half-width? And where the map is larger, is the error larger too?
within = (np.abs(255.0 * done.image.data - clean) <= half_width[..., None]).mean()
print(f"{within:.1%} of the values are within the half-width")
groups = np.digitize(half_width, np.quantile(half_width, [0.25, 0.5, 0.75]))
for number in range(4):
    mean = np.abs(255.0 * done.image.data - clean).mean(axis=2)[groups == number].mean()
    print(f"quarter {number + 1} of the map: half-width {half_width[groups == number].mean():4.1f}, error {mean:4.1f}")
