# SPDX-License-Identifier: MIT
# Sources of kernel/lib, relative to kernel/.
set(EXO_KERNEL_LIB_SOURCES lib/text.cpp)
