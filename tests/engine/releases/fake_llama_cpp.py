"""A fake llama.cpp: a converter and a server, each a small program with prepared output."""

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
args = parser.parse_args()
assert (args.model / "model.safetensors").is_file() and (args.model / "chat_template.jinja").is_file()
assert os.environ["HF_HUB_OFFLINE"] == "1" and "OPENAI_API_KEY" not in os.environ
args.outfile.write_text(json.dumps({"type": args.outtype}))
"""
SERVER = """#!PYTHON
import http.server, json, os, socketserver, sys
socket = sys.argv[sys.argv.index("--host") + 1]
assert os.path.isfile(sys.argv[sys.argv.index("--model") + 1])
replies = json.loads(r'''REPLIES''')
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
            self.send({"tokens": replies["tokens"][row["content"]]})
        elif json.dumps(row["prompt"]) in replies["answers"]:
            self.send(replies["answers"][json.dumps(row["prompt"])])
        else:
            self.send({"error": "no answer was prepared"}, 500)
with socketserver.UnixStreamServer(socket, Answers) as server:
    server.serve_forever()
"""


def write_converter(folder: Path, source: str = CONVERTER) -> Path:
    """Write the converter into `folder` as in a clone of llama.cpp, and return the folder."""
    folder.mkdir(exist_ok=True)
    (folder / "convert_hf_to_gguf.py").write_text(source)
    return folder


def write_server(folder: Path, replies: Mapping[str, object]) -> Path:
    """Write the server where a build puts it. `replies` has its token ids by conversation, and its answers by ids."""
    return write_program(folder, SERVER.replace("REPLIES", json.dumps(replies)))


def write_program(folder: Path, source: str) -> Path:
    """Write any program where a build puts the server."""
    path = folder / "build" / "bin" / "llama-server"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source.replace("PYTHON", sys.executable))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path
