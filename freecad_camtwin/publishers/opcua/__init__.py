# SPDX-License-Identifier: LGPL-2.1-or-later
"""Publishes a machine through an OPC UA server, by the companion specification for machine tools, OPC 40501."""
