"""The local page: FastAPI, pages rendered on the server, small scripts of our own. The framework is
known here only."""
