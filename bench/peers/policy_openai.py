#!/usr/bin/env python3
"""A server that speaks OpenAI's /v1/completions as Plumb's --policy-command.

    plumb generate --prompts prompts.jsonl --policy-command \
        "python3 bench/peers/policy_openai.py --url http://127.0.0.1:8000"

Python's standard library alone.  The server (vLLM, llama.cpp's, ...) gets the
prompt's text as it is; --before and --after stand around it where the model
wants marks of a chat.  Log-probabilities are asked for with --logprobs and
passed on where the server also tells token ids.  Only addresses of this
machine are asked unless --any-host says otherwise: prompts are the user's.
"""

import argparse
import concurrent.futures
import ipaddress
import json
import os
import pathlib
import sys
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import command  # noqa: E402


def arguments():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--url", default="http://127.0.0.1:8000")
    p.add_argument("--model", default=None, help="name for the server")
    p.add_argument("--before", default="", help="put before the prompt")
    p.add_argument("--after", default="", help="put behind the prompt")
    p.add_argument("--stop", action="append", default=[],
                   help="text that ends a reply; several times for several")
    p.add_argument("--logprobs", action="store_true")
    p.add_argument("--jobs", type=int, default=4,
                   help="requests under way at a time")
    p.add_argument("--timeout", type=float, default=300, help="seconds")
    p.add_argument("--any-host", action="store_true")
    a = p.parse_args()
    host = urllib.parse.urlsplit(a.url).hostname or ""
    if not a.any_host and not is_local(host):
        p.error(f"{host} is not this machine: --any-host allows it")
    return a


def is_local(host):
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def body_of(a, request):
    body = {"prompt": a.before + request["prompt"] + a.after,
            "max_tokens": request["max_new"],
            "temperature": request["temperature"],
            "seed": request["seed"], "n": 1, "stream": False}
    for key in ("top_p", "top_k"):
        if key in request:
            body[key] = request[key]
    if a.model:
        body["model"] = a.model
    if a.stop:
        body["stop"] = a.stop
    if a.logprobs:
        body["logprobs"] = 0
    return body


def ask(a, request):
    """The members of an answer."""
    headers = {"Content-Type": "application/json"}
    if os.environ.get("OPENAI_API_KEY"):
        headers["Authorization"] = "Bearer " + os.environ["OPENAI_API_KEY"]
    call = urllib.request.Request(
        a.url.rstrip("/") + "/v1/completions", method="POST",
        data=json.dumps(body_of(a, request)).encode(), headers=headers)
    try:
        with urllib.request.urlopen(call, timeout=a.timeout) as reply:
            choice = json.load(reply)["choices"][0]
        out = {"response": choice["text"]}
    except urllib.error.HTTPError as error:
        text = error.read(500).decode(errors="replace")
        return {"error": f"{a.url}: {error}: {text}"}
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        return {"error": f"{a.url}: {error!r}"}
    if choice.get("finish_reason") == "length":
        out["finish"] = "length"
    logp = (choice.get("logprobs") or {}).get("token_logprobs")
    ids = choice.get("token_ids")
    if isinstance(ids, list):
        out["tokens"] = ids
        if isinstance(logp, list) and len(logp) == len(ids) and all(
                isinstance(x, (int, float)) for x in logp):
            out["logp"] = logp
    return out


def main():
    a = arguments()
    with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
        for batch in command.batches():
            for request, answer in zip(batch, pool.map(
                    lambda r: ask(a, r), batch)):
                command.answer(request["id"], **answer)


if __name__ == "__main__":
    main()
