"""The page for organizations, served as Firebase Hosting serves it, with the headers of ``infra/firebase.json``."""

import json
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from infra.build.stage import ROOT

CONFIGURATION = ROOT / "infra" / "firebase.json"

INIT = "/__/firebase/init.json"
"""Where Firebase Hosting tells a page about its project."""

_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".txt": "text/plain",
}


@dataclass(frozen=True, kw_only=True)
class Hosting:
    """The built page in a folder without folders, and the project whose accounts sign in to it."""

    folder: Path
    project: str
    auth_emulator_host: str
    rewrites: list[tuple[re.Pattern[str], str]]
    headers: list[tuple[re.Pattern[str], dict[str, str]]]

    @classmethod
    def of(cls, folder: Path, *, project: str, auth_emulator_host: str) -> Self:
        hosting: dict[str, Any] = json.loads(CONFIGURATION.read_text())["hosting"]
        return cls(
            folder=folder,
            project=project,
            auth_emulator_host=auth_emulator_host,
            rewrites=[
                (re.compile(each["regex"]), each["destination"])
                for each in hosting["rewrites"]
                if "destination" in each
            ],
            headers=[
                (re.compile(each["regex"]), {header["key"]: header["value"] for header in each["headers"]})
                for each in hosting["headers"]
            ],
        )

    def answer(self, request: Request) -> Response | None:
        """Answer with a file of the page; ``None`` if the path names none."""
        path = request.url.path
        if request.method not in {"GET", "HEAD"}:
            return None
        if path == INIT:
            told = {"apiKey": "local", "projectId": self.project, "authEmulatorHost": self.auth_emulator_host}
            return JSONResponse(told, headers={"Cache-Control": "no-store"})
        file = self._file(path)
        if file is None:
            return None
        content = file.read_bytes()
        headers = {"ETag": f'"{sha256(content).hexdigest()[:32]}"', **self._headers(path)}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=_TYPES.get(file.suffix, "application/octet-stream"), headers=headers)

    def _file(self, path: str) -> Path | None:
        """The file at a path. As in the cloud, a file comes before a rewrite."""
        names = [path.removeprefix("/") or "index.html"]
        names += [destination.removeprefix("/") for pattern, destination in self.rewrites if pattern.search(path)]
        return next((self.folder / name for name in names if "/" not in name and (self.folder / name).is_file()), None)

    def _headers(self, path: str) -> dict[str, str]:
        given: dict[str, str] = {}
        for pattern, headers in self.headers:
            if pattern.search(path):
                given |= headers
        if policy := given.get("Content-Security-Policy"):
            # The one difference: here the accounts are the emulator's, in the cloud they are Google's.
            emulator = f"http://{self.auth_emulator_host}"
            given["Content-Security-Policy"] = re.sub(
                r"(connect-src|frame-src) 'self'", rf"\1 'self' {emulator}", policy
            )
        return given
