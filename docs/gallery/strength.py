"""The strength dial.

Strength blends the restored photograph with the one that it was made from. 0 is the photograph itself, byte for byte; 1
the full restoration. Too much smoothing is what most people mind about denoising: a part of the grain can stay.
"""

# %%
# Film grain, removed to a quarter, a half and so on. The crop is enlarged three times.
import matplotlib.pyplot as plt
import numpy as np
from skimage import data
from skimage.metrics import peak_signal_noise_ratio

import resolvent

clean = data.camera()[0:256, 130:386]
grainy = np.rint(255 * np.clip(resolvent.degrade(clean, "grain:sigma=12,radius=0.8", seed=0), 0, 1)).astype(np.uint8)
strengths = (0, 0.25, 0.5, 0.75, 1)
results = [resolvent.restore(grainy, model="denoise", sigma=12, strength=strength) for strength in strengths]
print("strength 0 is the photograph:", np.array_equal(results[0], grainy))

figure, axes = plt.subplots(1, 5, figsize=(9, 2.2), layout="compressed")
for axis, strength, result in zip(axes, strengths, results, strict=True):
    axis.imshow(result[50:156, 50:156], "gray", vmin=0, vmax=255, interpolation="nearest")
    axis.set_title(f"{strength}: {peak_signal_noise_ratio(clean, result):.1f} dB", fontsize=9)
    axis.axis("off")

# %%
# The PSNR says that less grain is closer to the original. Whether it looks better is for you to say.
