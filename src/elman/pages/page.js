
"use strict";
// The text is shown in chunks of plain text, so a browser can find, wrap and skip it; only chunks near the window
// have a coloured span for each character. One listener serves all characters.
const CHUNK = 1500;  // characters of a chunk, at least
const LONGEST = 4000;  // of a chunk within one line without white space
const END = 0x110000;  // in `codes`: after the last character of a file
const MOST = 65535;  // in arrays of thousandths of a bit: this, or more
const BITS = [0.5, 1, 2, 3, 5, 8, 12];  // where a bin of surprisal ends
const data = JSON.parse(document.getElementById("data").textContent);
const text = document.getElementById("text"), card = document.getElementById("card");
const arrays = {}, known = new Set(data.symbols), chunks = [];
let layer = data.layers.length > 1 ? 1 : 0, cursor = -1;

async function unpack({ type, packed }) {
  const raw = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
  const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new { Uint8Array, Int8Array, Uint16Array, Uint32Array }[type](await new Response(stream).arrayBuffer());
}

// The text shown for a character: itself, or a sign for one that would not be seen.
function glyph(code) {
  if (code === 10) return "↵";
  if (code === 9) return "⇥\t";
  if (code < 32) return String.fromCodePoint(0x2400 + code);
  if (code === 127) return "␡";
  if (code === 0xA0) return "⍽";
  if (code === END) return "▮";
  if (code === -1) return "<unk>";
  if (code >= 0xD800 && code < 0xE000) return "\uFFFD";
  const sign = String.fromCodePoint(code);
  return /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u{FE00}-\u{FE0F}\u{E0100}-\u{E01EF}]/u.test(sign) ? "◌" : sign;
}

const NAMES = { 9: "tab", 10: "line end", 13: "carriage return", 32: "space", 127: "delete", 0xA0: "no-break space" };

function named(code) {
  if (code === END) return "after the end";
  return (NAMES[code] ? NAMES[code] + " " : "") + "U+" + code.toString(16).toUpperCase().padStart(4, "0");
}

// A token as an alternative: a character, a byte, or several of them.
function token(id) {
  if (data.names.length) return Array.from(data.names[id], (c) => (c === " " ? "␣" : glyph(c.codePointAt(0)).trim())).join("");
  if (data.bytes && id > 126) return "byte " + id.toString(16).toUpperCase();
  const code = data.bytes ? id : data.symbols[id];
  return code === 32 ? "space" : code === 10 ? "↵" : glyph(code).trim();
}

const decimals = (x, n) => x.toFixed(n).replace(/^-0(\.0*)?$/, "0$1");
const bits = (thousandths) => (thousandths === MOST ? "≥ 65.5" : decimals(thousandths / 1000, 2));

function percent(thousandths) {
  const p = 100 * 2 ** (-thousandths / 1000);
  if (thousandths === MOST || p < 1e-4) return "< 0.0001 %";
  return (p >= 10 ? p.toFixed(1) : p >= 0.1 ? p.toFixed(2) : p.toPrecision(1)) + " %";
}

function colour(i) {
  const kind = data.layers[layer].kind, values = arrays[data.layers[layer].array];
  if (arrays.codes[i] === END) return "";
  if (kind === "bits") {
    let bin = 0;
    while (bin < BITS.length && values[i] >= 1000 * BITS[bin]) bin++;
    return "s" + bin;
  }
  return kind === "signed" ? "d" + (Math.round(values[i] / 127 * 4) + 4) : "s" + Math.min(7, values[i] >> 5);
}

function make(tag, name, content) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (content !== undefined) element.textContent = content;
  return element;
}

// Chunks hold lines [from, to) of positions; a long line goes on in the next chunk, after a white space.
function layOut() {
  const { codes } = arrays, page = document.createDocumentFragment();
  data.files.forEach((file, index) => {
    const heading = make("h2", "", file.name);
    heading.id = "file" + (index + 1);
    page.append(heading);
    let lines = [], number = file.line, from = file.start, begin = from, fresh = true;
    const close = (to) => {
      if (to > from) lines.push([from, to, fresh ? number : 0]);
      if (lines.length) page.append(chunk(lines));
      lines = [];
      begin = from = to;
    };
    for (let i = file.start; i < file.end; i++) {
      const code = codes[i], size = i + 1 - begin;
      if (code === 10) {
        lines.push([from, i + 1, fresh ? number : 0]);
        number++;
        from = i + 1;
        fresh = true;
        if (size >= CHUNK) close(i + 1);
      } else if (size >= LONGEST || (size >= CHUNK && i + 1 - from >= CHUNK && (code === 32 || code === 9))) {
        close(i + 1);
        fresh = false;
      }
    }
    close(file.end);
  });
  text.append(page);
}

function chunk(lines) {
  const element = make("div", "chunk");
  let rows = 0;
  for (const [from, to, number] of lines) {
    const line = make("div", "line");
    if (number) line.dataset.n = number;
    line.textContent = plain(from, to);
    element.append(line);
    rows += Math.ceil((to - from) / columns) || 1;
  }
  element.style.containIntrinsicBlockSize = "auto " + rows * 22 + "px";
  element.lines = lines;
  element.first = lines[0][0];
  chunks.push(element);
  return element;
}

function plain(from, to) {
  let line = "";
  for (let i = from; i < to; i++) line += glyph(arrays.codes[i]);
  return line;
}

function paint(element) {
  element.painted = true;
  element.lines.forEach(([from, to], index) => {
    const line = document.createDocumentFragment();
    for (let i = from; i < to; i++) {
      const code = arrays.codes[i], span = make("span", colour(i), glyph(code));
      if (code < 32 || code === 127 || code === END || span.textContent === "◌") span.classList.add("mark");
      if (i === cursor) span.classList.add("on");
      span.position = i;
      line.append(span);
    }
    element.children[index].replaceChildren(line);
  });
}

function unpaint(element) {
  element.painted = false;
  element.lines.forEach(([from, to], index) => {
    element.children[index].textContent = plain(from, to);
  });
}

// Of ascending numbers given by `at`, the last that is not above `value`.
function last(length, at, value) {
  let low = 0, high = length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (at(middle) <= value) low = middle;
    else high = middle;
  }
  return low;
}

const chunkOf = (i) => chunks[last(chunks.length, (k) => chunks[k].first, i)];

function spanOf(i) {
  const element = chunkOf(i);
  if (!element.painted) paint(element);
  const line = last(element.lines.length, (k) => element.lines[k][0], i);
  return element.children[line].children[i - element.lines[line][0]];
}

function show(i) {
  const before = cursor >= 0 && chunkOf(cursor).painted ? spanOf(cursor) : null;
  if (before) before.classList.remove("on");
  cursor = i;
  card.hidden = i < 0;
  if (i < 0) return;
  const span = spanOf(i);
  span.classList.add("on");
  describe(i);
  const at = span.getClientRects()[0] || span.getBoundingClientRect(), own = card.getBoundingClientRect();
  const below = at.bottom + 10 + own.height < innerHeight;
  card.style.left = Math.max(8, Math.min(at.left - 20, innerWidth - own.width - 8)) + "px";
  card.style.top = (below ? at.bottom + 8 : Math.max(8, at.top - own.height - 8)) + "px";
}

function describe(i) {
  const code = arrays.codes[i], head = make("div", "head"), parts = [head];
  head.append(make("b", "", code === 32 ? "␣" : glyph(code).trim()), make("span", "name", named(code)));
  if (code !== END) {
    const cost = arrays.bits[i];
    parts.push(make("div", "cost", bits(cost) + " bits · probability " + percent(cost)));
    if (!data.bytes && !known.has(code)) parts.push(make("div", "note", "not in the vocabulary: read as <unk>"));
  }
  const unit = data.layers[layer];
  if (unit.kind !== "bits" && code !== END) {
    const value = arrays[unit.array][i] / (unit.kind === "signed" ? 127 : 255) * unit.scale;
    parts.push(make("div", "cost", unit.name + ": " + decimals(value, 2)));
  }
  if (data.bytes && code > 127 && code !== END) parts.push(make("div", "note", data.names.length ? "for its first token:" : "for its first byte:"));
  for (let k = 0; k < data.count; k++) {
    const cost = arrays["bits" + k][i], id = arrays["token" + k][i];
    const row = make("div", "row"), meter = make("i"), share = 2 ** (-cost / 1000);
    if (arrays.rank[i] === k) row.classList.add("is");
    meter.style.width = 100 * share + "%";
    row.append(make("b", "", token(id)), meter, make("span", "", percent(cost)), make("span", "", bits(cost)));
    parts.push(row);
  }
  card.replaceChildren(...parts);
}

function legend() {
  const unit = data.layers[layer], parts = [];
  if (unit.kind === "bits") {
    [0, ...BITS].forEach((edge, k) => {
      parts.push(make("span", "s" + k, edge === 0 ? "< ½" : edge === 0.5 ? "½" : edge + (k === BITS.length ? " +" : "")));
    });
  } else {
    const signed = unit.kind === "signed", steps = signed ? 9 : 8;
    for (let k = 0; k < steps; k++) parts.push(make("span", (signed ? "d" : "s") + k, "\u00A0"));
    parts.unshift(make("em", "", signed ? decimals(-unit.scale, 2) : "0"));
    parts.push(make("em", "", decimals(unit.scale, 2)));
  }
  const scale = make("div", "scale");
  scale.append(...parts);
  const note = unit.kind === "bits" ? "surprisal in bits, from" : unit.note;
  document.getElementById("legend").replaceChildren(make("em", "", note), scale);
  document.querySelectorAll("#layers button").forEach((b, k) => b.setAttribute("aria-checked", k === layer));
}

function choose(k) {
  layer = k;
  legend();
  for (const element of chunks) if (element.painted) paint(element);
}

function move(event) {
  const element = cursor < 0 ? null : chunkOf(cursor), end = arrays.codes.length - 1;
  let to = cursor;
  if (cursor < 0) to = 0;
  else if (event.key === "ArrowRight") to = Math.min(end, cursor + 1);
  else if (event.key === "ArrowLeft") to = Math.max(0, cursor - 1);
  else {
    const line = last(element.lines.length, (k) => element.lines[k][0], cursor), [from, until] = element.lines[line];
    const target = event.key === "ArrowDown" ? until : from - 1;
    if (target < 0 || target > end) return;
    const next = chunkOf(target), lines = next.lines;
    const [a, b] = lines[last(lines.length, (k) => lines[k][0], target)];
    to = Math.min(b - 1, a + cursor - from);
  }
  spanOf(to).scrollIntoView({ block: "nearest" });
  show(to);
}

let columns = 80;
async function start() {
  for (const [name, array] of Object.entries(data.arrays)) arrays[name] = await unpack(array);
  const probe = make("span", "", "0".repeat(50)), line = make("div", "line");
  line.append(probe);
  text.append(line);
  columns = Math.max(20, Math.floor((line.clientWidth - 68) / (probe.getBoundingClientRect().width / 50)));
  line.remove();
  layOut();
  if (data.layers.length > 1) {
    data.layers.forEach((unit, k) => {
      const button = make("button", "", unit.name);
      button.type = "button";
      button.setAttribute("role", "radio");
      button.addEventListener("click", () => choose(k));
      document.getElementById("layers").append(button);
    });
  }
  legend();
  const near = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting && !target.painted) paint(target);
      else if (!isIntersecting && target.painted) unpaint(target);
    }
  }, { rootMargin: "600px" });
  for (const element of chunks) near.observe(element);
  const bar = document.getElementById("bar");  // what is scrolled to lies below it, not under it
  new ResizeObserver(() => {
    document.documentElement.style.scrollPaddingTop = bar.offsetHeight + 8 + "px";
  }).observe(bar);
  text.addEventListener("pointerover", (event) => show(event.target.position ?? -1));
  text.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && show(-1));
  text.addEventListener("keydown", (event) => {
    if (event.key === "Escape") show(-1);
    else if (/^Arrow/.test(event.key) && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      move(event);
    }
  });
  document.body.dataset.ready = "";
}
start();
