"""A mail server that is not ours: aiosmtpd (python3-aiosmtpd), its mails read by Python's own email library.

    smtp.py plain
    smtp.py starttls CERTIFICATE KEY USER PASSWORD

Prints {"port": N}, then one JSON object for every mail. Ends when its stdin does.
"""

import asyncio
import email
import email.policy
import json
import logging
import ssl
import sys
import warnings

from aiosmtpd.smtp import AuthResult, SMTP

# A handshake that the client breaks off is what some tests want, and no news.
logging.getLogger("mail.log").setLevel(logging.CRITICAL + 1)
warnings.simplefilter("ignore")


def say(value):
    print(json.dumps(value), flush=True)


def part(message):
    content = message.get_content()
    return {
        "type": message.get_content_type(),
        "charset": message.get_content_charset(),
        "encoding": message["Content-Transfer-Encoding"],
        "text": content.replace("\r\n", "\n"),
    }


class Office:
    async def handle_DATA(self, server, session, envelope):
        raw = envelope.original_content
        message = email.message_from_bytes(raw, policy=email.policy.SMTP)
        parts = [one for one in message.walk() if not one.is_multipart()]
        say({
            "tls": session.ssl is not None,
            "user": session.auth_data.login.decode() if session.auth_data else None,
            "mail_from": envelope.mail_from,
            "rcpt_to": envelope.rcpt_tos,
            "headers": {name: str(value) for name, value in message.items()},
            "raw_subject": next(line for line in raw.split(b"\r\n") if line.startswith(b"Subject:")).decode("ascii"),
            "type": message.get_content_type(),
            "parts": [part(one) for one in parts],
            "seven_bit": all(byte < 128 for byte in raw),
            "longest_line": max(len(line) for line in raw.split(b"\r\n")),
            "bare_newlines": raw.replace(b"\r\n", b"").count(b"\n"),
            "defects": [type(defect).__name__ for one in message.walk() for defect in one.defects],
        })
        return "250 2.0.0 taken"


def options(arguments):
    if arguments[0] == "plain":
        return {}
    certificate, key, user, password = arguments[1:]
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    def authenticate(server, session, envelope, mechanism, data):
        known = data.login.decode() == user and data.password.decode() == password
        return AuthResult(success=known, handled=known, auth_data=data)

    return {"require_starttls": True, "tls_context": context, "auth_required": True, "authenticator": authenticate}


async def main():
    settings = options(sys.argv[1:])
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Office(), hostname="localhost", **settings), "127.0.0.1", 0)
    say({"port": server.sockets[0].getsockname()[1]})
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
