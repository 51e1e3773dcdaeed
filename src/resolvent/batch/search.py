"""Finds the photographs that files, folders and URLs stand for, and tells them from results."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from resolvent.batch.home import MARK, holds_results
from resolvent.batch.places import Place, Url, distinct_path, identity
from resolvent.batch.store import StoreError, find, is_folder
from resolvent.image.formats import KINDS

__all__ = ["MAP_SUFFIX", "SUFFIX", "Listed", "Search"]

SUFFIX = ".restored"
"""What an output's name gains where it stands beside its input."""

MAP_SUFFIX = ".uncertainty"
"""What the name of its map of errors gains."""

SYSTEM_FOLDERS = {"@eaDir", "#recycle", "#snapshot", "$RECYCLE.BIN", "System Volume Information", "__MACOSX"}
"""Thumbnails and bins of network drives, Windows and macOS."""


@dataclass(frozen=True)
class Listed:
    """A photograph, and the folder from which its place is counted."""

    path: Place
    root: Place


class Search:
    """Collects the photographs that inputs stand for, and what is left out.

    That are other files, hidden folders and those of the system, outputs by their names, and folders that hold the
    results of an earlier batch, unless they are named.

    Args:
        outputs: The output folder; None where outputs stand beside their inputs.
        suffix: Of those.
    """

    def __init__(self, outputs: Place | None, suffix: str) -> None:
        self.outputs = None if outputs is None else identity(outputs)
        self.suffix = suffix
        self.images: dict[str, Listed] = {}
        self.unusable: dict[Place, str] = {}
        self.ignored: Counter[str] = Counter()
        self.repeated: list[Place] = []
        self.earlier: list[Place] = []

    def add_all(self, paths: Sequence[Place]) -> None:
        """Take files and folders, without results that a pattern such as ``photos/*`` finds at the second run."""
        folders = [path for path in paths if isinstance(path, Path) and is_folder(path)] if len(paths) > 1 else []
        results = [path for path in folders if identity(path) == self.outputs or holds_results(path)]
        others = [path for path in paths if path not in results]
        self.earlier += results if others else []
        for path in others or paths:
            self.add(path)
        self._leave_results_out()

    def _leave_results_out(self) -> None:
        suspects = [key for key, image in self.images.items() if image.path.stem.endswith(SUFFIX)]
        if suspects:
            originals = _originals([distinct_path(image.path) for image in self.images.values()])
            results = [key for key in suspects if _is_result(distinct_path(self.images[key].path), originals)]
            self.earlier += [self.images.pop(key).path for key in results]

    def add(self, path: Place) -> None:
        """Take a file, whatever it is called, or the photographs of a folder."""
        named = isinstance(path, Url) and path.suffix.lower() in KINDS and not path.folder  # is not asked for
        if named or not is_folder(path):
            self._take(Listed(path, path.parent))
            return
        before, ignored = self._found, self.ignored.total()
        for image in self._objects(path) if isinstance(path, Url) else self.walk(path):
            self._take(Listed(image, path))
        if before == self._found:
            others = self.ignored.total() - ignored
            but = f", but {others} other {'files' if others > 1 else 'file'}" if others else ""
            self.unusable[path] = f"{path}: holds no image{but}; accepted extensions are {' '.join(sorted(KINDS))}"

    @property
    def _found(self) -> int:
        return sum(map(len, (self.images, self.repeated, self.unusable, self.earlier)))

    def _take(self, image: Listed) -> None:
        key = identity(image.path)
        first = self.images.setdefault(key, image)
        if distinct_path(first.path) == distinct_path(image.path):
            return
        if isinstance(first.path, Path) and first.path.is_symlink() and distinct_path(image.path) == key:
            self.images[key], image = image, first
        self.repeated.append(image.path)

    def walk(self, folder: Path) -> Iterator[Path]:
        """Find the photographs of a folder and its subfolders, by name."""

        def unlisted(error: OSError) -> None:
            path = Path(str(error.filename))
            self.unusable[path] = f"{path}: cannot be listed: {error.strerror}; make it readable, or move it away"

        for root, folders, files in os.walk(folder, onerror=unlisted):
            inner = [Path(root, name) for name in sorted(folders) if self._enters(Path(root, name))]
            earlier = [path for path in inner if holds_results(path)]
            self.earlier += earlier
            folders[:] = [path.name for path in inner if path not in earlier]
            for path in (Path(root, name) for name in sorted(files)):
                if self._is_wanted(path):
                    yield path

    def holds(self, folder: Path, path: Path, *, is_folder: bool) -> bool:
        """Whether ``walk`` would come to a file or a folder below a folder."""
        folders = [folder / part for part in path.relative_to(folder).parents if part.parts] + [path] * is_folder
        if not all(self._enters(part) and not holds_results(part) and not part.is_symlink() for part in folders):
            return False
        if is_folder:
            return True
        if not self._takes(path) or not path.stem.endswith(SUFFIX):
            return self._takes(path)
        try:
            beside = [other.name for other in path.parent.iterdir() if other.suffix.lower() in KINDS]
        except OSError:  # it is gone again
            return False
        return not _is_result(path.name, _originals(beside))

    def _enters(self, folder: Path) -> bool:
        hidden = folder.name.startswith(".") or folder.name in SYSTEM_FOLDERS
        return not hidden and os.path.realpath(folder) != self.outputs

    def _takes(self, path: Place) -> bool:
        if path.name.startswith(".") or path.stem.endswith(MAP_SUFFIX) or path.suffix.lower() not in KINDS:
            return False
        return self.outputs is not None or not self.suffix or not path.stem.endswith(self.suffix)

    def _objects(self, folder: Url) -> Iterator[Url]:
        try:
            found = sorted(find(folder), key=lambda item: _walked(item[0]))
        except StoreError as error:
            self.unusable[folder] = str(error)
            return
        inner = f"{self.outputs}/".startswith(f"{folder}/") and self.outputs != str(folder)
        earlier = _marked(folder, [name for name, _ in found])
        self.earlier += [url for url in earlier if str(url) != self.outputs]
        left_out = (*(f"{url}/" for url in earlier), *([f"{self.outputs}/"] if inner else []))
        for name, version in found:
            path = (folder / name).as_listed(version)
            hidden = any(part.startswith(".") or part in SYSTEM_FOLDERS for part in name.split("/"))
            if not hidden and not str(path).startswith(left_out) and self._is_wanted(path):
                if "\0" in name or (os.name == "nt" and set('\\:*?"<>|') & set(name)):
                    self.unusable[path] = f"{path}: its name is none that a file can have; rename it"
                else:
                    yield path

    def _is_wanted(self, path: Place) -> bool:
        """Whether a file of a folder is a photograph, and no output; counts those that are none."""
        taken = self._takes(path)
        if not taken and path.suffix.lower() not in KINDS and not path.name.startswith("."):
            self.ignored[path.suffix.lower()] += not path.stem.endswith(MAP_SUFFIX)
        return taken


def _originals(names: Sequence[str]) -> set[str]:
    """What results have before their suffix: the whole names of photographs, and those without extension."""
    return {*names, *(name.rpartition(".")[0] for name in names)}


def _is_result(name: str, originals: Set[str]) -> bool:
    """Whether a photograph is what another one became beside it."""
    stem = name.rpartition(".")[0]
    return stem.endswith(SUFFIX) and stem.removesuffix(SUFFIX) in originals


def _marked(folder: Url, names: Sequence[str]) -> list[Url]:
    """The outermost output folders among objects, without hidden ones."""
    marked: list[str] = []
    for name in sorted(name.removesuffix(MARK) for name in names if name.endswith(f"/{MARK}")):
        if not name.startswith((".", *marked)) and "/." not in name:
            marked.append(name)
    return [folder / name.rstrip("/") for name in marked]


def _walked(name: str) -> list[tuple[bool, str]]:
    """Sorts as ``os.walk`` goes: the files of a folder, then its folders."""
    *folders, file = name.split("/")
    return [*((True, folder) for folder in folders), (False, file)]
