"""A small HTTP server that speaks OpenAI's chat and batch API and fails as it is told to."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler

from stand_in_server import StandInServer

VERDICT = {name: {"reason": "so it is", "score": 7} for name in ("clue", "label", "spurious", "halluc")}


def chat(text):
    """An answer of the chat API."""
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 500, "completion_tokens": 60, "total_tokens": 560}
    return {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "usage": usage,
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}]}  # fmt: skip


def error(message, **more):
    return {"error": {"message": message, "type": "x", "code": None, **more}}


class FaultyServer(StandInServer):
    """`script(body, number)` -> (status, headers, body as a value or raw bytes), "hang" or "cut"; default: a verdict.

    `asked` holds the bodies of all chat requests in order, `at` their times, `keys` the keys sent; `most_at_once` how
    many were under way together.

    Batches: `batch_status` is the status of all, `batch_statuses` of single ones; a batch that expires has answered its
    first `before_expiry` requests; `on_batch(name)` is called once a batch is there and before that is said, and
    whatever it returns but None cuts the connection.
    """

    def __init__(self, script=None):
        self.script = script or (lambda body, number: (200, {}, chat(json.dumps(VERDICT))))
        self.asked, self.at, self.keys = [], [], set()
        self.under_way = self.most_at_once = 0
        self.lock = threading.Lock()
        self.files, self.batches, self.released = {}, {}, threading.Event()
        self.batch_status, self.batch_statuses, self.before_expiry = "completed", {}, 0
        self.answers = {}  # file of requests -> what came of them, once somebody wanted to know
        self.on_batch = lambda name: None
        super().__init__(_Handler)

    @property
    def url(self):
        return f"{self.address}/v1"

    def server_close(self):
        self.released.set()
        super().server_close()


class JsonHandler(BaseHTTPRequestHandler):
    """Answers in JSON, keeps connections open, writes no log."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def _send(self, status, headers, body):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for key, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(data)


class _Handler(JsonHandler):
    def do_POST(self):
        server = self.server
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        server.keys.add(self.headers.get("Authorization", ""))
        if self.path == "/v1/files":
            name = f"file-{len(server.files)}"
            server.files[name] = _jsonl(raw)
            return self._send(200, {}, {"id": name, "object": "file", "bytes": 1, "created_at": 0, "filename": "f",
                                        "purpose": "batch", "status": "processed"})  # fmt: skip
        body = json.loads(raw)
        if self.path == "/v1/batches":
            name = f"batch-{len(server.batches)}"
            server.batches[name] = body
            if server.on_batch(name) is not None:
                self.close_connection = True
                return None
            return self._send(200, {}, self._batch(name, "validating"))
        with server.lock:
            number = len(server.asked)
            server.asked.append(body)
            server.at.append(time.monotonic())
            server.under_way += 1
            server.most_at_once = max(server.most_at_once, server.under_way)
        try:
            done = server.script(body, number)
            if done == "hang":
                server.released.wait(20)
                self.close_connection = True
            elif done == "cut":
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b'{"choices": [{"mess')
                self.close_connection = True
            else:
                self._send(*done)
        finally:
            with server.lock:
                server.under_way -= 1

    def do_GET(self):
        server = self.server
        path = self.path.partition("?")[0]
        name = path.rsplit("/", 1)[-1]
        if path.endswith("/content"):
            kind, _, source = path.split("/")[-2].partition("-")
            if source not in server.answers:
                server.answers[source] = self._answers(source)
            answers = server.answers[source]
            wanted = [line for line in answers if bool(line["error"]) == (kind == "error")]
            return self._send(200, {"Content-Type": "text/plain"}, "\n".join(map(json.dumps, wanted)).encode())
        if name == "batches":
            data = [self._batch(one, "in_progress") for one in reversed(server.batches)]
            return self._send(200, {}, {"object": "list", "data": data, "has_more": False})
        return self._send(200, {}, self._batch(name, server.batch_statuses.get(name, server.batch_status)))

    def _answers(self, source):
        """The lines of a batch's output and of its errors."""
        server = self.server
        name = next(name for name, body in server.batches.items() if body["input_file_id"] == source)
        expires = server.batch_statuses.get(name, server.batch_status) == "expired"
        answers = []
        for number, line in enumerate(map(json.loads, server.files[source])):
            if expires and number >= server.before_expiry:
                late = {"code": "batch_expired", "message": "This request could not be executed in time."}
                answers.append({"custom_id": line["custom_id"], "response": None, "error": late})
                continue
            status, _, body = server.script(line["body"], number)
            answers.append({"custom_id": line["custom_id"], "error": None,
                            "response": {"status_code": status, "body": body}})  # fmt: skip
        return answers

    def _batch(self, name, status):
        body = self.server.batches[name]
        source = body["input_file_id"]
        over = status in ("completed", "expired")
        fault = {"code": "x", "message": "the queue is full", "line": None, "param": None}
        return {"id": name, "object": "batch", "status": status, "endpoint": "/v1/chat/completions", "created_at": 0,
                "completion_window": "24h", "input_file_id": source,
                "output_file_id": f"out-{source}" if over else None,
                "error_file_id": f"error-{source}" if over else None, "metadata": body.get("metadata"),
                "errors": {"object": "list", "data": [fault]} if status == "failed" else None}  # fmt: skip


def _jsonl(form):
    """The JSON lines inside an uploaded form."""
    return [line for line in form.decode().splitlines() if line.startswith('{"custom_id"')]
