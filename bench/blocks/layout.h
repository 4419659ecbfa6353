/* SPDX-License-Identifier: MIT */
/* What the assembly and the C++ of the block measurement share: offsets into struct Control. */
#pragma once
#define CONTROL_STACK 0
#define CONTROL_START 8
#define CONTROL_END 16
#define CONTROL_BODY 24
#define CONTROL_FLAGS 32
#define CONTROL_MXCSR 40
#define CONTROL_HAS_AVX512 44
#define CONTROL_HAS_AVX 45
#define CONTROL_REGISTERS 64 /* sixteen, as numbered in instructions; rsp among them */
#define CONTROL_VECTOR 192   /* 64 bytes for every vector register */
