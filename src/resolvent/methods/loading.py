"""Methods, imported when they are used."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from resolvent.methods.registry import find
from resolvent.methods.requirements import check_settings, missing
from resolvent.plugins import import_entry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from resolvent.methods.entry import Restore

__all__ = ["load"]


def load(name: str) -> Restore:
    """Import a method; the function checks its settings before it works.

    Raises:
        UsageError: No method has that name.
        MissingDependencyError: It needs a package that is not installed.
    """
    if error := missing(name):
        raise error
    method = find(name)
    restore: Restore = import_entry(method.entry, f"the method {name!r}")

    @functools.wraps(restore)
    def checked(*data: Any, **options: Any) -> NDArray[np.float32]:
        shared = {key: options.pop(key) for key in method.common_options if key in options}
        own = check_settings(name, options)
        if "torch" not in method.requires:
            return restore(*data, **own, **shared)
        import torch

        with torch.inference_mode(False), torch.enable_grad():  # whatever the caller has turned off
            return restore(*data, **own, **shared)

    return checked
