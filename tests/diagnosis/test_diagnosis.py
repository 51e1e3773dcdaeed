"""A photograph is looked at: what is found, why, and which model takes care of it."""

import io
import subprocess
import sys

import cv2
import numpy as np
import PIL.Image
import pytest
from skimage.data import camera

from resolvent.degradations import degrade, parse
from resolvent.diagnosis import diagnose, measure
from resolvent.diagnosis.choice import FALLBACK, decide
from resolvent.diagnosis.noise import noise_sigma
from resolvent.image import Image
from resolvent.inference.runtime import open_session
from tests.diagnosis.pictures import CANDIDATES, DISK, SLOPE, Brighter, expecting, image, jpeg, noisy

DISK_BLURRED = 255 * parse("blur:sigma=2")(DISK / 255)


def look(picture, source=None, *, gains):
    return diagnose(picture, source, expecting(gains), Brighter)


@pytest.mark.parametrize(("blur", "chosen"), [(0.7, None), (1.5, ("deblur", 1.0))])
def test_of_what_is_drawn_neither_dots_nor_sharp_edges_are_undone(blur, chosen):
    chooser = expecting([9.0, 5.0, 9.0])
    assert decide(chooser, chooser.mean, 9.0, blur_sigma=blur).candidate == CANDIDATES[0]
    decision = decide(chooser, chooser.mean, 9.0, drawing=True, blur_sigma=blur)
    assert decision.candidate == chosen
    assert decision.unfit >= {"denoise", "restore"}


def test_texture_that_one_model_alone_would_change_is_left_alone():
    """The grass of a clean photograph; not so the faults that only ``restore`` sees, and those that others see too."""
    clean = camera()[350:, :300]
    found = measure(Image.from_array(clean), open_session=open_session)
    assert found.changes["restore"] > 4
    assert found.textured
    assert diagnose(clean).model is None
    for fault in ("rownoise:sigma=9", "rownoise:sigma=6,axis=columns", "hotpixels:amount=0.002", "noise:sigma=10"):
        bad = degrade(clean, fault, seed=0)
        assert not measure(Image.from_array(bad), open_session=open_session).textured
        assert diagnose(bad).model == "restore"


def test_dots_of_a_page_are_drawn_though_no_two_are_alike():
    rng = np.random.default_rng(0)
    page = np.where(rng.random((128, 160, 1)) < 0.3, 8.0, 247.0) + rng.normal(0, 8, (128, 160, 1))
    assert measure(image(page)).content.drawing
    assert measure(image(page)).noise_sigma == 0
    assert not measure(image(page * 0.6 + 40)).content.drawing


def test_reasons_give_what_was_measured_and_what_is_expected():
    found = look(degrade(image(DISK), "blur:sigma=2"), jpeg(95), gains=[1.0, 4.0, 0.0])
    assert (found.model, found.strength, found.sigma, found.jpeg_quality) == ("deblur", 1.0, None, 95)
    assert found.blur_sigma == pytest.approx(2, abs=0.2)
    assert found.gains == {"denoise": 1.0, "deblur": 4.0, "restore": 0.0}
    assert found.reasons == (
        "noise of 0.0 gray levels",
        f"blur of {found.blur_sigma:.1f} pixels at the sharpest edges",
        "JPEG quality 95",
        "looks drawn or printed, not photographed",
        "expected gain: deblur 4.0 dB, denoise 1.0 dB, restore 0.0 dB",
    )


@pytest.mark.parametrize(
    ("values", "spread", "why"),
    [
        (DISK_BLURRED, 0.0, ["not restore: what is measured speaks against it"]),
        (noisy(SLOPE, 3), [0.0, 0.0, 2.0], ["not restore: it is less certain"]),
    ],
)
def test_a_larger_gain_that_is_not_taken_is_explained(values, spread, why):
    found = diagnose(image(values), None, expecting([0.0, 2.0, 3.0], spread), Brighter)
    assert found.model == "deblur"
    assert [reason for reason in found.reasons if reason.startswith("not ")] == why


def test_a_cautious_choice_says_so():
    found = look(image(noisy(SLOPE, 3)), gains=[0.0, 0.0, 1.0])
    assert (found.model, found.strength) == FALLBACK
    assert "blended with the photograph at 50%" in found.reasons[-1]


def test_noise_is_denoised_at_its_level_within_the_models_range():
    found = look(image(noisy(SLOPE, 12)), gains=[5.0, 0.0, 0.0])
    assert found.model == "denoise"
    assert found.sigma == found.noise_sigma == pytest.approx(12, rel=0.07)
    strong = look(Image.from_array(noisy(SLOPE, 90) / np.float32(255)), gains=[5.0, 0.0, 0.0])
    assert strong.sigma == 75 < strong.noise_sigma


@pytest.mark.parametrize("values", [DISK[:20], np.full((64, 64, 3), 77.0)])
def test_too_little_to_tell(values):
    found = look(image(values), gains=[5.0, 0.0, 0.0])
    assert (found.model, found.gains) == (None, {})
    assert found.reasons[-1] == "too little detail to predict what would help"


@pytest.fixture(scope="module")
def photograph():
    """Half of scikit-image's astronaut, reduced: sharp, and all but free of noise, of which the scan has 1.6 levels."""
    from skimage.data import astronaut

    return Image.from_array(cv2.resize(astronaut()[:384, 64:448], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))


def test_clean_is_left_alone(photograph):
    found = diagnose(photograph)
    assert (found.jpeg_quality, found.model, found.sigma) == (None, None, None)
    assert found.reasons[-1] == "nothing to fix: no model is certain to gain 0.15 dB"


@pytest.mark.parametrize(
    ("degradation", "model"),
    [
        ("noise:sigma=20", "denoise"),
        ("blur:sigma=1.6 + noise:sigma=1", "deblur"),
        ("saltpepper:amount=0.02", "restore"),
        ("grain:sigma=15,radius=0.9", "denoise"),
    ],
)
def test_each_fault_goes_to_its_model(photograph, degradation, model):
    assert diagnose(degrade(photograph, degradation, seed=1)).model == model


def test_compression_goes_to_its_model(photograph):
    file = io.BytesIO()
    PIL.Image.fromarray(photograph.data).save(file, "JPEG", quality=20)
    found = diagnose(degrade(photograph, "jpeg:quality=20"), file.getvalue())
    assert (found.model, found.jpeg_quality) == ("dejpeg", 20)


def test_rounding_to_8_bits_is_not_noise():
    rounded = np.rint(noisy(SLOPE, 0.4))
    whole = diagnose(image(rounded)).noise_sigma
    assert whole == pytest.approx(0.4, abs=0.08)
    assert noise_sigma(rounded[None]) > whole + 0.05


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_depth_does_not_matter(dtype):
    values = noisy(DISK, 8)
    scaled = values * 257 if dtype == np.uint16 else values / 255
    found = diagnose(Image.from_array(scaled.astype(dtype)))
    assert found.noise_sigma == pytest.approx(diagnose(image(values)).noise_sigma, rel=0.02)


def test_numpy_and_the_runtime_are_all_that_it_loads():
    program = (
        "import sys, numpy as np\n"
        "from resolvent.image import Image\n"
        "from resolvent.diagnosis import diagnose\n"
        "diagnose(Image.from_array(np.zeros((64, 64), np.uint8)))\n"
        "print({'scipy', 'skimage', 'torch', 'PIL'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout.strip() == "set()"


def test_what_transparency_hides_does_not_count():
    """The same noisy photograph, its hidden half kept by one format and blanked by another."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:192, 0:256] / 30
    pixels = 128 + 50 * np.sin(x + y)[..., None] + rng.normal(0, 20, (192, 256, 3))
    noisy = np.dstack([pixels.clip(0, 255), np.full((192, 256), 255)]).astype(np.uint8)
    noisy[:, 128:, 3] = 0
    blanked = noisy.copy()
    blanked[:, 128:, :3] = 0
    found = [diagnose(Image.from_array(array)) for array in (noisy, blanked)]
    assert found[0].noise_sigma == found[1].noise_sigma == pytest.approx(20, rel=0.15)
