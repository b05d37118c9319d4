# SPDX-License-Identifier: LGPL-2.1-or-later
"""MQTT: a ``broker``'s messages, what a ``payload`` says, and MTConnect's documents among them."""
