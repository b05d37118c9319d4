# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a machine says: signal map, units, columns, state, and one run read back."""
