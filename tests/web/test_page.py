"""The photographer's path, in a real browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import time
import zipfile
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image as Pillow
from playwright.sync_api import expect, sync_playwright

from resolvent.web.settings import Settings
from tests.conftest import CHROMIUM
from tests.web.live import PROFILE, live_server, photograph, pixels
from tests.web.page import SOON, given, in_state, noisy, of_command_line, restored, saved, worker_pids

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="Chromium is MISSING: the page is not tested")


@pytest.fixture(scope="module")
def live():
    with live_server(Settings(), warm=True) as server:
        yield server


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def opened(live, browser):
    """Open the page; whatever it asks for elsewhere, and whatever it complains about, fails the test."""
    contexts, faults = [], []

    def call(**options):
        context = browser.new_context(accept_downloads=True, **options)
        context.set_default_timeout(SOON)
        contexts.append(context)
        page = context.new_page()
        here = urlsplit(live.url).netloc

        def asked(request):
            if urlsplit(request.url).scheme != "blob" and urlsplit(request.url).netloc != here:
                faults.append(f"asks for {request.url}")

        page.on("request", asked)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "console",
            lambda line: faults.append(line.text) if line.type == "error" and "404" not in line.text else None,
        )
        page.goto(live.url)
        page.locator("#choose-files").wait_for()
        return page

    yield call
    for context in contexts:
        context.close()
    assert faults == []


def test_three_files_come_back_as_the_command_line_makes_them(opened, run, tmp_path):
    files = {"größer.jpg": photograph(array=noisy(1)), "b.png": photograph("png", noisy(2)),
             "c.tif": photograph("tiff", noisy(3))}  # fmt: skip
    page = opened()
    page.locator("#files").set_input_files([given(name, data) for name, data in files.items()])
    restored(page, 3)
    assert "noise" in page.locator("#found-words").inner_text()
    name, data = saved(page, "#download")
    assert name == "größer.restored.jpg"
    assert data == of_command_line(run, tmp_path, "größer.jpg", files["größer.jpg"])
    picture = Pillow.open(io.BytesIO(data))
    assert picture.info["icc_profile"] == PROFILE
    assert picture.getexif()[0x010F] == "Resolvent"
    name, data = saved(page, "#download-all")
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert sorted(archive.namelist()) == ["b.restored.png", "c.restored.tif", "größer.restored.jpg"]
    for name, known in files.items():
        stem, _, extension = name.partition(".")
        assert archive.read(f"{stem}.restored.{extension}") == of_command_line(run, tmp_path, name, known)


def test_the_strength_that_is_seen_is_the_one_that_is_downloaded(opened):
    page = opened()
    page.locator("#files").set_input_files(given("a.png", photograph("png", noisy(1))))
    restored(page, 1)
    _, full = saved(page, "#download")
    page.locator("#strength").fill("40")
    expect(page.locator("#strength-text")).to_have_text("40 %")
    _, part = saved(page, "#download")
    before, after = pixels(photograph("png", noisy(1))).astype(float), pixels(full).astype(float)
    assert abs(pixels(part) - (before + 0.4 * (after - before))).max() <= 0.51


def test_invented_detail_is_asked_for_and_named(opened, live):
    others = set(live.app.state.store.jobs)

    def asked():
        jobs = [job for name, job in live.app.state.store.jobs.items() if name not in others]
        return [job.task.options for job in sorted(jobs, key=lambda job: job.created)]

    page = opened()
    page.locator("#files").set_input_files(given("a.png", photograph("png", noisy(1, 32))))
    restored(page, 1)
    page.locator("#more summary").click()
    expect(page.locator("#layers-hint")).to_be_hidden()
    field, again, right = page.locator("#realism-field"), page.locator("#form [type=submit]"), page.locator("#right")
    expect(field).to_be_hidden()
    page.locator("#scale").select_option("2")
    expect(field).to_be_hidden()
    page.locator("#scale").select_option("4")
    expect(page.locator("#realism-text")).to_have_text("0 %")
    again.click()
    expect(right.locator("option")).to_have_count(3, timeout=SOON)
    page.locator("#realism").fill("50")
    expect(page.locator("#realism-text")).to_have_text("50 %")
    again.click()
    expect(right.locator("option:checked")).to_have_text("×4, detail invented, 50 %", timeout=SOON)
    expect(page.locator("#corner-right")).to_have_text("×4, detail invented, 50 %")
    expect(page.locator("#done-words")).to_have_text(
        "Restored with the model upscale4, 4 times as large, detail invented, 50 %."
    )
    expect(page.locator("#reasons")).to_contain_text("Fine detail is invented to look real")
    expect(page.locator("#layers-hint")).to_have_text(
        "This result cannot show where it may be wrong (its detail is invented), "
        "or what was changed (it has another size)."
    )
    page.locator("#left").select_option(index=2)
    expect(page.locator("#corner-left")).to_have_text("Automatic (upscale4) ×4")
    page.locator("#scale").select_option("2")
    again.click()
    expect(right.locator("option:checked")).to_have_text("Automatic (upscale2) ×2", timeout=SOON)
    page.locator("#tool").select_option("model:upscale4")
    again.click()
    expect(right.locator("option:checked")).to_have_text("upscale4, detail invented, 50 %", timeout=SOON)
    page.locator("#tool").select_option("model:restore")
    expect(field).to_be_hidden()
    assert asked() == [
        {"strength": 1.0, "repair": False, "seed": 0, "uncertainty": "learned"},
        {"strength": 1.0, "repair": False, "seed": 0, "scale": 4},
        {"strength": 1.0, "repair": False, "seed": 0, "scale": 4, "realism": 0.5},
        {"strength": 1.0, "repair": False, "seed": 0, "scale": 2},
        {"strength": 1.0, "repair": False, "seed": 0, "model": "upscale4", "realism": 0.5},
    ]
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    page.locator("#choose-files").wait_for()
    expect(page.locator("#realism")).to_have_value("0")


def test_the_keyboard_alone_is_enough(opened):
    page = opened()
    reached = ""
    for _ in range(12):
        page.keyboard.press("Tab")
        reached = page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()")
        if reached.startswith(("Noisy", "noisy")) or page.evaluate("!!document.activeElement.closest('#sample-list')"):
            break
    assert page.evaluate("!!document.activeElement.closest('#sample-list')"), reached
    page.keyboard.press("Enter")
    restored(page, 1)
    page.locator("#divider").focus()
    before = int(page.locator("#divider").input_value())
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert int(page.locator("#divider").input_value()) == before + 5
    page.keyboard.press("1")
    assert page.locator("#zoom").inner_text() == "100 %"
    page.locator("#download").focus()
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "noisy.restored.png"


def test_photographs_are_dropped_and_pasted(opened):
    page = opened()
    for seed, event in enumerate(("drop", "paste")):
        data = list(photograph("png", noisy(seed)))
        page.evaluate(
            """([data, event]) => {
              const transfer = new DataTransfer();
              transfer.items.add(new File([new Uint8Array(data)], `${event}ed ü.png`, { type: "image/png" }));
              const made = event === "drop"
                ? new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true })
                : new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true });
              document.body.dispatchEvent(made);
            }""",
            [data, event],
        )
        restored(page, seed + 1)
    assert page.locator("#list [role=option]").count() == 2


def test_photographs_of_one_name_are_told_apart(opened):
    page = opened()
    page.locator("#files").set_input_files([given("a.png", photograph("png", noisy(seed, 32))) for seed in range(2)])
    restored(page, 2)
    expect(page.locator("#list .item-name")).to_have_text(["a.png", "a.png (2)"])
    expect(page.get_by_role("option", name="a.png (2), restored")).to_have_count(1)
    page.locator("#list .item").last.click()
    expect(page.locator("#name")).to_have_text("a.png (2)")


def test_zoom_is_at_the_pointer_shows_native_pixels_and_stays(opened):
    page = opened(viewport={"width": 1000, "height": 700})
    large = [given(f"{seed}.png", photograph("png", np.tile(noisy(seed), (2, 26, 1)))) for seed in (1, 2)]
    page.locator("#files").set_input_files(large)
    restored(page, 2)
    stage = page.locator("#stage").bounding_box()
    x, y = stage["x"] + stage["width"] / 3, stage["y"] + stage["height"] / 3
    page.mouse.move(x, y)
    for _ in range(12):
        page.mouse.wheel(0, -120)
    expect(page.locator("#zoom")).to_have_text(re.compile(r"^\d{3,} %$"))
    page.locator(".pane.right .crops img").first.wait_for()
    zoom = page.locator("#zoom").inner_text()
    page.locator("#list [role=option]").nth(1).click()
    assert page.locator("#zoom").inner_text() == zoom


def test_cancel_stops_the_work_within_a_second(opened, live):
    store = live.app.state.store
    others = set(store.jobs)
    page = opened()
    large = np.tile(noisy(), (16, 16, 1))
    page.locator("#files").set_input_files([given(f"{i}.png", photograph("png", large)) for i in range(3)])
    in_state(page, "working")
    while not any(job.state == "running" for name, job in store.jobs.items() if name not in others):
        time.sleep(0.05)
    began = time.monotonic()
    page.locator("#cancel-all").click()
    in_state(page, "canceled")
    while any(not job.over for name, job in list(store.jobs.items()) if name not in others):
        time.sleep(0.02)
    assert time.monotonic() - began < 1
    assert page.locator("#list [data-state=working]").count() == 0


def test_what_is_damaged_says_why_and_can_be_removed_alone(opened):
    page = opened()
    page.locator("#files").set_input_files(
        [
            given("cut.png", photograph("png", noisy())[:400]),
            given("notes.txt", b"words"),
            given("b.png", photograph("png", noisy())),
        ]
    )
    restored(page, 1)
    in_state(page, "failed", 1)
    page.locator("#list [data-state=failed]").click()
    assert page.locator("#card-text").inner_text().startswith("It cannot be decoded: ")
    assert "notes.txt" in page.locator("#skipped-list").text_content()
    expect(page.locator("#card-remove")).to_be_visible()
    expect(page.locator("#zoom")).to_have_text("–")
    for hidden in ("#card-retry", "#retry-all", "#handle"):
        expect(page.locator(hidden)).to_be_hidden()
    page.locator("#card-remove").click()
    expect(page.locator("#list [role=option]")).to_have_count(1)


def test_what_a_dead_worker_left_can_be_tried_again(opened, live):
    store = live.app.state.store
    others = set(store.jobs)
    page = opened()
    page.locator("#files").set_input_files(given("large.png", photograph("png", np.tile(noisy(), (10, 10, 1)))))
    in_state(page, "working")
    expect(page.locator("#card-title")).to_have_text(re.compile("^Restoring"), timeout=SOON)
    assert any(job.state == "running" for name, job in store.jobs.items() if name not in others)
    for pid in worker_pids():
        os.kill(pid, signal.SIGKILL)
    in_state(page, "failed", 1)
    assert "the worker ended" in page.locator("#card-text").inner_text().lower()
    expect(page.locator("#card-remove")).to_be_hidden()
    page.locator("#card-retry").click()
    restored(page, 1)


def test_a_result_that_was_not_downloaded_is_not_removed_unasked(opened):
    page = opened()
    page.locator("#files").set_input_files([given(f"{name}.png", photograph("png", noisy())) for name in "ab"])
    restored(page, 2)
    items = page.locator("#list [role=option]")
    items.first.click()
    page.keyboard.press("Delete")
    expect(page.locator("#ask-title")).to_have_text("Remove a.png?")
    page.keyboard.press("Enter")
    expect(page.locator("#ask-dialog")).to_be_hidden()
    expect(items).to_have_count(2)
    page.locator("#remove").click()
    page.locator("#ask-yes").click()
    expect(items).to_have_count(1)
    saved(page, "#download")
    page.locator("#remove").click()
    expect(items).to_have_count(0)


def test_two_visitors_see_only_their_own(opened):
    pages = [opened(), opened()]
    for seed, page in enumerate(pages):
        page.locator("#files").set_input_files(given(f"of {seed}.png", photograph("png", noisy(seed))))
    known = []
    for seed, page in enumerate(pages):
        restored(page, 1)
        assert page.locator("#list [role=option]").count() == 1
        name, data = saved(page, "#download")
        assert name == f"of {seed}.restored.png"
        known.append(abs(pixels(data).astype(float) - noisy(seed)).mean())
    assert max(known) < 25


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(opened, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = opened(bypass_csp=True, color_scheme=scheme, viewport={"width": 1280, "height": 800})

    def check(state):
        found = Axe().run(page).response["violations"]
        assert not found, f"{state}: {json.dumps([(one['id'], one['nodes'][0]['html']) for one in found])}"

    check("empty")
    page.locator("#files").set_input_files(
        [given("a.png", photograph("png", noisy())), given("cut.png", photograph("png", noisy())[:400])]
    )
    restored(page, 1)
    page.locator("#more summary").click()
    page.locator("#scale").select_option("4")
    expect(page.locator("#realism")).to_be_visible()
    check("done, with More")
    page.get_by_text("Where it may be wrong").click()
    check("layer")
    page.locator("#list [data-state=failed]").click()
    check("failed")


def test_it_fits_on_a_telephone(opened):
    page = opened(viewport={"width": 360, "height": 740}, has_touch=True, device_scale_factor=3)
    page.locator("#files").set_input_files(given("a.png", photograph("png", noisy())))
    restored(page, 1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_settings_are_remembered_and_names_are_not(opened):
    page = opened()
    page.locator("#files").set_input_files(given("secret name.png", photograph("png", noisy())))
    restored(page, 1)
    page.locator("#more summary").click()
    page.locator("#ext").select_option("webp")
    page.locator("#strip").select_option("gps")
    kept = page.evaluate("JSON.stringify(localStorage)")
    assert "webp" in kept
    assert "secret" not in kept
    name, _ = saved(page, "#download")
    assert name == "secret name.restored.webp"
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    page.locator("#files").set_input_files(given("b.png", photograph("png", noisy())))
    restored(page, 1)
    page.locator("#more summary").click()
    assert page.locator("#ext").input_value() == "webp"


def test_who_closes_the_page_leaves_no_work_behind(opened, live):
    store = live.app.state.store
    others = set(store.jobs)
    page = opened()
    large = np.tile(noisy(), (16, 16, 1))
    page.locator("#files").set_input_files([given(f"{i}.png", photograph("png", large)) for i in range(2)])
    in_state(page, "working", 2)  # one whose name is still on its way is left for the two minutes without a request
    assert len(set(store.jobs) - others) == 2
    page.goto("about:blank")
    until = time.monotonic() + 10
    while set(store.jobs) - others and time.monotonic() < until:
        time.sleep(0.05)
    assert set(store.jobs) == others
