#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The clients that people have, really run against `tessera serve --http`.

    pip install openai langchain-openai llama-index-llms-openai-like "lm-eval[api]"
    tests/peers/clients.py build/app/tessera MODEL

Starts a server on a free port with a key, lets each client do what it is used for, checks what comes back against plain HTTP, and prints a
line for each with the client's version. A client that is not installed is named and left out. Run by hand.
"""
import argparse
import importlib.metadata
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.request

KEY = "a-key-for-the-test-of-clients"
WORDS = "The quick brown fox jumps over the lazy dog"


class Server:
    def __init__(self, program, model, extra):
        self.folder = tempfile.TemporaryDirectory()
        key = pathlib.Path(self.folder.name) / "key"
        key.write_text(KEY + "\n")
        self.process = subprocess.Popen(
            [program, "serve", "--http", "127.0.0.1:0", model, "--key-file", str(key), "--name", "served", *extra],
            stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+/v1", line)
        if not found:
            sys.exit(f"the server did not begin: {line}")
        self.url = found.group(0)

    def post(self, path, body):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(),
                                         {"Content-Type": "application/json", "Authorization": "Bearer " + KEY})
        with urllib.request.urlopen(request) as reply:
            return json.load(reply)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        if code != 0:
            sys.exit(f"the server ended with {code}")


def version(*packages):
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)


def same(what, got, wanted):
    if got != wanted:
        raise AssertionError(f"{what}: {got!r}, expected {wanted!r}")


def with_openai(server):
    import openai

    client = openai.OpenAI(base_url=server.url, api_key=KEY, max_retries=0)
    same("models", [model.id for model in client.models.list()], ["served"])
    plain = server.post("/chat/completions", {"messages": [{"role": "user", "content": WORDS}], "max_tokens": 16, "temperature": 0})
    wanted = plain["choices"][0]["message"]["content"]
    ask = dict(model="served", messages=[{"role": "user", "content": WORDS}], max_completion_tokens=16, temperature=0)
    answer = client.chat.completions.create(**ask, logprobs=True, top_logprobs=3)
    same("chat", answer.choices[0].message.content, wanted)
    same("usage", answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)
    same("logprobs", len(answer.choices[0].logprobs.content), answer.usage.completion_tokens)
    chunks = list(client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}))
    same("stream", "".join(c.choices[0].delta.content or "" for c in chunks if c.choices), wanted)
    same("usage of the stream", chunks[-1].usage.completion_tokens, answer.usage.completion_tokens)
    many = client.completions.create(model="served", prompt=[WORDS, "Then"], n=2, max_tokens=5, seed=3, extra_body={"ignore_eos": True})
    same("choices", [c.index for c in many.choices], [0, 1, 2, 3])
    again = client.completions.create(model="served", prompt="Then", n=2, max_tokens=5, seed=3, extra_body={"ignore_eos": True})
    same("seed", [c.text for c in again.choices], [c.text for c in many.choices[2:]])
    for error, call in [
        (openai.AuthenticationError, lambda: openai.OpenAI(base_url=server.url, api_key="wrong").models.list()),
        (openai.NotFoundError, lambda: client.chat.completions.create(**{**ask, "model": "other"})),
        (openai.BadRequestError, lambda: client.chat.completions.create(**{**ask, "temperature": -1})),
        (openai.BadRequestError, lambda: client.completions.create(model="served", prompt="fox " * 100000)),
    ]:
        try:
            call()
        except error as told:
            assert told.body["message"], told
        else:
            raise AssertionError(f"{error.__name__} did not come")
    texts = [None] * 8

    def one(i):
        texts[i] = client.chat.completions.create(**ask).choices[0].message.content

    threads = [threading.Thread(target=one, args=[i]) for i in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same("eight at once", texts, [wanted] * 8)
    return version("openai")


def with_langchain(server):
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(base_url=server.url, api_key=KEY, model="served", temperature=0, max_completion_tokens=16)
    answer = model.invoke(WORDS)
    wanted = server.post("/chat/completions", {"messages": [{"role": "user", "content": WORDS}], "max_tokens": 16, "temperature": 0})
    same("invoke", answer.content, wanted["choices"][0]["message"]["content"])
    same("usage", answer.usage_metadata["output_tokens"], wanted["usage"]["completion_tokens"])
    same("stream", "".join(chunk.content for chunk in model.stream(WORDS)), answer.content)
    same("batch", [one.content for one in model.batch([WORDS, WORDS])], [answer.content] * 2)
    return version("langchain-openai")


def with_llama_index(server):
    from llama_index.llms.openai_like import OpenAILike

    made = dict(model="served", api_base=server.url, api_key=KEY, temperature=0, max_tokens=16)
    model = OpenAILike(**made)
    wanted = server.post("/completions", {"prompt": WORDS, "max_tokens": 16, "temperature": 0})["choices"][0]["text"]
    same("complete", model.complete(WORDS).text, wanted)
    same("stream", "".join(part.delta for part in model.stream_complete(WORDS)), wanted)
    chat = OpenAILike(**made, is_chat_model=True)
    from llama_index.core.llms import ChatMessage
    reply = chat.chat([ChatMessage(role="user", content=WORDS)])
    wanted = server.post("/chat/completions", {"messages": [{"role": "user", "content": WORDS}], "max_tokens": 16, "temperature": 0})
    same("chat", reply.message.content, wanted["choices"][0]["message"]["content"])
    return version("llama-index-llms-openai-like")


def with_lm_eval(server):
    """Its own requests for likelihoods and texts, without a task: those would have to be fetched."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.openai_completions import LocalCompletionsAPI

    os.environ["OPENAI_API_KEY"] = KEY
    model = LocalCompletionsAPI(base_url=server.url + "/completions", model="served", tokenizer_backend="remote", auth_token=KEY, num_concurrent=1, max_length=256)
    pairs = [(WORDS, " and then it rests"), ("Then it rests under", " the old tree")]
    requests = [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(pairs)]
    results = model.loglikelihood(requests)
    for (context, continuation), (logprob, greedy) in zip(pairs, results):
        ids = server.post("/tokenize", {"prompt": context, "add_special_tokens": False})["tokens"]  # as it asks
        whole = server.post("/tokenize", {"prompt": context + continuation, "add_special_tokens": False})["tokens"]
        same("the context begins the whole", whole[:len(ids)], ids)
        echoed = server.post("/completions", {"prompt": whole, "max_tokens": 1, "echo": True, "logprobs": 1})
        wanted = sum(echoed["choices"][0]["logprobs"]["token_logprobs"][len(ids):len(whole)])
        if abs(wanted - logprob) > 1e-4:
            raise AssertionError(f"likelihood of {continuation!r}: {logprob}, expected {wanted}")
        assert isinstance(greedy, bool)
    texts = model.generate_until([Instance("generate_until", {}, (WORDS, {"until": ["zzz"], "max_gen_toks": 8}), 0)])
    wanted = server.post("/completions", {"prompt": WORDS, "max_tokens": 8, "temperature": 0})
    same("text", texts[0], wanted["choices"][0]["text"])
    return version("lm-eval")


def with_curl(server):
    answer = subprocess.run(
        ["curl", "-sS", server.url + "/chat/completions", "-H", "Authorization: Bearer " + KEY, "-d",
         json.dumps({"messages": [{"role": "user", "content": WORDS}], "max_tokens": 4})],
        check=True, capture_output=True, text=True).stdout
    same("curl", json.loads(answer)["object"], "chat.completion")
    stream = subprocess.run(
        ["curl", "-sSN", server.url + "/completions", "-H", "X-Api-Key: " + KEY, "-d",
         json.dumps({"prompt": WORDS, "max_tokens": 4, "stream": True})],
        check=True, capture_output=True, text=True).stdout
    assert stream.endswith("data: [DONE]\n\n"), stream
    return subprocess.run(["curl", "--version"], check=True, capture_output=True, text=True).stdout.split(" (")[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("model")
    arguments, extra = parser.parse_known_args()
    server = Server(arguments.program, arguments.model, extra)
    failed = False
    for client in (with_curl, with_openai, with_langchain, with_llama_index, with_lm_eval):
        name = client.__name__.removeprefix("with_")
        try:
            print(f"{name}: {client(server)}: as expected", flush=True)
        except ImportError as missing:
            print(f"{name}: left out, {missing.name} is not installed", flush=True)
        except Exception as error:
            failed = True
            print(f"{name}: FAILED: {type(error).__name__}: {error}", flush=True)
    server.end()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
