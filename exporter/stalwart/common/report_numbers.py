"""Ranges of numbers in reports; values outside are refused while decoding."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from exporter.model.reports import MAX_COUNTED
from exporter.stalwart.common.report_values import LAST_SECOND

Count = Annotated[int, Meta(ge=0, le=MAX_COUNTED)]
Seconds = Annotated[int, Meta(ge=0, le=LAST_SECOND)]
Stamp = Annotated[datetime, Meta(tz=True)]
