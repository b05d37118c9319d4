# SPDX-License-Identifier: LGPL-2.1-or-later
"""What happens at the cutter: stock, engagement, force, deflection, and the limits of the load."""
