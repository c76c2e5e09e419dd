"""
The closed vocabularies of mail reports, each spelled as its RFC spells it; every one can also be ``unknown``.

DMARC: RFC 7489 and its successor RFC 9990; results of SPF and DKIM: RFC 8601; TLS: RFC 8460; ARF:
RFC 5965, RFC 6591 and RFC 6692.
"""

from __future__ import annotations

from enum import StrEnum


class ReportKind(StrEnum):
    """What a report is about."""

    DMARC = "dmarc"
    TLS = "tls"
    ARF = "arf"


class Disposition(StrEnum):
    """What a policy asks for, or what a receiver did with a message."""

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"
    PASS = "pass"  # noqa: S105 - the opposite of fail
    UNSPECIFIED = "unspecified"
    UNKNOWN = "unknown"


class AlignedResult(StrEnum):
    """Whether DKIM or SPF passed for a domain that is aligned with the author's."""

    PASS = "pass"  # noqa: S105 - the opposite of fail
    FAIL = "fail"
    UNSPECIFIED = "unspecified"
    UNKNOWN = "unknown"


class AlignmentMode(StrEnum):
    """How closely a domain must match the author's."""

    RELAXED = "relaxed"
    STRICT = "strict"
    UNSPECIFIED = "unspecified"
    UNKNOWN = "unknown"


class DiscoveryMethod(StrEnum):
    """How the receiver found the policy."""

    PSL = "psl"
    TREEWALK = "treewalk"
    UNSPECIFIED = "unspecified"
    UNKNOWN = "unknown"


class AuthResult(StrEnum):
    """What a check of SPF or DKIM gave by itself, whatever domain it was for."""

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
    """Whose domain SPF was checked for."""

    HELO = "helo"
    MFROM = "mfrom"
    UNSPECIFIED = "unspecified"
    UNKNOWN = "unknown"


class OverrideReason(StrEnum):
    """Why a receiver did something else than the policy asks for."""

    FORWARDED = "forwarded"
    SAMPLED_OUT = "sampled_out"
    TRUSTED_FORWARDER = "trusted_forwarder"
    MAILING_LIST = "mailing_list"
    LOCAL_POLICY = "local_policy"
    POLICY_TEST_MODE = "policy_test_mode"
    OTHER = "other"
    UNKNOWN = "unknown"


class TlsPolicyType(StrEnum):
    """Which policy a sender found for a domain."""

    TLSA = "tlsa"
    STS = "sts"
    NO_POLICY_FOUND = "no-policy-found"
    OTHER = "other"
    UNKNOWN = "unknown"


class TlsResultType(StrEnum):
    """Why a session failed."""

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
    """What kind of feedback an ARF report is."""

    ABUSE = "abuse"
    AUTH_FAILURE = "auth-failure"
    FRAUD = "fraud"
    NOT_SPAM = "not-spam"
    VIRUS = "virus"
    OTHER = "other"
    UNKNOWN = "unknown"


class AuthFailure(StrEnum):
    """Which authentication failed, in feedback of type ``auth-failure``."""

    ADSP = "adsp"
    BODYHASH = "bodyhash"
    REVOKED = "revoked"
    SIGNATURE = "signature"
    SPF = "spf"
    DMARC = "dmarc"
    UNSPECIFIED = "unspecified"
    UNKNOWN = "unknown"


class DeliveryResult(StrEnum):
    """What became of the message that feedback is about."""

    DELIVERED = "delivered"
    SPAM = "spam"
    POLICY = "policy"
    REJECT = "reject"
    OTHER = "other"
    UNSPECIFIED = "unspecified"
    UNKNOWN = "unknown"


class IdentityAlignment(StrEnum):
    """Which identifiers were aligned with the author's domain."""

    NONE = "none"
    SPF = "spf"
    DKIM = "dkim"
    DKIM_SPF = "dkim-spf"
    UNSPECIFIED = "unspecified"
    UNKNOWN = "unknown"
