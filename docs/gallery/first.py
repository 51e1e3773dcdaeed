"""Restore a noisy photograph.

One call, without options: the noise is measured, and a model is chosen.
"""

# %%
# A photograph of a cat with noise of sigma 25.
import matplotlib.pyplot as plt
from skimage import data

import resolvent

clean = data.chelsea()[20:276, 100:356]
noisy = resolvent.degrade(clean, "noise:sigma=25", seed=0)
restored = resolvent.restore(noisy)

# %%
# Before and after.
figure, axes = plt.subplots(1, 2, figsize=(9, 4.6))
for axis, image, title in zip(axes, (noisy, restored), ("noisy", "restored"), strict=True):
    axis.imshow(image)
    axis.set_title(title)
    axis.axis("off")
figure.tight_layout()
