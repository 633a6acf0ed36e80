"""A server of /v1/completions for tests: it repeats the prompt's last word.

Use: python3 fake_openai.py FILE; writes its port to FILE.
"""
import http.server
import json
import pathlib
import sys


class Server(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        code, word = 200, (asked["prompt"].split() or [""])[-1]
        if self.path != "/v1/completions" or "bad" in asked["prompt"]:
            code = 400
        reply = {"choices": [{
            "text": f"{word} {asked['temperature']} {asked['max_tokens']}",
            "finish_reason": "length" if word == "long" else "stop",
            "token_ids": [7, asked["seed"] % 2],
            "logprobs": {"token_logprobs": [-0.5, -1.5]}}]}
        data = json.dumps(reply if code == 200 else {"why": "bad"}).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
pathlib.Path(sys.argv[1]).write_text(f"{server.server_address[1]}\n")
server.serve_forever()
