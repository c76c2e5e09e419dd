"""Live streams: opening, SSE and WebSocket, a bounded buffer, decoding."""
