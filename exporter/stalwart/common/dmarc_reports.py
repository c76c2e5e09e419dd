"""DMARC aggregate reports (RFC 7489, RFC 9990): the vocabularies and results that both generations share."""

from __future__ import annotations

from typing import Protocol

from exporter.model.report_words import (
    AlignedResult,
    AlignmentMode,
    AuthResult,
    DiscoveryMethod,
    Disposition,
    OverrideReason,
    SpfScope,
)
from exporter.model.reports import DkimResult, SpfResult
from exporter.stalwart.common.report_values import Vocabulary, domain_or_text

dispositions = Vocabulary("dmarc_disposition", Disposition)
policies = Vocabulary("dmarc_policy", Disposition)
aligned_results = Vocabulary("dmarc_result", AlignedResult)
alignment_modes = Vocabulary("dmarc_alignment", AlignmentMode)
discovery_methods = Vocabulary("dmarc_discovery_method", DiscoveryMethod)
override_reasons = Vocabulary("dmarc_override", OverrideReason)
_auth_results = Vocabulary(
    "auth_result", AuthResult, {"tempfail": AuthResult.TEMPERROR, "permfail": AuthResult.PERMERROR}
)
_scopes = Vocabulary("spf_scope", SpfScope, {"mailfrom": SpfScope.MFROM})


class DkimFields(Protocol):
    """A decoded DKIM result."""

    domain: str | None
    selector: str | None
    result: str | None
    human_result: str | None


class SpfFields(Protocol):
    """A decoded SPF result."""

    domain: str | None
    scope: str | None
    result: str | None
    human_result: str | None


def build_dkim_result(fields: DkimFields, unknown: dict[str, int]) -> DkimResult:
    """Build the model's DKIM result; unknown words are counted in *unknown*."""
    result = _auth_results.read(fields.result, unknown)
    return DkimResult(domain_or_text(fields.domain), fields.selector or "", result, fields.human_result or "")


def build_spf_result(fields: SpfFields, unknown: dict[str, int]) -> SpfResult:
    """Build the model's SPF result; unknown words are counted in *unknown*."""
    scope, result = _scopes.read(fields.scope, unknown), _auth_results.read(fields.result, unknown)
    return SpfResult(domain_or_text(fields.domain), scope, result, fields.human_result or "")
