"""`python -m elman.cli`."""

from . import main

main()
