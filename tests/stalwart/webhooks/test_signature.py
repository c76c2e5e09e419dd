"""The signature of posts."""

from __future__ import annotations

import pytest

from exporter.stalwart.webhooks.signature import BodySignature, parse_signature
from tests.support.webhooks import KEY, OPS, recorded_posts, sign


@pytest.mark.parametrize("recording", OPS)
def test_every_recorded_signature_is_good(recording: str):
    """The signatures of real servers match the bytes of their bodies, however they are cut."""
    posts = recorded_posts(recording)

    for post in posts:
        body = BodySignature(KEY)
        for at in range(0, len(post.body), 1000):
            body.update(post.body[at : at + 1000])
        signature = parse_signature(post.headers["x-signature"].encode())

        assert signature is not None
        assert body.matches(signature)

    assert len(posts) > 40


def test_another_key_or_body_does_not_match():
    """Neither a changed byte nor another key passes."""
    signature = parse_signature(sign(b"body").encode())
    assert signature is not None

    for key, body in ((KEY, b"bodx"), (KEY, b"body "), ("other", b"body"), ("", b"body")):
        given = BodySignature(key)
        given.update(body)
        assert not given.matches(signature)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"x",
        b"A" * 44,
        b"A" * 43,
        b"\xff" * 44,
        sign(b"x").encode()[:-1] + b"A",
        sign(b"x").encode() + b"=",
        b" " * 44,
    ],
)
def test_what_is_no_signature_is_recognised_without_the_body(header: bytes):
    """Only 32 bytes in base64 with padding have the form of a signature."""
    assert parse_signature(header) is None
