"""``python -m facewarp``: the same as the ``facewarp`` command."""

from facewarp.cli.start import main

if __name__ == "__main__":
    main()
