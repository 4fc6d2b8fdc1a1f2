"""Replies by what was asked, until another publication takes the place."""

from __future__ import annotations

import gzip
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property

from orchestration.serving.endpoints import Reply

# What is smaller fits a packet anyway.
_SMALLEST = 1_400
_COMPRESSED = frozenset({"application/json", "text/html; charset=utf-8", "text/csv; charset=utf-8"})


@dataclass(frozen=True)
class Stored:
    """A reply with the publication that it is of; compressed when somebody first takes it so."""

    reply: Reply
    publication_id: str

    @property
    def is_compressible(self) -> bool:
        """Whether compressing it is worth the time."""
        return self.reply.media_type in _COMPRESSED and len(self.reply.body) >= _SMALLEST

    @cached_property
    def compressed(self) -> bytes:
        """The body as gzip."""
        return gzip.compress(self.reply.body, 5, mtime=0)


class Cache:
    """The replies that were used last, of so many bytes; not safe for several threads."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._bytes = 0
        self._stored: OrderedDict[Hashable, Stored] = OrderedDict()

    def get(self, key: Hashable) -> Stored | None:
        """What is stored under a key."""
        found = self._stored.get(key)
        if found is not None:
            self._stored.move_to_end(key)
        return found

    def put(self, key: Hashable, stored: Stored) -> None:
        """Store a reply, unless it alone would take a quarter of the room."""
        size = _size(stored)
        if size > self._most // 4 or key in self._stored:
            return
        self._stored[key] = stored
        self._bytes += size
        while self._bytes > self._most:
            _, oldest = self._stored.popitem(last=False)
            self._bytes -= _size(oldest)


def _size(stored: Stored) -> int:
    # A kilobyte for the key and the objects; half for the body compressed.
    return 1_000 + len(stored.reply.body) * 3 // 2
