"""`python -m entropix` is the `entropix` command."""

from entropix.cli import main

main()
