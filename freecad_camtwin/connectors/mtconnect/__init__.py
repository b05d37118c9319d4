# SPDX-License-Identifier: LGPL-2.1-or-later
"""MTConnect over HTTP: bytes to documents (``multipart``), documents to readings, and reading an ``agent``."""
