"""What goes wrong with Kafka, as sentences that say what to do."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from kafka import errors

from monitor.errors import SourceProblem
from monitor.settings import Kafka

Right = Literal["Read", "Write"]

# The first that fits counts.
SENTENCES: tuple[tuple[tuple[type[errors.KafkaError], ...], str], ...] = (
    (
        (errors.SaslAuthenticationFailedError, errors.UnsupportedSaslMechanismError, errors.IllegalSaslStateError),
        "Kafka at {servers} refuses who we say we are: check `kafka.sasl`, its user and its password or token file.",
    ),
    (
        (errors.TopicAuthorizationFailedError,),
        "Kafka does not let us {verb}: grant the rights Describe and {right} on {all}.",
    ),
    (
        (errors.GroupAuthorizationFailedError,),
        "Kafka does not let us into the group {group}: grant the right Read on that group.",
    ),
    (
        (errors.UnknownTopicOrPartitionError,),
        "Kafka has no topic {either}: create it, or mend the settings in `kafka`.",
    ),
    (
        (errors.FencedInstanceIdError,),
        "Another worker has the same `kafka.static_member`: give each worker its own.",
    ),
)
ENCRYPTION = re.compile(r"certificate|[Hh]andshake failed|SSL_HANDSHAKE|SSL connection|SSL routines")
AGAIN_SECONDS = 0.2
FATAL = (
    errors.AuthorizationError,
    errors.SaslAuthenticationFailedError,
    errors.UnsupportedSaslMechanismError,
    errors.FencedInstanceIdError,
    errors.KafkaConfigurationError,
    errors.UnsupportedCodecError,
)


def sentence(problem: errors.KafkaError, kafka: Kafka, right: Right = "Read", topics: Sequence[str] = ()) -> str:
    """What is wrong, and what to do; which right was needed on which topics: those of workers, if not named."""
    names = topics or (kafka.tenant_topic, kafka.control_topic)
    fields = {
        "servers": ", ".join(kafka.bootstrap_servers),
        "verb": right.lower(),
        "right": right,
        "all": " and ".join(names),
        "either": " or ".join(names),
        "group": kafka.group,
    }
    for kinds, text in SENTENCES:
        if isinstance(problem, kinds):
            return text.format(**fields)
    said = str(problem.args[0] if problem.args else problem).strip() or type(problem).__name__
    said = said.splitlines()[0][:200]
    if ENCRYPTION.search(said):
        return (
            f"The encrypted connection to Kafka at {fields['servers']} fails ({said}): check the broker's certificate, "
            "`kafka.tls`, and that this port speaks TLS."
        )
    return f"Kafka at {fields['servers']} does not answer as it should ({said}): check the address and the brokers."


def will_pass(problem: errors.KafkaError) -> bool:
    """Whether waiting may help."""
    return not isinstance(problem, FATAL)


@contextmanager
def told(kafka: Kafka, right: Right = "Read", topics: Sequence[str] = ()) -> Iterator[None]:
    """What a client reports while something is asked of it, as a sentence; see `sentence`.

    Raises:
        SourceProblem: it reported something.
    """
    try:
        yield
    except errors.KafkaError as problem:
        raise SourceProblem(sentence(problem, kafka, right, topics)) from problem


class _Failures(logging.Handler):
    """Keeps the reasons why connections failed that kafka-python logs."""

    def __init__(self) -> None:
        super().__init__()
        self.reasons: list[errors.KafkaError] = []

    def emit(self, record: logging.LogRecord) -> None:
        """A line of the log, with the reason as an argument."""
        arguments = record.args if isinstance(record.args, tuple) else ()
        self.reasons.extend(
            one
            for one in arguments
            if isinstance(one, errors.KafkaError) and not isinstance(one, errors.KafkaTimeoutError)
        )


def connected(make: Callable[[], Any], seconds: float) -> Any:
    """A client, once the brokers answer; tried again for so long, unless waiting cannot help.

    kafka-python tells whoever makes a client only that time has run out; the reason is in its log, and taken there.

    Raises:
        KafkaError: why there is no client.
    """
    end, failures, log = time.monotonic() + seconds, _Failures(), logging.getLogger("kafka.net.manager")
    log.addHandler(failures)
    try:
        while True:
            try:
                return make()
            # kafka-python drops what comes together with the end of a connection: a refusal may read as a broken one.
            except (errors.KafkaTimeoutError, errors.KafkaConnectionError) as late:
                fatal = [reason for reason in failures.reasons if not will_pass(reason)]
                reason = (fatal or failures.reasons or [late])[-1]
                if fatal or time.monotonic() > end:
                    raise reason from None
                time.sleep(AGAIN_SECONDS)
    finally:
        log.removeHandler(failures)
