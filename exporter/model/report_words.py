"""
The closed vocabularies of mail reports, spelled as in their RFCs; each also has ``unknown``.

DMARC: RFC 7489 and its successor RFC 9990; results of SPF and DKIM: RFC 8601; TLS: RFC 8460; ARF:
RFC 5965, RFC 6591 and RFC 6692.
"""

from __future__ import annotations

from enum import StrEnum


class ReportKind(StrEnum):
    """The kind of a report."""

    DMARC = "dmarc"
    TLS = "tls"
    ARF = "arf"


class Disposition(StrEnum):
    """The disposition that a policy requests, or that a receiver applied to a message."""

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"
    PASS = "pass"  # noqa: S105 - the opposite of fail
    UNSPECIFIED = "unspecified"
    UNKNOWN = "unknown"


class AlignedResult(StrEnum):
    """The result of DKIM or SPF, which passes only for a domain aligned with the author's."""

    PASS = "pass"  # noqa: S105 - the opposite of fail
    FAIL = "fail"
    UNSPECIFIED = "unspecified"
    UNKNOWN = "unknown"


class AlignmentMode(StrEnum):
    """The strictness with which a domain must match the author's."""

    RELAXED = "relaxed"
    STRICT = "strict"
    UNSPECIFIED = "unspecified"
    UNKNOWN = "unknown"


class DiscoveryMethod(StrEnum):
    """The method by which the receiver found the policy."""

    PSL = "psl"
    TREEWALK = "treewalk"
    UNSPECIFIED = "unspecified"
    UNKNOWN = "unknown"


class AuthResult(StrEnum):
    """The raw result of an SPF or DKIM check, regardless of alignment."""

    NONE = "none"
    PASS = "pass"  # noqa: S105 - the opposite of fail
    FAIL = "fail"
    SOFTFAIL = "softfail"
    POLICY = "policy"
    NEUTRAL = "neutral"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"
    UNKNOWN = "unknown"


class SpfScope(StrEnum):
    """The identity whose domain SPF was checked for."""

    HELO = "helo"
    MFROM = "mfrom"
    UNSPECIFIED = "unspecified"
    UNKNOWN = "unknown"


class OverrideReason(StrEnum):
    """A reason why a receiver did not follow the policy."""

    FORWARDED = "forwarded"
    SAMPLED_OUT = "sampled_out"
    TRUSTED_FORWARDER = "trusted_forwarder"
    MAILING_LIST = "mailing_list"
    LOCAL_POLICY = "local_policy"
    POLICY_TEST_MODE = "policy_test_mode"
    OTHER = "other"
    UNKNOWN = "unknown"


class TlsPolicyType(StrEnum):
    """The kind of policy that a sender found for a domain."""

    TLSA = "tlsa"
    STS = "sts"
    NO_POLICY_FOUND = "no-policy-found"
    OTHER = "other"
    UNKNOWN = "unknown"


class TlsResultType(StrEnum):
    """The result type of a failed TLS session."""

    STARTTLS_NOT_SUPPORTED = "starttls-not-supported"
    CERTIFICATE_HOST_MISMATCH = "certificate-host-mismatch"
    CERTIFICATE_EXPIRED = "certificate-expired"
    CERTIFICATE_NOT_TRUSTED = "certificate-not-trusted"
    VALIDATION_FAILURE = "validation-failure"
    TLSA_INVALID = "tlsa-invalid"
    DNSSEC_INVALID = "dnssec-invalid"
    DANE_REQUIRED = "dane-required"
    STS_POLICY_FETCH_ERROR = "sts-policy-fetch-error"
    STS_POLICY_INVALID = "sts-policy-invalid"
    STS_WEBPKI_INVALID = "sts-webpki-invalid"
    OTHER = "other"
    UNKNOWN = "unknown"


class FeedbackType(StrEnum):
    """The feedback type of an ARF report."""

    ABUSE = "abuse"
    AUTH_FAILURE = "auth-failure"
    FRAUD = "fraud"
    NOT_SPAM = "not-spam"
    VIRUS = "virus"
    OTHER = "other"
    UNKNOWN = "unknown"


class AuthFailure(StrEnum):
    """The authentication that failed, in feedback of type ``auth-failure``."""

    ADSP = "adsp"
    BODYHASH = "bodyhash"
    REVOKED = "revoked"
    SIGNATURE = "signature"
    SPF = "spf"
    DMARC = "dmarc"
    UNSPECIFIED = "unspecified"
    UNKNOWN = "unknown"


class DeliveryResult(StrEnum):
    """The delivery result of the reported message."""

    DELIVERED = "delivered"
    SPAM = "spam"
    POLICY = "policy"
    REJECT = "reject"
    OTHER = "other"
    UNSPECIFIED = "unspecified"
    UNKNOWN = "unknown"


class IdentityAlignment(StrEnum):
    """The identifiers that were aligned with the author's domain."""

    NONE = "none"
    SPF = "spf"
    DKIM = "dkim"
    DKIM_SPF = "dkim-spf"
    UNSPECIFIED = "unspecified"
    UNKNOWN = "unknown"
