"""The encoding of protocol buffers, as far as ONNX files need it: https://protobuf.dev/programming-guides/encoding/.

What is no protocol buffer ends in a ValueError or an IndexError.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["as_message", "as_number", "as_text", "delimited", "fields", "packed", "spans"]


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field of a protocol-buffer message; those of fixed width are skipped."""
    return ((number, value) for number, value, _, _ in spans(message) if value is not None)


def spans(message: memoryview) -> Iterator[tuple[int, int | memoryview | None, int, int]]:
    """Each field of a message: its number, its value, and where it starts and stops."""
    position = 0
    while position < len(message):
        start = position
        tag, position = _varint(message, position)
        value: int | memoryview | None = None
        match tag & 7:
            case 0:
                value, position = _varint(message, position)
            case 1:
                position += 8
            case 2:
                length, position = _varint(message, position)
                value = message[position : position + length]
                position += length
            case 5:
                position += 4
            case kind:
                raise ValueError(f"wire type {kind}")
        if position > len(message):
            raise ValueError("truncated")
        yield tag >> 3, value, start, position


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position
        if shift > 63:
            raise ValueError("not a protocol buffer")


def packed(message: int | memoryview | None) -> list[int]:
    """Varints one after the other."""
    values, position, content = [], 0, as_message(message)
    while position < len(content):
        value, position = _varint(content, position)
        values.append(value)
    return values


def as_message(value: int | memoryview | None) -> memoryview:
    """The value of a field that is a message, bytes or a text."""
    if not isinstance(value, memoryview):
        raise ValueError("a number where a message belongs")
    return value


def as_number(value: int | memoryview | None) -> int:
    """The value of a field that is a number."""
    if not isinstance(value, int):
        raise ValueError("a message where a number belongs")
    return value


def as_text(value: int | memoryview | None) -> str:
    """The value of a field that is a text; empty if there is none."""
    return "" if value is None else bytes(as_message(value)).decode()


def delimited(number: int, content: bytes) -> bytes:
    """A field of a message, with its length."""
    return _encoded(number << 3 | 2) + _encoded(len(content)) + content


def _encoded(value: int) -> bytes:
    """A varint."""
    digits = bytearray()
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    digits.append(value)
    return bytes(digits)
