# SPDX-License-Identifier: LGPL-2.1-or-later
"""OPC UA: machines that offer variables to subscribe to, with types, units and their own clocks."""

import logging

# What goes wrong is told in our words; asyncua's own records go where somebody has asked for them, and nowhere else.
logging.getLogger("asyncua").addHandler(logging.NullHandler())
