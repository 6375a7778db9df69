// SPDX-License-Identifier: Apache-2.0
// The Date field's value (RFC 9110 5.6.7, IMF-fixdate), as `Sun, 06 Nov 1994 08:49:37 GMT`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace leat::proto {

inline constexpr std::size_t kHttpDateBytes = 29;

// `unix_seconds`: of the years 0 to 9999.
void write_http_date(std::int64_t unix_seconds, std::span<char, kHttpDateBytes> to);

}  // namespace leat::proto
