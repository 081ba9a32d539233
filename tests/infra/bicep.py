"""Deploys Bicep templates to nowhere: evaluates them as the compiler and Azure would, as far as ours go.

There is no compiler of Bicep in the registries that the set-up may use. So the text is parsed with the grammar that
editors use (tree-sitter-bicep), and this evaluates what the templates of this project need. What Azure makes up at
deployment, such as the client id of an identity, is derived from the resource's id.
"""

import ipaddress
import json
import operator as operators
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import tree_sitter
import tree_sitter_bicep
from tree_sitter import Node

SUBSCRIPTION = "99999999-0000-4000-8000-000000000000"

_PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_bicep.language()))
_KINDS: dict[str, type | tuple[type, ...]] = {"string": str, "int": int, "bool": bool, "object": dict, "array": list}
_LOOSE = ("ternary_expression", "lambda_expression")


class BicepError(Exception):
    """What a compiler or a deployment would refuse."""


@dataclass(frozen=True)
class Deployed:
    """A resource as it would be sent to Azure Resource Manager."""

    type: str
    version: str
    name: str
    id: str
    body: dict[str, Any]

    @property
    def properties(self) -> dict[str, Any]:
        found: dict[str, Any] = self.body.get("properties", {})
        return found


@dataclass(frozen=True)
class _Resource:
    """A resource as other expressions see it."""

    id: str
    name: str
    type: str
    body: Mapping[str, Any]

    def member(self, name: str) -> Any:
        if name in ("id", "name", "type"):
            return getattr(self, name)
        if name == "properties":
            return _Properties(self)
        return self.body[name]


@dataclass(frozen=True)
class _Properties:
    resource: _Resource

    def member(self, name: str) -> Any:
        given = self.resource.body.get("properties", {})
        if name in given:
            return given[name]
        if name in ("clientId", "principalId"):
            return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.resource.id}#{name}"))
        if name == "primaryEndpoints":
            return {"blob": f"https://{self.resource.name}.blob.core.windows.net/"}
        return f"<{name} of {self.resource.name}>"


@dataclass(frozen=True)
class _Module:
    outputs: Mapping[str, Any]

    def member(self, name: str) -> Any:
        if name != "outputs":
            raise BicepError(f"a module has no {name}")
        return self.outputs


@dataclass
class Deployment:
    """Everything that a deployment would make, and its outputs."""

    resources: list[Deployed] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)

    def of(self, kind: str) -> list[Deployed]:
        return [each for each in self.resources if each.type == kind]


def deploy(template: Path, parameters: Mapping[str, Any], *, group: str | None = None) -> Deployment:
    """Evaluate a template for the whole subscription, or for a resource group. Raises BicepError."""
    made = Deployment()
    where = f"/subscriptions/{SUBSCRIPTION}" + (f"/resourceGroups/{group}" if group else "")
    made.outputs = dict(_Template(template, parameters, where, made).evaluate())
    return made


def parameters(file: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """Evaluate a .bicepparam file."""
    # The grammar has no files of parameters; each is a variable but for the word.
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("using ")]
    text = "\n".join(f"var {line.removeprefix('param ')}" if line.startswith("param ") else line for line in lines)
    scope = _Scope(None, {"readEnvironmentVariable": environment.get})
    return {name(node): scope.value(_last(node)) for node in parse(text, file).named_children if node.type != "comment"}


def parse(text: str, file: Path) -> Node:
    """Return the syntax tree of a template. Raises BicepError with the line of what is no Bicep."""
    tree = _PARSER.parse(text.encode())
    for node in nodes(tree.root_node):
        if node.type == "ERROR" or node.is_missing:
            raise BicepError(f"{file.name}:{node.start_point.row + 1}: {_text(node)[:60]!r} is no Bicep")
    return tree.root_node


def nodes(node: Node) -> Iterator[Node]:
    """Yield a node and all below it."""
    yield node
    for child in node.children:
        yield from nodes(child)


def name(node: Node) -> str:
    """Return the name that a declaration gives."""
    return next(_text(child) for child in node.named_children if child.type == "identifier")


def declarations(file: Path) -> list[Node]:
    """Return the declarations of a template, without its comments and decorators."""
    found = parse(file.read_text(encoding="utf-8"), file).named_children
    return [node for node in found if node.type.endswith(("_declaration", "_functionality", "_assignment"))]


class _Template:
    def __init__(self, file: Path, given: Mapping[str, Any], scope: str, made: Deployment) -> None:
        self._file, self._made, self._where = file, made, scope
        self._declared = {name(each): each for each in declarations(file) if each.type in _EVALUATED}
        self._outputs = [each for each in declarations(file) if each.type == "output_declaration"]
        accepted = {key for key, each in self._declared.items() if each.type == "parameter_declaration"}
        if unknown := given.keys() - accepted:
            raise BicepError(f"{file.name} has no parameter {', '.join(sorted(unknown))}")
        self._given = given
        self._values = _Scope(self._declared_value, _functions(scope))
        self._done: dict[str, Any] = {}

    def evaluate(self) -> dict[str, Any]:
        for key in self._declared:
            self._declared_value(key)
        return {name(each): self._typed(each, self._values.value(_last(each))) for each in self._outputs}

    def _declared_value(self, key: str) -> Any:
        if key not in self._done:
            if key not in self._declared:
                raise BicepError(f"{self._file.name}: {key} is not declared")
            node = self._declared[key]
            self._done[key] = getattr(self, _EVALUATED[node.type])(node)
        return self._done[key]

    def _parameter(self, node: Node) -> Any:
        key, value = name(node), _last(node)
        if key in self._given:
            return self._typed(node, self._given[key])
        if value.type == "type":
            raise BicepError(f"{self._file.name} needs the parameter {key}")
        return self._typed(node, self._values.value(value))

    def _typed(self, node: Node, value: Any) -> Any:
        kind = _text(next(child for child in node.named_children if child.type == "type"))
        wanted = list if kind.endswith("[]") else _KINDS.get(kind, dict)
        if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
            raise BicepError(f"{self._file.name}: {name(node)} is {type(value).__name__}, not {kind}")
        return value

    def _variable(self, node: Node) -> Any:
        return self._values.value(_last(node))

    def _import(self, node: Node) -> Any:
        source = self._file.parent / _string_literal(_last(node))
        return _Template(source, {}, self._where, Deployment())._declared_value(name(node))

    def _resource(self, node: Node) -> Any:
        kind, _, version = _string_literal(node.named_children[1]).partition("@")
        exists = any(child.type == "existing" for child in node.children)
        return self._each(_last(node), lambda body, scope: self._make(kind, version, body, scope, exists=exists))

    def _make(self, kind: str, version: str, node: Node, scope: "_Scope", *, exists: bool) -> _Resource:
        body = scope.value(node)
        parent, target = body.pop("parent", None), body.pop("scope", None)
        body.pop("dependsOn", None)
        own = body["name"]
        if parent is not None and parent.type != kind.rpartition("/")[0]:
            raise BicepError(f"{self._file.name}: {kind} can't be below {parent.type}")
        if kind == "Microsoft.Resources/resourceGroups":
            identity = f"{self._where}/resourceGroups/{own}"
        elif parent is not None:
            identity = f"{parent.id}/{kind.rpartition('/')[2]}/{own}"
        else:
            identity = f"{target.id if target else self._where}/providers/{kind}/{own}"
        full = f"{parent.name}/{own}" if parent is not None else own
        if not exists:
            if any(each.id.lower() == identity.lower() for each in self._made.resources):
                raise BicepError(f"{self._file.name}: {identity} is there twice")
            self._made.resources.append(Deployed(kind, version, full, identity, body))
        return _Resource(identity, full, kind, body)

    def _module(self, node: Node) -> Any:
        source = self._file.parent / _string_literal(node.named_children[1])

        def make(body: Node, scope: _Scope) -> _Module:
            given = scope.value(body)
            target = given.get("scope")
            where = target.id if isinstance(target, _Resource) else target["id"] if target else self._where
            return _Module(_Template(source, given.get("params", {}), where, self._made).evaluate())

        return self._each(_last(node), make)

    def _each(self, node: Node, make: Callable[[Node, "_Scope"], Any]) -> Any:
        if node.type == "for_statement":
            return [self._if(_last(node), scope, make) for scope in self._values.loop(node)]
        return self._if(node, self._values, make)

    def _if(self, node: Node, scope: "_Scope", make: Callable[[Node, "_Scope"], Any]) -> Any:
        if node.type != "if_statement":
            return make(node, scope)
        condition, body = node.named_children
        return make(body, scope) if scope.value(condition) else None


_EVALUATED = {
    "parameter_declaration": "_parameter",
    "variable_declaration": "_variable",
    "import_functionality": "_import",
    "resource_declaration": "_resource",
    "module_declaration": "_module",
}


_OPERATORS = {"+": operators.add, "*": operators.mul, ">": operators.gt, "==": operators.eq}


class _Scope:
    """Values by name, and what expressions come to with them."""

    def __init__(self, declared: Callable[[str], Any] | None, functions: Mapping[str, Any], **local: Any) -> None:
        self._declared, self._functions, self._local = declared, functions, local

    def value(self, node: Node) -> Any:
        found: Callable[[Node], Any] | None = getattr(self, f"_{node.type}", None)
        if found is None:
            raise BicepError(f"{node.type} is not supported here: {_text(node)[:60]}")
        return found(node)

    def loop(self, node: Node) -> Iterator["_Scope"]:
        """Yield a scope for each turn of a loop."""
        named = [child for child in node.named_children if child.type != "comment"]
        first = [_text(child) for child in named[0].named_children] or [_text(named[0])]
        for index, item in enumerate(self.value(named[1])):
            yield self._with(**dict(zip(first, (item, index), strict=False)))

    def _with(self, **local: Any) -> "_Scope":
        return _Scope(self._declared, self._functions, **(self._local | local))

    def _identifier(self, node: Node) -> Any:
        key = _text(node)
        if key in self._local:
            return self._local[key]
        if self._declared is None:
            raise BicepError(f"{key} is not declared")
        return self._declared(key)

    def _string(self, node: Node) -> str:
        parts = [
            _unescaped(_text(child)) if child.type == "string_content" else str(self.value(child.named_children[0]))
            for child in node.named_children
        ]
        return "".join(parts)

    def _number(self, node: Node) -> int:
        return int(_text(node))

    def _boolean(self, node: Node) -> bool:
        return _text(node) == "true"

    def _null(self, _node: Node) -> None:
        return None

    def _array(self, node: Node) -> list[Any]:
        return [self.value(child) for child in node.named_children if child.type != "comment"]

    def _object(self, node: Node) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for child in node.named_children:
            if child.type != "comment":
                key, value = child.named_children[0], _last(child)
                text = self.value(key) if key.type == "string" else _text(key)
                if text in found:
                    raise BicepError(f"{text} is there twice")
                found[text] = self.value(value)
        return found

    def _for_statement(self, node: Node) -> list[Any]:
        return [scope.value(_last(node)) for scope in self.loop(node)]

    def _parenthesized_expression(self, node: Node) -> Any:
        return self.value(node.named_children[0])

    def _ternary_expression(self, node: Node) -> Any:
        condition, yes, no = node.named_children
        return self.value(yes if self.value(condition) else no)

    def _unary_expression(self, node: Node) -> bool:
        return not self.value(node.named_children[0])

    def _binary_expression(self, node: Node) -> Any:
        left, right = (self.value(child) for child in node.named_children)
        operator = next(_text(child) for child in node.children if not child.is_named)
        return _OPERATORS[operator](left, right)

    def _lambda_expression(self, node: Node, *path: Node) -> Callable[[Any], Any]:
        key, body = _text(node.named_children[0]), _last(node)
        return lambda item: self._with(**{key: item})._walk(body, path)

    def _call_expression(self, node: Node) -> Any:
        function = _text(node.named_children[0])
        if function not in self._functions:
            raise BicepError(f"{function}() is not known")
        return self._functions[function](*(self.value(child) for child in node.named_children[1].named_children))

    def _member_expression(self, node: Node) -> Any:
        path: list[Node] = []
        while node.type in ("member_expression", "subscript_expression"):
            path.insert(0, node)
            node = node.named_children[0]
        return self._walk(node, path)

    _subscript_expression = _member_expression

    def _walk(self, node: Node, path: list[Node] | tuple[Node, ...]) -> Any:
        """Return what members lead to. The grammar binds them to all of a ternary or lambda: they belong to its end."""
        if path and node.type == "ternary_expression":
            condition, yes, no = node.named_children
            return self.value(yes) if self.value(condition) else self._walk(no, path)
        if path and node.type == "lambda_expression":
            return self._lambda_expression(node, *path)
        found = self.value(node)
        for step in path:
            key = _text(_last(step)) if step.type == "member_expression" else self.value(_last(step))
            found = _member(found, key)
        return found


def _member(found: Any, key: Any) -> Any:
    if isinstance(found, (_Resource, _Properties, _Module)):
        return found.member(key)
    if found is None:
        raise BicepError(f"{key} of what is not deployed")
    try:
        return found[key]
    except (KeyError, IndexError, TypeError):
        raise BicepError(f"there is no {key} in {str(found)[:80]}") from None


def _functions(where: str) -> dict[str, Callable[..., Any]]:
    def group(*given: str) -> dict[str, str]:
        if not given:
            return {"id": where, "name": where.rpartition("/")[2]}
        subscription, named = given if len(given) > 1 else (SUBSCRIPTION, *given)
        return {"id": f"/subscriptions/{subscription}/resourceGroups/{named}", "name": named}

    return {
        "cidrSubnet": lambda space, bits, index: str(list(ipaddress.ip_network(space).subnets(new_prefix=bits))[index]),
        "concat": lambda *lists: [item for each in lists for item in each],
        "empty": lambda value: not value,
        "environment": lambda: {"suffixes": {"storage": "core.windows.net"}},
        "filter": lambda values, chosen: [item for item in values if chosen(item)],
        "guid": lambda *parts: str(uuid.uuid5(uuid.NAMESPACE_URL, "#".join(parts))),
        "items": lambda value: [{"key": key, "value": value[key]} for key in sorted(value)],
        "last": lambda value: value[-1] if value else "",
        "map": lambda values, change: [change(item) for item in values],
        "resourceGroup": group,
        "resourceId": lambda kind, own: f"{where}/providers/{kind}/{own}",
        "split": lambda text, by: text.split(by),
        "string": lambda value: value if isinstance(value, str) else json.dumps(value),
        "subscription": lambda: {"id": f"/subscriptions/{SUBSCRIPTION}", "subscriptionId": SUBSCRIPTION},
        "subscriptionResourceId": lambda kind, own: f"/subscriptions/{SUBSCRIPTION}/providers/{kind}/{own}",
        "toLower": lambda text: text.lower(),
        "toObject": lambda values, key, value: {key(item): value(item) for item in values},
        "union": _union,
        "uniqueString": lambda *parts: uuid.uuid5(uuid.NAMESPACE_URL, "#".join(parts)).hex[:13],
    }


def _union(*objects: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in objects:
        for key, value in each.items():
            both = isinstance(value, dict) and isinstance(found.get(key), dict)
            found[key] = _union(found[key], value) if both else value
    return found


@cache
def _unescaped(text: str) -> str:
    return text.replace("\\'", "'").replace("\\\\", "\\")


def _string_literal(node: Node) -> str:
    return "".join(_text(child) for child in node.named_children)


def _last(node: Node) -> Node:
    return [child for child in node.named_children if child.type != "comment"][-1]


def _text(node: Node) -> str:
    return (node.text or b"").decode()
