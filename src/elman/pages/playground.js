// The page to write in. It knows nothing of where the model is: that is `engine`'s business, which a script before this one
// defines. Two engines exist, one over HTTP (playground_http.js) and one of WebAssembly in an exported page. An engine is an
// object of
//
//   info()                                   -> Promise of {models: [name, ...], kind}
//   generate(prompt, options, onToken, signal) -> Promise that is kept when all texts have ended. options: {model, length, n,
//                                              temperature, top_p, top_k, min_p, repetition_penalty, seed}; onToken(index,
//                                              text, seed) is called with each further piece of the text of that index
//   score(text, model, signal)               -> Promise of [{text, bits}, ...]: the symbols of the text, in order. Bytes
//                                              that are no text alone are called `bytes:\xc3`
//   after(text, n, model, signal)            -> Promise of [{text, probability}, ...]: what could come next, likeliest first
//   command(prompt, options)                 -> string: a line that does the same without the page
//   setKey(key)                              -> only where a promise was rejected with an error that has `needsKey`
//
// `signal` is an AbortSignal. An Error's message is shown as it is. Nothing that a model or a server says becomes markup.
"use strict";

(() => {
  const byId = (id) => document.getElementById(id);
  const [writing, paint, status] = ["text", "paint", "status"].map(byId);
  const sliders = ["length", "n", "temperature", "top_p", "seed"];
  let models = [], asked = null, stopping = null;

  const element = (name, text, className) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };
  const shown = (text) => ({ " ": "space", "\n": "line end", "\t": "tab" })[text] ?? text.replaceAll(" ", "\u2423");
  const isBytes = (text) => /^bytes:(\\x[0-9a-f]{2})+$/.test(text);
  const model = () => byId("model").value;
  const second = () => byId("second").value;
  const level = (bits) => Math.min(9, Math.floor(bits));

  const options = () => {
    const values = Object.fromEntries(sliders.map((name) => [name, Number(byId(name).value)]));
    if (values.top_p >= 1) delete values.top_p;
    if (byId("draw").checked) delete values.seed;
    return { model: model(), ...values };
  };

  // Symbols to pieces of the text: those that end within a character become one with what follows, with the sum of their costs.
  const pieces = (symbols, text) => {
    const found = [], encoder = new TextEncoder(), decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    let at = 0, bits = 0, held = [];
    for (const symbol of symbols) {
      bits += symbol.bits;
      let own = symbol.text === "<unk>" ? String.fromCodePoint(text.codePointAt(at) ?? 0xfffd) : symbol.text;
      if (held.length || isBytes(own)) {
        held.push(...(isBytes(own) ? own.match(/(?<=x)../g).map((digits) => parseInt(digits, 16)) : encoder.encode(own)));
        try { own = decoder.decode(Uint8Array.from(held)); } catch { continue; }
      }
      found.push({ text: own, bits });
      at += own.length;
      bits = 0, held = [];
    }
    return found;
  };

  const draw = (place, found) => {
    place.replaceChildren(...found.map(({ text, bits }) => {
      const one = element("span", text, `s${level(bits / Array.from(text).length)}`);  // of a subword: the mean
      one.title = `${shown(text)}: ${bits.toFixed(2)} bits`;
      return one;
    }), element("span", "\n"));
  };
  const summary = (name, found) => {
    const bits = found.reduce((sum, one) => sum + one.bits, 0);
    const count = found.reduce((sum, one) => sum + Array.from(one.text).length, 0);
    return `${name}: ${bits.toFixed(1)} bits, ${(bits / Math.max(1, count)).toFixed(3)} a character`;
  };

  const bars = (next) => {
    byId("next").replaceChildren(...next.map(({ text, probability }) => {
      const button = element("button");
      button.type = "button";
      const bar = element("span", "", "bar");
      bar.style.setProperty("--share", probability);
      button.append(element("span", shown(text), "symbol"), bar, element("span", `${(100 * probability).toFixed(1)} %`));
      button.disabled = text === "<unk>" || isBytes(text);
      button.addEventListener("click", () => append(text));
      return button;
    }));
  };
  const append = (text) => {
    writing.value += text;
    writing.focus();
    changed();
  };

  const say = (error) => {
    if (error.name === "AbortError") return;
    status.textContent = error.message;
    if (error.needsKey) byId("keys").hidden = false;
  };

  // What is written is scored a moment after the last key; an answer that comes late is dropped.
  const look = async () => {
    asked?.abort();
    asked = new AbortController();
    const { signal } = asked, text = writing.value;
    try {
      const names = second() ? [model(), second()] : [model()];
      const [next, ...symbols] = await Promise.all([
        engine.after(text, 8, model(), signal), ...names.map((name) => engine.score(text, name, signal)),
      ]);
      if (signal.aborted) return;
      const found = symbols.map((each) => pieces(each, text));
      draw(paint, found[0]);
      byId("other").hidden = !second();
      if (second()) draw(byId("other"), found[1]);
      status.textContent = names.map((name, i) => summary(name, found[i])).join(" \u00b7 ");
      bars(next);
    } catch (error) { say(error); }
  };
  let timer = 0;
  const changed = () => {
    paint.replaceChildren(element("span", writing.value), element("span", "\n"));
    clearTimeout(timer);
    timer = setTimeout(look, 120);
    tell();
  };
  const tell = () => {
    for (const name of sliders) byId(`${name}-shown`).textContent = byId(name).value;
    byId("seed").disabled = byId("draw").checked;
    byId("command").textContent = engine.command(writing.value, options());
  };

  const write = async () => {
    stopping?.abort();
    stopping = new AbortController();
    const { signal } = stopping, begun = writing.value, given = options();
    const names = second() ? [model(), second()] : [model()];
    const place = byId("continuations");
    place.replaceChildren();
    byId("stop").hidden = false;
    const work = names.map((name) => {
      const cards = Array.from({ length: given.n }, () => {
        const card = element("article");
        const text = element("p", "");
        const use = element("button", "Use it");
        use.type = "button";
        use.addEventListener("click", () => { writing.value = begun + text.textContent; changed(); });
        const foot = element("footer", second() ? name : "");
        foot.append(use);
        card.append(text, foot);
        place.append(card);
        return text;
      });
      return engine.generate(begun, { ...given, model: name }, (index, text) => { cards[index].textContent += text; }, signal);
    });
    try { await Promise.all(work); } catch (error) { say(error); }
    if (stopping.signal === signal) byId("stop").hidden = true;
  };

  const begin = async () => {
    try {
      ({ models } = await engine.info());
    } catch (error) { return say(error); }
    byId("keys").hidden = true;
    const choices = () => models.map((name) => new Option(name, name));
    byId("model").replaceChildren(...choices());
    byId("second").replaceChildren(new Option("no other", ""), ...choices());
    byId("models").hidden = models.length < 2;
    changed();
  };

  writing.addEventListener("input", changed);
  writing.addEventListener("scroll", () => { paint.scrollTop = writing.scrollTop; });
  for (const id of [...sliders, "draw"]) byId(id).addEventListener("input", tell);
  for (const id of ["model", "second"]) byId(id).addEventListener("change", changed);
  byId("write").addEventListener("click", write);
  byId("stop").addEventListener("click", () => { stopping?.abort(); byId("stop").hidden = true; });
  writing.addEventListener("keydown", (event) => { if (event.key === "Enter" && event.ctrlKey) write(); });
  byId("keys").addEventListener("submit", (event) => {
    event.preventDefault();
    engine.setKey(byId("key").value);
    begin();
  });
  begin();
})();
