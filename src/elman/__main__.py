"""`python -m elman`, as launchers of several processes start it: the command."""

from __future__ import annotations

from .cli import main

main()
