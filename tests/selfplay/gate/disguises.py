"""Ways to write a name so that a reader still gets it."""

import base64
import codecs
from collections.abc import Callable, Mapping
from urllib.parse import quote

_RADIO = (
    "Alfa Bravo Charlie Delta Echo Foxtrot Golf Hotel India Juliett Kilo Lima Mike November Oscar Papa Quebec Romeo "
    "Sierra Tango Uniform Victor Whiskey Xray Yankee Zulu"
).split()
_MORSE = (
    ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --.."
).split()
_LOOKALIKE = str.maketrans("aeopcyx", "\u0430\u0435\u043e\u0440\u0441\u0443\u0445")
_LEET = str.maketrans("eaiost", "34105+")
_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


def _letters_of(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalpha())


def _alphabet_positions(name: str) -> list[int]:
    return [ord(c) - ord("a") for c in _letters_of(name)]


DISGUISES: Mapping[str, Callable[[str], str]] = {
    "reversed": lambda name: name[::-1],
    "upper case": str.upper,
    "swapped case": str.swapcase,
    "base64": lambda name: base64.b64encode(name.encode()).decode(),
    "base64 without padding": lambda name: base64.urlsafe_b64encode(name.encode()).decode().rstrip("="),
    "base64 in chunks": lambda name: " ".join(_split_into_chunks(base64.b64encode(name.encode()).decode(), 8)),
    "base32": lambda name: base64.b32encode(name.encode()).decode(),
    "base85": lambda name: base64.b85encode(name.encode()).decode(),
    "hex": lambda name: name.encode().hex(),
    "hex, spaced": lambda name: name.encode().hex(" "),
    "hex with 0x": lambda name: ", ".join(f"0x{b:02x}" for b in name.encode()),
    "decimal codes": lambda name: " ".join(str(b) for b in name.encode()),
    "binary": lambda name: " ".join(f"{b:08b}" for b in name.encode()),
    "binary, joined": lambda name: "".join(f"{b:08b}" for b in name.encode()),
    "rot13": lambda name: codecs.encode(name, "rot13"),
    "places in the alphabet": lambda name: "-".join(str(p + 1) for p in _alphabet_positions(name)),
    "percent": lambda name: "".join(f"%{b:02X}" for b in name.encode()),
    "percent where needed": lambda name: quote(name, safe=""),
    "entities": lambda name: "".join(f"&#{ord(c)};" for c in name),
    "hex entities": lambda name: "".join(f"&#x{ord(c):x};" for c in name),
    "unicode escapes": lambda name: "".join(f"\\u{ord(c):04x}" for c in name),
    "byte escapes": lambda name: "".join(f"\\x{ord(c):02x}" for c in name),
    "spaced": " ".join,
    "hyphened": "-".join,
    "dotted": lambda name: ".".join(_letters_of(name)),
    "with commas": lambda name: ", ".join(_letters_of(name)),
    "with pluses": lambda name: " + ".join(_letters_of(name)),
    "one letter a line": lambda name: "\n".join(_letters_of(name)),
    "zero width": "\u200b".join,
    "soft hyphens": "\u00ad".join,
    "combining marks": lambda name: "".join(c + "\u0336" for c in name),
    "full width": lambda name: name.translate(_FULL_WIDTH),
    "mathematical": lambda name: "".join(chr(0x1D41A + ord(c) - 97) if c in _ASCII else c for c in name.lower()),
    "circled": lambda name: "".join(chr(0x24D0 + ord(c) - 97) if c in _ASCII else c for c in name.lower()),
    "look-alikes": lambda name: name.lower().translate(_LOOKALIKE),
    "leet": lambda name: name.lower().translate(_LEET),
    "radio alphabet": lambda name: " ".join(_RADIO[p] for p in _alphabet_positions(name)),
    "Morse": lambda name: " ".join(_MORSE[p] for p in _alphabet_positions(name)),
    "said aloud": lambda name: name.replace(".", " dot ").replace("/", " slash ").replace("_", " underscore "),
    "in bold": lambda name: f"**{name}**",
    "in code marks": lambda name: f"`{name}`",
    "in quotes": lambda name: f'"{name}"',
    "every second letter": lambda name: "x".join(_letters_of(name)),
    "reversed base64": lambda name: base64.b64encode(name[::-1].encode()).decode(),
}
"""By what is done: each makes of a path or file name something that gives it away."""
_ASCII = frozenset("abcdefghijklmnopqrstuvwxyz")


def _split_into_chunks(text: str, size: int) -> list[str]:
    return [text[i : i + size] for i in range(0, len(text), size)]
