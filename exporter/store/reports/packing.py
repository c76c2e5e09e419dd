"""
Compression of raw reports: Zstandard with a dictionary, since reports resemble each other.

Each frame has a checksum of its content. It identifies the dictionary, so that dictionaries can be added without
rewriting old rows. Older rows are zlib with the first dictionary.
"""

from __future__ import annotations

import threading
import zlib

import zstandard

_DICTIONARY = (
    b'{"data":{"from":"noreply@","to":["abuse@","tlsrpt@","postmaster@"],"subject":"FW: ","report":{"feedback_type":'
    b'"AuthFailure","Fraud","NotSpam","Virus","Other","Abuse","arrival_date":17,"authentication_results":[],'
    b'"incidents":1,"original_envelope_id":null,"original_mail_from":"<>","original_rcpt_to":"<>","reported_domain":'
    b'[""],"reported_uri":[],"reporting_mta":"dns; mx.","source_ip":"","user_agent":"","version":1,"source_port":0,'
    b'"auth_failure":"Unspecified","delivery_result":"Unspecified","dkim_adsp_dns":null,"dkim_canonicalized_body":'
    b'null,"dkim_canonicalized_header":null,"dkim_domain":null,"dkim_identity":null,"dkim_selector":null,'
    b'"dkim_selector_dns":null,"spf_dns":null,"identity_alignment":"Unspecified","message":null,"headers":null}}}'
    b'{"data":{"from":"tlsrpt-noreply@","to":["tlsrpt@"],"subject":"Report Domain:  Submitter: ","report":'
    b'{"organization-name":"","date-range":{"start-datetime":"2026-01-01T00:00:00Z","end-datetime":'
    b'"2026-01-01T23:59:59Z"},"contact-info":"","report-id":"2026-01-01T00:00:00Z_","policies":[{"policy":'
    b'{"policy-type":"no-policy-found","tlsa","sts","policy-string":["version: STSv1","mode: enforce","mx: ",'
    b'"max_age: 604800"],"policy-domain":"","mx-host":[""]},"summary":{"total-successful-session-count":1,'
    b'"total-failure-session-count":0},"failure-details":[{"result-type":"starttls-not-supported",'
    b'"certificate-host-mismatch","certificate-not-trusted","validation-failure","certificate-expired",'
    b'"sending-mta-ip":"","receiving-mx-hostname":"mx.","receiving-mx-helo":null,"receiving-ip":null,'
    b'"failed-session-count":1,"additional-information":null,"failure-reason-code":null}]}]}}}'
    b'{"data":{"from":"noreply-dmarc-support@google.com","to":["dmarc@","postmaster@"],"subject":"Report domain:  '
    b'Submitter: google.com Report-ID: ","report":{"version":0.0,"version":1.0,"report_metadata":{"org_name":'
    b'"google.com","email":"noreply-dmarc-support@google.com","extra_contact_info":"https://support.google.com/",'
    b'"extra_contact_info":null,"report_id":"","date_range":{"begin":17,"end":17},"error":[]},"policy_published":'
    b'{"domain":"","version_published":null,"adkim":"Relaxed","aspf":"Relaxed","adkim":"Strict","aspf":"Strict","p":'
    b'"Quarantine","sp":"Quarantine","p":"Reject","sp":"Reject","p":"None","sp":"Unspecified","testing":false,"fo":'
    b'null},"record":[{"row":{"source_ip":"2a01:","count":1,"policy_evaluated":{"disposition":"Reject","dkim":"Fail",'
    b'"spf":"Fail","reason":[{"type_":"LocalPolicy","MailingList","Forwarded","comment":"arc=pass"}]}},"identifiers":'
    b'{"envelope_to":null,"envelope_from":"","header_from":""},"auth_results":{"dkim":[],"spf":[{"domain":"","scope":'
    b'"Unspecified","result":"SoftFail","human_result":null}]},"extensions":[]},{"row":{"source_ip":"192.0.2.1",'
    b'"count":2,"policy_evaluated":{"disposition":"Quarantine","dkim":"Fail","spf":"Pass","reason":[]}},"identifiers":'
    b'{"envelope_to":null,"envelope_from":"","header_from":""},"auth_results":{"dkim":[{"domain":"","selector":"s1",'
    b'"result":"Fail","human_result":null}],"spf":[{"domain":"","scope":"MailFrom","result":"Fail","human_result":'
    b'null}]},"extensions":[]},{"row":{"source_ip":"2001:db8::1","count":1,"policy_evaluated":{"disposition":"None",'
    b'"dkim":"Pass","spf":"Pass","reason":[]}},"identifiers":{"envelope_to":null,"envelope_from":"","header_from":""},'
    b'"auth_results":{"dkim":[{"domain":"","selector":"","result":"Pass","human_result":null}],"spf":[{"domain":"",'
    b'"scope":"MailFrom","result":"Pass","human_result":null}]},"extensions":[]}],"extensions":[]}}}'
)
_DICTIONARIES = (_DICTIONARY,)
"""Append only; the last dictionary compresses."""

LEVEL = -1
"""
One of the fast levels: level 1 saves a tenth of the compressed size, about 3 % of a report's size in the file, but
takes 50 % more time; zlib takes three times as long.
"""

MAX_BYTES = 256 * 1024 * 1024
"""More than any response that we accept; a frame with a larger size is damaged."""

_shared = [zstandard.ZstdCompressionDict(text, dict_type=zstandard.DICT_TYPE_RAWCONTENT) for text in _DICTIONARIES]
_packer = zstandard.ZstdCompressor(level=LEVEL, dict_data=_shared[-1], write_checksum=True)
_packing = threading.Lock()


def pack(raw: bytes) -> bytes:
    """Return *raw* compressed."""
    with _packing:  # a compressor must not be used by two threads at once
        return _packer.compress(raw)


def unpack(packed: bytes) -> bytes:
    """Return the content that `pack` compressed; raises ``ValueError`` if *packed* is damaged."""
    raw = _from_zstandard(packed) if packed.startswith(zstandard.FRAME_HEADER) else _from_zlib(packed)
    if raw is None:
        raise ValueError("a packed report that cannot be unpacked")
    return raw


def _from_zstandard(packed: bytes) -> bytes | None:
    for dictionary in reversed(_shared):
        try:
            if not 0 <= zstandard.frame_content_size(packed) <= MAX_BYTES:
                return None
            return zstandard.ZstdDecompressor(dict_data=dictionary).decompress(packed)
        except zstandard.ZstdError:
            continue
    return None


def _from_zlib(packed: bytes) -> bytes | None:
    unpacker = zlib.decompressobj(zdict=_DICTIONARIES[0])
    try:
        raw = unpacker.decompress(packed)
    except zlib.error:
        return None
    return raw if unpacker.eof else None
