// How a text is cut into tokens of several bytes, as src/elman/text/subwords.py and split.py do it: the same ids.

const OTHER = "\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f!-\\/:-@\\[-`{-\\xbf\\xd7\\xf7\\u2000-\\u2bff\\u3000-\\u303f\\uff00-\\uff0f\\u{1f000}-\\u{1faff}";
const LETTER = `[^${OTHER}0-9 \\t\\r\\n]`;
const WORD = new RegExp(`\\n| ?${LETTER}{1,24}(?:['\\u2019]${LETTER}{1,24}){0,2}| ?[0-9]{1,8}| ?[${OTHER}]{1,24}|[ \\t\\r]{1,24}(?![^ \\t\\r\\n])|[ \\t\\r]`, "gu");
const CACHED = 1 << 18; // words whose ids are remembered

/** Where a model's bytes say how a text is cut: { size, cut }: the bytes of the container, and a function that makes of its tokens the function from a text to ids. Else null. */
export function cutter(bytes) {
  const end = bytes.length - 16;
  if (end < 0 || String.fromCharCode(...bytes.subarray(end + 8)) !== "ELMANCUT") return null;
  const count = new DataView(bytes.buffer, bytes.byteOffset + end).getInt32(0, true), size = end - 4 * Math.max(0, count);
  const pairs = new Uint16Array(bytes.slice(size, end).buffer);
  return { size, cut: (tokens) => (count < 0 ? longestFirst(tokens) : byMerges(pairs, count)) };
}

// A byte-level BPE. pairs: ids that are merged, two by two.
function byMerges(pairs, count) {
  const texts = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte));
  const ids = new Map(texts.map((text, id) => [text, id])), made = new Map();
  for (let rank = 0; rank < count; ++rank) {
    const a = pairs[2 * rank], b = pairs[2 * rank + 1], text = texts[a] + texts[b];
    if (!ids.has(text)) ids.set(text, texts.push(text) - 1);
    if (!made.has(a * 65536 + b)) made.set(a * 65536 + b, { rank, id: ids.get(text) });
  }
  const merged = (word) => {
    const found = utf8Of(word);
    for (;;) {
      let best = null, at = 0;
      for (let i = 1; i < found.length; ++i) {
        const merge = made.get(found[i - 1] * 65536 + found[i]);
        if (merge && !(best?.rank <= merge.rank)) best = merge, at = i - 1;
      }
      if (!best) return found;
      found.splice(at, 2, best.id);
    }
  };
  const known = new Map();
  return (text) => {
    const found = [];
    for (const word of escaped(text).match(WORD) ?? []) {
      if (!known.has(word)) known.set(word, merged(word));
      for (const id of known.get(word)) found.push(id);
    }
    if (known.size > CACHED) known.clear();
    return found;
  };
}

// At each place the longest token, else the bytes of a character.
function longestFirst(tokens) {
  const ids = new Map(), lengths = new Map(), decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  tokens.slice(256).forEach((token, at) => {
    const text = decoder.decode(token), first = String.fromCodePoint(text.codePointAt(0));
    ids.set(text, 256 + at);
    lengths.set(first, (lengths.get(first) ?? new Set()).add(text.length));
  });
  for (const [first, found] of lengths) lengths.set(first, [...found].sort((a, b) => b - a));
  return (text) => {
    const whole = escaped(text), found = [];
    for (let at = 0; at < whole.length;) {
      const first = String.fromCodePoint(whole.codePointAt(at));
      const length = lengths.get(first)?.find((size) => ids.has(whole.slice(at, at + size)));
      if (length) found.push(ids.get(whole.slice(at, at + length)));
      else found.push(...utf8Of(first));
      at += length ?? first.length;
    }
    return found;
  };
}

// Half a surrogate pair as the three bytes that it would have, each as U+DC80 .. U+DCFF: Python's "surrogateescape".
function escaped(text) {
  return text.replace(/[\ud800-\udfff]/gu, (half) => {
    const code = half.charCodeAt(0);
    return String.fromCharCode(...[0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63)].map((byte) => 0xdc00 + byte));
  });
}

// The bytes of an escaped text.
function utf8Of(text) {
  return Array.from(text).flatMap((character) => {
    const code = character.codePointAt(0);
    return code >= 0xdc80 && code <= 0xdcff ? [code - 0xdc00] : Array.from(new TextEncoder().encode(character));
  });
}
