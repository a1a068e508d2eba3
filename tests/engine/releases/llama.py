"""A llama.cpp that stands in for the real one: a converter and a server, each a program, that do what they are told."""

import json
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

CONVERTER = """import argparse, json, os, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("model", type=pathlib.Path)
parser.add_argument("--outfile", type=pathlib.Path)
parser.add_argument("--outtype")
told = parser.parse_args()
assert (told.model / "model.safetensors").is_file() and (told.model / "chat_template.jinja").is_file()
assert os.environ["HF_HUB_OFFLINE"] == "1" and "OPENAI_API_KEY" not in os.environ
told.outfile.write_text(json.dumps({"type": told.outtype}))
"""
SERVER = """#!PYTHON
import http.server, json, os, socketserver, sys
socket = sys.argv[sys.argv.index("--host") + 1]
assert os.path.isfile(sys.argv[sys.argv.index("--model") + 1])
told = json.loads(r'''TOLD''')
class Answers(http.server.BaseHTTPRequestHandler):
    def address_string(self):
        return "here"
    def send(self, row, status=200):
        body = json.dumps(row).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.send({"status": "ok"})
    def do_POST(self):
        row = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/apply-template":
            self.send({"prompt": json.dumps(row["messages"])})
        elif self.path == "/tokenize":
            self.send({"tokens": told["read"][row["content"]]})
        elif json.dumps(row["prompt"]) in told["answers"]:
            self.send(told["answers"][json.dumps(row["prompt"])])
        else:
            self.send({"error": "it was not told what to say"}, 500)
with socketserver.UnixStreamServer(socket, Answers) as server:
    server.serve_forever()
"""


def write_converter(folder: Path, source: str = CONVERTER) -> Path:
    """A folder as a clone of llama.cpp is."""
    folder.mkdir(exist_ok=True)
    (folder / "convert_hf_to_gguf.py").write_text(source)
    return folder


def write_server(folder: Path, told: Mapping[str, object]) -> Path:
    """Its server, as a build leaves it: `told` are the ids that it reads, by conversation, and its answers, by ids."""
    return write_program(folder, SERVER.replace("TOLD", json.dumps(told)))


def write_program(folder: Path, source: str) -> Path:
    """Any program in the place of its server."""
    place = folder / "build" / "bin" / "llama-server"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(source.replace("PYTHON", sys.executable))
    place.chmod(place.stat().st_mode | stat.S_IXUSR)
    return place
