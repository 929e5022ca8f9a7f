r"""A text that a stranger wrote, read by the grammar, and the text of ours that the engine gets in its place.

The engine reads without a boundary after keywords and takes ``<`` after an operand for less-than; what it makes of a
text is not always what its tokens say. So it never gets the text: it gets the tokens written again, names expanded,
IRIs absolute, one space between two, which can be read in one way only (decision 0034).

No text is too deep: what is still to come stands on a stack of its own. The time is proportional to the length.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final, Literal, TypeAlias

from endpoint.reader.grammar import END, load_grammar
from endpoint.reader.iris import IriRefused, resolve, unescape
from endpoint.reader.reading import Node, Reading, Token, TooDeep, Unreadable, locate
from endpoint.reader.terminals import ECHAR, RUN, SKIPPED, TOKEN, TOKEN_IN_RUN, Kind, find_datatype, find_kind

__all__ = ["Unit", "read"]

Unit: TypeAlias = Literal["QueryUnit", "UpdateUnit"]

_CLOSED: Final = "closed"
_NEAR: Final = 24
_MOST_EXPECTED: Final = 8
# How many characters the IRIs of a text may have, written out.
_ROOM: Final = 100_000
_ROOM_PER_CHARACTER: Final = 20
_LOCAL_ESCAPES: Final = str.maketrans("", "", "\\")
# What is told apart from what stands around it; all other rules are only ways to write.
_KEPT: Final = frozenset(
    [
        "SubSelect",
        "SelectClause",
        "SelectItem",
        "ConstructTemplate",
        "ConstructPattern",
        "DatasetClause",
        "GroupClause",
        "GroupGraphPattern",
        "GroupOrUnionGraphPattern",
        "OptionalGraphPattern",
        "LateralGraphPattern",
        "MinusGraphPattern",
        "GraphGraphPattern",
        "ServiceGraphPattern",
        "Filter",
        "Bind",
        "InlineData",
        "TriplesSameSubjectPath",
        "TriplesSameSubject",
        "Exists",
        "Load",
        "Clear",
        "Drop",
        "Create",
        "Add",
        "Move",
        "Copy",
        "Insert",
        "Delete",
        "With",
        "UsingClause",
        "GraphRefAll",
        "GraphRef",
        "GraphOrDefault",
        "QuadData",
        "DeletePattern",
        "DeleteTemplate",
        "InsertTemplate",
        "QuadsNotTriples",
    ]
)
_NAMES: Final = {
    "IRIREF": "an IRI",
    "NAME": "a prefixed name",
    "VAR": "a variable",
    "STRING": "a string",
    "INTEGER": "a whole number",
    "NUMBER": "a number",
    "SIGNED": "a number",
    "LANGUAGE": "a language tag",
    "BLANK": "a blank node",
    "ANON": "[]",
    "NIL": "()",
    "FUNCTION": "a function",
    "AGGREGATE": "an aggregate",
    "COMPARISON": "a comparison",
    END: END,
}


def read(text: str, unit: Unit, *, base: str, depth: int | None = None) -> Reading:
    """What a text says.

    Args:
        text: what a client sent.
        unit: whether it is to be a query or an update.
        base: an absolute IRI for the relative ones, until the text has a BASE of its own.
        depth: how many brackets may stand inside each other, where that has a limit.

    Raises:
        Unreadable: it is none, uses a prefix that it does not declare, or holds what is no IRI.
        TooDeep: it has more brackets inside each other than there may be.
    """
    return _Reader(text, unit, base, len(text) if depth is None else depth).read()


class _Reader:
    """Reads one text, from its beginning to its end."""

    def __init__(self, text: str, unit: Unit, base: str, depth: int) -> None:
        grammar = load_grammar()
        self._table = grammar.table
        self._keywords = grammar.keywords
        self._operators = {each: name for name, members in grammar.classes.items() for each in members}
        self._text = text
        self._base = base
        self._prefixes: dict[str, str] = {}
        # The declaration that is being read: its keyword, and the prefix.
        self._declaring: list[str] = []
        self._stack = [END, unit]
        self._tokens: list[Token] = []
        self._contents: list[int] = []
        self._bases: dict[int, str] = {}
        self._size = 0
        self._depth = 0
        self._room = _ROOM + _ROOM_PER_CHARACTER * len(text)
        self._most_depth = depth
        root = Node(unit, 0)
        self._nodes = [root]

    def read(self) -> Reading:
        text, end = self._text, len(self._text)
        at = SKIPPED.match(text, 1 if text.startswith("\ufeff") else 0).end()  # type: ignore[union-attr]
        run_end = 0
        while at < end:
            found = (TOKEN if at >= run_end else TOKEN_IN_RUN).match(text, at)
            if found is None:
                raise self._explain_character(at)
            group = found.lastgroup or ""
            if group == "WORD" and at >= run_end:
                run_end = RUN.match(text, at).end()  # type: ignore[union-attr]
            written = found.group()
            symbol = self._find_symbol(group, written, at)
            if written[0] == "<" and symbol != "<" and not self._fits(symbol):
                # After an operand it compares; the engine sees that, too, where the longest token would be another.
                group, written = "OTHER", "<=" if text.startswith("<=", at) else "<"
                symbol = self._operators.get(written, written)
            if group in ("IRIREF", "STRING"):
                self._contents.append(at)
            rule = self._advance(symbol, at)
            if self._declaring or symbol in ("BASE", "PREFIX", "VERSION"):
                self._declare(group, written, at)
            else:
                self._take(group, written, at, rule)
            at = SKIPPED.match(text, at + len(written)).end()  # type: ignore[union-attr]
        self._advance(END, end)
        root = self._nodes[0]
        root.end = len(self._tokens)
        reading = Reading(text, self._tokens, root, self._prefixes, self._contents, self._bases)
        if self._bases:
            ahead = len(reading.write_prologue(0, root.end))
            self._tokens[:] = [each._replace(position=each.position + ahead) for each in self._tokens]
        return reading

    def _find_symbol(self, group: str, written: str, at: int) -> str:
        """The token of the grammar that some characters are."""
        if group == "WORD":
            word = written if written == "a" else written.upper()
            symbol = self._keywords.get(word)
            if symbol is None:
                raise self._explain_word(written, at)
            return symbol
        return self._operators.get(written, written) if group == "OTHER" else group

    def _advance(self, symbol: str, at: int) -> str:
        """Go on in the grammar over a token; the rule that it was found in."""
        stack, table, nodes = self._stack, self._table, self._nodes
        rule = ""
        while True:
            top = stack.pop()
            if top == symbol:
                return rule
            if top is _CLOSED:
                nodes.pop().end = len(self._tokens)
                continue
            ways = table.get(top)
            way = None if ways is None else ways.get(symbol)
            if way is None:
                stack.append(top)
                raise self._explain_symbol(symbol, at)
            rule = top
            if top in _KEPT:
                node = Node(top, len(self._tokens))
                nodes[-1].children.append(node)
                nodes.append(node)
                stack.append(_CLOSED)
            stack.extend(way)

    def _fits(self, symbol: str) -> bool:
        """Whether a token may come next."""
        table = self._table
        pending: list[str] = []
        at = len(self._stack)
        while True:
            if pending:
                top = pending.pop()
            else:
                at -= 1
                top = self._stack[at]
            if top is _CLOSED:
                continue
            ways = table.get(top)
            if ways is None:
                return top == symbol
            way = ways.get(symbol)
            if way is None:
                return False
            pending.extend(way)

    def _declare(self, group: str, written: str, at: int) -> None:
        """Take a token of the prologue."""
        declaring = self._declaring
        if group == "WORD":
            declaring.append(written.upper())
            return
        if group == "NAME":
            prefix, _, local = written.partition(":")
            if local:
                raise self._fail(f"a declared prefix ends with its colon, and {written} goes on", at)
            declaring.append(prefix)
            return
        match declaring:
            case ["BASE"]:
                self._base = self._resolve(written, at)
            case ["PREFIX", prefix]:
                self._prefixes[prefix] = self._resolve(written, at)
        declaring.clear()

    def _take(self, group: str, written: str, at: int, rule: str) -> None:
        """Keep a token, as the engine is to get it."""
        match group:
            case "IRIREF":
                self._keep(Kind.IRI, f"<{self._resolve(written, at)}>", at)
            case "NAME":
                self._keep(Kind.IRI, f"<{self._expand(written, at)}>", at)
            case "WORD":
                word = written.upper()
                if word in ("IRI", "URI"):
                    self._bases[len(self._tokens)] = self._base
                self._keep(Kind.WORD, written.lower() if word in ("A", "TRUE", "FALSE") else word, at)
            case "VAR":
                self._keep(Kind.VARIABLE, f"?{written[1:]}", at)
            case "STRING":
                self._check_escapes(written, at)
                self._keep(Kind.STRING, written, at)
            case "NIL" | "ANON":
                self._keep(Kind.OPEN, written[0], at)
                self._keep(Kind.CLOSE, written[-1], at + len(written) - 1)
            case "SIGNED" if rule == "NumericLiteral" and written[0] == "+":
                # After a path, the engine would take the sign for a part of it.
                self._keep(Kind.STRING, f'"{written}"', at)
                self._keep(Kind.OPERATOR, "^^", at)
                self._keep(Kind.IRI, f"<{find_datatype(written)}>", at)
            case "SIGNED" if rule != "NumericLiteral":
                # After an operand, the sign adds.
                self._keep(Kind.OPERATOR, written[0], at)
                self._keep(Kind.NUMBER, written[1:], at + 1)
            case _:
                self._keep(find_kind(group, written), written, at)

    def _keep(self, kind: Kind, text: str, at: int) -> None:
        position = self._size + self._needs_gap(kind, text)
        self._tokens.append(Token(kind, text, position, at))
        self._size = position + len(text)
        if kind is Kind.OPEN:
            self._depth += 1
            if self._depth > self._most_depth:
                near = self._text[at : at + _NEAR]
                raise TooDeep(f"more than {self._most_depth} brackets deep", locate(self._text, at), near)
        elif kind is Kind.CLOSE:
            self._depth -= 1

    def _needs_gap(self, kind: Kind, text: str) -> bool:
        if not self._tokens:
            return False
        before = self._tokens[-1].text
        if kind is Kind.LANGUAGE or "^^" in (text, before) or before + text in ("()", "[]"):
            return False
        # The engine takes no space after the names of some functions.
        return text != "(" or self._keywords.get(before) != "FUNCTION"

    def _resolve(self, written: str, at: int) -> str:
        try:
            return self._write_out(resolve(written[1:-1], self._base), at)
        except IriRefused as error:
            raise self._fail(str(error), at) from None

    def _write_out(self, iri: str, at: int) -> str:
        """The IRI, where there is room for one more that long: a short name may stand for it a thousand times."""
        self._room -= len(iri)
        if self._room < 0:
            raise self._fail("the text becomes too long here, with all of its IRIs written out; shorten them", at)
        return iri

    def _expand(self, written: str, at: int) -> str:
        prefix, _, local = written.partition(":")
        namespace = self._prefixes.get(prefix)
        if namespace is None:
            detail = f"the prefix {prefix + ':'!r} is not declared; begin with PREFIX {prefix}: <...>"
            raise self._fail(detail, at)
        try:
            return self._write_out(resolve(namespace + local.translate(_LOCAL_ESCAPES), self._base), at)
        except IriRefused as error:
            raise self._fail(f"{written} stands for what is no IRI: {error}", at) from None

    def _check_escapes(self, written: str, at: int) -> None:
        if "\\" not in written:
            return
        for escape in ECHAR.finditer(written):
            if escape["wrong"] is not None:
                raise self._fail(f"the string has the escape {escape.group()}, which there is not", at)
            try:
                unescape(escape.group())
            except IriRefused as error:
                raise self._fail(f"the string has an escape that is none: {error}", at) from None

    def _explain_character(self, at: int) -> Unreadable:
        character = self._text[at]
        if character in "\"'":
            return self._fail("the string that begins here has no end", at)
        if character == "<":
            return self._fail("the IRI that begins here has no end, or holds what no IRI may hold", at)
        if character == "\\":
            return self._fail("an escape stands here, where only strings and IRIs may have one", at)
        return self._fail(f"{character!r} means nothing here", at)

    def _explain_word(self, word: str, at: int) -> Unreadable:
        near = get_close_matches(word[:_NEAR].upper(), self._keywords, n=1, cutoff=0.7)
        hint = f"; did you mean {near[0]}?" if near else "; a name needs its prefix and a colon, a variable a ?"
        return self._fail(f"{word[:_NEAR]} is no word of SPARQL{hint}", at)

    def _explain_symbol(self, symbol: str, at: int) -> Unreadable:
        if symbol == "<" and self._fits("IRIREF"):
            return self._explain_character(at)
        expected = sorted({_NAMES.get(each, each) for each in self._find_expected()}, key=str.casefold)
        if len(expected) > _MOST_EXPECTED:
            expected = [*expected[: _MOST_EXPECTED - 1], "..."]
        found = "the text ends" if symbol == END else f"{_NAMES.get(symbol, symbol)} stands"
        return self._fail(f"{found} where one of these is expected: {', '.join(expected)}", at)

    def _find_expected(self) -> set[str]:
        tokens = {each for ways in self._table.values() for each in ways}
        return {each for each in tokens if self._fits(each)}

    def _fail(self, message: str, at: int) -> Unreadable:
        near = self._text[at : at + _NEAR].split("\n")[0].strip()
        return Unreadable(message, locate(self._text, at), near, has_begun=bool(self._tokens))
