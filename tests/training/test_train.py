import numpy as np
import PIL.Image

import resolvent
from resolvent.models.registry import read_card


def test_from_a_folder_to_a_model_that_restores(tmp_path):
    for i in range(4):
        values = np.random.default_rng(i).integers(0, 255, (6, 6, 3)).astype(np.uint8)
        PIL.Image.fromarray(values).resize((48, 48), PIL.Image.Resampling.BICUBIC).save(tmp_path / f"{i}.png")
    arguments = {"noise_level": True, "widths": [8, 8, 8], "blocks": [1, 1, 1]}
    settings = {"budget": "3 steps", "arguments": arguments, "patch": 32, "batch": 2}
    model = resolvent.train("denoise", str(tmp_path), str(tmp_path / "run"), threads=1, license="CC0-1.0", **settings)
    assert model == tmp_path / "run" / "denoise.onnx"
    card = read_card(model)
    assert (card.license, card.recipe["patch"]) == ("CC0-1.0", 32)
    assert resolvent.restore(values, model=model, sigma=20).shape == values.shape
