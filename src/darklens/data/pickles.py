"""Read pickles without executing anything from the file.

A pickle is a program for a stack machine. This reader implements only the instructions needed for
numbers, strings, lists, tuples, dictionaries and numpy arrays, and knows only a few names. They
build plain nodes: nothing is called, hashed or imported, and a file cannot change any class.
"""

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from darklens.data.decoding import shown
from darklens.errors import UnreadableImage

__all__ = ["ArrayNode", "DTypeNode", "OtherNode", "read_pickle", "refused"]

_MOST_INSTRUCTIONS = 2_000_000
_STOP = "STOP"
_MARK = object()


def refused(what: object) -> UnreadableImage:
    """The error for a pickle that holds more than an image needs."""
    return UnreadableImage(f"refused: the pickle holds more than arrays ({shown(what, 80)})")


class DTypeNode:
    """Stands for a `numpy.dtype`.

    Attributes:
        code: Kind and size, such as `f8`.
        order: Byte order.
    """

    def __init__(self, code: str) -> None:
        self.code = code
        self.order = "="

    def build(self, state: tuple[Any, ...]) -> None:
        """Take the state that the pickle gives."""
        if any(part is not None for part in state[2:5]):
            raise refused("an array of records")
        self.order = state[1]


@dataclass
class ArrayNode:
    """Stands for a `numpy.ndarray`, or for a numpy scalar if the shape is empty.

    Attributes:
        dtype: Type of its items; None until the pickle gives it.
        shape: Its shape.
        data: Its bytes, or a list of objects.
        order: Memory order, C or F.
    """

    dtype: DTypeNode | None = None
    shape: Any = ()
    data: Any = b""
    order: str = "C"

    def build(self, state: tuple[Any, ...]) -> None:
        """Take the state that the pickle gives."""
        self.shape, self.dtype, fortran, self.data = state[-4:]
        self.order = "F" if fortran else "C"


@dataclass(frozen=True)
class OtherNode:
    """Stands for anything that is not part of an image: a dictionary, or an uncalled name."""

    role: str


_NAMES = MappingProxyType(
    {
        ("numpy", "dtype"): OtherNode("dtype"),
        ("numpy", "ndarray"): OtherNode("ndarray"),
        ("_codecs", "encode"): OtherNode("encode"),
        **{
            (f"numpy.{core}.{module}", name): OtherNode(name)
            for core in ("core", "_core")
            for module, name in (
                ("multiarray", "_reconstruct"),
                ("multiarray", "scalar"),
                ("numeric", "_frombuffer"),
            )
        },
    }
)


def read_pickle(content: bytes) -> Any:
    """Read a pickle as numbers, strings, bytes, lists, tuples and the nodes of this module.

    Raises:
        UnreadableImage: If it needs anything else.
        Exception: Of any kind, if it is damaged.
    """
    return _Machine().run(content)


def _dtype(code: Any, *_: Any) -> DTypeNode:
    return DTypeNode(str(code)[:40])


def _reconstruct(kind: Any, *_: Any) -> ArrayNode:
    if kind != OtherNode("ndarray"):
        raise refused("a subclass of numpy arrays")
    return ArrayNode()


def _scalar(dtype: Any, data: Any = b"") -> ArrayNode:
    return ArrayNode(dtype, (), data)


def _frombuffer(data: Any, dtype: Any, shape: Any, order: str = "C") -> ArrayNode:
    return ArrayNode(dtype, shape, data, order)


def _encode(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise refused(f"a string in the encoding {encoding}")
    return text.encode("latin1")


_CALLS: MappingProxyType[str, Callable[..., Any]] = MappingProxyType(
    {
        "dtype": _dtype,
        "_reconstruct": _reconstruct,
        "scalar": _scalar,
        "_frombuffer": _frombuffer,
        "encode": _encode,
    }
)


class _Machine:
    """The stack machine; one method for each kind of instruction."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self, content: bytes) -> Any:
        for count, (instruction, argument, _) in enumerate(pickletools.genops(content)):
            name = instruction.name
            if name == _STOP:
                break
            if count > _MOST_INSTRUCTIONS:
                raise refused("too many objects")
            if name not in _INSTRUCTIONS:
                raise refused(f"the instruction {name}")
            _INSTRUCTIONS[name](self, argument)
        return self._stack.pop()

    def skip(self, _: Any) -> None:
        """Ignore an instruction that does not affect the content."""

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def push_bytes(self, value: Any) -> None:
        """Push a Python 2 string, whose characters are bytes, or a byte array."""
        self.push(value.encode("latin1") if isinstance(value, str) else bytes(value))

    def mark(self, _: Any) -> None:
        self.push(_MARK)

    def marked(self) -> list[Any]:
        """Pop everything above the last mark, and the mark."""
        at = len(self._stack) - 1
        while self._stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise ValueError("no mark")
        items = self._stack[at + 1 :]
        del self._stack[at:]
        return items

    def tuple_of(self, count: int) -> None:
        if count > len(self._stack):
            raise ValueError("an empty stack")
        items = tuple(self._stack[-count:])
        del self._stack[-count:]
        self.push(items)

    def append(self, _: Any) -> None:
        self.extend([self._stack.pop()])

    def extend(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not list:
            raise refused("items added to something other than a list")
        target += items

    def name(self, text: str) -> None:
        module, _, name = text.partition(" ")
        try:
            self.push(_NAMES[module, name])
        except KeyError:
            raise refused(f"it needs {module}.{name}") from None

    def stack_name(self, _: Any) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self.name(f"{module} {name}")

    def call(self, _: Any) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        if type(function) is not OtherNode or function.role not in _CALLS:
            raise refused("it calls something other than a known function")
        self.push(_CALLS[function.role](*arguments))

    def build(self, _: Any) -> None:
        state, target = self._stack.pop(), self._stack[-1]
        if type(target) not in (ArrayNode, DTypeNode) or type(state) is not tuple:
            raise refused("it sets the state of something other than an array")
        target.build(state)

    def entry(self, _: Any) -> None:
        """Drop a dictionary entry, which is not part of an image."""
        self.tuple_of(2)
        self._stack.pop()

    def put(self, place: int) -> None:
        self._memo[place] = self._stack[-1]

    def memoize(self, _: Any) -> None:
        self.put(len(self._memo))

    def get(self, place: int) -> None:
        self.push(self._memo[place])


def _instructions() -> dict[str, Callable[[_Machine, Any], None]]:
    known: dict[str, Callable[[_Machine, Any], None]] = {
        "MARK": _Machine.mark,
        "NONE": lambda machine, _: machine.push(None),
        "NEWTRUE": lambda machine, _: machine.push(True),
        "NEWFALSE": lambda machine, _: machine.push(False),
        "EMPTY_TUPLE": lambda machine, _: machine.push(()),
        "EMPTY_LIST": lambda machine, _: machine.push([]),
        "EMPTY_DICT": lambda machine, _: machine.push(OtherNode("dictionary")),
        "TUPLE": lambda machine, _: machine.push(tuple(machine.marked())),
        "TUPLE1": lambda machine, _: machine.tuple_of(1),
        "TUPLE2": lambda machine, _: machine.tuple_of(2),
        "TUPLE3": lambda machine, _: machine.tuple_of(3),
        "LIST": lambda machine, _: machine.push(machine.marked()),
        "APPEND": _Machine.append,
        "APPENDS": lambda machine, _: machine.extend(machine.marked()),
        "SETITEM": _Machine.entry,
        "SETITEMS": lambda machine, _: machine.skip(machine.marked()),
        "GLOBAL": _Machine.name,
        "STACK_GLOBAL": _Machine.stack_name,
        "REDUCE": _Machine.call,
        "BUILD": _Machine.build,
        "MEMOIZE": _Machine.memoize,
    }
    groups = {
        _Machine.skip: "PROTO FRAME",
        _Machine.push: "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT SHORT_BINBYTES"
        " BINBYTES BINBYTES8 UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8",
        _Machine.push_bytes: "STRING BINSTRING SHORT_BINSTRING BYTEARRAY8",
        _Machine.put: "PUT BINPUT LONG_BINPUT",
        _Machine.get: "GET BINGET LONG_BINGET",
    }
    return known | {name: method for method, names in groups.items() for name in names.split()}


_INSTRUCTIONS = MappingProxyType(_instructions())
