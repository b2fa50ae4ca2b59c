"""A broker that wants to know who asks: TLS, passwords and tokens on one listener, rights for each user.

Its open listener is for the tests themselves, who may do everything there.
"""

from __future__ import annotations

import base64
import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ResourcePattern,
    ResourceType,
    UserScramCredentialUpsertion,
)
from kafka.admin._users import ScramMechanism

from tests.servers.kafka import JavaKafka, free_ports

READER, STRANGER = "reader", "stranger"  # one may read everything, the other nothing
LONER = "loner"  # may read topics, and be in no group
USERS = (READER, STRANGER, LONER)
READING = (ACLOperation.READ, ACLOperation.DESCRIBE)
PASSWORD = "open sesame"
REAUTHENTICATE_MS = 3_000
MODULES = "org.apache.kafka.common.security"
ITERATIONS = 4_096


class SecuredKafka:
    """One broker with a listener that wants TLS and SASL, and one whose certificate has expired."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fws-"))
        try:
            self._start()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def _start(self) -> None:
        authority = trustme.CA()
        self.ca_file, self.other_ca_file = self.folder / "ca.pem", self.folder / "other-ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        trustme.CA().cert_pem.write_to_path(str(self.other_ca_file))
        secured, expired = free_ports(2)
        self.secured, self.expired = f"127.0.0.1:{secured}", f"127.0.0.1:{expired}"
        yesterday = datetime.now(UTC) - timedelta(days=1)
        settings = {
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            **self._listener("secured", authority.issue_cert("127.0.0.1")),
            **self._listener("expired", authority.issue_cert("127.0.0.1", not_after=yesterday)),
        }
        self.broker = JavaKafka(settings, secured={"SECURED": secured, "EXPIRED": expired})
        try:
            self.admin = KafkaAdminClient(bootstrap_servers=self.broker.bootstrap)
            for user in USERS:
                self.set_password(user, PASSWORD)
            for kind in (ResourceType.TOPIC, ResourceType.GROUP):
                self.grant(READER, kind, "*")
            self.grant(LONER, ResourceType.TOPIC, "*")
        except BaseException:
            self.broker.close()
            raise

    def _listener(self, name: str, certificate: trustme.LeafCert) -> dict[str, str]:
        """The settings of a listener with a certificate and three ways to say who one is."""
        key = load_pem_private_key(certificate.private_key_pem.bytes(), None)
        chain = b"".join(pem.bytes() for pem in certificate.cert_chain_pems)
        store = self.folder / f"{name}.pem"
        # Java reads a key in this form only.
        store.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + chain)
        users = " ".join(f'user_{user}="{PASSWORD}"' for user in USERS)
        tokens = f"{MODULES}.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler"
        of_listener = {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(store),
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512,OAUTHBEARER",
            "plain.sasl.jaas.config": f"{MODULES}.plain.PlainLoginModule required {users};",
            "scram-sha-512.sasl.jaas.config": f"{MODULES}.scram.ScramLoginModule required;",
            "oauthbearer.sasl.jaas.config": f"{MODULES}.oauthbearer.OAuthBearerLoginModule required "
            'unsecuredLoginStringClaim_sub="broker";',
            "oauthbearer.sasl.server.callback.handler.class": tokens,
            "oauthbearer.connections.max.reauth.ms": str(REAUTHENTICATE_MS),
        }
        return {f"listener.name.{name}.{setting}": value for setting, value in of_listener.items()}

    def set_password(self, user: str, password: str) -> None:
        """Give a user a password for SCRAM-SHA-512."""
        credential = UserScramCredentialUpsertion(user, ScramMechanism.SCRAM_SHA_512, password, ITERATIONS)
        assert self.admin.alter_user_scram_credentials([credential]) == {user: None}

    def grant(self, user: str, kind: ResourceType, name: str, operations: Sequence[ACLOperation] = READING) -> None:
        """Let a user read a topic or use a group, or do something else with it; "*" is all of them."""
        what = ResourcePattern(kind, name)
        rights = [ACL(f"User:{user}", "*", operation, ACLPermissionType.ALLOW, what) for operation in operations]
        assert not self.admin.create_acls(rights)["failed"]

    def close(self) -> None:
        """Stop it and remove its data."""
        self.admin.close()
        self.broker.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def token(user: str, seconds: float = 3_600.0) -> str:
    """A token that the broker takes without a signature."""
    now = time.time()
    parts = ({"alg": "none"}, {"sub": user, "iat": now, "exp": now + seconds})
    return "".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") + "." for part in parts)
