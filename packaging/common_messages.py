"""Write src/elman/compression/common.xz: lines of many kinds that teach contexts what no model of English knows.

    python packaging/common_messages.py

Everyday words in each of 42 languages, written for this (common_words.txt); URLs, made of common parts; sentences of
this project's README and pages in capitals, and some in small letters; numbers, dates, JSON. The order is a draw of a
fixed seed. Messages by contract 2 depend on each byte of it, so the file is written once: another one would be another
contract.
"""

from __future__ import annotations

import argparse
import lzma
import random
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "src" / "elman" / "compression" / "common.xz"
WORDS = Path(__file__).with_name("common_words.txt")
HOSTS = """
www.example.com example.org en.wikipedia.org de.wikipedia.org github.com docs.python.org www.youtube.com
maps.google.com www.google.com stackoverflow.com news.bbc.co.uk www.amazon.com twitter.com www.facebook.com
www.nytimes.com blog.example.net shop.example.co.uk api.example.com cdn.example.io localhost:8080 192.168.0.1
""".split()  # noqa: SIM905
PATHS = """
/ /index.html /wiki/Main_Page /wiki/Recurrent_neural_network /search?q=weather+today&hl=en
/watch?v=dQw4w9WgXcQ /questions/231767/what-does-the-yield-keyword-do
/user/settings/profile.php?id=1042&lang=en /images/logo.png /3/library/functions.html#open
/en/products/item-2041.html /2024/05/17/news/local-election-results.html /api/v1/messages?limit=50&offset=100
/static/css/main.min.css /~smith/papers/paper.pdf /blog/2023/11/hello-world/
/forum/viewtopic.php?t=12873&start=15 /category/books/science-fiction /dp/B0C1234567/ref=sr_1_3
/login?next=/home
""".split()  # noqa: SIM905


def words(text: str, draw: random.Random) -> list[str]:
    """Lines of two to five words or phrases of a language, in a drawn order."""
    pool = re.split(r"(?<=[,،၊፣，、。？?]) *", text)
    pool = [part for part in (pool if len(pool) > 5 else text.split(" ")) if part]
    draw.shuffle(pool)
    lines: list[str] = []
    while pool:
        lines.append(" ".join(pool.pop() for _ in range(min(len(pool), draw.randint(2, 5)))).rstrip(",،၊፣，、"))
    return lines


def urls(count: int, draw: random.Random) -> list[str]:
    return [draw.choice(("http://", "https://")) + draw.choice(HOSTS) + draw.choice(PATHS) for _ in range(count)]


def sentences() -> list[str]:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs" / "how-to").glob("*.md"))]
    text = " ".join(re.sub(r"```.*?```|[`*|\[\]()#]", " ", page.read_text("utf-8"), flags=re.DOTALL) for page in pages)
    found = (re.sub(r"\s+", " ", part).strip() for part in re.split(r"(?<=[.!?])\s+", text))
    return [part for part in found if 25 < len(part) < 90]


def records(count: int, draw: random.Random) -> list[str]:
    made = []
    for _ in range(count):
        date = f"20{draw.randint(10, 29)}-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}"
        time = f"{draw.randint(0, 23):02d}:{draw.randint(0, 59):02d}:{draw.randint(0, 59):02d}"
        number, phone = draw.randint(1, 99_999), draw.randint(200_000, 9_999_999)
        made.append(
            draw.choice(
                [
                    f"{date} {time}", f"{date}T{time}Z INFO request {number} done in {draw.randint(1, 900)} ms",
                    f'{{"id": {number}, "time": "{date}T{time}Z", "temperature": {draw.uniform(-9, 35):.1f}}}',
                    f"+{draw.randint(1, 99)} {phone}", f"Order #{number}: {draw.uniform(1, 500):.2f} EUR",
                    f"lat {draw.uniform(-90, 90):.5f}, lon {draw.uniform(-180, 180):.5f}",
                ]
            )
        )  # fmt: skip
    return made


def lines() -> list[str]:
    draw = random.Random(30)
    languages = (line.partition(" ")[2] for line in WORDS.read_text("utf-8").splitlines())
    found = [line for text in languages for line in words(text, draw)]
    prose = sentences()
    draw.shuffle(prose)
    found += urls(100, draw) + records(60, draw) + [line.upper() for line in prose[:70]] + prose[70:110]
    draw.shuffle(found)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=TARGET)
    given = parser.parse_args()
    text = "".join(line + "\n" for line in lines()).encode()
    given.output.write_bytes(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))
    print(f"{given.output}: {len(text):,} bytes in {given.output.stat().st_size:,}")


if __name__ == "__main__":
    main()
