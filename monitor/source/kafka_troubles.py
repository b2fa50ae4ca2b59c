"""What goes wrong with Kafka, as sentences that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kafka import errors

from monitor.errors import SourceProblem
from monitor.settings import Kafka

# The first that fits counts.
SENTENCES: tuple[tuple[tuple[type[errors.KafkaError], ...], str], ...] = (
    (
        (errors.SaslAuthenticationFailedError, errors.UnsupportedSaslMechanismError, errors.IllegalSaslStateError),
        "Kafka at {servers} refuses who we say we are: check `kafka.sasl`, its user and its password or token file.",
    ),
    (
        (errors.TopicAuthorizationFailedError,),
        "Kafka does not let us read: grant the rights Describe and Read on {tenants} and {control}.",
    ),
    (
        (errors.GroupAuthorizationFailedError,),
        "Kafka does not let us into the group {group}: grant the right Read on that group.",
    ),
    (
        (errors.UnknownTopicOrPartitionError,),
        "Kafka has no topic {tenants} or {control}: create it, or mend the settings in `kafka`.",
    ),
    (
        (errors.FencedInstanceIdError,),
        "Another worker has the same `kafka.static_member`: give each worker its own.",
    ),
)
FATAL = (
    errors.AuthorizationError,
    errors.SaslAuthenticationFailedError,
    errors.UnsupportedSaslMechanismError,
    errors.FencedInstanceIdError,
    errors.KafkaConfigurationError,
    errors.UnsupportedCodecError,
)


def sentence(problem: errors.KafkaError, kafka: Kafka) -> str:
    """What is wrong, and what to do."""
    fields = {
        "servers": ", ".join(kafka.bootstrap_servers),
        "tenants": kafka.tenant_topic,
        "control": kafka.control_topic,
        "group": kafka.group,
    }
    for kinds, text in SENTENCES:
        if isinstance(problem, kinds):
            return text.format(**fields)
    said = str(problem).strip().splitlines()[0][:200] if str(problem).strip() else type(problem).__name__
    if "certificate" in said.lower() or "ssl" in said.lower():
        return f"Kafka at {fields['servers']} cannot be trusted ({said}): check its certificate and `kafka.tls`."
    return f"Kafka at {fields['servers']} does not answer as it should ({said}): check the address and the brokers."


def will_pass(problem: errors.KafkaError) -> bool:
    """Whether waiting may help."""
    return not isinstance(problem, FATAL)


@contextmanager
def told(kafka: Kafka) -> Iterator[None]:
    """What a client reports while something is asked of it, as a sentence.

    Raises:
        SourceProblem: it reported something.
    """
    try:
        yield
    except errors.KafkaError as problem:
        raise SourceProblem(sentence(problem, kafka)) from problem
