"""Queries as an engine of other people needs them: values bound, and the default graph found where it was published.

All is done token by token: what is put into a text is a term in its SPARQL form, and it goes where a term stands or a
pattern begins or ends, so nothing that a term holds can become syntax.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Final, Literal
from urllib.parse import quote

from endpoint.http.problems import Problem
from endpoint.reader.iris import is_absolute
from endpoint.reader.parser import read
from endpoint.reader.reading import Reading, Token
from endpoint.reader.terminals import Kind
from endpoint.sparql.frames import Binding

__all__ = ["Query", "bind_values", "write_term"]

_FORMS: Final = frozenset(["SELECT", "ASK", "CONSTRUCT", "DESCRIBE"])
_CLAUSES: Final = frozenset(["WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "FROM", *_FORMS])
_DESCRIBED: Final = "?described"
# What relative IRIs would be resolved by; stored queries and those of the reader have none.
_NO_BASE: Final = "urn:x-chap:none"
_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def write_term(binding: Binding) -> str:
    r"""A value in SPARQL.

    >>> write_term(("literal", 'a "b"', "de"))
    '"a \\"b\\""@de'
    """
    kind, value, extra = binding
    if kind == "iri":
        # What is no IRI names nothing; the engine would take it for an error.
        return f"<{value}>" if is_absolute(value) else f"<urn:x-chap:no-iri:{quote(value, safe='')}>"
    text = '"' + "".join(_ESCAPES.get(each, each) for each in value) + '"'
    if kind == "typed":
        return f"{text}^^{write_term(('iri', extra, ''))}"
    return f"{text}@{extra}" if extra else text


@dataclass
class _Scope:
    """The clauses of a query or subquery: its form, what it selects and groups by, and where its pattern is."""

    outer: _Group | None
    form: Token | None = None
    clause: str = ""
    depth: int = 0
    selected: list[Token] = field(default_factory=list)
    grouped: list[Token] = field(default_factory=list)
    has_expressions: bool = False
    root: _Group | None = None


@dataclass
class _Group:
    """A pair of braces and what it is; ``graph`` is the variable after GRAPH, where it is a pattern in any graph."""

    start: int
    outer: _Group | None
    scope: _Scope
    kind: Literal["pattern", "subquery", "template", "data"] = "pattern"
    graph: str | None = None
    end: int = -1


class _Reader:
    """The groups of a query, its clauses, and where its variables stand."""

    def __init__(self, reading: Reading) -> None:
        self.groups: list[_Group] = []
        self.scopes = [_Scope(None)]
        self.names_dataset = False
        self.limit: int | None = None
        # Where a variable may be replaced by its value; where BOUND asks for one; data blocks without data.
        self.variables: list[Token] = []
        self.bound: list[Token] = []
        self.undefined: list[tuple[str, int, int]] = []
        self._open: _Group | None = None
        # The two tokens before, which decide what a brace or a variable is.
        self._before: tuple[Token, Token] = (_NO_TOKEN, _NO_TOKEN)
        self._data: list[Token] = []
        for token in reading.tokens:
            self._take(token)
            self._before = (self._before[1], token)

    @property
    def _scope(self) -> _Scope:
        """The clauses that the reader is in; those of the outermost query are the first."""
        return self.scopes[0] if self._open is None else self._open.scope

    @property
    def _is_in_clause(self) -> bool:
        return self._open is None or self._open.kind == "subquery"

    def _take(self, token: Token) -> None:
        if self._data:
            self._data.append(token)
        match token.kind:
            case Kind.OPEN:
                self._take_open(token)
            case Kind.CLOSE:
                self._take_close(token)
            case Kind.WORD:
                self._take_word(token, token.text.upper())
            case Kind.VARIABLE if not self._data and not self._follows("AS"):
                self._take_variable(token)
            case Kind.NUMBER if self._open is None and self._follows("LIMIT"):
                self.limit = int(token.text)

    def _take_open(self, token: Token) -> None:
        if token.text != "{":
            self._scope.depth += self._is_in_clause
            return
        group = _Group(token.position, self._open, self._scope)
        if self._data:
            group.kind = "data"
        elif self._follows("CONSTRUCT"):
            group.kind = "template"
        else:
            if self._is_in_clause and not self._follows("EXISTS"):
                self._scope.root = group
            if self._before[1].kind is Kind.VARIABLE and self._before[0].text.upper() == "GRAPH":
                group.graph = self._before[1].text
        self._open = group
        self.groups.append(group)

    def _take_close(self, token: Token) -> None:
        if token.text != "}":
            self._scope.depth -= self._is_in_clause
            return
        if self._open is None:
            return
        self._open.end = token.position
        if self._open.kind == "data":
            if len(self._data) == 5 and self._data[3].text.upper() == "UNDEF":
                self.undefined.append((self._data[1].text[1:], self._data[0].position, token.position + 1))
            self._data.clear()
        self._open = self._open.outer

    def _take_word(self, token: Token, word: str) -> None:
        if word == "VALUES":
            self._data = [token]
        elif word == "SELECT" and self._follows("{") and self._open is not None:
            self._open.kind = "subquery"
            self._open.scope = _Scope(self._open, form=token, clause=word)
            self.scopes.append(self._open.scope)
        elif self._is_in_clause and self._scope.depth == 0 and word in _CLAUSES:
            self._scope.clause = word
            self.names_dataset |= word == "FROM"
            if word in _FORMS:
                self._scope.form = token

    def _take_variable(self, token: Token) -> None:
        scope = self._scope
        if self._follows("(") and self._before[0].text.upper() == "BOUND":
            self.bound += [self._before[0], token]
        elif not self._is_in_clause or scope.depth:
            self.variables.append(token)
            scope.has_expressions |= self._is_in_clause and scope.clause == "SELECT"
        elif scope.clause in _FORMS:
            scope.selected.append(token)
        elif scope.clause == "GROUP":
            scope.grouped.append(token)

    def _follows(self, text: str) -> bool:
        return self._before[1].text.upper() == text


_NO_TOKEN: Final = Token(Kind.SEPARATOR, "", -1, -1)


class Query:
    """A query that the guard let pass, to be written anew for another engine."""

    def __init__(self, text: str) -> None:
        reading = read(text, "QueryUnit", base=_NO_BASE)
        self._tokens = reading.tokens
        self._text = reading.text
        self._read = _Reader(reading)

    @property
    def text(self) -> str:
        """The query."""
        return self._text

    @property
    def iris(self) -> Iterator[str]:
        """The IRIs in it, in turn."""
        return (each.text[1:-1] for each in self._tokens if each.kind is Kind.IRI)

    @property
    def form(self) -> str:
        """SELECT, ASK, CONSTRUCT or DESCRIBE; empty where the text is no query."""
        form = self._read.scopes[0].form
        return form.text.upper() if form is not None else ""

    @property
    def names_dataset(self) -> bool:
        """Whether it says itself what it asks (FROM)."""
        return self._read.names_dataset

    @property
    def limit(self) -> int | None:
        """How many solutions it asks for at most."""
        return self._read.limit

    def place_default_graph(self, iri: str, *, namespace: str, hidden: Sequence[str]) -> Query:
        """The query for an engine that holds the default graph under a name.

        A pattern in any graph sees only those of the namespace, and none of the hidden ones: the engine may hold more.

        >>> Query("ASK { GRAPH ?g { ?s ?p ?o } }").place_default_graph("a:d", namespace="a:", hidden=["a:d"]).text
        'ASK { GRAPH <a:d> { GRAPH ?g { ?s ?p ?o } FILTER ( REGEX( STR( ?g ) , "^a:" ) && ?g NOT IN ( <a:d> ) ) } }'
        """
        # With STRSTARTS and != in their places Virtuoso 7.2.5 leaves out rows, by a plan that it chances on.
        start = write_term(("literal", "^" + re.sub(r"[.+*?()$]", r"[\g<0>]", namespace), ""))
        shut = ", ".join(write_term(("iri", graph, "")) for graph in hidden)
        pieces = []
        for each in self._read.groups:
            if each.graph is not None:
                condition = f" FILTER(REGEX(STR({each.graph}), {start}) && {each.graph} NOT IN ({shut}))"
                pieces.append((each.end + 1, each.end + 1, condition))
            if each.outer is None and each.kind == "pattern":
                pieces.append((each.start + 1, each.start + 1, f" GRAPH {write_term(('iri', iri, ''))} {{"))
                pieces.append((each.end, each.end, "} "))
        root = self._read.scopes[0].root
        if root is not None and self.form == "CONSTRUCT" and self._read.groups[0] is root:
            # CONSTRUCT WHERE { ... }: the pattern is the template, and takes no GRAPH.
            pieces.append((self._after_form, self._after_form, f" {self._text[root.start : root.end + 1]}"))
        return Query(_change(self._text, pieces))

    def count_solutions(self) -> Query:
        """A SELECT with a short row for each solution of a CONSTRUCT.

        >>> Query("CONSTRUCT { ?s ?p 1 } WHERE { ?s ?p ?o } LIMIT 9").count_solutions().text
        'SELECT ( 1 AS ?solution ) WHERE { ?s ?p ?o } LIMIT 9'
        """
        first = self._read.groups[0]
        start = first.end + 1 if first.kind == "template" else self._after_form
        return Query(f"{self._text[: self._after_form - len(self.form)]}SELECT (1 AS ?solution){self._text[start:]}")

    def describe_as_construct(self) -> Query:
        """The query, a DESCRIBE as the CONSTRUCT of all that has a described thing as its subject.

        What a description is, each engine decides for itself (SPARQL 1.1, section 16.4); this is what ours does.

        Raises:
            Problem: all variables are to be described, and nobody but the engine knows which they are.

        >>> Query("DESCRIBE <a:b>").describe_as_construct().form
        'CONSTRUCT'
        """
        if self.form != "DESCRIBE":
            return self
        tokens = [each for each in self._tokens if each.position >= self._after_form]
        things = list(takewhile(lambda each: each.kind in (Kind.VARIABLE, Kind.IRI), tokens))
        if not things:
            raise Problem(
                "describe-all", 400, "DESCRIBE * is not answered by the engine behind this server; name variables."
            )
        # A line ends before what comes after it: it may be a comment.
        root, rest = self._read.scopes[0].root, ""
        if len(things) < len(tokens):
            # Which graphs to ask (FROM), and where there is no pattern, nothing else that matters.
            rest = self._text[tokens[len(things)].position : root.start if root else None] + "\n"
        fixed = [each.text for each in things if each.kind is not Kind.VARIABLE]
        branches = {_DESCRIBED: ["VALUES", _DESCRIBED, "{", *fixed, "}"]} if fixed else {}
        if root is not None:
            pattern, after = self._text[root.start : root.end + 1], self._text[root.end + 1 :] + "\n"
            variables = [each.text for each in things if each.kind is Kind.VARIABLE]
            branches |= {each: ["{", "SELECT", each, pattern, after, "}"] for each in variables}
        # A branch binds one of the subjects, and the template leaves out what is not bound.
        statements = {each: f"{each} {_DESCRIBED}_property {_DESCRIBED}_value" for each in branches}
        template = " . ".join(statements.values())
        # A release has no blank nodes, so the filter takes nothing away; but Virtuoso then begins with the subject.
        filtered = {each: f"{statement} FILTER(ISIRI({each}))" for each, statement in statements.items()}
        where = " UNION ".join(" ".join(["{", *parts, filtered[each], "}"]) for each, parts in branches.items())
        start = self._text[: self._after_form - len(self.form)]
        return Query(" ".join([start + "CONSTRUCT", "{", template, "}", rest, "{", where, "}"]))

    @property
    def _after_form(self) -> int:
        form = self._read.scopes[0].form
        return form.position + len(form.text) if form is not None else 0


def bind_values(text: str, bindings: Mapping[str, Binding]) -> str:
    """The query with variables bound: their values stand in their places.

    Not VALUES: a group is evaluated for itself before it is joined with what is around it (SPARQL 1.1, section 18.2),
    so each would need its own; and Virtuoso joins a variable that a branch of UNION leaves unbound with nothing.

    >>> bind_values("SELECT ?s ?p { ?s ?p ?o }", {"s": ("iri", "a:b", "")})
    'SELECT (<a:b> AS ?s) ?p { <a:b> ?p ?o }'
    """
    reading = read(text, "QueryUnit", base=_NO_BASE)
    found = _Reader(reading)
    terms = {name: write_term(value) for name, value in bindings.items()}
    changes = [_replace(each, terms[each.text[1:]]) for each in found.variables if each.text[1:] in terms]
    for name, start, end in found.undefined:
        if name in terms:
            changes.append((start, end, ""))
    for function, variable in zip(found.bound[::2], found.bound[1::2], strict=True):
        if variable.text[1:] in terms:
            changes += [_replace(function, ""), _replace(variable, "true")]
    for scope in found.scopes:
        grouped = {each.text[1:] for each in scope.grouped} & terms.keys()
        if scope.root is not None and grouped:
            # Without its GROUP BY, an aggregate over nothing would be a row.
            values = "".join(f" VALUES ?{name} {{ {terms[name]} }}" for name in sorted(grouped))
            changes.append((scope.root.start + 1, scope.root.start + 1, values))
        selected = [each for each in scope.selected if each.text[1:] in terms]
        for each in selected:
            name = each.text[1:]
            if scope.outer is not None:
                changes.append(_replace(each, ""))
            elif name not in grouped:
                changes.append(_replace(each, f"({terms[name]} AS ?{name})"))
        if scope.outer is not None and selected and len(selected) == len(scope.selected) and not scope.has_expressions:
            changes.append((selected[0].position, selected[0].position, "(1 AS ?selected_nothing)"))
    return _change(reading.text, changes)


def _replace(token: Token, piece: str) -> tuple[int, int, str]:
    return (token.position, token.position + len(token.text), piece)


def _change(text: str, changes: Sequence[tuple[int, int, str]]) -> str:
    """The text with spans replaced; an empty span is a place to put something in."""
    parts, done = [], 0
    for start, end, piece in sorted(changes):
        parts += [text[done:start], piece]
        done = end
    return "".join([*parts, text[done:]])
