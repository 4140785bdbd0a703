"""How many short messages grow, that are like nothing in a model of English, and how small do they get?

    python benchmarks/strange_messages.py RECORDS TYPING [--half 1]

RECORDS holds dbtext-urls2.txt; TYPING holds everyday sentences, LANGUAGE-test.txt. Beside these: Sphinx's translated
messages in many scripts, and lines of tiny Shakespeare in capitals (the corpus `shakespeare`). Every second string is
measured; the others, --half 0, chose about how many lines the package has. Each message is coded alone with the model
`english`, by both contracts; every round trip is asserted. Results: results/strange_messages.csv.
"""

from __future__ import annotations

import argparse
import gettext
import random
from pathlib import Path

import sphinx
from harness import write

import elman
from elman.compression import Codec
from elman.model import model_path

SCRIPTS = "el ru uk_UA bg sr he ar fa hi_IN bn ta te si ne ja ko zh_CN zh_TW ur ka hy th"
LATIN = "vi tr pl cs de fr es pt_BR fi hu sv da it nl ro et lt lv"


def translated(languages: str) -> list[str]:
    """Eight messages of 5 to 59 characters in each language that Sphinx speaks."""
    found = []
    for language in languages.split():
        for file in (Path(sphinx.__file__).parent / "locale" / language).glob("LC_MESSAGES/sphinx.mo"):
            with file.open("rb") as open_:
                catalogue = gettext.GNUTranslations(open_)._catalog  # pyright: ignore[reportAttributeAccessIssue]
            texts = [text for key, text in catalogue.items() if isinstance(key, str) and isinstance(text, str)]
            texts = [
                text for text in texts if 4 < len(text) < 60 and not set("\n%") & set(text) and text not in catalogue
            ]
            random.Random(language).shuffle(texts)
            found += texts[:8]
    return found


def some(texts: list[str], count: int) -> list[str]:
    random.Random(3).shuffle(texts)
    return texts[:count]


def sets(records: Path, typing: Path) -> dict[str, list[str]]:
    urls = (records / "dbtext-urls2.txt").read_text("utf-8").split("\n")
    verse = str(elman.load_corpus("shakespeare", normalisation="none").text).split("\n")
    sentences = [file.read_text("utf-8").split("\n") for file in sorted(typing.glob("*-test.txt"))]
    return {
        "other scripts": translated(SCRIPTS),
        "other languages": translated(LATIN)
        + [text for part in sentences for text in some([each for each in part if 10 < len(each) < 70], 40)],
        "URLs": some(urls, 60),
        "capitals": some([line.upper() for line in verse if 20 < len(line) < 60], 60),
        "English": some([line for line in verse if 20 < len(line) < 60], 100),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("records", type=Path)
    parser.add_argument("typing", type=Path)
    parser.add_argument("--half", type=int, default=1)
    given = parser.parse_args()
    model, rows = elman.load(model_path("english")), []
    for contract in (1, 2):
        codec = Codec(model, contract=contract)
        for name, texts in sets(given.records, given.typing).items():
            messages = [text.encode() for text in texts[given.half :: 2]]
            codes = codec.encode_many(messages)
            assert codec.decode_many(codes) == messages
            rows.append(
                {
                    "contract": contract,
                    "set": name,
                    "messages": len(messages),
                    "bytes": sum(map(len, messages)),
                    "coded": sum(map(len, codes)),
                    "grew": sum(len(code) > len(message) for code, message in zip(codes, messages, strict=True)),
                }
            )
            print(*rows[-1].values())
    write("strange_messages", rows)


if __name__ == "__main__":
    main()
