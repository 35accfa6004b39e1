"""Makes `python -m kubia_pet` the same as the `kubia-pet` command."""

from kubia_pet.cli import main

main()
