"""Which inputs there are, and where their outputs go."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from resolvent.errors import UsageError, unknown
from resolvent.image.encode import heif_is_written
from resolvent.image.formats import DEPTHS, FORMATS
from resolvent.io import is_file, is_folder

if TYPE_CHECKING:
    from resolvent.engine.request import Request

__all__ = [
    "KINDS",
    "MAP_SUFFIX",
    "SUFFIX",
    "Found",
    "Job",
    "check_side_files",
    "find_images",
    "find_jobs",
    "format_named",
    "map_files",
    "written_extension",
]


SUFFIX = ".restored"
"""What an output's name gains where it stands beside its input."""

MAP_SUFFIX = ".uncertainty"
"""What the name of its map of errors gains."""


KINDS = {extension: kind for kind, extensions in FORMATS.items() for extension in extensions}


@dataclass(frozen=True)
class Job:
    """One input and where its output goes.

    Attributes:
        source: The input.
        target: The output.
        format: That which is asked for, a key of FORMATS; None where the name of the output is only that of the input.
        content: The bytes of the input, where it comes from a pipe.
        alike: Whether the names of two outputs differ in their extension alone, as of ``a.jpg`` and ``a.png``.
    """

    source: Path
    target: Path
    format: str | None = None
    content: bytes | None = None
    alike: bool = False


@dataclass(frozen=True)
class Found:
    """What files and folders stand for.

    Attributes:
        jobs: The photographs, each once.
        unusable: Folders that cannot be listed or hold no photograph: each with the reason.
        ignored: Other files in the folders: how many there are of each extension.
        repeated: Other names of photographs that are among the jobs, such as links to them.
    """

    jobs: tuple[Job, ...]
    unusable: Mapping[Path, str]
    ignored: Mapping[str, int]
    repeated: tuple[Path, ...]


@dataclass(frozen=True)
class _Image:
    """A photograph, and the folder from which its place is counted."""

    path: Path
    root: Path


class _Search:
    """Collects the photographs that inputs stand for, and what is left out."""

    def __init__(self, outputs: Path | None, suffix: str) -> None:
        self.outputs = None if outputs is None else os.path.realpath(outputs)
        self.suffix = suffix
        self.images: dict[str, _Image] = {}
        self.unusable: dict[Path, str] = {}
        self.ignored: Counter[str] = Counter()
        self.repeated: list[Path] = []

    def add(self, path: Path) -> None:
        """Take a file, whatever it is called, or the photographs of a folder."""
        if not is_folder(path):
            self._take(_Image(path, path.parent))
            return
        before, ignored = len(self.images) + len(self.repeated) + len(self.unusable), self.ignored.total()
        for image in self._folder(path):
            self._take(_Image(image, path))
        if before == len(self.images) + len(self.repeated) + len(self.unusable):
            others = self.ignored.total() - ignored
            but = f", but {others} other {'files' if others > 1 else 'file'}" if others else ""
            self.unusable[path] = f"{path}: holds no image{but}; accepted extensions are {' '.join(sorted(KINDS))}"

    def _take(self, image: _Image) -> None:
        first = self.images.setdefault(os.path.realpath(image.path), image)
        if os.path.abspath(first.path) != os.path.abspath(image.path):  # noqa: PTH100 - Path.resolve follows links
            self.repeated.append(image.path)

    def _folder(self, folder: Path) -> Iterator[Path]:
        def unlisted(error: OSError) -> None:
            path = Path(str(error.filename))
            self.unusable[path] = f"{path}: cannot be listed: {error.strerror}; make it readable, or move it away"

        for root, folders, files in os.walk(folder, onerror=unlisted):
            folders[:] = sorted(
                name
                for name in folders
                if not name.startswith(".") and os.path.realpath(Path(root, name)) != self.outputs
            )
            for path in (Path(root, name) for name in sorted(files) if not name.startswith(".")):
                if path.stem.endswith(MAP_SUFFIX):
                    continue
                if path.suffix.lower() not in KINDS:
                    self.ignored[path.suffix.lower()] += 1
                elif self.outputs is not None or not self.suffix or not path.stem.endswith(self.suffix):
                    yield path


def find_images(inputs: str | Path | Sequence[str | Path]) -> Found:
    """Find the photographs that files and folders stand for, as ``find_jobs`` does; each is its own target."""
    search = _search(_listed(inputs), None, SUFFIX)
    jobs = tuple(Job(image.path, image.path) for image in search.images.values())
    return Found(jobs, search.unusable, search.ignored, tuple(search.repeated))


def find_jobs(
    inputs: str | Path | Sequence[str | Path],
    output: str | Path | None = None,
    *,
    suffix: str = SUFFIX,
    ext: str | None = None,
) -> Found:
    """Pair each input with its output, before any work.

    A folder is searched with its subfolders, but not through links, for files with the extension of an image; hidden
    ones, the output folder, maps of errors and what has ``suffix`` already are left out. A file that is named is taken
    whatever it is called. Outputs keep the extension of their input, and gain ``.png`` where that is of a format that
    is only read. Where two inputs would have one output, folders are told apart by their place below the folder that
    they have in common, and files by the whole name of the input: ``a.jpg.png`` beside ``a.png``.

    Args:
        inputs: A file or a folder, or several. What is given twice is taken once.
        output: None puts each output beside its input. Otherwise a folder, in which the folders among the inputs are
            mirrored; or a file, for one input file: a path with an extension that is no folder.
        suffix: Put between name and extension of outputs beside their inputs.
        ext: Extension of all outputs.

    Raises:
        UsageError: An output is an input; a format is not written; no input; two inputs have one output all the same.
    """
    place = None if output is None else Path(output)
    if {"/", "\\"} & set(suffix):
        raise UsageError(f"suffix {suffix!r}: goes into the name of a file; give it without separators")
    if ext is not None:
        ext = written_extension("." + ext.lower().removeprefix("."))
    paths = _listed(inputs)
    one_file = len(paths) == 1 and not is_folder(paths[0])
    if place is not None and one_file and place.suffix and not is_folder(place):
        if ext not in (None, written_extension(place.suffix.lower())):
            raise UsageError(f"output {place} and ext {ext}: name two formats; leave one of them out")
        found = Found((Job(paths[0], place, KINDS.get(place.suffix.lower())),), {}, {}, ())
    else:
        named = place is not None and place.suffix.lower() in KINDS and not is_folder(place)
        if place is not None and (is_file(place) or named):
            raise UsageError(f"output {place}: is a file; for several inputs or a folder, give a folder")
        search = _search(paths, place, suffix)
        targets = _targets(list(search.images.values()), place, suffix if place is None else "", ext)
        pairs = zip(search.images.values(), targets, strict=True)
        asked = None if ext is None else KINDS[ext]
        jobs = tuple(Job(image.path, target, asked) for image, target in pairs)
        found = Found(jobs, search.unusable, search.ignored, tuple(search.repeated))
    _check_targets(found.jobs)
    stems = Counter(_stem(job) for job in found.jobs)
    return replace(found, jobs=tuple(replace(job, alike=stems[_stem(job)] > 1) for job in found.jobs))


def _stem(job: Job) -> Path:
    return job.target.with_suffix("")


def _listed(inputs: str | Path | Sequence[str | Path]) -> list[Path]:
    """The paths; one that is given alone is not taken for the letters of its name."""
    return [Path(path) for path in ([inputs] if isinstance(inputs, str | Path) else inputs)]


def _search(paths: Sequence[Path], place: Path | None, suffix: str) -> _Search:
    if not paths:
        raise UsageError("no input; give files or folders")
    search = _Search(place, suffix)
    for path in paths:
        search.add(path)
    return search


def _targets(images: Sequence[_Image], place: Path | None, suffix: str, ext: str | None) -> list[Path]:
    """Where each image goes; no two to one place, as far as names can tell them apart."""
    branches: dict[Path, Path] = {}  # where the photographs of a folder go, below the output folder
    longer = [0] * len(images)

    def target(number: int) -> Path:
        image = images[number]
        name = _name(image.path, suffix, ext, longer[number])
        if place is None:
            return image.path.with_name(name)
        return place / branches.get(image.root, "") / image.path.relative_to(image.root).with_name(name)

    def crowds() -> list[list[int]]:
        where: dict[Path, list[int]] = defaultdict(list)
        for number in range(len(images)):
            where[target(number)].append(number)
        return [numbers for numbers in where.values() if len(numbers) > 1]

    while place is not None:
        groups = [{images[number].root for number in crowd} for crowd in crowds()]
        roots = {root for group in groups if len(group) > 1 for root in group}
        if roots <= branches.keys():
            break
        apart = {root: os.path.abspath(root) for root in sorted(roots | branches.keys())}  # noqa: PTH100 - without ".."
        common = os.path.commonpath(apart.values())
        branches = {root: Path(path).relative_to(common) for root, path in apart.items()}
    while lengthened := [
        number
        for crowd in crowds()
        for number in crowd
        if len({images[other].path.name for other in crowd}) > 1 and images[number].path.suffix != target(number).suffix
    ]:
        for number in lengthened:
            longer[number] += 1
    return [target(number) for number in range(len(images))]


def _name(source: Path, suffix: str, ext: str | None, longer: int) -> str:
    """The name of an output; made longer by the extension of its input, and by its own once more, on demand."""
    kind = KINDS.get(source.suffix.lower())
    only_read = (kind is not None and kind not in DEPTHS) or (kind == "heif" and not heif_is_written())
    if only_read and ext is None:
        return source.name + suffix + ".png" * (1 + longer)
    extension = ext or source.suffix
    return source.name + suffix + extension * longer if longer else source.stem + suffix + extension


def written_extension(extension: str) -> str:
    """The extension, if it is one of a format that is written."""
    written = [known for known, kind in KINDS.items() if kind in DEPTHS]
    if extension not in written:
        raise unknown("output extension", extension, written)
    return extension


def format_named(ext: str | None) -> str | None:
    """Give the format of the extension of an output, with or without its dot; None for None.

    Example:
        >>> format_named("JPG"), format_named(".tif"), format_named(None)
        ('jpeg', 'tiff', None)
    """
    return KINDS[written_extension("." + ext.lower().removeprefix("."))] if ext else None


def map_files(job: Job) -> tuple[Path, Path]:
    """The half-widths, a TIFF of 16 bit in 1/256 gray level, and the overlay, a PNG, of an output."""
    name = job.target.name if job.alike else job.target.stem
    return job.target.with_name(f"{name}{MAP_SUFFIX}.tif"), job.target.with_name(f"{name}{MAP_SUFFIX}.png")


def check_side_files(request: Request, jobs: Sequence[Job], *, overwrite: bool) -> None:
    """A mask is an input too; one that is written, a preview and maps of errors are files of their own.

    Raises:
        UsageError: One is an input, an output or another of them, or exists and is not to be replaced.
        OutputError: A mask or a preview could not be written.
    """
    read = set(map(os.path.realpath, request.files))
    for job in jobs:
        if os.path.realpath(job.target) in read:
            raise UsageError(f"output {job.target}: is a mask, and inputs are never replaced; give another output")
    taken = read | {os.path.realpath(path) for job in jobs for path in (job.source, job.target)}
    maps = [("uncertainty", path) for job in jobs for path in map_files(job)] if request.uncertain else []
    for name, path in (*request.written.items(), *maps):
        if os.path.realpath(path) in taken:
            remedy = "rename the input, or give another output" if name == "uncertainty" else "give another name"
            raise UsageError(f"{name} {path}: is an input or an output too; {remedy}")
        taken.add(os.path.realpath(path))
    request.check_written(overwrite=overwrite)


def _check_targets(jobs: Iterable[Job]) -> None:
    sources = {os.path.realpath(job.source) for job in jobs}
    taken: dict[str, Path] = {}
    for job in jobs:
        where = os.path.realpath(job.target)
        if where in sources:
            raise UsageError(f"output {job.target}: is an input, and inputs are never replaced; give another output")
        if where in taken:
            raise UsageError(
                f"{taken[where]} and {job.source}: would both become {job.target}; restore them separately"
            )
        taken[where] = job.source
