# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the workshop has: machines and materials."""
