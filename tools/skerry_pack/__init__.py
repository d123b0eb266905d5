# SPDX-License-Identifier: Apache-2.0
"""What tools/mkboot and tools/run are made of: reading device trees, checking
guest descriptions, planning addresses, writing images. Standard library only;
dtc, mkimage and mtools are called as programs."""
