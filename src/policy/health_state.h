// SPDX-License-Identifier: Apache-2.0
// The health board as bytes, so that a restart need not learn again which endpoints are good. Read
// and written as bytes; who keeps them in a file is control's. Endpoints are named by
// Endpoint::identity, so that another catalogue may read it; those it does not have are skipped.
//
//   "leat-hlt" | version u32 | endpoints u32 | wall time i64 |
//   endpoint*: identity u64 | slots u32 | slot*                                 | CRC-32C u32
//   slot: window u8 | age ns i64 | successes failures limited u32 | n u8 n*(bucket u8, count u32)
//         (first token) | the same (rate)                           all little endian
//
// Breakers are not kept: a restart asks every endpoint again, while the outage that opened one is
// still in its window and puts it last. Nor are rate limits, which a provider says again.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/instant.h"
#include "base/result.h"
#include "policy/health_board.h"

namespace leat::policy {

inline constexpr std::uint32_t kHealthStateVersion = 1;

// identities: Endpoint::identity by EndpointId, one for each of the board's endpoints.
std::vector<std::uint8_t> write_health(const HealthBoard& board,
                                       std::span<const std::uint64_t> identities, Instant now,
                                       WallTime wall);

// Adds what the bytes hold, aged by the wall time since (none if that went back). kInvalid where
// they are damaged, cut or of another version: the board is empty then.
Result<void> read_health(std::span<const std::uint8_t> bytes,
                         std::span<const std::uint64_t> identities, Instant now, WallTime wall,
                         HealthBoard& board);

}  // namespace leat::policy
