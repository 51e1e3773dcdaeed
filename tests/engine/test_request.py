import dataclasses
import inspect
from pathlib import Path

import numpy as np
import pytest

import resolvent
from resolvent.cli.photographs import restore as command
from resolvent.degradations import parse
from resolvent.engine.options import Options, make_request
from resolvent.engine.request import MethodRequest, ModelRequest, RepairRequest, Request, TiledRequest
from resolvent.errors import UsageError
from resolvent.methods import METHODS, check
from resolvent.physics.forward_model import ForwardModel

CLASSES = (Request, TiledRequest, ModelRequest, MethodRequest, RepairRequest)


def test_options_become_the_request_that_they_mean():
    assert make_request() == ModelRequest()
    assert make_request(model="denoise", sigma=15, tile=64) == ModelRequest(model="denoise", sigma=15, tile=64)
    assert make_request(scale=2, memory="1G") == ModelRequest(scale=2, memory="1G")
    told = parse("blur:sigma=1.6 + noise:sigma=2")
    method = {"method": "red", "degradation": str(told), "budget": 5, "seed": 3, "settings": {"iterations": 2}}
    assert make_request(**method) == MethodRequest(**method | {"degradation": told})


def test_a_repair_stands_before_what_follows_it():
    mask = np.eye(8, dtype=bool)
    assert make_request(repair=True) == RepairRequest()
    assert make_request(mask=mask).find is False
    assert make_request(mask=mask, repair=True).mask is mask
    both = make_request(repair=True, model="restore", strength=0.5)
    assert both == RepairRequest(strength=0.5, then=ModelRequest(model="restore", strength=0.5))
    assert make_request(repair=True, scale=2).then == ModelRequest(scale=2)
    assert make_request(repair=True, method="nlm", degradation="noise:sigma=5").then.method == "nlm"
    assert make_request(repair=True, model="scratches") == RepairRequest(finder="scratches")
    assert make_request(mask=mask, model="inpaint") == RepairRequest(find=False, filler="inpaint")


def test_what_is_none_is_not_given():
    nothing = dict.fromkeys(Options.__annotations__)
    assert make_request(**nothing) == make_request()


def test_files_that_are_read_and_written(tmp_path):
    degradation = f"mask:path={tmp_path / 'm.npy'}"
    np.save(tmp_path / "m.npy", np.eye(8))
    options = {"method": "pnp", "degradation": degradation, "preview": str(tmp_path / "p.png")}
    request = make_request(**options, mask=str(tmp_path / "h.png"), write_mask=str(tmp_path / "w.png"))
    assert request.files == (tmp_path / "h.png", tmp_path / "m.npy")
    assert request.written == {"write_mask": tmp_path / "w.png", "preview": tmp_path / "p.png"}
    assert make_request().files == make_request(mask=np.eye(8)).files == ()


@pytest.mark.parametrize("kind", CLASSES)
def test_a_request_is_frozen_and_made_by_keyword(kind):
    parameters = inspect.signature(kind).parameters.values()
    assert {parameter.kind for parameter in parameters} == {inspect.Parameter.KEYWORD_ONLY}
    needed = {"method": "dip", "degradation": parse("jpeg:quality=5")} if kind is MethodRequest else {}
    with pytest.raises(dataclasses.FrozenInstanceError):
        kind(**needed).strength = 0.5


def test_to_make_a_request_reads_nothing():
    """It read the cards of models, and looked whether files were there."""
    assert ModelRequest(model=Path("nowhere.onnx"), sigma=1000).model == Path("nowhere.onnx")
    assert RepairRequest(mask=Path("nowhere.png"), write_mask=Path(__file__)).write_mask == Path(__file__)
    assert MethodRequest(method="pnp", degradation=parse("jpeg:quality=5"), preview=Path(__file__)).budget is None


def test_every_option_is_a_field_and_front_ends_have_its_default():
    fields = {field.name: field.default for kind in CLASSES for field in dataclasses.fields(kind)}
    assert Options.__annotations__.keys() - {"repair"} == fields.keys() - {"find", "finder", "filler", "then"}
    offered = {name: parameter.default for name, parameter in inspect.signature(command).parameters.items()}
    assert offered["repair"] is False
    for name in Options.__annotations__.keys() - {"repair", "method", "degradation", "settings"}:
        assert offered[name] == fields[name], name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"modle": "denoise"}, "unknown option 'modle': did you mean 'model'"),
        ({"seed": -1}, "seed -1: must be from 0 to 2147483647"),
        ({"settings": {"a": 1}}, "settings a: are of a method"),
        ({"method": "nlm", "scale": 2, "degradation": "noise:sigma=5"}, "^scale 2 and method 'nlm': give one of them"),
        (
            {"method": "nlm", "sigma": 15},
            "^sigma 15: is for a model; a method reads it from degradation='noise:sigma=15'",
        ),
        ({"repair": True, "sigma": 15}, "^sigma 15: is the noise level for a model"),
        ({"method": "red", "degradation": "blur:sigma=1", "budget": float("nan")}, "budget nan: must be above 0"),
        ({"method": "nlm", "degradation": "noise:sigma=5", "settings": {"size": 1}}, "unknown setting of nlm 'size'"),
        ({"repair": True, "model": "inpaint", "scale": 3}, "scale 3: the bundled models enlarge by 2 or 4"),
    ],
)
def test_what_does_not_go_together_is_refused(options, message):
    for verb in (make_request, resolvent.Restorer, lambda **given: resolvent.restore(np.zeros((8, 8)), **given)):
        with pytest.raises(UsageError, match=message):
            verb(**options)


@pytest.mark.parametrize("name", METHODS)
def test_the_remedy_for_a_method_that_is_told_nothing_is_one_that_it_takes(name):
    """That for ``nlm`` was refused in turn."""
    with pytest.raises(UsageError, match=f"method '{name}': needs the degradation that it inverts") as caught:
        make_request(method=name)
    check(name, ForwardModel(parse(str(caught.value).split("'")[-2])))


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"seed": 1.5}, "seed 1.5: must be a whole number"),
        ({"scale": True}, "scale True: must be a whole number"),
        ({"strength": "x"}, "strength 'x': must be a number"),
        ({"model": 3}, "model 3: must be a name or a path"),
        ({"repair": "no"}, "repair 'no': must be True or False"),
        ({"method": "tv", "degradation": 3}, "degradation 3: must be a text such as"),
        ({"method": "tv", "degradation": "noise:sigma=5", "settings": [("a", 1)]}, "settings .*: must be a mapping"),
    ],
)
def test_values_of_another_type_are_refused(options, rule):
    with pytest.raises(UsageError, match=rule):
        make_request(**options)


def test_numbers_of_numpy_are_numbers():
    assert make_request(seed=np.int64(3), strength=np.float32(0.5)).strength == 0.5
