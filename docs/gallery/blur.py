"""Blur: what comes back, and what does not.

A blur of a few pixels is undone without being known. Camera shake is not, and trying makes it worse. The crops are
enlarged three times.
"""

# %%
# A detail of a motorcycle. Each blurred copy has slight noise, as any photograph has.
import matplotlib.pyplot as plt
import numpy as np
from skimage import data
from skimage.metrics import peak_signal_noise_ratio

import resolvent

clean = data.stereo_motorcycle()[0][176:368, 230:422]
restorer = resolvent.Restorer()


def degrade(fault):
    return np.rint(255 * np.clip(resolvent.degrade(clean, fault, seed=0), 0, 1)).astype(np.uint8)


def show(**images):
    _, axes = plt.subplots(1, len(images), figsize=(9, 9.3 / len(images) + 0.3), layout="compressed")
    for axis, (title, image) in zip(axes, images.items(), strict=True):
        psnr = "" if image is clean else f", {peak_signal_noise_ratio(clean, image):.1f} dB"
        axis.imshow(image[16:176, 20:180], interpolation="nearest")
        axis.set_title(title.replace("_", " ") + psnr)
        axis.axis("off")


# %%
# **Out of focus.** A lens spreads each point to a disk, here of a radius of 3 pixels.
soft = degrade("defocus:radius=3 + noise:sigma=1")
show(before=soft, after=restorer(soft), original=clean)

# %%
# **Slight motion.** Nine pixels along a line.
moved = degrade("motion:length=9,angle=30 + noise:sigma=1")
show(before=moved, after=restorer(moved), original=clean)

# %%
# **Camera shake.** A path of some twelve pixels, with turns: the result has lines that were never there. The models
# have seen straight motion of up to 15 pixels, and no such path. Resolvent does not notice; you have
# to look. If the path is known, see the gallery's page on a known blur.
shaken = degrade("shake:length=12 + noise:sigma=1")
show(before=shaken, after=restorer(shaken), original=clean)
