"""The argument parser of every `emorealm` verb."""

import argparse
from typing import NoReturn

from emorealm_tasks.errors import stop


class Parser(argparse.ArgumentParser):
    """Ends in one line instead of a page of usage."""

    def error(self, message: str) -> NoReturn:
        """Leave with status 2."""
        stop(f"{message}; see {self.prog} --help")
