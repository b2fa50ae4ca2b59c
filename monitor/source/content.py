"""The content of a file on the disk: as it is, unpacked, or what comes on standard input."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable
from typing import BinaryIO

import zstandard

# zstd makes up to 128 KiB of 4 bytes, so this much input may become 32 MiB, and usually 10 to 30 KiB.
ZSTD_INPUT_BYTES = 1 << 10
STANDARD_INPUT = "-"
COMPRESSED = (".gz", ".zst")
DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError)


def opened(path: str) -> tuple[BinaryIO, Callable[[int], bytes]]:
    """The file as it lies on the disk, and how to read at most so many bytes of its content (b"": the end)."""
    if path == STANDARD_INPUT:
        raw: BinaryIO = io.FileIO(0, closefd=False)
        return raw, raw.read
    if path.endswith(".gz"):
        raw = io.BufferedReader(io.FileIO(path))
        # read1: what was unpacked before damage is found is returned, not lost with the exception.
        return raw, gzip.GzipFile(fileobj=raw).read1
    if path.endswith(".zst"):
        raw = io.BufferedReader(io.FileIO(path))
        return raw, _Zstandard(raw).read
    raw = io.FileIO(path)
    return raw, raw.read


class _Zstandard:
    """Frames of zstd one after another; the library's own reader takes a cut-off frame for the end."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._decompressor = zstandard.ZstdDecompressor()
        self._frame: zstandard.ZstdDecompressionObj | None = None

    def read(self, _: int) -> bytes:
        """What the next piece of input becomes; b"" at the end.

        Raises:
            EOFError: the end lies within a frame.
        """
        while True:
            packed = b""
            if self._frame is not None and self._frame.eof:
                packed, self._frame = self._frame.unused_data, None
            packed = packed or self._raw.read(ZSTD_INPUT_BYTES)
            if not packed:
                if self._frame is not None:
                    raise EOFError("the end lies within a compressed frame")
                return b""
            if self._frame is None:
                self._frame = self._decompressor.decompressobj()
            content = self._frame.decompress(packed)
            if content:
                return content
