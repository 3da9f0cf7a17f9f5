"""Other ways to write a letter."""

import string
from itertools import pairwise

_LOWER = string.ascii_lowercase


def _map_signs_to_letters(letters: str, *rows: str) -> dict[str, str]:
    return {sign: letter for row in rows for letter, sign in zip(letters, row.split(), strict=True) if sign != "-"}


def _map_pairs(text: str) -> dict[str, str]:
    return {pair[0]: pair[1] for pair in text.split()}


LOOKALIKES: dict[str, str] = {
    # Cyrillic, Armenian and Greek letters that look like Latin ones
    **_map_pairs("аa еe оo рp сc уy хx іi јj ѕs ԁd һh ԛq ԝw гr тt кk мm нh вb пn ѵv ӏl ոn"),
    **_map_pairs("ցg սu օo ҽe ьb зz иn яr эe ґr ҝk жx"),
    **_map_pairs("АA ВB ЕE ЅS ІI ЈJ КK МM НH ОO РP СC ТT УY ХX ҮY ԌG ЗZ ПN ГR"),
    **_map_pairs("αa βb εe ηn ιi κk νv οo ρp τt υu χx ωw γy σs λl πn δd μu"),
    **_map_pairs("ΑA ΒB ΕE ΖZ ΗH ΙI ΚK ΜM ΝN ΟO ΡP ΤT ΥY ΧX ΣS"),
    **dict(zip("ıȷɑɡⅼⅽⅾⅿ", "ijaglcdm", strict=True)),
    "ǫ": "q", "ø": "o", "đ": "d", "ł": "l", "ħ": "h", "ŧ": "t", "ß": "b", "ə": "e", "ɛ": "e",
    "£": "l", "€": "e", "¢": "c",
    # small capitals
    **_map_signs_to_letters(_LOWER, "ᴀ ʙ ᴄ ᴅ ᴇ ꜰ ɢ ʜ ɪ ᴊ ᴋ ʟ ᴍ ɴ ᴏ ᴘ ǫ ʀ ꜱ ᴛ ᴜ ᴠ ᴡ - ʏ ᴢ"),
    # regional indicators, negative circled and squared letters, tags
    **{chr(0x1F1E6 + i): c for i, c in enumerate(_LOWER)},
    **{chr(0x1F150 + i): c for i, c in enumerate(_LOWER)},
    **{chr(0x1F170 + i): c for i, c in enumerate(_LOWER)},
    **{chr(0xE0000 + ord(c)): c for c in string.printable if c.isprintable()},
    # braille
    **_map_signs_to_letters(_LOWER, "⠁ ⠃ ⠉ ⠙ ⠑ ⠋ ⠛ ⠓ ⠊ ⠚ ⠅ ⠇ ⠍ ⠝ ⠕ ⠏ ⠟ ⠗ ⠎ ⠞ ⠥ ⠧ ⠺ ⠭ ⠽ ⠵"),
}  # fmt: skip
"""Signs that are read as a letter."""
FLIPPED = {
    **_map_signs_to_letters(
        _LOWER,
        "ɐ q ɔ p ǝ ɟ ƃ ɥ ᴉ ɾ ʞ l ɯ u o d b ɹ s ʇ n ʌ ʍ x ʎ z",
        "ɐ q ɔ p ǝ ɟ ɓ ɥ ı ɾ ʞ ן ɯ u o d b ɹ s ʇ n ʌ ʍ x ʎ z",
    ),
    "˙": ".",
    "‾": "_",
}
"""Letters upside down: to be read from the end."""
FLIPPED_SIGNS = frozenset("ɐɔǝɟƃɥᴉɾʞɯɹʇʌʍʎɓן")
LEET = {"0": "o", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "9": "g", "6": "g", "@": "a", "$": "s", "€": "e",
        "£": "l", "(": "c", "+": "t", "2": "z"}  # fmt: skip
LEET_ONES = ({"1": "i", "!": "i", "|": "i"}, {"1": "l", "!": "l", "|": "l"})
_RADIO = """alfa alpha bravo charlie delta echo foxtrot golf hotel india juliet juliett kilo lima mike november oscar
papa quebec romeo sierra tango uniform victor whiskey whisky xray yankee zulu"""
_LETTER_NAMES = """a:ay b:bee c:cee c:see c:sea d:dee e:ee f:ef f:eff g:gee h:aitch i:eye j:jay k:kay l:el l:ell m:em
n:en o:oh p:pee p:pea q:cue q:queue r:ar r:are s:ess t:tee t:tea u:you v:vee x:ex y:why y:wye z:zee z:zed w:doubleu"""
SPOKEN_LETTERS = {word: word[0] for word in _RADIO.split()} | {name[2:]: name[0] for name in _LETTER_NAMES.split()}
"""Words for letters: the radio alphabet, and the letters' English names."""
SPOKEN_SIGNS = {"dot": ".", "point": ".", "period": ".", "slash": "/", "backslash": "\\", "underscore": "_",
                "dash": "-", "hyphen": "-", "minus": "-", "dunder": "__", "colon": ":"}  # fmt: skip
FILLERS = frozenset(
    """and then comma dot slash dash hyphen underscore space period point letter letters capital upper lower uppercase
    lowercase next followed by after that plus with the first second third fourth fifth sixth seventh eighth ninth tenth
    last finally again double another forward stop followed""".split()
)
"""Words that may stand between spelled letters."""
_MORSE = ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --.."
MORSE = dict(zip(_MORSE.split(), _LOWER, strict=True)) | {".-.-.-": ".", "-..-.": "/", "..--.-": "_", "-....-": "-"}


def shift_table(by: int) -> dict[str, str]:
    """Each letter to the one `by` places further on."""
    lower = {c: _LOWER[(i + by) % 26] for i, c in enumerate(_LOWER)}
    return lower | {c.upper(): d.upper() for c, d in lower.items()}


ATBASH = {c: d for row in (_LOWER, _LOWER.upper()) for c, d in zip(row, reversed(row), strict=True)}
_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
KEYS_LEFT = {right: left for row in _KEYS for left, right in pairwise(row)}
KEYS_RIGHT = {left: right for row in _KEYS for left, right in pairwise(row)}
