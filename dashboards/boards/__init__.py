"""The boards, one module each."""

from __future__ import annotations

from dashboards.boards.exporter import EXPORTER
from dashboards.boards.kit import Board
from dashboards.boards.overview import OVERVIEW
from dashboards.boards.performance import PERFORMANCE
from dashboards.boards.queue import QUEUE
from dashboards.boards.reports import REPORTS
from dashboards.boards.security import SECURITY

BOARDS: tuple[Board, ...] = (OVERVIEW, QUEUE, SECURITY, REPORTS, PERFORMANCE, EXPORTER)
