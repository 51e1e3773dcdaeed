"""JPEG blocks.

A photograph that is saved with too few bytes shows squares of eight pixels, rings around edges, and patches of color.
"""

# %%
# A portrait, saved as JPEG of quality 10, 20 and 40, and restored. The crops are enlarged three times.
import matplotlib.pyplot as plt
import numpy as np
from skimage import data
from skimage.metrics import peak_signal_noise_ratio

import resolvent

clean = data.astronaut()[0:256, 100:356]
restorer = resolvent.Restorer()
figure, axes = plt.subplots(2, 4, figsize=(9, 4.9), layout="compressed")


def draw(axis, title, image):
    psnr = "" if image is clean else f", {peak_signal_noise_ratio(clean, image):.1f} dB"
    axis.imshow(image[50:178, 60:188], interpolation="nearest")
    axis.set_title(title + psnr, fontsize=9)
    axis.axis("off")


for (above, below), quality in zip(axes.T, (10, 20, 40), strict=False):
    photograph = np.rint(255 * resolvent.degrade(clean, f"jpeg:quality={quality}")).astype(np.uint8)
    draw(above, f"quality {quality}", photograph)
    draw(below, "restored", restorer(photograph))
for axis in axes[:, 3]:
    draw(axis, "original", clean)

# %%
# At quality 10 the blocks go, and the skin stays smooth: its texture is not in the file any more, and no model knows
# what it was. At quality 40 hardly a difference from the original is left.
