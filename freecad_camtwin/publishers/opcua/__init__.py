# SPDX-License-Identifier: LGPL-2.1-or-later
"""A machine presented by an OPC UA server of its own, as OPC 40501 says that machine tools look."""
