"""Messages by e-mail. The subject names no tenant; `Message-ID` is the same if a message comes again."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

from monitor.alert import Receipt
from monitor.alert.reach import at_most, connected, reason_of, secret, tls
from monitor.core.model import SECOND_MS
from monitor.core.notices import Message, text, title
from monitor.errors import NoticeProblem
from monitor.settings import EmailSink
from monitor.store import Standing

PARTLY_MAX = 1_000  # messages of which is remembered who has them


class _Connection(smtplib.SMTP):
    """A session over a connection whose address was looked at."""

    def __init__(self, plain: socket.socket, host: str, context: ssl.SSLContext | None) -> None:
        self._plain = plain
        self._context = context
        super().__init__(host, 1)  # the port is where `plain` leads

    def _get_socket(self, host: str, port: int, timeout: object) -> socket.socket:
        return self._plain if self._context is None else self._context.wrap_socket(self._plain, server_hostname=host)


class Email:
    """A mail server that takes messages for some people."""

    forgets = False

    def __init__(self, settings: EmailSink) -> None:
        self._settings = settings
        self._have_it: dict[str, set[str]] = {}  # message -> who has it, while others do not

    def check(self) -> None:
        """Look at the files of the settings; nothing is sent.

        Raises:
            SettingsProblem: one of them cannot be used.
        """
        tls(self._settings.ca_file)
        if self._settings.password_file is not None:
            secret(self._settings.password_file)

    def send(self, message: Message) -> Receipt:
        """Send one to all who do not have it yet."""
        settings, had = self._settings, self._have_it.pop(message.id, set())
        wanted = [one for one in settings.to if one not in had]
        context = tls(settings.ca_file)
        plain = connected(settings.host, settings.port, settings.allow_private, settings.timeout_seconds)
        refused: dict[str, tuple[int, bytes]] = {}
        try:
            with at_most(settings.timeout_seconds, plain):
                self._session(plain, context, mail_of(message, settings), wanted, refused)
        except smtplib.SMTPRecipientsRefused as nobody:
            refused = nobody.recipients
        except (OSError, smtplib.SMTPException) as problem:
            raise NoticeProblem(f"{self._shown} did not take a message: {_why(problem)}.") from None
        finally:
            plain.close()
        if not refused:
            return Receipt()
        if len(self._have_it) < PARTLY_MAX:
            self._have_it[message.id] = had | (set(wanted) - refused.keys())
        code, why = refused[min(refused)]
        words = why.decode("utf-8", "replace").strip()
        return Receipt(f"{self._shown} refuses {', '.join(sorted(refused))}: {code} {words}; the others have it.")

    def _session(
        self,
        plain: socket.socket,
        context: ssl.SSLContext,
        mail: EmailMessage,
        wanted: Sequence[str],
        refused: dict[str, tuple[int, bytes]],
    ) -> None:
        settings = self._settings
        session = _Connection(plain, settings.host, context if settings.tls == "implicit" else None)
        try:
            encrypted = settings.tls == "implicit" or self._starttls(session, context)
            if settings.password_file is not None:
                assert encrypted  # as the settings ask
                session.login(settings.username, secret(settings.password_file))
            refused |= session.send_message(mail, settings.sender, wanted)
            session.quit()
        finally:
            session.close()

    def _starttls(self, session: smtplib.SMTP, context: ssl.SSLContext) -> bool:
        """Ask for encryption; whether there is some.

        Raises:
            NoticeProblem: there is none, and the settings ask for it.
        """
        if self._settings.tls == "none":
            return False
        session.ehlo()
        if not session.has_extn("starttls"):
            raise NoticeProblem(
                f"{self._shown} offers no STARTTLS: give a server that does; `tls: none` with `allow_insecure` sends "
                "where everybody on the way can read it."
            )
        session.starttls(context=context)
        return True

    @property
    def _shown(self) -> str:
        return f"The mail server {self._settings.host} port {self._settings.port}"

    def keep(self, standing: Sequence[Standing], now: int) -> None:
        """A mailbox forgets nothing: nothing is said again."""

    def close(self) -> None:
        """There is a connection for each message, which ends with it."""


def mail_of(message: Message, settings: EmailSink) -> EmailMessage:
    """A message as e-mail."""
    mail = EmailMessage()
    mail["From"], mail["To"] = settings.sender, ", ".join(settings.to)
    mail["Subject"] = f"[flopwatch] {title(message)}"
    mail["Date"] = format_datetime(datetime.fromtimestamp(message.made_at // SECOND_MS, UTC))
    mail["Message-ID"] = f"<{message.id}@{settings.sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Flopwatch-Message"] = message.id
    if message.urgency == "page":
        mail["Importance"] = "high"
    mail.set_content(text(message).encode("utf-8", "backslashreplace").decode())
    return mail


def _why(problem: Exception) -> str:
    if isinstance(problem, smtplib.SMTPResponseException):
        said = problem.smtp_error
        words = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        return f"it answers {problem.smtp_code} {words.strip()}"
    return reason_of(problem)
