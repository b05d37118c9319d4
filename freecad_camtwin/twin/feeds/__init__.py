# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the feeds should be, three ways to write them, and the proof that nothing else changed."""
