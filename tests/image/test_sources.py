import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

import resolvent
from resolvent.errors import InputError, UsageError
from resolvent.image import Image, Limits
from resolvent.image.sources import as_given, open_source


@pytest.fixture
def pixels():
    rows, columns = np.mgrid[:48, :64] / 48
    clean = 0.5 + 0.3 * np.sin(9 * rows + 5 * columns)[..., None] * np.ones(3)
    noise = 20 / 255 * np.random.default_rng(0).standard_normal(clean.shape)
    return np.rint(255 * np.clip(clean + noise, 0, 1)).astype(np.uint8)


@pytest.fixture
def forms(pixels, tmp_path):
    """One photograph in every form that it may be given in."""
    path = tmp_path / "a photo.png"
    PIL.Image.fromarray(pixels).save(path)
    data = path.read_bytes()
    return {
        "text": str(path), "path": path, "bytes": data, "bytearray": bytearray(data), "memoryview": memoryview(data),
        "BytesIO": io.BytesIO(data), "array": pixels, "Pillow": PIL.Image.fromarray(pixels),
        "Image": Image.from_array(pixels),
    }  # fmt: skip


def test_every_form_is_one_image(forms, pixels):
    for form, source in forms.items():
        image, file = open_source(source)
        np.testing.assert_array_equal(image.data, pixels, err_msg=form)
        assert (file is not None) == (form in {"bytes", "bytearray", "memoryview", "BytesIO"})


def test_an_open_file(forms):
    with forms["path"].open("rb") as file:
        assert open_source(file)[0].width == 64
        with pytest.raises(InputError, match=r"is empty, or at its end; call seek\(0\) first"):
            open_source(file)
    with pytest.raises(InputError, match="cannot be read: read of closed file"):
        open_source(file)
    with pytest.raises(UsageError, match="is open as text; open it with mode 'rb'"):
        open_source(io.StringIO("text"))
    with pytest.raises(InputError, match=r"more than 0\.001 megabytes"):
        open_source(io.BytesIO(bytes(10_000)), Limits(megabytes=0.001))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([[0.1, 0.2], [0.3, 0.4]], r"^list: cannot be read as an image; give numpy\.asarray\(\) of it"),
        (torch.zeros(3, 8, 8), r"^torch\.Tensor: .* give tensor\.permute\(1, 2, 0\)\.cpu\(\)\.numpy\(\)"),
        (np.float32(1), r"^numpy\.float32: .* numpy\.asarray"),
        (None, "^NoneType: .* give a path, bytes, an open file, an array, a Pillow image or an Image"),
    ],
)
def test_what_is_no_image_is_refused_with_a_remedy(source, message):
    for verb in (
        resolvent.restore,
        resolvent.plan,
        resolvent.diagnose,
        lambda it: resolvent.degrade(it, "none"),
        lambda it: resolvent.compare(it, "noise:sigma=20", ["tv"]),
    ):
        with pytest.raises(UsageError, match=message):
            verb(source)


def test_all_verbs_take_every_form(forms):
    """``diagnose`` of a path as text, ``degrade`` of Pillow and ``restore`` of BytesIO ended in AttributeErrors."""
    expected = resolvent.restore(forms["array"], model="denoise", sigma=20)
    diagnosed = resolvent.diagnose(forms["array"])
    for form in forms:
        restorer = resolvent.Restorer(model="denoise", sigma=20)
        for verb in (restorer, lambda it: resolvent.degrade(it, "none")):
            if form == "BytesIO":
                forms[form].seek(0)
            made = verb(forms[form])
            wanted = {"array": np.ndarray, "Pillow": PIL.Image.Image}.get(form, Image)
            assert isinstance(made, wanted), form
            if verb is restorer:
                np.testing.assert_array_equal(open_source(made)[0].data, expected, err_msg=form)
        if form == "BytesIO":
            forms[form].seek(0)
        assert resolvent.diagnose(forms[form]) == diagnosed, form


def test_the_quality_of_a_jpeg_is_known_in_every_form_of_its_file(pixels, tmp_path):
    path = tmp_path / "a.jpg"
    PIL.Image.fromarray(pixels).save(path, quality=40)
    for source in (path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes())):
        assert resolvent.diagnose(source).jpeg_quality == 40
    for source in (path, path.read_bytes()):
        assert "JPEG quality 40" in resolvent.plan(source).reasons
    image = resolvent.read_image(path)
    path.unlink()
    assert resolvent.diagnose(image).jpeg_quality == 40
    assert resolvent.diagnose(resolvent.degrade(image, "noise:sigma=3")).jpeg_quality is None


def test_a_degraded_pillow_image_is_one(forms, pixels):
    degraded = resolvent.degrade(forms["Pillow"], "noise:sigma=30", seed=1)
    np.testing.assert_array_equal(np.asarray(degraded), resolvent.degrade(forms["Image"], "noise:sigma=30", 1).data)


def test_a_copy_is_given_where_nothing_was_done(forms, pixels):
    image, _ = open_source(forms["array"])
    same = as_given(image, forms["array"], unchanged=True)
    np.testing.assert_array_equal(same, pixels)
    assert not np.shares_memory(same, pixels)


def test_an_image_describes_itself_in_one_line(pixels):
    """It printed its pixels."""
    assert repr(Image.from_array(pixels)) == "<Image 64x48 RGB, uint8, png>"
    gray = Image.from_array(np.dstack([pixels[..., 0], pixels[..., 0]]))
    assert repr(gray) == "<Image 64x48 gray with alpha, uint8, png>"
    read = Image(pixels, format="jpeg", path=Path("a/b.jpg"))
    assert repr(read) == f"<Image 64x48 RGB, uint8, jpeg, {str(Path('a/b.jpg'))!r}>"


def test_save_refuses_an_unknown_option(pixels, tmp_path):
    with pytest.raises(TypeError, match="qualty"):
        Image.from_array(pixels).save(tmp_path / "a.jpg", qualty=90)
    Image.from_array(pixels).save(tmp_path / "a.png")
    Image.from_array(pixels).save(tmp_path / "a.png", overwrite=True, format="png", quality=90)
