"""Compression: one reading of a file gives its gzip and zstd twins, with the checksums of all three.

Compressed files carry no name and no time, so the same content gives the same bytes.
"""

from __future__ import annotations

import hashlib
import zlib
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Final, Protocol

import zstandard

from kg.dumps.index import DumpFile

__all__ = ["describe_file", "pack_file"]

_BLOCK_BYTES: Final = 1 << 20
_GZIP_LEVEL: Final = 6
_ZSTD_LEVEL: Final = 9
_GZIP_HEADER: Final = 16 + zlib.MAX_WBITS


class _Encoder(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


class _Twin:
    """A compressed copy while it is written."""

    def __init__(self, encoder: _Encoder, output: IO[bytes]) -> None:
        self._encoder = encoder
        self._output = output
        self._digest = hashlib.sha256()
        self._size = 0

    def add(self, block: bytes) -> None:
        self._write(self._encoder.compress(block))

    def finish(self) -> tuple[int, str]:
        """Size and checksum of the copy, once it is whole."""
        self._write(self._encoder.flush())
        return self._size, self._digest.hexdigest()

    def _write(self, data: bytes) -> None:
        self._output.write(data)
        self._digest.update(data)
        self._size += len(data)


def pack_file(
    path: Path, directory: Path, *, media_type: str, class_iri: str | None = None
) -> tuple[DumpFile, DumpFile, DumpFile]:
    """The file itself, its gzip and its zstd twin as they are to be listed, once the twins are in the directory.

    Compressing and hashing release the interpreter's lock, so files packed in threads use all cores.
    """
    plain = hashlib.sha256()
    plain_size = 0
    gzip_path, zstd_path = (directory / f"{path.name}.{suffix}" for suffix in ("gz", "zst"))
    with ExitStack() as stack:
        source, gzip_file, zstd_file = (
            stack.enter_context(each.open(mode)) for each, mode in ((path, "rb"), (gzip_path, "wb"), (zstd_path, "wb"))
        )
        gzip_twin = _Twin(zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_HEADER), gzip_file)
        zstd_twin = _Twin(zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compressobj(), zstd_file)
        while block := source.read(_BLOCK_BYTES):
            plain.update(block)
            plain_size += len(block)
            gzip_twin.add(block)
            zstd_twin.add(block)
        gzipped, zstded = gzip_twin.finish(), zstd_twin.finish()

    def describe(name: str, compression: str | None, measured: tuple[int, str]) -> DumpFile:
        size, sha256 = measured
        return DumpFile(
            name=name, media_type=media_type, compression=compression, size=size, sha256=sha256, class_iri=class_iri
        )

    return (
        describe(path.name, None, (plain_size, plain.hexdigest())),
        describe(gzip_path.name, "gzip", gzipped),
        describe(zstd_path.name, "zstd", zstded),
    )


def describe_file(path: Path, *, media_type: str) -> DumpFile:
    """A small file as it is to be listed, stored as it is."""
    content = path.read_bytes()
    return DumpFile(
        name=path.name,
        media_type=media_type,
        compression=None,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
