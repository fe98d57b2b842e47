"""``python -m micronet`` is ``micronet``."""

from micronet.cli import entry

if __name__ == "__main__":
    entry()
