# SPDX-License-Identifier: LGPL-2.1-or-later
"""Observations told to others, one module per protocol: the connectors' mirror image.

The virtual machine and the bridge of a controller without an interface of its own speak through these.
"""
