// SPDX-License-Identifier: Apache-2.0
// How long a provider asks to be left alone, in whatever way it says so: Retry-After and the
// x-ratelimit-reset family (provider-formats.md 3.5). Pure; garbage reads as nothing said.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace leat::dialect {

// Longer waits are cut to this: a limit per month, or a clock that is wrong.
inline constexpr std::int64_t kWaitMsMax = std::int64_t{24} * 3'600'000;

// Milliseconds from now: of whole or broken seconds (`20`, `17.39`), a Go duration (`6m0s`,
// `12ms`, `1h2m3.4s`), RFC 3339, an HTTP date, or a Unix time in seconds or milliseconds. What is
// past is 0. `now_unix_ms` is only looked at for points in time.
std::optional<std::int64_t> read_wait_ms(std::string_view value, std::int64_t now_unix_ms);

// Of `retry-after-ms`: milliseconds, broken ones too.
std::optional<std::int64_t> read_wait_ms_field(std::string_view value);

}  // namespace leat::dialect
