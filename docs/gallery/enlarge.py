"""Enlarging, with and without invented detail.

Four times as large: by bicubic interpolation, as any editor does it, by the model ``upscale4``, and by the same with
invented detail.
"""

# %%
# A thumbnail of 64x64 pixels, reduced from the original, which is to be found again.
import matplotlib.pyplot as plt
import numpy as np
import PIL.Image
from skimage import data
from skimage.metrics import peak_signal_noise_ratio

import resolvent

clean = data.chelsea()[20:276, 100:356]
small = np.rint(255 * np.clip(resolvent.degrade(clean, "downsample:scale=4"), 0, 1)).astype(np.uint8)


def show(**images):
    _, axes = plt.subplots(1, len(images), figsize=(9, 9.3 / len(images) + 0.2), layout="compressed")
    for axis, (title, image) in zip(axes, images.items(), strict=True):
        psnr = "" if image is clean else f", {peak_signal_noise_ratio(clean, image):.1f} dB"
        axis.imshow(image[64:192, 0:128], interpolation="nearest")
        axis.set_title(title.replace("_", " ") + psnr, fontsize=9)
        axis.axis("off")


show(
    bicubic=np.asarray(PIL.Image.fromarray(small).resize((256, 256), PIL.Image.Resampling.BICUBIC)),
    upscale4=resolvent.restore(small, model="upscale4"),
    realism_1=resolvent.restore(small, model="upscale4", realism=1),
    original=clean,
)

# %%
# ``realism=1`` asks for detail that looks real. What it adds is a guess, and little. The hairs of the original are in
# neither, because nothing in the thumbnail says where they were.
#
# **A thumbnail with faults.** Most small pictures are JPEG files too, here one of 128x128 pixels. With ``scale``, a
# photograph is restored before it is enlarged; bicubic interpolation and ``upscale2`` alone enlarge the blocks with it.
saved = np.rint(255 * np.clip(resolvent.degrade(clean, "downsample:scale=2 + jpeg:quality=50"), 0, 1)).astype(np.uint8)
done = resolvent.Restorer(scale=2).run(saved)
print(done.plan.reasons[-1])
show(
    bicubic=np.asarray(PIL.Image.fromarray(saved).resize((256, 256), PIL.Image.Resampling.BICUBIC)),
    upscale2_alone=resolvent.restore(saved, model="upscale2"),
    restored_first=done.image.data,
    original=clean,
)
