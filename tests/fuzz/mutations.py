"""Damage to files: bytes in, bytes out, decided by a random generator alone.

`damage_bytes` knows nothing of the format. The others know just enough of one to get past its
first check: a `.npy` header whose length fits, a FITS card of 80 characters, a PNG chunk whose
checksum is right, a YAML line that is still YAML.
"""

import re
import struct
import zlib
from collections.abc import Callable
from random import Random

__all__ = [
    "Mutation",
    "damage_bytes",
    "damage_fits",
    "damage_npy",
    "damage_png",
    "damage_text",
]

Mutation = Callable[[bytes, Random], bytes]

_NUMBERS = (0, 1, -1, 2, 65, 127, 128, 255, 256, 32767, 65535, 2**31 - 1, -(2**31), 2**40, 2**63)
_TOKENS = (
    *(str(number) for number in _NUMBERS),
    "1e400",
    "1e30",
    "-0.0",
    "NaN",
    "Infinity",
    "True",
    "None",
    "''",
    "()",
    "(0,)",
    "(True, True)",
    "(" * 200,
    "9" * 5000,
    "|O",
    "<f8",
    ">c16",
    "<U9",
    "<m8[ns]",
    "(3,3)f4",
    "\x00",
    "\x1b[2J",
)
_YAML_VALUES = (
    *_TOKENS,
    ".inf",
    ".nan",
    "null",
    "[]",
    "{}",
    "[[[[[[[[[[]]]]]]]]]]",
    "[" * 3000,
    "{a: " * 3000,
    "&a [*a, *a]",
    "*missing",
    "!!binary aGVsbG8=",
    "!!python/object/apply:os.system ['touch canary']",
    "!!python/name:darklens_canary.run",
    "{class_path: darklens_canary.Evil, init_args: {}}",
    "darklens_canary.Evil",
    "2026-11-26",
    "0x7fffffffffffffffff",
    "1000000",
    "1" + "0" * 400,
    "'" + "x" * 100_000 + "'",
    "../../../etc/passwd",
    "é\u202e\u2028",
)
_ALIAS_BOMB = "bomb:\n  - &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"  - &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 10)
)


def damage_bytes(data: bytes, random: Random) -> bytes:
    """One to eight changes anywhere: bits, bytes, whole numbers, pieces, the end."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 4, 8))):
        _change(changed, random)
    return bytes(changed)


def damage_npy(data: bytes, random: Random) -> bytes:
    """Another header in front of the same values, mostly with a length that fits it."""
    if len(data) < 12 or random.random() < 0.4:
        return damage_bytes(data, random)
    wide = data[6] > 1
    start = 12 if wide else 10
    length = int.from_bytes(data[8:start], "little")
    header = data[start : start + length].decode("latin1")
    header = _replace_token(header, random, _TOKENS, r"'[^']*'|\([^)]*\)|\d+|True|False")
    head = header.encode("latin1", "replace")[: 60_000 if not wide else None]
    if random.random() < 0.9:
        length = len(head)
    size = (length & 0xFFFFFFFF).to_bytes(4, "little") if wide else struct.pack("<H", length)
    return data[:8] + size + head + data[start + len(header) :]


def damage_fits(data: bytes, random: Random) -> bytes:
    """Another value in one to three of the header's cards, or damage anywhere."""
    if random.random() < 0.3:
        return damage_bytes(data, random)
    changed = bytearray(data)
    cards = [
        i
        for i in range(0, len(data) - 79, 80)
        if re.match(rb"[A-Z][A-Z0-9_-]* *=", data[i : i + 80])
    ]
    for _ in range(random.choice((1, 1, 2, 3))):
        if not cards:
            break
        at = random.choice(cards)
        if random.random() < 0.15:
            other = random.choice(cards)
            changed[at : at + 80] = data[other : other + 80]
            continue
        value = random.choice((*_TOKENS, "T", "F", "'RICE_1  '", "'HCOMPRESS_1'", "'GZIP_2  '"))
        changed[at + 10 : at + 80] = f"{value[:60]:>20}".encode("latin1").ljust(70)
    return bytes(changed)


def damage_png(data: bytes, random: Random) -> bytes:
    """Damage whose checksums are right again, so that the decoder goes on."""
    changed = damage_bytes(data, random)
    if random.random() < 0.3:
        return changed
    pieces, at = [changed[:8]], 8
    while at + 12 <= len(changed):
        length = int.from_bytes(changed[at : at + 4], "big")
        body = changed[at + 4 : at + 8 + length]
        if len(body) < 4 + length:
            break
        pieces.append(changed[at : at + 4] + body + zlib.crc32(body).to_bytes(4, "big"))
        at += 12 + length
    return b"".join([*pieces, changed[at:]])


def damage_text(data: bytes, random: Random) -> bytes:
    """Another value, line or indentation in YAML or a table; sometimes any bytes."""
    if random.random() < 0.1:
        return damage_bytes(data, random)
    lines = data.decode("utf-8", "replace").splitlines(keepends=True) or ["\n"]
    for _ in range(random.choice((1, 1, 2, 3))):
        at = random.randrange(len(lines))
        kind = random.randrange(7)
        if kind == 0:
            del lines[at]
            lines = lines or ["\n"]
        elif kind == 1:
            lines.insert(at, random.choice(lines))
        elif kind == 2:
            lines[at] = " " * random.randrange(12) + lines[at].lstrip(" ")
        elif kind == 3 and random.random() < 0.2:
            lines.insert(at, _ALIAS_BOMB)
        else:
            pattern = r"(?<=: )[^\n]+|(?<=- )[^\n]+|-?\d+(\.\d+)?"
            lines[at] = _replace_token(lines[at], random, _YAML_VALUES, pattern)
    return "".join(lines).encode("utf-8", "surrogatepass")


def _replace_token(text: str, random: Random, values: tuple[str, ...], pattern: str) -> str:
    """The text with one match of the pattern, or its end, replaced by one of the values."""
    matches = list(re.finditer(pattern, text))
    if not matches:
        return text + random.choice(values)
    match = random.choice(matches)
    return text[: match.start()] + random.choice(values) + text[match.end() :]


def _change(data: bytearray, random: Random) -> None:
    """One change in place."""
    kind = random.randrange(8)
    at = random.randrange(len(data)) if data else 0
    length = min(random.choice((1, 2, 4, 8, 64, 512, 4096)), len(data) - at)
    if kind == 0 and data:
        data[at] ^= 1 << random.randrange(8)
    elif kind == 1 and data:
        data[at] = random.randrange(256)
    elif kind == 2:
        number, form = random.choice(_NUMBERS), random.choice(("<H", ">H", "<I", ">I", "<Q", ">Q"))
        piece = struct.pack(form, number & (256 ** struct.calcsize(form) - 1))
        data[at : at + len(piece)] = piece
    elif kind == 3:
        del data[at : at + length]
    elif kind == 4:
        data[at:at] = data[at : at + length]
    elif kind == 5:
        data[at:at] = random.randbytes(length)
    elif kind == 6:
        del data[at:]
    else:
        data[at : at + length] = bytes([random.choice((0, 255, 32))]) * length
