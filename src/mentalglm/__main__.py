"""`python -m mentalglm`."""

from mentalglm.cli import main

main()
