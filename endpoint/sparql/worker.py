"""A query worker: a process that opens the store of a release read-only and answers one query at a time.

It is started by the pool with one end of a socket pair, and lives until the other end closes. Everything that a
query can do to it (run for ever, eat memory, crash the engine) ends with this process and touches no other.
"""

from __future__ import annotations

import json
import os
import re
import resource
import socket
import sys
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, cast

import pyoxigraph as ox

from endpoint.sparql.confinement import Fence, close_network, end_with_server, leave_network, limit_memory
from endpoint.sparql.frames import (
    FRAME_BYTES,
    Binding,
    Conversion,
    Failure,
    Frame,
    FrameDecoder,
    FrameKind,
    Job,
    decode_count,
    encode_frame,
)
from endpoint.sparql.memory import give_back_memory
from endpoint.sparql.pipes import Feed, FrameWriter
from kg.checksums import Digests, examine_store, load_checksums
from kg.errors import KgError, QuerySyntaxError, RdfError, ReleasePruned, RemoteError, StoreDamaged
from kg.rdfio import load_prefixes
from kg.store import QueryResult, is_damage, open_read_only, translate_error, write_result

if TYPE_CHECKING:
    from endpoint.federation.relay import Relay

__all__ = ["main"]

_STACK_BYTES: Final = 256 * 1024 * 1024
_OPEN_STORES: Final = 2
_SMALL: Final = 2_000
# In less time no job takes much memory.
_LONG_S: Final = 0.05
_POSITION: Final = re.compile(r"error at (\d+):(\d+): (.*)", re.DOTALL)
_NEAR: Final = 24
_TRUTH: Final = "__ASK_RETVAL"


class _Worker:
    def __init__(
        self, connection: socket.socket, link: socket.socket | None, *, memory_bytes: int, prefixes_path: Path
    ) -> None:
        self._connection = connection
        self._memory_bytes = memory_bytes
        self._prefixes_path = prefixes_path
        self._prefixes: dict[str, str] | None = None
        self._stores: OrderedDict[str, ox.Store] = OrderedDict()
        # The store that the server has looked at.
        self._examined = ""
        self._digests = Digests()
        self._decoder = FrameDecoder()
        self._frames: deque[Frame] = deque()
        self._fences, self._relay = _withdraw(link)

    def serve(self) -> None:
        """Answer until the server closes the connection."""
        self._connection.sendall(encode_frame(FrameKind.READY, bytes([self._fences])))
        while (frame := self._next_frame()) is not None:
            started = time.monotonic()
            self._take(frame)
            if time.monotonic() - started > _LONG_S:
                give_back_memory()
            if self._frames:
                self._look_for_drop()

    def _next_frame(self) -> Frame | None:
        """The next frame; None once the server has closed the connection."""
        while not self._frames:
            data = self._connection.recv(FRAME_BYTES)
            if not data:
                return None
            self._frames.extend(self._decoder.feed(data))
        return self._frames.popleft()

    def _look_for_drop(self) -> None:
        """Forget jobs that the server has taken back while the one before them ran."""
        with suppress(BlockingIOError):
            self._frames.extend(self._decoder.feed(self._connection.recv(FRAME_BYTES, socket.MSG_DONTWAIT)))
        frames = list(self._frames)
        drop = next((at for at, frame in enumerate(frames) if frame.kind is FrameKind.DROP), None)
        if drop is not None:
            jobs = [at for at in range(drop) if frames[at].kind is FrameKind.QUERY]
            # The last ones: the first of those that the server knows may not have begun yet.
            forgotten = set(jobs[max(0, len(jobs) - decode_count(frames[drop].body)) :])
            self._frames = deque(frame for at, frame in enumerate(frames) if at not in forgotten)

    def _take(self, frame: Frame) -> None:
        if frame.kind is FrameKind.DROP:
            self._connection.sendall(encode_frame(FrameKind.DROPPED))
            return
        if frame.kind is FrameKind.OPEN:
            self._open_ahead(frame.body.decode())
            return
        if frame.kind is FrameKind.CONVERT:
            self._take_conversion(Conversion.decode(frame.body))
            return
        job = Job.decode(frame.body)
        try:
            if job.calls:
                self._answer_federated(job)
            else:
                self._answer(job)
        except QuerySyntaxError as error:
            self._fail(_locate(error, job.text))
        except StoreDamaged as error:
            # Whoever heals it may put another in its place.
            self._stores.pop(job.store, None)
            self._fail(_describe(error, job.store))
        except KgError as error:
            self._fail(_describe(error, job.store))

    def _open_ahead(self, path: str) -> None:
        """Open a store that the server has examined and will ask next, anew if need be; say whether it could be."""
        self._stores.pop(path, None)
        self._examined = path
        reason = ""
        try:
            self._open(path)
        except KgError as error:
            reason = _hide(error, path)
        self._connection.sendall(encode_frame(FrameKind.OPENED, json.dumps([path, reason]).encode()))

    def _take_conversion(self, conversion: Conversion) -> None:
        feed = Feed(self._next_frame)
        try:
            self._convert(feed, conversion)
        except KgError as error:
            feed.drain()
            self._fail(Failure(code=error.code, message=str(error)))

    def _convert(self, feed: Feed, conversion: Conversion) -> None:
        writer = FrameWriter(self._connection, conversion.media_type)
        output, source = cast("IO[bytes]", writer), cast("IO[bytes]", feed)
        rdf_format = ox.RdfFormat.from_media_type(conversion.media_type)
        source_format = ox.RdfFormat.from_media_type(conversion.source_type)
        try:
            if rdf_format is not None and source_format is not None:
                triples = (each.triple for each in ox.parse(source, format=source_format))
                self._write_triples(triples, output, rdf_format)
            else:
                result = ox.parse_query_results(source, format=_find_results_format(conversion.source_type))
                write_result(_read_truth(result), output, media_type=conversion.media_type)
        except SyntaxError as error:
            raise RemoteError(f"the result of the other engine cannot be read: {error.msg}") from error
        # A truth value is read before its document ends.
        feed.drain()
        writer.finish()

    def _fail(self, failure: Failure) -> None:
        self._connection.sendall(encode_frame(FrameKind.FAILURE, failure.encode()))

    def _open(self, path: str) -> ox.Store:
        store = self._stores.get(path)
        if store is None:
            if path != self._examined:
                self._examine(Path(path).parent)
            store = self._stores[path] = open_read_only(Path(path))
            while len(self._stores) > _OPEN_STORES:
                self._stores.popitem(last=False)
            limit_memory(self._memory_bytes)
        self._stores.move_to_end(path)
        return store

    def _examine(self, release_path: Path) -> None:
        """Look at the files of a store that the server has not looked at, since it is not of the current release.

        Raises:
            ReleaseDamaged: they are not as the list of the release says.
        """
        sums = load_checksums(release_path)
        for what in () if sums is None else examine_store(release_path, sums, self._digests):
            raise StoreDamaged(what)

    def _answer_federated(self, job: Job) -> None:
        from endpoint.federation.relay import RemoteFailed  # noqa: PLC0415 - workers without a link do without it

        assert self._relay is not None
        with self._relay.serve(job) as relayed:
            try:
                self._relay.bind(self._open(job.store))
                self._answer(relayed, check=self._relay.check)
            except QuerySyntaxError as error:
                self._fail(self._relay.locate(_locate(error, relayed.text)))
            except RemoteFailed as error:
                self._fail(error.failure)
            except KgError as error:
                # Of a request that failed, the engine knows no more than that.
                if isinstance(error, StoreDamaged):
                    raise
                self._fail(self._relay.failure or _describe(error, job.store))

    def _answer(self, job: Job, check: Callable[[], None] | None = None) -> None:
        """Write the result of a job; ``check`` may still raise when all of it is made."""
        store = self._open(job.store)
        result = _evaluate(store, job)
        writer = FrameWriter(self._connection, job.media_type)
        # The writer is a file as far as the engine uses one.
        output = cast("IO[bytes]", writer)
        rdf_format = ox.RdfFormat.from_media_type(job.media_type)
        if isinstance(result, ox.QueryTriples) and rdf_format is not None:
            self._write_triples(result, output, rdf_format)
        else:
            write_result(result, output, media_type=job.media_type)
        if check is not None:
            check()
        writer.finish()

    def _write_triples(self, triples: Iterable[ox.Triple], output: IO[bytes], rdf_format: ox.RdfFormat) -> None:
        """Write triples; few are sorted and get only the prefixes that they use, many go out as they come."""
        if self._prefixes is None:
            self._prefixes = load_prefixes(self._prefixes_path)
        triples = iter(triples)
        try:
            first = list(islice(triples, _SMALL + 1))
            if len(first) <= _SMALL:
                first.sort(key=_triple_order)
                ox.serialize(first, output, format=rdf_format, prefixes=_used_prefixes(first, self._prefixes))
            else:
                ox.serialize(chain(first, triples), output, format=rdf_format, prefixes=self._prefixes)
        except (OSError, RuntimeError, ValueError) as error:
            if isinstance(error, (BrokenPipeError, ConnectionError)):
                raise
            if is_damage(error):
                raise translate_error(error) from error
            raise RdfError(f"the result cannot be written: {error}") from error


def _find_results_format(media_type: str) -> ox.QueryResultsFormat:
    found = ox.QueryResultsFormat.from_media_type(media_type)
    assert found is not None, media_type
    return found


def _read_truth(result: ox.QuerySolutions | ox.QueryBoolean) -> ox.QuerySolutions | ox.QueryBoolean:
    """The result, and the truth value in place of the table that old Virtuoso servers make of one."""
    if isinstance(result, ox.QuerySolutions) and [each.value for each in result.variables] == [_TRUTH]:
        # One row with 1 for true, none for false.
        truth = b"true" if any(getattr(row[0], "value", "") in ("1", "true") for row in result) else b"false"
        return ox.parse_query_results(truth, format=ox.QueryResultsFormat.TSV)
    return result


def _evaluate(store: ox.Store, job: Job) -> QueryResult:
    has_dataset = bool(job.default_graphs or job.named_graphs)
    try:
        return store.query(
            job.text,
            default_graph=[ox.NamedNode(each) for each in job.default_graphs] if has_dataset else None,
            named_graphs=[ox.NamedNode(each) for each in job.named_graphs] if has_dataset else None,
            substitutions={ox.Variable(name): _make_term(term) for name, term in job.bindings.items()},
        )
    except SyntaxError as error:
        raise QuerySyntaxError(error.msg or str(error)) from error
    except (OSError, RuntimeError, ValueError) as error:
        raise translate_error(error) from error


def _hide(error: KgError, store: str) -> str:
    """What an error says, without where on this machine the store is."""
    release_path = str(Path(store).parent)
    return str(error).replace(f"{store}: ", "").replace(f"{release_path}/", "")


def _describe(error: KgError, store: str) -> Failure:
    """The failure that an error is; of a release that was removed since it was found, that."""
    if not Path(store).is_dir():
        message = "The release was removed before it could be asked. Ask for the current one."
        return Failure(code=ReleasePruned.code, message=message)
    return Failure(code=error.code, message=_hide(error, store))


def _locate(error: QuerySyntaxError, text: str) -> Failure:
    """The failure of a syntax error, its position taken out of the engine's message ("error at 1:25: expected ...")."""
    found = _POSITION.fullmatch(str(error))
    if not found:
        return Failure(code=error.code, message=str(error))
    line, column, message = int(found[1]), int(found[2]), found[3]
    lines = text.split("\n")
    near = lines[line - 1][column - 1 :][:_NEAR].strip() if line <= len(lines) else ""
    return Failure(code=error.code, message=message, line=line, column=column, near=near)


def _make_term(term: Binding) -> ox.NamedNode | ox.Literal:
    kind, value, extra = term
    if kind == "iri":
        return ox.NamedNode(value)
    if kind == "typed":
        return ox.Literal(value, datatype=ox.NamedNode(extra))
    return ox.Literal(value, language=extra or None)


_TYPE: Final = ox.NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#type")


def _triple_order(triple: ox.Triple) -> tuple[str, bool, str, str]:
    return (str(triple.subject), triple.predicate != _TYPE, str(triple.predicate), str(triple.object))


def _used_prefixes(triples: list[ox.Triple], prefixes: dict[str, str]) -> dict[str, str]:
    """Those of the prefixes whose namespace some IRI of the triples begins with."""
    iris = set()
    for triple in triples:
        for term in triple:
            if isinstance(term, ox.NamedNode):
                iris.add(term.value)
            elif isinstance(term, ox.Literal):
                iris.add(term.datatype.value)
    # The namespace of an IRI ends at its last # or /; XSD and RDF types of plain literals are not written out.
    namespaces = {iri[: max(iri.rfind("#"), iri.rfind("/")) + 1] for iri in iris}
    return {prefix: namespace for prefix, namespace in prefixes.items() if namespace in namespaces}


def _withdraw(link: socket.socket | None) -> tuple[Fence, Relay | None]:
    """The fences that are up from now on, and the relay that alone is reached through them, where there is a link."""
    fences = leave_network()
    if link is None:
        return fences | close_network(), None
    from endpoint.federation.relay import Relay, listen  # noqa: PLC0415 - as above

    listener = listen(has_own_loopback=bool(fences))
    # Threads of the relay come after the fences, which hold for them, too.
    return fences | close_network(relay_port=listener.getsockname()[1]), Relay(link, listener)


def main(arguments: list[str]) -> None:
    """Run a worker: ``MEMORY_BYTES PREFIXES_PATH DESCRIPTOR [DESCRIPTOR_OF_THE_GATEWAY]``."""
    memory_bytes, prefixes_path, *descriptors = arguments
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if hasattr(os, "SCHED_BATCH"):
        # A worker that wakes up does not push the server off its processor: 8 % more look-ups.
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    connection, *links = (socket.socket(fileno=int(each)) for each in descriptors)
    link = links[0] if links else None
    worker = _Worker(connection, link, memory_bytes=int(memory_bytes), prefixes_path=Path(prefixes_path))
    threading.Thread(target=end_with_server, args=(connection,), daemon=True).start()
    # The engine recurses: a deep stack is only address space until it is used.
    threading.stack_size(_STACK_BYTES)
    serving = threading.Thread(target=_serve, args=(worker,))
    serving.start()
    serving.join()


def _serve(worker: _Worker) -> None:
    try:
        worker.serve()
    except (BrokenPipeError, ConnectionError):
        os._exit(0)  # the server is gone, and nobody is left to tell


if __name__ == "__main__":
    main(sys.argv[1:])
