"""Photographs in fsspec's file system in memory."""

from fsspec.implementations.memory import MemoryFileSystem

IN, OUT = "memory://bucket/scans", "memory://bucket/restored"


def contents(folder=OUT):
    """What a folder of the store holds, but for the manifest."""
    start = folder.removeprefix("memory:/") + "/"
    found = {name.removeprefix(start): file.getvalue() for name, file in MemoryFileSystem.store.items()}
    return {name: content for name, content in found.items() if name[0] not in "/."}


def statuses(report):
    return [result.status for result in report.results]
