"""A Bot API that is not the sandbox's: answers as https://core.telegram.org/bots/api (2026-11-21) says.

    bot.py TOKEN LIMITED_CHAT RETRY_AFTER

LIMITED_CHAT is told once, at its second message, to wait RETRY_AFTER seconds; whatever comes to it before that is over
is told so again and printed as "early". Prints {"port": N}, then one JSON object for every call. Ends when its stdin does.
"""

import html.parser
import http.server
import json
import os
import sys
import threading
import time

TOKEN, LIMITED, RETRY_AFTER = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
TAGS = {"b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "code", "pre", "a", "tg-spoiler", "blockquote"}
lock, sent, waits, printing = threading.Lock(), {}, {}, threading.Lock()


def say(value):
    with printing:
        print(json.dumps(value), flush=True)


class Entities(html.parser.HTMLParser):
    """The text without its markup; ValueError where Telegram cannot parse it."""

    def __init__(self, text):
        super().__init__()
        self.open, self.text = [], ""
        self.feed(text)
        self.close()
        if self.open:
            raise ValueError(f"Can't find end tag corresponding to start tag \"{self.open[-1]}\"")

    def handle_starttag(self, tag, attrs):
        if tag not in TAGS:
            raise ValueError(f'Unsupported start tag "{tag}"')
        self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            raise ValueError(f'Unmatched end tag "{tag}"')

    def handle_data(self, data):
        self.text += data


def error(code, description, **parameters):
    body = {"ok": False, "error_code": code, "description": description}
    return code, body | ({"parameters": parameters} if parameters else {})


def send_message(call):
    chat, text = int(call["chat_id"]), call["text"]
    with lock:
        now = time.monotonic()
        if waits.get(chat, 0) > now:
            left = max(1, round(waits[chat] - now))
            return error(429, f"Too Many Requests: retry after {left}", retry_after=left) + (True,)
        if chat == LIMITED and sent.get(chat, 0) == 1 and chat not in waits:
            waits[chat] = now + RETRY_AFTER
            return error(429, f"Too Many Requests: retry after {RETRY_AFTER}", retry_after=RETRY_AFTER)
        if call.get("parse_mode") == "HTML":
            try:
                text = Entities(text).text
            except ValueError as problem:
                return error(400, f"Bad Request: can't parse entities: {problem}")
        if not text.strip():
            return error(400, "Bad Request: message text is empty")
        if len(text.encode("utf-16-le")) // 2 > 4096:
            return error(400, "Bad Request: message is too long")
        sent[chat] = sent.get(chat, 0) + 1
        kind = {"type": "private", "first_name": "Ana"} if chat > 0 else {"type": "supergroup", "title": "Caja"}
        bot = {"id": int(TOKEN.split(":")[0]), "is_bot": True, "first_name": "Pregonero", "username": "pregonero_bot"}
        message = {"message_id": sum(sent.values()), "from": bot, "chat": {"id": chat} | kind}
        return 200, {"ok": True, "result": message | {"date": int(time.time()), "text": text}}


class Api(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        token, _, method = self.path.removeprefix("/bot").partition("/")
        call, early = {}, ()
        if token != TOKEN:
            code, answer = error(401, "Unauthorized")
        elif method.lower() != "sendmessage":
            code, answer = error(404, "Not Found")
        else:
            call = json.loads(body)
            code, answer, *early = send_message(call)
        say({"method": method, "answered": code, "early": bool(early), "at": time.monotonic()} | call)
        payload = json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
say({"port": server.server_port})
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
os._exit(0)
