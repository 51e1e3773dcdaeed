"""One process of two that torchrun starts for test_devices.py, with the arguments of ``resolvent``.

At first it trains in several ways, in the current folder, and reports what it saw. Then it runs the command, in whose
middle the second process is killed; torchrun starts both again, and they run the command alone.
"""

import dataclasses
import hashlib
import json
import os
import signal
import time
from pathlib import Path

import torch

from resolvent.cli import main
from resolvent.training import loop
from resolvent.training.callbacks import Callback
from resolvent.training.devices import join
from resolvent.training.objectives.losses import LOSSES
from resolvent.training.recipe_file import load_recipe

RANK = int(os.environ.get("RANK", "0"))
KILLED_AT = 5


class Watch(Callback):
    def __init__(self):
        self.seen = []

    def validation(self, step, *_):
        self.seen.append(["validation", step])

    def rollback(self, step, loss, rate):
        self.seen.append(["rollback", step, rate])


def trained(recipe, folder, name):
    """Train, and report the weights, the rate and the number of updates of this process."""
    modules, rates = [], []
    update, set_rate = loop.update_average, loop.set_rate
    loop.update_average = lambda average, network, *rest: (
        modules.append((average, network)),
        update(average, network, *rest),
    )
    loop.set_rate = lambda optimizers, share: (rates.append(share), set_rate(optimizers, share))
    watch = Watch()
    try:
        result = loop.train(recipe, folder / "photographs", folder / name, device="cpu", threads=1, watch=watch)
    finally:
        loop.update_average, loop.set_rate = update, set_rate
    digest = hashlib.sha256()
    for module in modules[-1]:
        for value in module.state_dict().values():
            digest.update(value.contiguous().numpy().tobytes())
    return {
        "digest": digest.hexdigest(), "updates": len(modules), "rate": rates[-1], "psnr": result.psnr,
        "device": result.device, "seen": watch.seen,
    }  # fmt: skip


def averaged():
    """Largest error of the mean gradient of a batch of five, against that of one process; and a buffer."""

    def backward(samples):
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Conv2d(4, 1, 3))
        network.register_buffer("statistic", torch.tensor(3.7 - RANK))
        network(samples).square().mean().backward()
        return network

    batch = torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    with join("cpu", 1) as group:
        own = batch[group.rank :: group.size]
        network = backward(own)
        group.average(network, len(own) / len(batch))
        whole = backward(batch)
        error = max(
            float((a.grad - b.grad).abs().max() / b.grad.abs().max())
            for a, b in zip(network.parameters(), whole.parameters(), strict=True)
        )
        return {"error": error, "buffer": network.statistic.item(), "sum": group.sum(RANK + 1.5)}


def with_loss(recipe, change):
    """Change the loss in the second process alone; ``change`` takes the loss and the number of its call."""
    calls, loss = iter(range(10**6)), LOSSES[recipe.objective]
    if RANK == 1:
        LOSSES[recipe.objective] = lambda *pair: change(loss(*pair), next(calls))


def fails(call):
    """What is raised, and after how many seconds."""
    begun = time.monotonic()
    try:
        call()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
        return {"type": type(error).__name__, "message": str(error), "seconds": time.monotonic() - begun}
    return {}


def raising(loss, call):
    if call == 3:
        raise ValueError("no memory left")
    return loss


def report(folder):
    recipe = load_recipe("tiny.toml")
    few = dataclasses.replace(recipe, budget="6 steps", batch=3)
    found = {"average": averaged(), "steps": trained(recipe, folder, "steps")}
    found["muon"] = trained(dataclasses.replace(few, optimizer="muon"), folder, "muon")
    found["time"] = trained(dataclasses.replace(recipe, budget="1s"), folder, "time")
    muon = dataclasses.replace(few, optimizer="muon")
    found["others"] = fails(lambda: loop.train(muon, folder / "typo", folder / "muon", device="cpu", resume=True))
    with_loss(recipe, lambda loss, call: loss * (float("nan") if call == 3 else 1))
    found["rollback"] = trained(few, folder, "rollback")
    loop.LOSSES = LOSSES
    found["missing"] = fails(lambda: loop.train(few, folder / "typo", folder / "missing", device="cpu"))
    with_loss(recipe, raising)
    found["failure"] = fails(lambda: loop.train(few, folder / "photographs", folder / "failure", device="cpu"))
    loop.LOSSES = LOSSES
    (folder / f"{RANK}.json").write_text(json.dumps(found))


def kill_the_second():
    """Kill the second process at a step."""
    seed_step = loop.seed_step

    def killing(seed, step, rank):
        if step == KILLED_AT and rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        seed_step(seed, step, rank)

    loop.seed_step = killing


if __name__ == "__main__":
    if os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
        report(Path())
        kill_the_second()
    loop.train.__kwdefaults__["checkpoint_every"] = -1  # at every step
    main()
