"""Scripts that are written without spaces between words, and sacreBLEU's tokeniser for each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class UnspacedScript:
    """A script without spaces between words.

    Attributes:
        characters: its characters, as ranges inside a regular expression's brackets.
        bleu_tokenizer: the tokeniser of sacreBLEU that splits it.
    """

    characters: str
    bleu_tokenizer: str = "char"


UNSPACED_SCRIPTS = {
    "THAI": UnspacedScript("\u0e00-\u0e7f"),
    "LAO": UnspacedScript("\u0e80-\u0eff"),
    "TIBETAN": UnspacedScript("\u0f00-\u0fff"),
    "MYANMAR": UnspacedScript("\u1000-\u109f"),
    "KHMER": UnspacedScript("\u1780-\u17ff"),
    "HIRAGANA": UnspacedScript("\u3040-\u309f"),
    "KATAKANA": UnspacedScript("\u30a0-\u30ff\u31f0-\u31ff\uff66-\uff9f"),
    "CJK": UnspacedScript(
        "\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303c\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f", "zh"
    ),
}
"""The scripts, by the word that begins the Unicode names of their letters."""
UNSPACED_CHARACTERS = "".join(script.characters for script in UNSPACED_SCRIPTS.values())
"""The characters of all these scripts, as ranges inside a regular expression's brackets."""
UNSPACED_TOKENIZERS = tuple(sorted({script.bleu_tokenizer for script in UNSPACED_SCRIPTS.values()}, reverse=True))
"""The tokenisers of BLEU for texts without spaces, the special one first."""
