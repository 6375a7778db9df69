// SPDX-License-Identifier: Apache-2.0
// Counts what the program allocates through operator new.
#pragma once

#include <cstddef>

std::size_t allocations_made();
