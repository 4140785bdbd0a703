"""A model as a package for npm: an ES module with types, the kernel as WebAssembly, and the model."""

from __future__ import annotations

import json
import re

from .. import __version__
from ..errors import InputError
from ..model import Model, QuantisedModel, refuse_ngrams
from .html import WEB, integer_module, wasm
from .plain import for_javascript


def to_js(model: Model, name: str) -> dict[str, bytes]:
    """The package's files by their names.

    Args:
        model: of any tokens; quantised, or of floats.
        name: the package's, as npm takes it.
    Raises:
        InputError: a model with n-grams, or a name that npm would refuse.
    """
    refuse_ngrams(model, "the package")
    if not re.fullmatch(r"(@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*", name) or len(name) > 214:
        raise InputError(
            f"name is {name!r}; npm takes small letters, digits, '-', '.' and '_', a letter or digit first"
        )
    floats = not isinstance(model, QuantisedModel)
    modules = {"elman.wasm": "elman-floats" if floats else integer_module(model)}
    modules |= {"elman-relaxed.wasm": "elman-relaxed"} if floats else {}
    sources = ("index.js", "index.d.ts", "engine.js", "subwords.js", "relaxed.js")
    files = {each: (WEB / each).read_bytes() for each in sources}
    if floats:
        assert _ONE_MODULE in files["index.js"]
        files["index.js"] = files["index.js"].replace(_ONE_MODULE, _TWO_MODULES)
    else:
        del files["relaxed.js"]
    about = {
        "name": name,
        "version": "1.0.0",
        "description": f"A recurrent language model: {model.cell} {model.num_layers} x {model.hidden_size}",
        "type": "module",
        "main": "index.js",
        "types": "index.d.ts",
        "exports": {".": {"types": "./index.d.ts", "default": "./index.js"}, "./elman.wasm": "./elman.wasm"},
        "files": [*files, *modules, "model.elman"],
        "engines": {"node": ">=20"},
        "license": "MIT",
        "elman": {"version": __version__, "digest": model.digest()},
    }
    files |= {"package.json": json.dumps(about, indent=2).encode() + b"\n", "README.md": _README.encode()}
    files |= {name: wasm(module) for name, module in modules.items()}
    return files | {"model.elman": for_javascript(model)}


_ONE_MODULE = b'const module = () => "./elman.wasm";'
_TWO_MODULES = b"""import { fuses } from "./relaxed.js";
const module = () => (fuses() ? "./elman-relaxed.wasm" : "./elman.wasm");"""
_README = """# A language model

```js
import { load } from "./index.js";

const model = await load();
console.log(model.generate("the ", { length: 100, seed: 7 }));
for await (const piece of model.stream("the ")) process.stdout.write(piece);
console.log(model.score("the sea").bits, model.after("the s"));
```

Made by `elman export js`. The text of a seed and the bits of a score are the same on every computer. The code is under
the MIT licence.
"""
