"""Frames survive any cutting of the bytes between them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from endpoint.sparql.frames import Failure, FrameDecoder, FrameKind, Job, encode_frame

BODIES = st.lists(st.tuples(st.sampled_from(FrameKind), st.binary(max_size=300)), max_size=8)


@given(BODIES, st.integers(1, 64))
def test_frames_come_out_as_they_went_in(frames: list[tuple[FrameKind, bytes]], step: int) -> None:
    data = b"".join(encode_frame(kind, body) for kind, body in frames)
    decoder = FrameDecoder()
    found = [
        (frame.kind, frame.body) for at in range(0, len(data), step) for frame in decoder.feed(data[at : at + step])
    ]
    assert found == frames


def test_job_and_failure_survive_the_way() -> None:
    job = Job(
        store="/x", text="ASK {}", media_type="text/csv", named_graphs=("urn:g",), bindings={"a": ("iri", "urn:a", "")}
    )
    assert Job.decode(job.encode()) == job
    failure = Failure(code="query-syntax", message="expected }", line=1, column=2, near="x")
    assert Failure.decode(failure.encode()) == failure
