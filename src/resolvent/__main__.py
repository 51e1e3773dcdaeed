"""``python -m resolvent`` is the command ``resolvent``."""

from __future__ import annotations

import gc
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; Ctrl-C while it is loaded ends it as it does later."""
    try:
        from resolvent.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        gc.freeze()  # as it ends, Python would search all that was imported for garbage, three times


if __name__ == "__main__":
    main()
