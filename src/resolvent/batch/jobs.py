"""Which inputs there are, and where their outputs go."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from resolvent.batch.places import Place, Url, as_place, as_places, below, distinct_path, identity, local
from resolvent.batch.search import MAP_SUFFIX, SUFFIX, Listed, Search
from resolvent.batch.store import check_output, is_file, is_folder
from resolvent.errors import UsageError, unknown
from resolvent.image.decode import load_pillow_heif
from resolvent.image.encode import heif_is_written
from resolvent.image.formats import DEPTHS, KINDS
from resolvent.io import folds_case

if TYPE_CHECKING:
    from resolvent.engine.request import Request

__all__ = [
    "Found",
    "Job",
    "check_side_files",
    "find_images",
    "find_jobs",
    "format_named",
    "map_files",
    "output_names",
    "written_extension",
]


@dataclass(frozen=True)
class Job:
    """One input and where its output goes.

    Attributes:
        source: The input.
        target: The output.
        format: That which is asked for, a key of FORMATS; None where the name of the output is only that of the input.
        content: The bytes of the input, where it comes from a pipe or a store.
        alike: Whether the names of two outputs differ in their extension alone, as of ``a.jpg`` and ``a.png``.
    """

    source: Place
    target: Place
    format: str | None = None
    content: bytes | None = None
    alike: bool = False

    @property
    def readable(self) -> Path | bytes:
        """What ``read_image`` takes: the file of its input, or its bytes."""
        return local(self.source) if self.content is None else self.content

    @property
    def is_remote(self) -> bool:
        """Whether its input or its output is in a store."""
        return isinstance(self.source, Url) or isinstance(self.target, Url)

    @property
    def form(self) -> str:
        """How the names of its files, and what is asked for, decide the format of its output."""
        return f"{self.format or ''} {self.source.suffix.lower()} {self.target.suffix.lower()}"


@dataclass(frozen=True)
class Found:
    """What files and folders stand for.

    Attributes:
        jobs: The photographs, each once.
        unusable: Folders that cannot be listed or hold no photograph: each with the reason.
        ignored: Other files in the folders: how many there are of each extension.
        repeated: Other names of photographs that are among the jobs, such as links to them.
        earlier: Results of earlier runs: files among the inputs, and output folders in the folders.
    """

    jobs: tuple[Job, ...]
    unusable: Mapping[Place, str]
    ignored: Mapping[str, int]
    repeated: tuple[Place, ...]
    earlier: tuple[Place, ...] = ()


def find_images(inputs: str | Path | Sequence[str | Path]) -> Found:
    """Find the photographs that files and folders stand for, as ``find_jobs`` does; each is its own target."""
    search = _search(as_places(inputs), None, SUFFIX)
    jobs = tuple(Job(image.path, image.path) for image in search.images.values())
    return _found(jobs, search)


def find_jobs(
    inputs: str | Path | Url | Sequence[str | Path | Url],
    output: str | Path | Url | None = None,
    *,
    suffix: str = SUFFIX,
    ext: str | None = None,
    overwrite: bool = False,
) -> Found:
    """Pair each input with its output, before any work.

    A folder is searched with its subfolders, but not through links, for files with the extension of an image; hidden
    ones, output folders, maps of errors and what has ``suffix`` already are left out. A file that is named is taken
    whatever it is called, unless it is ``a.restored.jpg`` beside an ``a.jpg`` that is an input too. Outputs keep the
    extension of their input, and gain ``.png`` where that is of a format that is only read. Where two inputs would have
    one output, folders are told apart by their place below the folder that they have in common, and files by the whole
    name of the input: ``a.jpg.png`` beside ``a.png``.

    Args:
        inputs: A file or a folder, or several, or URLs of such. What is given twice is taken once.
        output: None puts each output beside its input. Otherwise a folder, in which the folders among the inputs are
            mirrored; or a file, for one input file: a path with an extension that is no folder.
        suffix: Put between name and extension of outputs beside their inputs.
        ext: Extension of all outputs.
        overwrite: Whether outputs will be replaced, of which none may then be an input, even one that is left out.

    Raises:
        UsageError: An output is an input; a format is not written; no input; two inputs have one output all the same.
        OutputError: A store takes no outputs; see ``store.check_output``.
    """
    place = None if output is None else as_place(output)
    if isinstance(place, Url):
        check_output(place)
    if {"/", "\\"} & set(suffix):
        raise UsageError(f"suffix {suffix!r}: goes into the name of a file; give it without separators")
    if ext is not None:
        ext = written_extension("." + ext.lower().removeprefix("."))
    paths = as_places(inputs)
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
        images = list(search.images.values())
        targets = _targets(images, place, suffix if place is None else "", ext)
        asked = None if ext is None else KINDS[ext]
        found = _found((Job(image.path, target, asked) for image, target in zip(images, targets, strict=True)), search)
    _check_targets(found.jobs, found.earlier if overwrite else ())
    stems = Counter(_stem(job) for job in found.jobs)
    return replace(found, jobs=tuple(replace(job, alike=stems[_stem(job)] > 1) for job in found.jobs))


def _found(jobs: Iterable[Job], search: Search) -> Found:
    earlier = {distinct_path(path): path for path in search.earlier}
    return Found(tuple(jobs), search.unusable, search.ignored, tuple(search.repeated), tuple(earlier.values()))


def _stem(job: Job) -> Place:
    return job.target.with_suffix("")


def _search(paths: Sequence[Place], place: Place | None, suffix: str) -> Search:
    if not paths:
        raise UsageError("no input; give files or folders")
    search = Search(place, suffix)
    search.add_all(paths)
    return search


def _targets(images: Sequence[Listed], place: Place | None, suffix: str, ext: str | None) -> list[Place]:
    """Where each image goes; no two to one place, as far as names can tell them apart."""
    branches: dict[Place, Path] = {}  # where the photographs of a folder go, below the output folder
    longer = [0] * len(images)

    def target(number: int) -> Place:
        image = images[number]
        name = _name(image.path, suffix, ext, longer[number])
        if place is None:
            return image.path.with_name(name)
        return place / branches.get(image.root, "") / (below(image.path, image.root) or PurePath(name)).with_name(name)

    def crowds() -> list[list[int]]:
        where: dict[Place, list[int]] = defaultdict(list)
        for number in range(len(images)):
            where[target(number)].append(number)
        return [numbers for numbers in where.values() if len(numbers) > 1]

    while place is not None:
        groups = [{images[number].root for number in crowd} for crowd in crowds()]
        roots = {root for group in groups if len(group) > 1 for root in group}
        if roots <= branches.keys():
            break
        apart = {root: distinct_path(root) for root in sorted(roots | branches.keys(), key=str)}
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


def output_names(source: Path, folder: Path, output: Path | None, suffix: str, ext: str | None) -> Iterator[Path]:
    """Give the names that the output of a photograph of a folder may get, as ``find_jobs`` does; the shortest first.

    Examples:
        >>> from itertools import islice
        >>> [path.name for path in islice(output_names(Path("in/a.jpg"), Path("in"), Path("out"), "", ".png"), 2)]
        ['a.png', 'a.jpg.png']
    """
    for longer in count():
        name = _name(source, suffix if output is None else "", ext, longer)
        yield source.with_name(name) if output is None else output / source.relative_to(folder).with_name(name)


def _name(source: Place, suffix: str, ext: str | None, longer: int) -> str:
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
    if KINDS[extension] == "heif":
        load_pillow_heif("writing HEIC")
    return extension


def format_named(ext: str | None) -> str | None:
    """Give the format of the extension of an output, with or without its dot; None for None.

    Examples:
        >>> format_named("JPG"), format_named(".tif"), format_named(None)
        ('jpeg', 'tiff', None)
    """
    return KINDS[written_extension("." + ext.lower().removeprefix("."))] if ext else None


def map_files(job: Job) -> tuple[Place, Place]:
    """The half-widths, a TIFF of 16 bit in 1/256 gray level, and the overlay, a PNG, of an output."""
    name = job.target.name if job.alike else job.target.stem
    return job.target.with_name(f"{name}{MAP_SUFFIX}.tif"), job.target.with_name(f"{name}{MAP_SUFFIX}.png")


def check_side_files(request: Request, jobs: Sequence[Job], *, overwrite: bool) -> None:
    """A mask is an input too; one that is written, a preview and maps of errors are files of their own.

    Raises:
        UsageError: One is an input, an output or another of them, or exists and is not to be replaced.
        OutputError: A mask or a preview could not be written.
    """
    for needed in request.files:
        if not is_file(needed):
            raise UsageError(f"{needed}: there is no such file, and --mask or --degradation names it; give one that is")
    read = set(map(os.path.realpath, request.files))
    for job in jobs:
        if identity(job.target) in read:
            raise UsageError(f"output {job.target}: is a mask, and inputs are never replaced; give another output")
    taken = read | {identity(path) for job in jobs for path in (job.source, job.target)}
    maps = [("uncertainty", path) for job in jobs for path in map_files(job)] if request.uncertain else []
    for name, path in (*request.written.items(), *maps):
        if identity(path) in taken:
            remedy = "rename the input, or give another output" if name == "uncertainty" else "give another name"
            raise UsageError(f"{name} {path}: is an input or an output too; {remedy}")
        taken.add(identity(path))
    request.check_written(overwrite=overwrite)


def _check_targets(jobs: Sequence[Job], left_out: Sequence[Place]) -> None:
    sources = {identity(path) for path in (*(job.source for job in jobs), *left_out)}
    taken: dict[str, Place] = {}
    folders = {job.target.parent for job in jobs}
    folding = {folder: isinstance(folder, Path) and folds_case(folder.absolute()) for folder in folders}
    for job in jobs:
        where = identity(job.target)
        if where in sources:
            raise UsageError(f"output {job.target}: is an input, and inputs are never replaced; give another output")
        if folding[job.target.parent]:
            where = unicodedata.normalize("NFC", where).casefold()
        if where in taken:
            raise UsageError(
                f"{taken[where]} and {job.source}: would both become {job.target}; restore them separately"
            )
        taken[where] = job.source
