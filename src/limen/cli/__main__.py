"""``python -m limen.cli``."""

from limen.cli import main

main()
