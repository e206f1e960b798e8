"""The base of the HTTP servers that tests start: one that serves from the start, and ends with its `with` block."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_POLL = 0.01
"""Seconds between two looks at whether a server is to end; http.server's own are half a second a test."""


class StandInServer(ThreadingHTTPServer):
    """Serves on a free port of this machine, in a thread of its own, until `stop` or the end of a `with` block."""

    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        threading.Thread(target=self.serve_forever, args=(_POLL,), name=f"serving {self.address}", daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def server_close(self) -> None:
        """Also at the end of a `with` block: a thread that goes on with a closed socket keeps a core busy."""
        self.shutdown()
        super().server_close()

    def stop(self) -> None:
        self.server_close()


def serving() -> list[str]:
    """The servers of this process that have not ended."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("serving ")]
