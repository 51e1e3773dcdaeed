"""Four ways to remove noise, compared.

Three classical methods and a trained model, on the same photograph with the same noise, whose level all are told.
"""

# %%
# White noise of sigma 25. PSNR and SSIM are against the original; the time is that of one call on the machine that
# built this page, with the loading of a model.
import time

import matplotlib.pyplot as plt
import numpy as np
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

import resolvent

clean = data.astronaut()[0:256, 100:356] / np.float32(255)
noise = "noise:sigma=25"
noisy = resolvent.degrade(clean, noise, seed=0)
results = {"noisy": noisy}
for method in ("wavelet", "tv", "nlm"):
    start = time.perf_counter()
    results[method] = resolvent.restore(noisy, method=method, degradation=noise)
    print(f"{method}: {time.perf_counter() - start:.1f} s")
start = time.perf_counter()
results["denoise"] = resolvent.restore(noisy, model="denoise", sigma=25)
print(f"denoise: {time.perf_counter() - start:.1f} s")

# %%
# A detail of each, enlarged three times, and the original.
figure, axes = plt.subplots(2, 3, figsize=(9, 6.4), layout="compressed")
for axis, (name, result) in zip(axes.flat, {**results, "original": clean}.items(), strict=True):
    shown = np.clip(result, 0, 1)
    axis.imshow(shown[56:200, 50:194], interpolation="nearest")
    axis.set_title(name)
    axis.axis("off")
    if result is not clean:
        psnr = peak_signal_noise_ratio(clean, shown, data_range=1)
        ssim = structural_similarity(clean, shown, data_range=1, channel_axis=2)
        axis.set_title(f"{name}: {psnr:.1f} dB, SSIM {ssim:.2f}")
