# SPDX-License-Identifier: MIT
# Sources of kernel/mem, relative to kernel/.
set(EXO_KERNEL_MEM_SOURCES mem/buddy.cpp mem/frames.cpp mem/slab.cpp mem/vm_object.cpp mem/address_space.cpp)
