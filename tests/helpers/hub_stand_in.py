"""A hub on this machine that speaks what huggingface_hub asks of one: repositories, files, LFS, downloads."""

import base64
import hashlib
import json
import re
from http.server import BaseHTTPRequestHandler

from stand_in_server import StandInServer

TOKEN = "hf_" + "n0tAr3alToken" * 2
READER = "hf_" + "re4dsOnly" * 3


class Hub(StandInServer):
    """``repositories``: "datasets/org/name" -> its visibility and files; ``seen``: method and path of each request."""

    def __init__(self):
        self.repositories, self.blobs, self.seen = {}, {}, []
        super().__init__(_Handler)

    def environment(self, token=TOKEN):
        """The variables that lead huggingface_hub here."""
        known = {"HF_ENDPOINT": self.address, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
        return known | {"HF_TOKEN": token}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *said):
        pass

    def do_GET(self):
        self._answer("GET")

    def do_HEAD(self):
        self._answer("HEAD")

    def do_POST(self):
        self._answer("POST")

    def do_PUT(self):
        self._answer("PUT")

    def _answer(self, method):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.split("?")[0]
        self.server.seen.append((method, path))
        if method == "PUT":
            self.server.blobs[path.removeprefix("/upload/")] = body
            return self._send(200, {})
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token not in (TOKEN, READER):
            return self._send(401, {"error": "Invalid credentials in Authorization header"})
        if token == READER and method == "POST":
            return self._send(403, {"error": "You don't have the rights to create a repository under this namespace"})
        return self._known(method, path, body)

    def _known(self, method, path, body):
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path == "/api/validate-yaml":
            return self._send(200, {"errors": [], "warnings": []})
        if path.endswith("/info/lfs/objects/batch"):
            return self._batch(json.loads(body))
        if file := re.fullmatch(r"/(datasets/[^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
            return self._file(method, self.server.repositories.get(file[1], {"files": {}})["files"].get(file[2]))
        if tree := re.fullmatch(r"/api/(datasets/[^/]+/[^/]+)/tree/[^/]+", path):
            files = self.server.repositories[tree[1]]["files"]
            return self._send(200, [{"type": "file", "path": name, "size": len(content), "oid": "0" * 40}
                                    for name, content in files.items()])  # fmt: skip
        found = re.fullmatch(r"/api/(datasets|models)/([^/]+/[^/]+)(?:/(preupload|commit|revision)/main)?", path)
        repository = self.server.repositories.get(f"{found[1]}/{found[2]}") if found else None
        if repository is None:
            return self._send(404, {"error": "Repository not found"})
        if found[3] == "preupload":
            files = json.loads(body)["files"]
            return self._send(200, {"files": [
                {"path": one["path"], "shouldIgnore": False, "oid": None,
                 "uploadMode": "lfs" if one["path"].endswith((".parquet", ".safetensors")) else "regular"}
                for one in files]})  # fmt: skip
        if found[3] == "commit":
            return self._commit(repository, found, body)
        siblings = [{"rfilename": name} for name in repository["files"]]
        about = {"id": found[2], "sha": "0" * 40, "private": repository["private"], "siblings": siblings}
        return self._send(200, about)

    def _file(self, method, content):
        if content is None:
            return self._send(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound"})
        facts = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": "0" * 40}
        return self._send(200, content, facts)

    def _create(self, asked):
        name = f"{asked.get('type', 'model')}s/{asked['organization']}/{asked['name']}"
        address = {"url": f"{self.server.address}/{name.removeprefix('models/')}"}
        if name in self.server.repositories:
            return self._send(409, address | {"error": "You already created this repo"})
        private = asked.get("private") or asked.get("visibility") == "private"
        self.server.repositories[name] = {"private": bool(private), "files": {}}
        return self._send(200, address)

    def _batch(self, asked):
        objects = [
            {"oid": one["oid"], "size": one["size"],
             "actions": {"upload": {"href": f"{self.server.address}/upload/{one['oid']}"}}}
            for one in asked["objects"]
        ]  # fmt: skip
        self._send(200, {"transfer": "basic", "objects": objects})

    def _commit(self, repository, found, body):
        for line in body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                repository["files"][value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                blob = self.server.blobs[value["oid"]]
                assert hashlib.sha256(blob).hexdigest() == value["oid"]
                repository["files"][value["path"]] = blob
        address = f"{self.server.address}/{found[2]}/commit/{'1' * 40}"
        self._send(200, {"commitUrl": address, "commitOid": "1" * 40, "success": True})

    def _send(self, status, content, more=()):
        text = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        headers = {"Content-Type": "application/json", "Content-Length": str(len(text))} | dict(more)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)
