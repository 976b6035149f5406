"""`python -m parabola`: the command, where its script is not on PATH."""

from parabola.cli import main

main()
