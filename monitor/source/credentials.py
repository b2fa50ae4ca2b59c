"""How a client of Kafka connects: TLS by default, secrets from files, and how to notice that they have changed."""

from __future__ import annotations

import ssl
from pathlib import Path

from monitor.errors import SettingsProblem
from monitor.settings import Kafka

Stamp = tuple[tuple[str, int, int], ...]  # (path, when it was written, size)


def secret(file: Path | None) -> str:
    """The content of a file without the newline at its end.

    Raises:
        SettingsProblem: it cannot be read.
    """
    assert file is not None
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError) as problem:
        why = (getattr(problem, "strerror", None) or "it is not text").lower()
        raise SettingsProblem(f"The secret in {file} cannot be read: {why}.") from None


def tls_context(kafka: Kafka) -> ssl.SSLContext | None:
    """Encryption with the broker's name checked; None where the settings allow plain text.

    Raises:
        SettingsProblem: a file cannot be used.
    """
    if kafka.allow_insecure:
        return None
    tls = kafka.tls
    try:
        context = ssl.create_default_context(cafile=None if tls.ca_file is None else str(tls.ca_file))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if tls.certificate_file is not None:
            password = None if tls.key_password_file is None else secret(tls.key_password_file)
            context.load_cert_chain(tls.certificate_file, tls.key_file, password)
    except (OSError, ssl.SSLError) as problem:
        raise SettingsProblem(
            f"The files in `kafka.tls` cannot be used: {(problem.strerror or str(problem)).lower()}."
        ) from None
    return context


def stamp(kafka: Kafka) -> Stamp:
    """What tells whether a file with a secret or a certificate was written again."""
    tls, sasl = kafka.tls, kafka.sasl
    files = (tls.ca_file, tls.certificate_file, tls.key_file, tls.key_password_file, sasl.password_file)
    found = []
    for file in files:
        if file is not None:
            try:
                status = file.stat()
            except OSError:
                continue
            found.append((str(file), status.st_mtime_ns, status.st_size))
    return tuple(found)
