"""The site: Sphinx reads the Markdown of this folder. In `make docs` a warning or a dead link is an error."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import generate
from docutils import nodes
from sphinx.application import Sphinx

import elman
from elman.export import to_lab

project, author = "Elman", "The Elman developers"
copyright = "The Elman developers, MIT licence"
version = release = elman.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode", "sphinx_copybutton"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build"]
default_role = "literal"
nitpicky = False
smartquotes_action = "q"  # a -- is an option's, not a dash
suppress_warnings = ["ref.python"]  # two classes may have an attribute of one name

myst_enable_extensions = ["colon_fence", "deflist", "linkify", "attrs_inline"]
myst_heading_anchors = 4
myst_linkify_fuzzy_links = False

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_google_docstring, napoleon_numpy_docstring = True, False
napoleon_custom_sections = ["Source"]
napoleon_use_rtype = False  # what stands before a colon under Returns is a name; the signature has the type
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = f"Elman {release}"

html_static_path, html_css_files = ["_static"], ["wide.css"]
html_copy_source = False
html_extra_path = ["reference/generated/llms.txt", "reference/generated/lab.html"]
copybutton_prompt_text = r"\$ |>>> "
copybutton_prompt_is_regexp = True

linkcheck_ignore = ["^https?://"]  # those of this site alone are checked: it builds without a network

made = Path(__file__).parent / "reference" / "generated"
generate.write_all(made)
(made / "lab.html").write_text(to_lab(), encoding="utf-8")


def dashes(app: Sphinx, tree: nodes.document) -> None:
    """Typeset the dash behind the name of a parameter or a result: `smartquotes_action` leaves all dashes alone."""
    for text in list(tree.findall(nodes.Text)):
        if text.startswith(" -- "):
            text.parent.replace(text, nodes.Text(" –" + text[3:]))


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", dashes)
