"""Inputs that nobody would write by hand: a seeded stream of odd files, some good, most bad.

for kind, content in odd_inputs(2_000, seed=0):
    Path(f"file.{kind}").write_bytes(content)
"""

import gzip
import json
import random
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import srsly
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from .conftest import make_doc

KINDS = ("txt", "jsonl", "json", "json.gz", "spacy")
TEXT = "Ada Lovelace was born in London. She worked with Charles Babbage."
N_DEEP = 100_000
DEEP = b"[" * N_DEEP + b"]" * N_DEEP
BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
BROKEN_UTF8 = (b"\xff", b"\xc3", b"\xe2\x82", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\xc0\x80")

EMPTY = ("", " ", "\n", "\r\n\r\n", "\t\t", "\u00a0", "\u200b", "\ufeff", "\u3000 \u2003")
PIECES = (
    *("👩‍👩‍👧‍👦", "🇬🇧", "👍🏽", "🏴\U000e0067\U000e007f", "\U0001f9ff"),  # emoji, joined and cut
    *("مرحبا بالعالم", "שלום", "\u202eright to left\u202c", "\u2066a\u2069"),
    *("e\u0301", "\u0301\u0302\u0303", "Z͑ͫ̓a͒lgo", "नमस्ते", "한글", "日本語のテキスト"),
    *("\x00", "\x01\x1b[31m", "\x7f", "\x1c", "\x0b\x0c", "\x85", "\u2028", "\u2029", "\ufffe", "\U0010ffff"),
    *("Ada", "London.", "a" * 300, "." * 200, "http://a.b/?" + "%20" * 40, "(((", "'\"\\", "{}", "</s>", "[MASK]"),
)
SURROGATES = ("\ud800", "a\udc00", "\udfff\ud800", "London \udcff")
TITLES = ("", " ", "a\nb", "a\r", "\x00", "t" * 5_000, "../../etc/passwd", "=1+1", 'a"b,c', "é" * 50, "👍")


def odd_inputs(n: int, *, seed: int) -> Iterator[tuple[str, bytes]]:
    """n kinds of file and their contents, the same for the same seed. The costly ones come once."""
    rng = random.Random(seed)
    makers = {"txt": text_file, "jsonl": jsonl_file, "json": docred_file, "json.gz": gzip_file, "spacy": spacy_file}
    costly = [long_text(rng), crowded_line(rng), long_line(rng), nested_line(rng)]
    yield from costly[:n]
    for _ in range(n - len(costly)):
        kind = rng.choices(KINDS, (3, 8, 6, 1, 2))[0]
        yield kind, makers[kind](rng)


def odd_text(rng: random.Random) -> str:
    """Empty, one token, only blanks, pieces of many scripts, a very long token, or good."""
    make: Callable[[], str] = rng.choice(
        (
            lambda: rng.choice(EMPTY),
            lambda: rng.choice(PIECES),
            lambda: rng.choice((" ", "", "\n", "\r\n")).join(rng.choices(PIECES, k=rng.randint(2, 20))),
            lambda: TEXT,
            lambda: TEXT.replace(" ", rng.choice(("\t", "\r\n", "  ", "\u00a0", "\u200d"))),
            lambda: rng.choice("aA1.-é") * rng.choice((1, 2, 1_000)),
        )
    )
    return make()


def odd_value(rng: random.Random, depth: int = 0) -> Any:
    """A JSON value of any type: huge, tiny, no number, nested."""
    plain = (None, True, False, 0, -1, 1.5, 10**30, -(10**400), 1e308, float("nan"), float("inf"), "", "Ada", [], {})
    if depth > 3 or rng.random() < 0.7:
        return rng.choice((*plain, *SURROGATES, "x" * 200))
    if rng.random() < 0.5:
        return [odd_value(rng, depth + 1) for _ in range(rng.randint(0, 3))]
    return {rng.choice(("text", "pos", "mentions", "", "\x00")): odd_value(rng, depth + 1) for _ in range(2)}


def damaged(rng: random.Random, content: bytes) -> bytes:
    """The same with one thing wrong on the way from disk to disk; half of the time nothing."""
    at = rng.randrange(len(content) + 1)
    return rng.choice(
        (
            *[content] * 8,
            content[:at],
            content[:at] + bytes([rng.randrange(256)]) + content[at + 1 :],
            content[:at] + rng.choice(BROKEN_UTF8) + content[at:],
            rng.choice(BOMS) + content,
            content.replace(b"\n", b"\r\n"),
            content.replace(b": ", b": [", 1),
            content + rng.choice((b"\x00", b"}", b"]]", b"\n\n", b"{}")),
            content.replace(b'", "', b'", "text": 7, "title": 8, "', 1),  # keys given twice
        )
    )


def with_odd_value(rng: random.Random, value: Any, odd: Callable[[], Any]) -> Any:
    """A copy of a JSON value in which something, anywhere, is replaced or left out."""
    if not isinstance(value, (dict, list)) or not value or rng.random() < 0.2:
        return odd()
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = rng.choice(keys)
    copy = dict(value) if isinstance(value, dict) else list(value)
    if rng.random() < 0.15:
        del copy[key]
    else:
        copy[key] = with_odd_value(rng, copy[key], odd)
    return copy


def text_file(rng: random.Random) -> bytes:
    encoding = rng.choice(("utf8", "utf8", "utf8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"))
    return damaged(rng, odd_text(rng).encode(encoding, "surrogatepass"))


def mention(rng: random.Random, text: str) -> dict[str, Any]:
    start = rng.randrange(len(text) + 1)
    return {
        "start_char": start,
        "end_char": min(len(text), start + rng.randint(0, 12)),
        "label": rng.choice(("PER", "LOC")),
    }


def line(rng: random.Random) -> Any:
    """A record with entities that may overlap, be empty, or be what no entity is."""
    text = odd_text(rng) or TEXT
    record: dict[str, Any] = {"text": text, "title": rng.choice(TITLES)}
    if rng.random() < 0.7:
        record["entities"] = [
            {"label": "PER", "mentions": [mention(rng, text) for _ in range(rng.randint(1, 3))]}
            for _ in range(rng.randint(0, 4))
        ]
    offsets = (-1, 0.0, 2.5, True, "0", 10**9, 10**30, None, float("nan"))
    return (
        with_odd_value(rng, record, lambda: rng.choice((odd_value(rng), rng.choice(offsets))))
        if rng.random() < 0.5
        else record
    )


def jsonl_file(rng: random.Random) -> bytes:
    """Up to three lines; escaped or not, where that can be."""
    rows = []
    for _ in range(rng.randint(1, 3)):
        row = json.dumps(line(rng), ensure_ascii=rng.random() < 0.5)
        rows.append(row.encode("utf8", "surrogatepass"))
    return damaged(rng, rng.choice((b"\n", b"\n", b"\r\n", b"\n \n")).join(rows) + rng.choice((b"\n", b"")))


def docred_record(rng: random.Random) -> Any:
    """Two sentences of odd words, entities, a label, and perhaps a wrong value somewhere."""
    words = [[w for w in odd_text(rng).split(" ") if w][:50] or ["Ada"], ["She", "met", "Babbage", "."]]
    entities = [[{"name": "?", "pos": [0, 1], "sent_id": i, "type": rng.choice(("PER", "", "\x00"))}] for i in (0, 1)]
    labels = [{"h": 0, "t": 1, "r": "P19", "evidence": [0]}]
    record = {"title": rng.choice(TITLES), "sents": words, "vertexSet": entities, "labels": labels}
    return with_odd_value(rng, record, lambda: odd_value(rng)) if rng.random() < 0.6 else record


def docred_file(rng: random.Random) -> bytes:
    records: Any = [docred_record(rng) for _ in range(rng.randint(0, 3))]
    return damaged(rng, json.dumps(rng.choice((records, records, records, records, odd_value(rng)))).encode())


def gzip_file(rng: random.Random) -> bytes:
    packed = gzip.compress(docred_file(rng))
    return packed[: rng.randrange(len(packed))] if rng.random() < 0.5 else damaged(rng, packed)


def packed(*docs: Doc) -> bytes:
    bin_ = DocBin(store_user_data=True)
    for doc in docs:
        bin_.add(doc)
    return bin_.to_bytes()


def spacy_file(rng: random.Random) -> bytes:
    """Documents with and without tokens, entities and words that are odd."""
    vocab = Vocab()
    odd = Doc(vocab, words=[w for w in odd_text(rng).split(" ") if w], user_data={"docre_title": rng.choice(TITLES)})
    docs = rng.sample([odd, Doc(vocab), make_doc(vocab)], rng.randint(0, 3))
    return damaged(rng, packed(*docs))


def long_text(rng: random.Random) -> tuple[str, bytes]:
    """50,000 words, some of them names."""
    return "txt", " ".join(
        rng.choices(("Ada", "went", "to", "and", "from", "far", "."), (1, 99, 99, 99, 99, 99, 9), k=50_000)
    ).encode()


def long_line(rng: random.Random) -> tuple[str, bytes]:
    return "jsonl", json.dumps({"text": "a" * 50_000, "title": "t" * 50_000}).encode()


def nested_line(rng: random.Random) -> tuple[str, bytes]:
    return "jsonl", b'{"text": ' + DEEP + b"}"


def crowded_line(rng: random.Random) -> tuple[str, bytes]:
    """500 entities of one word."""
    words = [f"w{i:03}" for i in range(500)]
    entities = [{"mentions": [{"start_char": 5 * i, "end_char": 5 * i + 4, "label": "PER"}]} for i in range(500)]
    return "jsonl", json.dumps({"text": " ".join(words), "entities": entities}).encode()


def changed_bin(**fields: Any) -> bytes:
    """A `.spacy` file that can be unpacked, and has something else in it."""
    return zlib.compress(srsly.msgpack_dumps({**srsly.msgpack_loads(zlib.decompress(packed(make_doc()))), **fields}))


def nested_docred(field: str) -> bytes:
    """A DocRED document with a list nested 5,000 deep as its title, or as the `pos` of its mention.

    The time that ijson takes grows with the square of the depth.
    """
    record = {"title": "Ada", "sents": [["Ada"]], "vertexSet": [[{"pos": [0, 1], "sent_id": 0, "type": "PER"}]]}
    old = {"title": b'"Ada"', "pos": b"[0, 1]"}[field]
    return b"[" + json.dumps(record).encode().replace(old, b"[" * 5_000 + b"]" * 5_000, 1) + b"]"
