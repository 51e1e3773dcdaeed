"""Noise: high ISO, film, color, bands, hot pixels.

Five kinds of noise are put on clean photographs, and taken away again without a word of what was done to them: the
noise is measured, and a model chosen. The last kind needs ``repair``. All crops are enlarged four times.
"""

# %%
# Each figure shows the photograph with its fault, what comes back, and the original, which the program never sees.
import matplotlib.pyplot as plt
import numpy as np
from skimage import data

import resolvent

automatic = resolvent.Restorer()


def show(clean, fault, restorer=automatic):
    photograph = np.rint(255 * np.clip(resolvent.degrade(clean, fault, seed=0), 0, 1)).astype(np.uint8)
    done = restorer.run(photograph)
    print(*done.reasons, sep="\n")
    _, axes = plt.subplots(1, 3, figsize=(9, 3.3), layout="compressed")
    titles = ("before", "after", "original")
    for axis, image, title in zip(axes, (photograph, done.image.data, clean), titles, strict=True):
        axis.imshow(image[32:160, 32:160].squeeze(), "gray", interpolation="nearest", vmin=0, vmax=255)
        axis.set_title(title)
        axis.axis("off")


# %%
# **High ISO.** A camera's sensor at ISO 12800, developed to a picture: the noise is colored, coarser than a pixel, and
# stronger in the shadows.
show(data.astronaut()[32:224, 132:324], "camera:iso=12800")

# %%
# **Film grain.** Coarser than a pixel too, and without color in a black-and-white photograph.
show(data.camera()[32:224, 132:324], "grain:sigma=14,radius=1")

# %%
# **Color noise.** Soft blotches of red and green. The brightness is untouched.
show(data.coffee()[92:284, 182:374], "chroma:sigma=14,radius=3")

# %%
# **Bands.** Each row of the sensor has an offset of its own. Measured as noise, it is next to nothing, and yet a model
# is found: it is tried on a part of the photograph before it is chosen.
show(data.coffee()[92:284, 182:374], "rownoise:sigma=8")

# %%
# **Hot and dead pixels.** The automatic choice leaves many, for one that looks like a light is taken for one.
# ``repair`` takes them for dust, and fills them.
show(data.rocket()[182:374, 212:404], "hotpixels:amount=0.001", resolvent.Restorer(repair=True))
