// SPDX-License-Identifier: Apache-2.0
// CRC-32C (Castagnoli; RFC 3720 section 12.1), which finds every single, double and odd number of
// turned bits in what we frame. Own code: the processor's instruction does it (SSE 4.2, which our
// oldest target has), a table elsewhere. Private to ledger.
#pragma once

#include <cstdint>
#include <span>

namespace leat::ledger {

// Of `bytes` after what `crc` stands for; 0 to begin with.
std::uint32_t crc32c(std::uint32_t crc, std::span<const char> bytes);

// The same by table: where there is no instruction, and as its reference.
std::uint32_t crc32c_by_table(std::uint32_t crc, std::span<const char> bytes);

}  // namespace leat::ledger
