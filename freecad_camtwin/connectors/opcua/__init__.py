# SPDX-License-Identifier: LGPL-2.1-or-later
"""OPC UA: machines that offer variables to subscribe to, with types, units and their own clocks."""

import logging

# CAM Twin reports errors in its own messages; asyncua's log records are shown only if logging is configured for them.
logging.getLogger("asyncua").addHandler(logging.NullHandler())
