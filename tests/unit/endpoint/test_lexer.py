"""The tokens of SPARQL: what is a keyword, and what only looks like one."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpoint.sparql.lexer import Kind, find_shape, iter_tokens


def kinds(text: str) -> list[tuple[Kind, str]]:
    return [(token.kind, token.text) for token in iter_tokens(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<http://e/#a>", [(Kind.IRI, "<http://e/#a>")]),
        ("<\\u0068ttp://e/>", [(Kind.IRI, "<\\u0068ttp://e/>")]),
        ("?a<?b", [(Kind.VARIABLE, "?a"), (Kind.OPERATOR, "<"), (Kind.VARIABLE, "?b")]),
        ("?a <= 1", [(Kind.VARIABLE, "?a"), (Kind.OPERATOR, "<="), (Kind.NUMBER, "1")]),
        ("'it\\'s'", [(Kind.STRING, "'it\\'s'")]),
        ('"""a "quoted" word"""', [(Kind.STRING, '"""a "quoted" word"""')]),
        ("'''a\n# b'''", [(Kind.STRING, "'''a\n# b'''")]),
        ('""', [(Kind.STRING, '""')]),
        ("e:a\\#b", [(Kind.NAME, "e:a\\#b")]),
        ("e:a.b.", [(Kind.NAME, "e:a.b"), (Kind.SEPARATOR, ".")]),
        ("e:%41:b", [(Kind.NAME, "e:%41:b")]),
        (":", [(Kind.NAME, ":")]),
        ("_:b1", [(Kind.NAME, "_:b1")]),
        ("a.b:c", [(Kind.NAME, "a.b:c")]),
        ("SERVICE#x\n?e", [(Kind.WORD, "SERVICE"), (Kind.VARIABLE, "?e")]),
        ("'a'@de-AT", [(Kind.STRING, "'a'"), (Kind.LANGUAGE, "@de-AT")]),
        ("'1'^^e:int", [(Kind.STRING, "'1'"), (Kind.OPERATOR, "^^"), (Kind.NAME, "e:int")]),
        ("1.5e-3", [(Kind.NUMBER, "1.5e-3")]),
        ("e:p+", [(Kind.NAME, "e:p"), (Kind.OPERATOR, "+")]),
        ("<< ?s", [(Kind.OPEN, "<<"), (Kind.VARIABLE, "?s")]),
        ("e:größe", [(Kind.NAME, "e:größe")]),
        ("\\u0053ERVICE", [(Kind.OTHER, "\\"), (Kind.WORD, "u0053ERVICE")]),
        ("'open", [(Kind.OTHER, "'open")]),
    ],
)
def test_text_has_tokens(text: str, expected: list[tuple[Kind, str]]) -> None:
    assert kinds(text) == expected


@given(st.text(alphabet="ab<>?:'\"\\#{}() \n.&", max_size=40))
def test_tokens_and_what_lies_between_make_the_text(text: str) -> None:
    end = 0
    for token in iter_tokens(text):
        between = text[end : token.position]
        # Between tokens there is white space, or a comment up to the end of its line.
        assert not between.strip() or "#" in between
        assert text[token.position : token.position + len(token.text)] == token.text
        end = token.position + len(token.text)
    assert not text[end:].strip() or "#" in text[end:]


@given(st.text(max_size=200))
def test_any_text_is_read_in_one_pass(text: str) -> None:
    assert sum(len(token.text) for token in iter_tokens(text)) <= len(text)


@pytest.mark.parametrize(
    "piece",
    [
        "a.",
        "a..",
        "_.",
        "a:.",
        '"\\',
        "'\\",
        '"""\\',
        "'''\\",
        '"""a"',
        "\"'",
        '"\n',
        "<a ",
        "<\\u00",
        "a:%4",
        "1.",
        "@a-",
        "?a.",
        "a-",
    ],
)
def test_work_is_bounded_by_length(piece: str) -> None:
    # A scan that starts anew at each character would take minutes here.
    started = time.process_time()
    assert sum(1 for _ in iter_tokens(piece * 50_000)) > 0
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("?s a true.SERVICE <e:e> {}", ["?s", "a", "true", ".", "SERVICE", "<e:e>", "{", "}"]),
        ("true.x.y:z", ["true.x.y:z"]),
        ("a.b.5.c", ["a", ".", "b", ".5", ".", "c"]),
        ('""""a" ""', ['""""a" ""']),
        ('"" "a"', ['""', '"a"']),
    ],
)
def test_words_between_full_stops_are_words(text: str, expected: list[str]) -> None:
    assert [token.text for token in iter_tokens(text)] == expected


PIECES = [
    *("SERVICE", "RAND", "ASK", " ", "\n", "{", "}", "(", "<", ">", "<<", "<a:b>", "<SERVICE>", "'", '"', "'x'", '"y"'),
    *("\\'", "#", "# c", "ex:a", ":", "?v", "=", "1.5", "@de", '"""', "'' ", "\\", "\x00", "."),
]


def told_apart(text: str) -> list[tuple[Kind, str]]:
    return [(each.kind, each.text) for each in iter_tokens(text) if each.kind not in (Kind.IRI, Kind.STRING)]


@given(st.lists(st.sampled_from(PIECES), max_size=12), st.lists(st.sampled_from(PIECES), max_size=4))
def test_texts_of_one_shape_have_the_same_tokens_but_for_iris_and_strings(before: list[str], inside: list[str]) -> None:
    content = "".join(inside)
    for quoted in (f"<{content}>", f"'{content}'", f'"{content}"'):
        text, other = "".join(before) + quoted, "".join(before) + "<urn:x>"
        shape = find_shape(text)
        if shape is not None and shape == find_shape(other):
            assert told_apart(text) == told_apart(other)


def test_shape_forgets_what_iris_strings_and_comments_say() -> None:
    first = find_shape("ASK { <urn:a> ?p 'b' } # LOAD")
    assert first is not None
    assert first == find_shape("ASK { <urn:SERVICE> ?p 'c' } # c")
    assert first != find_shape("ASK { <urn:a> ?q 'b' } # LOAD")
