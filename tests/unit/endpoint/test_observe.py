"""What reaches a log: one line a record, whatever comes from outside."""

from __future__ import annotations

import json
import logging

from endpoint.operations.observe import LogFormatter, QueryLog

ODD = "a\nb\r\x1b[31m\x7f\x85\u2028\u2029\u202e\ud800\x00z"


def make_record(message: str, *arguments: object, exception: BaseException | None = None) -> logging.LogRecord:
    info = (type(exception), exception, None) if exception else None
    return logging.LogRecord("x", logging.ERROR, "x.py", 1, message, arguments, info)


def test_record_is_one_line_of_printable_text() -> None:
    record = make_record("request failed: %s", ODD)
    line = LogFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s").format(record)
    assert line.isprintable()
    assert len(line.splitlines()) == 1
    assert json.loads('"' + line.partition("failed: ")[2] + '"') == ODD


def test_lines_of_a_traceback_are_indented() -> None:
    record = make_record("failed", exception=ValueError(f"x\n2026-11-30 INFO x: forged {ODD}"))
    first, *rest = LogFormatter("%(message)s").format(record).split("\n")
    assert first == "failed"
    assert any("forged" in line for line in rest)
    assert all(line.startswith("    ") and line.isprintable() for line in rest)


def test_line_about_a_query_stays_json() -> None:
    seen: list[str] = []

    class Collecting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(LogFormatter("%(message)s").format(record))

    log, handler = logging.getLogger("chap.queries"), Collecting()
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        QueryLog(is_full=True, slow_s=0.1, shows_text=True).note(ODD.replace("\ud800", ""), "ok", 1.0, 0)
    finally:
        log.removeHandler(handler)
        log.setLevel(logging.NOTSET)
    (line,) = seen
    assert line.isprintable()
    assert json.loads(line)["text"] == ODD.replace("\ud800", "")
