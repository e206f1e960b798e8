"""A stand-in for the Gemini API on this machine: uploads, their processing, generateContent, and faults as told."""

import json
import re
import threading
import time

from faulty_server import JsonHandler
from stand_in_server import StandInServer


def reply(text, finish="STOP", thought=0):
    """An answer of generateContent."""
    usage = {"promptTokenCount": 300, "candidatesTokenCount": 5, "thoughtsTokenCount": thought}
    usage["promptTokensDetails"] = [{"modality": "AUDIO", "tokenCount": 100}, {"modality": "VIDEO", "tokenCount": 200}]
    content = {"role": "model", "parts": [{"text": text}]} if text else {"role": "model"}
    return {"candidates": [{"content": content, "finishReason": finish}], "usageMetadata": usage}


def camel(value):
    """A body with all names as the API documents them; it takes snake_case too, and the client sends both."""
    if isinstance(value, list):
        return [camel(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {re.sub("_(.)", lambda found: found[1].upper(), name): camel(one) for name, one in value.items()}


def error(code, message, status="X", details=()):
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


class GeminiStandIn(StandInServer):
    """`answer(body, files)` -> (status, headers, body); `upload(data, number)` -> the same, or None for a good one.

    `files` maps the URI of an upload to its bytes. An upload is PROCESSING until it was looked at `looks` times, and
    then in `state`. `asked` holds the bodies of generateContent, `at` the times of all requests, `deleted` names.
    """

    def __init__(self, answer, upload=lambda data, number: None, looks=0, state="ACTIVE"):
        self.answer, self.upload, self.looks, self.state = answer, upload, looks, state
        self.files, self.looked, self.deleted, self.asked, self.at, self.keys = {}, {}, [], [], [], set()
        self.uploads = 0
        self.lock = threading.Lock()
        super().__init__(_Handler)

    def file(self, name):
        ready = self.looked[name] >= self.looks
        return {
            "name": f"files/{name}",
            "uri": f"{self.address}/files/{name}",
            "mimeType": "video/mp4",
            "state": self.state if ready else "PROCESSING",
            **({"error": {"message": "codec unknown"}} if ready and self.state == "FAILED" else {}),
        }


class _Handler(JsonHandler):
    def do_POST(self):
        server = self.server
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        with server.lock:
            server.at.append(time.monotonic())
            server.keys.add(self.headers.get("x-goog-api-key"))
        if self.path.startswith("/upload/"):
            return self._send(200, {"x-goog-upload-url": f"{server.address}/bytes"}, {})
        if self.path.startswith("/bytes"):
            with server.lock:
                number, server.uploads = server.uploads, server.uploads + 1
            fault = server.upload(raw, number)
            if fault:
                status, headers, body = fault
                return self._send(status, {"x-goog-upload-status": "cancelled", **headers}, body)
            name = f"f{number}"
            server.looked[name] = 0
            server.files[f"{server.address}/files/{name}"] = raw
            return self._send(200, {"x-goog-upload-status": "final"}, {"file": server.file(name)})
        body = camel(json.loads(raw))
        server.asked.append(body)
        return self._send(*server.answer(body, server.files))

    def do_GET(self):
        name = self.path.split("?")[0].rsplit("/", 1)[-1]
        self.server.looked[name] += 1
        self._send(200, {}, self.server.file(name))

    def do_DELETE(self):
        self.server.deleted.append(self.path.rsplit("/", 1)[-1])
        self._send(200, {}, {})
