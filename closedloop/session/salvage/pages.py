"""Reads rows out of the pages of an SQLite file without its trees, so that one bad page costs its own rows only.

Source: the SQLite file format (version 3), as its authors document it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

PAGE_BYTES = 8192

_TABLE_LEAF, _INDEX_LEAF, _INDEX_INTERIOR = 0x0D, 0x0A, 0x02
_LARGEST_VARINT = 9
_NEAR_BYTES = 1024
_INTEGER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


class Lost:
    """Stands for a value whose bytes could not be read."""


LOST: Final = Lost()
Value: TypeAlias = "int | float | str | bytes | Far | Lost | None"


class UnreadableError(Exception):
    """Bytes that make no sense as what they should be; never leaves this package."""


@dataclass(frozen=True)
class Row:
    """A row as it was found.

    Attributes:
        page: number of its page, from 1.
        rowid: None in a table without.
        values: by column.
    """

    page: int
    rowid: int | None
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Far:
    """A long value that stays in the file: all of them together may be larger than memory.

    Attributes:
        pages: of its file.
        page: where its row is.
        at: where on that page.
        column: which of the row.
    """

    pages: Pages
    page: int
    at: int
    column: int

    def read(self) -> Value:
        """Return the value."""
        return self.pages.value(self)


def near(value: Value) -> Value:
    """Return a value itself, wherever it is."""
    return value.read() if isinstance(value, Far) else value


class Content(Protocol):
    """Where pages come from."""

    count: int

    def page(self, number: int) -> bytes:
        """Return a page, from 1."""


class Pages:
    """The pages of a file.

    Args:
        content: of the file.
    """

    def __init__(self, content: Content) -> None:
        self._content = content
        self.count = content.count

    def page(self, number: int) -> bytes:
        """Return a page, from 1."""
        if not 1 <= number <= self.count:
            raise UnreadableError(f"page {number} of {self.count}")
        return self._content.page(number)

    def free(self) -> set[int]:
        """Return the numbers of pages that hold nothing any more, whatever still stands in them."""
        first = self._content.page(1)
        trunk = int.from_bytes(first[32:36], "big")
        found: set[int] = set()
        while trunk and trunk not in found and trunk <= self.count:
            page = self.page(trunk)
            following, leaves = struct.unpack(">II", page[:8])
            if leaves > PAGE_BYTES // 4 - 2:
                break
            found.add(trunk)
            found.update(struct.unpack(f">{leaves}I", page[8 : 8 + 4 * leaves]))
            trunk = following
        return found

    def rows(self) -> Iterator[Row]:
        """Yield every row that can be read, of whatever table or index."""
        free = self.free()
        for number in range(2, self.count + 1):  # page 1 holds the schema, which is known
            if number not in free:
                yield from self._rows_of(number)

    def _rows_of(self, number: int) -> Iterator[Row]:
        page = self.page(number)
        kind = page[0]
        if kind not in (_TABLE_LEAF, _INDEX_LEAF, _INDEX_INTERIOR):
            return
        cells = int.from_bytes(page[3:5], "big")
        start = 12 if kind == _INDEX_INTERIOR else 8
        for index in range(min(cells, (PAGE_BYTES - start) // 2)):
            at = int.from_bytes(page[start + 2 * index : start + 2 * index + 2], "big")
            try:
                row = self._row(number, page, kind, at)
            except (UnreadableError, UnicodeDecodeError, IndexError, struct.error):
                continue  # this row is lost; who asks which, finds its number missing
            values = (
                Far(self, number, at, column)
                if isinstance(value, bytes) and len(value) > _NEAR_BYTES
                else value
                for column, value in enumerate(row.values)
            )
            yield Row(number, row.rowid, tuple(values))

    def value(self, far: Far) -> Value:
        """Return a value that stayed in the file."""
        page = self.page(far.page)
        return self._row(far.page, page, page[0], far.at).values[far.column]

    def _row(self, number: int, page: bytes, kind: int, at: int) -> Row:
        if kind == _INDEX_INTERIOR:
            at += 4
        length, at = _varint(page, at)
        rowid = None
        if kind == _TABLE_LEAF:
            rowid, at = _varint(page, at)
        local = _local(length, table=kind == _TABLE_LEAF)
        payload = page[at : at + local]
        if len(payload) < local:
            raise UnreadableError("a row beyond its page")
        if local < length:
            overflow = int.from_bytes(page[at + local : at + local + 4], "big")
            payload += self._overflow(overflow, length - local)
        return Row(number, rowid, _record(payload, length))

    def _overflow(self, number: int, length: int) -> bytes:
        """Return what could not stay on a row's own page; less, if the chain breaks."""
        parts = bytearray()
        while number and len(parts) < length:
            try:
                page = self.page(number)
            except UnreadableError:
                break
            number = int.from_bytes(page[:4], "big")
            parts += page[4:]
        return bytes(parts[:length])


def _local(length: int, *, table: bool) -> int:
    """How much of a row of a length lies on its own page."""
    largest = PAGE_BYTES - 35 if table else (PAGE_BYTES - 12) * 64 // 255 - 23
    if length <= largest:
        return length
    least = (PAGE_BYTES - 12) * 32 // 255 - 23
    some = least + (length - least) % (PAGE_BYTES - 4)
    return some if some <= largest else least


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(_LARGEST_VARINT):
        byte = data[at + index]
        if index == _LARGEST_VARINT - 1:
            value = value << 8 | byte
            return (value - (1 << 64) if value >= 1 << 63 else value), at + _LARGEST_VARINT
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + index + 1
    raise AssertionError("unreachable")


def _record(payload: bytes, length: int) -> tuple[Value, ...]:
    header_bytes, at = _varint(payload, 0)
    if not 1 <= header_bytes <= min(length, len(payload)):
        raise UnreadableError("a header beyond its row")
    types = []
    while at < header_bytes:
        kind, at = _varint(payload, at)
        types.append(kind)
    sizes = [_size(kind) for kind in types]
    if header_bytes + sum(sizes) != length:
        raise UnreadableError("a header that does not fit its row")
    return tuple(_values(payload, header_bytes, types, sizes))


def _values(payload: bytes, at: int, types: Sequence[int], sizes: Sequence[int]) -> Iterator[Value]:
    for kind, size in zip(types, sizes, strict=True):
        raw = payload[at : at + size]
        at += size
        if len(raw) < size:
            yield LOST
        elif kind == 0:
            yield None
        elif kind in _INTEGER_BYTES:
            yield int.from_bytes(raw, "big", signed=True)
        elif kind == 7:
            yield struct.unpack(">d", raw)[0]
        elif kind in (8, 9):
            yield kind - 8
        elif kind % 2:
            yield raw.decode("utf-8")
        else:
            yield raw


def _size(kind: int) -> int:
    if kind in _INTEGER_BYTES:
        return _INTEGER_BYTES[kind]
    if kind == 7:
        return 8
    if kind in (0, 8, 9):
        return 0
    if kind < 12:
        raise UnreadableError("a reserved type")
    return (kind - 12) // 2
