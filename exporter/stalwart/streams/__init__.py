"""Live streams: opening one, its transports, and the frames that they carry."""
