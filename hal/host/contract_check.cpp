// SPDX-License-Identifier: MIT
// Compiles only if this backend keeps the contract.
#include <hal/contract.hpp>
