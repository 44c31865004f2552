"""A real mail server for one test: aiosmtpd with STARTTLS or TLS from the beginning, sign-in, and what a bad day looks like."""
from __future__ import annotations

import email
import email.policy
import socket
import ssl
import threading
import warnings
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

import pki

# The way into TLS is the mode's; the library says so once for each connection.
warnings.filterwarnings("ignore", module="aiosmtpd")
USER, PASSWORD = "connector", "correct horse battery staple"


class Keeper:
    """Takes what comes, or refuses."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], EmailMessage, bytes]] = []
        self.refuse = ""                                # an answer to RCPT
        self.hang = threading.Event()                   # set: nobody is kept waiting
        self.hang.set()

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if self.refuse:
            return self.refuse
        if not self.hang.is_set():
            import asyncio
            while not self.hang.is_set():
                await asyncio.sleep(0.05)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        parsed = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        self.mails.append((list(envelope.rcpt_tos), parsed, envelope.original_content))
        return "250 taken"


class _Controller(Controller):
    def __init__(self, keeper: Keeper, how: dict[str, Any], context: ssl.SSLContext | None, port: int) -> None:
        self._how = how
        super().__init__(keeper, hostname="127.0.0.1", port=port, ssl_context=context)

    def factory(self) -> SMTP:
        return SMTP(self.handler, enable_SMTPUTF8=True, **self._how)

    def _trigger_server(self) -> None:
        """A first caller, at the port that the system gave."""
        with socket.create_connection(self.server.sockets[0].getsockname()[:2], 10) as line:
            if self.ssl_context is None:
                line.recv(1)
                return
            anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
            with anyone.wrap_socket(line) as secured:
                secured.recv(1)


class MailServer:
    """mode: starttls, tls (from the beginning), clear."""

    def __init__(self, lab_pki: pki.Pki, mode: str = "starttls", *, certificate: str = "service", sign_in: bool = True, port: int = 0) -> None:
        """`certificate`: one of the lab's service's own: service, service-wrong-name, service-foreign."""
        self.keeper = Keeper()
        self.mode = mode
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(lab_pki.path(certificate + ".crt"), lab_pki.path(certificate + ".key"))
        how: dict[str, Any] = {}
        if sign_in:
            how.update(authenticator=self._check, auth_required=True, auth_require_tls=mode != "tls" and mode != "clear")
        if mode == "starttls":
            how.update(tls_context=context, require_starttls=True)
        self._controller = _Controller(self.keeper, how, context if mode == "tls" else None, port)
        self._controller.start()
        self.port: int = self._controller.server.sockets[0].getsockname()[1]
        self.url = f"{'smtps' if mode == 'tls' else 'smtp'}://localhost:{self.port}"

    @staticmethod
    def _check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        good = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=good, handled=True)

    @property
    def mails(self) -> list[tuple[list[str], EmailMessage, bytes]]:
        return self.keeper.mails

    def stop(self) -> None:
        self.keeper.hang.set()
        self._controller.stop()

    def __enter__(self) -> "MailServer":
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()
