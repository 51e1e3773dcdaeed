"""Finding and filling damage: only what a mask names changes, and the models run only where it is."""

import io
from dataclasses import dataclass, field

import numpy as np
import PIL.Image
import pytest
from scipy import ndimage

import resolvent
from resolvent.engine import options, repair, request
from resolvent.engine.options import make_request
from resolvent.engine.plan import make_plan
from resolvent.engine.run import run
from resolvent.errors import InputError, QualityError, UsageError
from resolvent.image import Image, read_image, write_image
from resolvent.models.card import ModelCard


@dataclass
class Fake:
    """A model of one function of (1, C, h, w); remembers the sizes that it was given."""

    function: object
    card: ModelCard
    shapes: list = field(default_factory=list)

    def run(self, x):
        assert x.shape[1] == self.card.inputs
        self.shapes.append(x.shape[2:])
        return np.ascontiguousarray(self.function(x), np.float32)


def make(function, name, **values):
    known = {"task": "", "summary": "", "network": "unet-small", "arguments": {}, "degradation": "dust", "halo": 8}
    return Fake(function, ModelCard(**known | {"name": name} | values))


def bright(x):
    """Finds what is whiter than 0.9."""
    return (x[:, :1] > 0.9).astype(np.float32)


def quarter(x):
    """Fills with 0.25, and ruins everything else, which must not matter."""
    return np.where(x[:, 3:] > 0.5, 0.25, 0.9).repeat(3, 1)


@pytest.fixture
def models(monkeypatch):
    """Stand-ins for the bundled models."""
    known = {
        "scratches": make(bright, "scratches", outputs=1),
        "inpaint": make(quarter, "inpaint", mask=True),
        "invert": make(lambda x: x[:, :3] * 0.98, "invert"),
    }
    for home in (options, request):
        monkeypatch.setattr(home, "read_card", lambda name: known[str(name)].card)
    return known


def restored(image, models, **options):
    def open_session(name, runtime):
        return models[str(name)]

    told = make_plan(image, make_request(**options), None, open_session)
    return run(image, told, None, open_session).image, told


def scan(dtype=np.uint8, channels=3, shape=(90, 120)):
    """Texture below 0.8, with one white scratch."""
    values = 0.1 + 0.7 * np.random.default_rng(0).random((*shape, channels))
    values[20:70, 40:42, : 3 if channels > 2 else 1] = 1
    if channels in (2, 4):
        values[..., -1] = 1
    top = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    return (values if top == 1 else np.rint(values * top)).astype(dtype)


def scratch(shape=(90, 120), grown=repair.GROWN):
    mask = np.zeros(shape, bool)
    mask[20 - grown : 70 + grown, 40 - grown : 42 + grown] = True
    return mask


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_what_is_damaged_is_filled_and_nothing_else_changes(models, dtype, channels):
    image, mask = Image.from_array(scan(dtype, channels)), scratch()
    out, told = restored(image, models, repair=True)
    np.testing.assert_array_equal(told.mask, mask)
    assert out.data.dtype == dtype
    np.testing.assert_array_equal(out.data[~mask], image.data[~mask])
    np.testing.assert_array_equal(out.alpha, image.alpha)
    expected = image.quantize(np.full(image.data[mask].shape, 0.25, np.float32))
    np.testing.assert_allclose(out.data[mask], expected, atol=1e-6 if dtype == np.float32 else 1)


@pytest.mark.parametrize(("share", "found"), [(0.3, False), (1.0, True)])
def test_what_only_some_flips_show_is_not_found(models, share, found):
    """A model that sees something in the left part of whatever it is given."""

    def left(x):
        seen = np.zeros_like(x[:, :1])
        seen[..., : round(share * x.shape[3])] = 0.9999
        return seen

    models["scratches"] = make(left, "scratches", outputs=1)
    _, told = restored(Image.from_array(scan()), models, repair=True)
    assert told.mask.any() == found
    assert len(set(models["scratches"].shapes)) == 1
    assert len(models["scratches"].shapes) % 4 == 0


def test_what_is_likely_is_found_beside_what_is_sure(monkeypatch):
    """Sure at one row of a line that is likely all along: followed for so many pixels; a likely line alone is not."""

    def lines(x):
        seen = np.zeros_like(x[:, :1])
        seen[..., 30], seen[..., 60] = 0.75, 0.75
        seen[..., seen.shape[2] // 2, 30] = 1
        return seen

    monkeypatch.setattr(repair, "_Flipped", lambda session: session)
    found = repair.find_damage(Image.from_array(scan(shape=(64, 96))), make(lines, "scratches", outputs=1), 512)
    assert found.any()
    assert not found[:, 45:60].any()
    assert found.any(1).sum() == 2 * repair.FOLLOWED + 1 + 2 * repair.GROWN


@pytest.mark.parametrize("strength", [0.25, 1.0])
def test_strength_blends_what_is_filled(models, strength):
    image, mask = Image.from_array(scan(np.float32)), scratch()
    out, _ = restored(image, models, repair=True, strength=strength)
    y = image.data[mask]
    np.testing.assert_allclose(out.data[mask], y + strength * (0.25 - y), atol=1e-6)
    np.testing.assert_array_equal(out.data[~mask], image.data[~mask])


def test_without_strength_the_photograph_comes_back_and_the_mask_is_still_written(models, tmp_path):
    image = Image.from_array(scan())
    out, told = restored(image, models, repair=True, strength=0.0, write_mask=tmp_path / "m.png")
    assert told.unchanged
    assert out is image
    np.testing.assert_array_equal(read_image(tmp_path / "m.png").data[..., 0] == 255, scratch())


@pytest.mark.parametrize("kind", ["array", "bool", "file"])
def test_a_mask_is_filled_where_it_is_white(models, tmp_path, kind):
    image = Image.from_array(scan())
    mask = np.zeros((90, 120), bool)
    mask[50:60, 70:110] = True
    source = {"array": np.uint8(255) * mask, "bool": mask, "file": tmp_path / "holes.png"}[kind]
    if kind == "file":
        write_image(Image.from_array(np.uint8(200) * mask), source)
    out, told = restored(image, models, mask=source)
    np.testing.assert_array_equal((out.data != image.data).any(2), mask)
    assert told.reasons == ("3.7 % of it is named by the mask", "filled by model 'inpaint'")
    assert not models["scratches"].shapes


def test_mask_and_repair_together_fill_both(models):
    mask = np.zeros((90, 120), bool)
    mask[80:, 100:] = True
    _, told = restored(Image.from_array(scan()), models, mask=mask, repair=True)
    np.testing.assert_array_equal(told.mask, mask | scratch())


def test_the_written_mask_fills_the_same_again(models, tmp_path):
    image, path = Image.from_array(scan()), tmp_path / "m.png"
    found, _ = restored(image, models, repair=True, write_mask=path)
    given, _ = restored(image, models, mask=path)
    np.testing.assert_array_equal(found.data, given.data)


def test_only_tiles_about_the_holes_are_run(models):
    image = Image.from_array(np.full((400, 400, 3), 90, np.uint8))
    mask = np.zeros((400, 400), bool)
    mask[10:14, 380:390] = mask[350, 8] = True
    out, told = restored(image, models, mask=mask, tile=32)
    session = models["inpaint"]
    assert len(session.shapes) == 2
    assert told.tiles > 50
    np.testing.assert_array_equal((out.data != image.data).any(2), mask)


@pytest.mark.parametrize("tile", [16, 24, 512])
def test_tiles_do_not_show(models, tile):
    """A fill that depends on 15 pixels around, with a hole across every seam."""
    image = Image.from_array(scan(shape=(100, 90)))
    mask = np.zeros((100, 90), bool)
    mask[30:40] = mask[:, 50:53] = True

    def around(x):
        return ndimage.uniform_filter(x[:, :3] * (1 - x[:, 3:]), (1, 1, 15, 15))

    models["inpaint"] = make(around, "inpaint", mask=True, halo=16)
    whole, _ = restored(image, models, mask=mask, tile=4096)
    out, _ = restored(image, models, mask=mask, tile=tile)
    assert np.abs(out.data.astype(int) - whole.data).max() <= 1


def test_a_whole_photograph_is_left_alone(models):
    image = Image.from_array((scan() * 0.5).astype(np.uint8))
    out, told = restored(image, models, repair=True)
    assert out is image
    assert told.unchanged
    assert told.reasons == ("0 % of it is damaged, as model 'scratches' finds", "nothing to fill")
    assert not models["inpaint"].shapes


def test_a_gray_photograph_in_color_stays_gray(models):
    gray = scan(channels=1).repeat(3, 2)
    out, _ = restored(Image.from_array(gray), models, repair=True)
    assert np.ptp(out.data, axis=2).max() == 0
    np.testing.assert_array_equal(out.data[~scratch()], gray[~scratch()])


def test_what_cannot_be_seen_is_not_repaired(models):
    rgba = scan(channels=4)
    rgba[..., 3] = 255
    rgba[15:45, 30:50, 3] = 0
    image = Image.from_array(rgba)
    out, told = restored(image, models, repair=True)
    assert not told.mask[image.alpha == 0].any()
    assert told.mask.any()
    np.testing.assert_array_equal(out.data[~told.mask], image.data[~told.mask])


def test_a_named_model_follows_the_repair(models):
    image = Image.from_array(scan(np.float32))
    out, told = restored(image, models, repair=True, model="invert")
    assert (told.model, told.first.mask.sum()) == ("invert", scratch().sum())
    assert told.reasons[-1] == "model 'invert', as asked"
    np.testing.assert_allclose(out.data[scratch()], 0.98 * 0.25, atol=1e-6)
    np.testing.assert_allclose(out.data[~scratch()], 0.98 * image.data[~scratch()], atol=1e-6)


def test_models_that_find_or_fill_take_the_place_of_the_bundled_ones(models):
    models["mine"] = make(lambda x: 0 * x[:, :3] + 0.5, "mine", mask=True)
    models["eager"] = make(lambda x: 0 * x[:, :1] + (x[:, :1] > 0.75), "eager", outputs=1)
    image = Image.from_array(scan(np.float32))
    out, told = restored(image, models, repair=True, model="mine")
    assert told.reasons[-1] == "filled by model 'mine'"
    np.testing.assert_allclose(out.data[scratch()], 0.5, atol=1e-6)
    _, told = restored(image, models, repair=True, model="eager")
    assert told.mask.sum() > 2 * scratch().sum()
    assert told.reasons[-1] == "filled by model 'inpaint'"


def test_methods_follow_the_repair(models):
    image = Image.from_array(scan(np.float32, shape=(48, 60))[:48])
    _, told = restored(image, models, repair=True, method="nlm", degradation="noise:sigma=5")
    assert told.first.mask is not None
    assert told.reasons[-1] == "method 'nlm', as asked"


def test_a_fill_that_is_not_finite_is_an_error(models):
    models["inpaint"] = make(lambda x: x[:, :3] * np.nan, "inpaint", mask=True)
    with pytest.raises(QualityError, match="NaN or infinite"):
        restored(Image.from_array(scan()), models, repair=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mask": np.zeros((90, 121), bool)}, "is 121x90 pixels and the photograph 120x90"),
        ({"mask": np.ones((90, 120), bool)}, "is white everywhere; white is what is filled"),
        ({"mask": np.zeros((90, 120, 2, 2), bool)}, "is no image"),
        ({"model": "scratches"}, r"finds damage, and restores nothing alone; give repair \(--repair\)"),
        ({"model": "inpaint"}, r"fills what a mask names; give mask \(--mask\)"),
        ({"write_mask": "m.png"}, r"writes what repair finds; give repair \(--repair\)"),
        ({"repair": True, "write_mask": "m.jpg"}, "is a PNG"),
    ],
)
def test_wrong_calls_are_refused(models, tmp_path, options, message):
    if "write_mask" in options:
        options = {**options, "write_mask": tmp_path / options["write_mask"]}
    with pytest.raises(UsageError, match=message):
        restored(Image.from_array(scan()), models, **options)


def test_a_mask_is_never_replaced(models, tmp_path):
    (tmp_path / "m.png").write_bytes(b"mine")
    with pytest.raises(UsageError, match="exists; give another name"):
        resolvent.restore(scan(), repair=True, write_mask=tmp_path / "m.png")
    assert (tmp_path / "m.png").read_bytes() == b"mine"


def test_a_mask_in_any_form(models):
    mask = np.zeros((90, 120), np.uint8)
    mask[30:34, 50:60] = 255
    file = io.BytesIO()
    PIL.Image.fromarray(mask).save(file, "PNG")
    for source in (mask, mask > 0, PIL.Image.fromarray(mask), Image.from_array(mask), file.getvalue()):
        np.testing.assert_array_equal(restored(Image.from_array(scan()), models, mask=source)[1].mask, mask > 0)
    with pytest.raises(UsageError, match=r"^list: cannot be read as an image; give numpy\.asarray"):
        restored(Image.from_array(scan()), models, mask=[[0, 1]])


def test_a_mask_that_is_not_there(models, tmp_path):
    with pytest.raises(InputError, match=r"none\.png: there is no such file"):
        restored(Image.from_array(scan()), models, mask=tmp_path / "none.png")


def test_from_python_in_the_same_words(tmp_path):
    """The bundled models, on an array and its mask: nothing else changes."""
    mask = scratch((64, 64))[:64, :64]
    array = scan(shape=(96, 96))[:64, :64]
    out = resolvent.restore(array, mask=mask)
    np.testing.assert_array_equal(out[~mask], array[~mask])
    assert (out[mask] != array[mask]).mean() > 0.9


@pytest.mark.parametrize("level", [20, 128, 230])
def test_a_wide_hole_is_filled_to_its_middle(level):
    """The bundled model sees some 30 pixels into a hole; what lies deeper is filled at half the size."""
    image = np.full((209, 208, 3), level, np.uint8)
    image[::7] += 2
    mask = np.zeros((209, 208), bool)
    mask[40:170, 40:170] = True
    filled = resolvent.restore(image, mask=mask)
    assert np.abs(filled[mask].astype(float) - level).max() < 12
    np.testing.assert_array_equal(filled[~mask], image[~mask])


def test_a_wide_hole_in_a_slope_goes_on_with_it():
    slope = np.tile(np.linspace(40, 220, 240)[None, :, None], (200, 1, 3)).astype(np.uint8)
    mask = np.zeros((200, 240), bool)
    mask[30:170, 50:190] = True
    filled = resolvent.restore(slope, mask=mask)
    assert np.abs(filled[mask].astype(float) - slope[mask]).mean() < 6


def test_a_mask_deep_in_a_corner_of_a_gray_picture(models):
    data = np.full((301, 333), 128, np.uint8)
    data[:, ::9] = 100
    mask = np.zeros((301, 333), bool)
    mask[:150, :170] = mask[290:, 300:] = True
    out = restored(Image.from_array(data), models, mask=mask)[0].data
    assert out.shape == (301, 333, 1)
    np.testing.assert_array_equal(out[..., 0][~mask], data[~mask])
    assert np.abs(out[..., 0][mask] - 64.0).max() <= 1
