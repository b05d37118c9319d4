# SPDX-License-Identifier: LGPL-2.1-or-later
"""MQTT: the connection to a ``broker``, the decoding of a ``payload``, and MTConnect's documents in JSON."""
