"""An old photograph: scratches, dust, a crease.

``repair`` finds damage and fills it, and leaves everything else as it is: the fading too.
"""

# %%
# A portrait with what the years do to a print: bleached and yellowed, scratched, dusty, folded once.
import matplotlib.pyplot as plt
import numpy as np
from skimage import data

import resolvent

clean = data.astronaut()[0:384, 40:424]
years = "fading + creases:count=1,width=3,cracks=1 + scratches:count=6,width=2 + dust:amount=0.002,size=4,hairs=3"
old = np.rint(255 * np.clip(resolvent.degrade(clean, years, seed=3), 0, 1)).astype(np.uint8)
repaired = resolvent.restore(old, repair=True, write_mask="found.png")
found = plt.imread("found.png")


def show(images, titles):
    _, axes = plt.subplots(1, len(images), figsize=(9, 9.3 / len(images) + 0.2), layout="compressed")
    for axis, image, title in zip(axes, images, titles, strict=True):
        axis.imshow(image, "gray", interpolation="nearest")
        axis.set_title(title)
        axis.axis("off")


show((old, found, repaired), ("before", "found", "repaired"))

# %%
# A part of it, enlarged four times. Below the crease, the mouth is a guess. What is not in the mask is the same, pixel
# for pixel.
part = np.s_[60:188, 130:258]
show((old[part], found[part], repaired[part]), ("before", "found", "repaired"))
print("changed outside of the mask:", np.count_nonzero(old[found == 0] != repaired[found == 0]))

# %%
# **By hand.** What was missed, or found where there is nothing, is put right in the mask, in any editor, and the mask
# is given back: ``mask="found.png"``, or an array.
mask = found > 0
mask[300:, :] = False
only_above = resolvent.restore(old, mask=mask)
print(f"{np.mean(old != repaired):.1%} of the values changed; {np.mean(old != only_above):.1%} with the mask cut off")
