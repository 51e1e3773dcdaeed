"""A known blur, undone.

If it is known how a photograph was blurred, three methods invert it: a Wiener filter, Richardson-Lucy, and
plug-and-play with a trained denoiser.
"""

# %%
# Camera shake along a path of some twelve pixels. Without the path, the models make it worse: see the page on blur.
import matplotlib.pyplot as plt
import numpy as np
from skimage import data
from skimage.metrics import peak_signal_noise_ratio

import resolvent

clean = data.stereo_motorcycle()[0][150:406, 200:456]
fault = "shake:length=12 + noise:sigma=1"
shaken = np.rint(255 * np.clip(resolvent.degrade(clean, fault, seed=0), 0, 1)).astype(np.uint8)
results = {"shaken": shaken}
for method in ("wiener", "richardson-lucy", "pnp"):
    results[method] = resolvent.restore(shaken, method=method, degradation=fault)

# %%
# **A path that is a little wrong.** The same path, 3 pixels longer: rings everywhere. The residual tells it: the
# result, blurred again, is much further from the photograph than its noise.
wrong = fault.replace("12", "15")
done = resolvent.Restorer(method="wiener", degradation=wrong).run(shaken)
print(f"{peak_signal_noise_ratio(clean, done.image.data):.1f} dB; {done.evidence}")
results["named wrongly"] = done.image.data

# %%
# The crops are enlarged three times. In practice the path is seen where there is a point of light in the photograph; it
# is given as an image with ``kernel:path=kernel.png``.
figure, axes = plt.subplots(2, 3, figsize=(9, 6.4), layout="compressed")
for axis, (name, image) in zip(axes.flat, {**results, "original": clean}.items(), strict=True):
    psnr = "" if image is clean else f": {peak_signal_noise_ratio(clean, image):.1f} dB"
    axis.imshow(image[40:200, 50:210], interpolation="nearest")
    axis.set_title(name + psnr)
    axis.axis("off")
