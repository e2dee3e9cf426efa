"""`python -m fdsl` is `fdsl`."""

from fdsl.cli import main

main()
