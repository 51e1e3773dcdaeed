"""The folder of a run: who may write there, what it says of itself, and what is left of a call that was wrong."""

import dataclasses
import errno
import shutil

import pytest
from PIL import Image

from resolvent.errors import InputError, OutputError, UsageError
from resolvent.training import checkpoint
from resolvent.training.callbacks import Callback
from resolvent.training.loop import train
from resolvent.training.recipe import Recipe
from resolvent.training.runs import Result, branch, load_result


def test_a_run_that_is_going_on_is_not_entered_again(recipe, photographs, tmp_path):
    refused = []

    class Intruder(Callback):
        def step(self, *_):
            with pytest.raises(UsageError, match="another process works there") as error:
                train(recipe, photographs, tmp_path, resume=True)
            refused.append(error)

    recipe = dataclasses.replace(recipe, budget="2 steps")
    train(recipe, photographs, tmp_path, threads=1, watch=Intruder())
    assert len(refused) == 2
    train(dataclasses.replace(recipe, budget="3 steps"), photographs, tmp_path, threads=1, resume=True)


def test_a_run_is_resumed_with_its_own_photographs_wherever_they_are(recipe, photographs, tmp_path):
    first, more = (dataclasses.replace(recipe, budget=budget) for budget in ("1 step", "2 steps"))
    run, moved, others = tmp_path / "run", tmp_path / "moved", tmp_path / "others"
    assert train(first, photographs, run, threads=1).source == photographs.name
    kept = (run / "last.safetensors").read_bytes()
    shutil.copytree(photographs, moved)
    shutil.copytree(photographs, others)
    others.joinpath("5.png").rename(others / "6.png")
    (tmp_path / "empty").mkdir()
    (run / "training.shard").unlink()  # nor is another folder packed in its place
    for folder in (others, tmp_path / "empty", tmp_path / "missing"):
        with pytest.raises(
            UsageError, match=f"{folder.name}: holds other photographs than those of {photographs.name!r}"
        ):
            train(more, folder, run, threads=1, resume=True)
    others.joinpath("6.png").rename(others / "5.png").write_bytes(b"of another size")
    with pytest.raises(UsageError, match="others: holds other photographs"):
        train(more, others, run, threads=1, resume=True)
    assert not (run / "training.shard").exists()
    assert (run / "last.safetensors").read_bytes() == kept
    assert train(more, moved, run, threads=1, resume=True).source == photographs.name
    cooled = tmp_path / "cooled"
    train(dataclasses.replace(first, schedule="constant", warmup=0.0), photographs, tmp_path / "trunk", threads=1)
    recipe = branch(tmp_path / "trunk", cooled, "1 step")
    with pytest.raises(UsageError, match="others: holds other photographs"):
        train(recipe, others, cooled, threads=1, resume=True)


def test_a_run_that_does_not_know_its_folder_goes_on(recipe, photographs, tmp_path):
    """As those do that were begun before a checkpoint held what was packed."""
    train(dataclasses.replace(recipe, budget="1 step"), photographs, tmp_path, threads=1)
    tensors, book = checkpoint.load(tmp_path / "last.safetensors")
    del book["packed"]
    checkpoint.save(tmp_path / "last.safetensors", tensors, book)
    more = dataclasses.replace(recipe, budget="2 steps")
    assert train(more, tmp_path / "others", tmp_path, threads=1, resume=True).trained == 2
    assert checkpoint.load_book(tmp_path / "last.safetensors")["packed"] == ""


def test_a_file_system_without_locks_trains_all_the_same(recipe, photographs, tmp_path, monkeypatch):
    import fcntl

    def unsupported(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    assert train(dataclasses.replace(recipe, budget="1 step"), photographs, tmp_path, threads=1).trained == 1


def test_a_call_that_was_wrong_leaves_nothing(recipe, photographs, photograph, tmp_path):
    run, small = tmp_path / "runs" / "run", tmp_path / "small"
    with pytest.raises(InputError, match="not a folder"):
        train(recipe, tmp_path / "mistyped", run)
    with pytest.raises(InputError, match=r"none\.onnx"):
        train(dataclasses.replace(recipe, start=str(tmp_path / "none.onnx")), photographs, run)
    assert not run.parent.exists()
    small.mkdir()
    for i in range(2):
        Image.fromarray(photograph(i, 20, 20)).save(small / f"{i}.png")
    with pytest.raises(InputError, match="none of 1 photograph can"):
        train(recipe, small, run)
    with pytest.raises(UsageError, match="leaves none to train on"):
        train(dataclasses.replace(recipe, limit=1), photographs, run)
    assert not run.exists()
    run.mkdir()
    (run / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="patch"):
        train(dataclasses.replace(recipe, patch=38), photographs, run)
    assert [path.name for path in run.iterdir()] == ["notes.txt"]


def test_a_folder_that_cannot_be_made_is_named(recipe, photographs, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file/run: cannot be made"):
        train(recipe, photographs, tmp_path / "file" / "run")


def result(**changes):
    recipe = Recipe("tiny", "denoise", "for tests", "noise:sigma=30", ("noise:sigma=30",), start="denoise")
    facts = {"seconds": 1.0, "photographs": 4, "source": "", "device": "", "code": "", "machine": ""}
    figures = {"psnr": {"a": 30.0, "b": 28.0}, "inputs": {"a": 20.0, "b": 27.0}}
    return Result(recipe, None, **{**figures, "steps": 900, "trained": 1000, **facts, **changes})


@pytest.mark.parametrize(
    ("changes", "warnings"),
    [
        ({}, []),
        ({"inputs": {}}, []),
        ({"psnr": {"a": 21.0, "b": 27.0}}, []),
        (
            {"psnr": {"a": 20.98, "b": 27.0}},
            ["hardly better than its input, 23.99 dB on average, and the input 23.50 dB: train longer"],
        ),
        (
            {"psnr": {"a": 19.0, "b": 26.0}, "trained": 999},
            [
                "worse than its input, 22.50 dB on average, and the input 23.50 dB: train longer",
                "trained for 999 steps, where thousands are usual",
            ],
        ),
        ({"steps": 0}, ["no step was better than denoise"]),
    ],
)
def test_a_result_warns_of_a_model_that_is_not_worth_using(changes, warnings):
    found = result(**changes).warnings
    assert len(found) == len(warnings)
    assert all(part in text for part, text in zip(warnings, found, strict=True))


def test_a_result_says_what_it_is_better_than():
    expected = "tiny, best after 900 of 1000 steps: a 30.00 dB (input 20.00), b 28.00 dB (input 27.00)"
    assert str(result()) == expected


def test_a_result_counts_the_steps_of_the_best_and_of_all(recipe, photographs, tmp_path):
    wild = {"learning_rate": 2e-3, "warmup": 0.0, "clip": 0.0, "ema": 0.0}
    recipe = dataclasses.replace(recipe, start="denoise", arguments={"noise_level": True}, budget="3 steps", **wild)
    found = train(recipe, photographs, tmp_path, threads=1)
    assert (found.steps, found.trained) == (0, 3)
    (tmp_path / "last.safetensors").unlink()
    assert load_result(tmp_path).trained == 0


@pytest.mark.parametrize("book", ["{}", "[]", "[" * 100_000, '{"recipe": {}}'])
def test_a_file_that_is_no_checkpoint_is_one_line(book, tmp_path):
    import torch
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, tmp_path / "last.safetensors", metadata={"book": book})
    with pytest.raises(InputError, match="not a checkpoint") as error:
        checkpoint.load(tmp_path / "last.safetensors")
    assert len(str(error.value)) < 400
