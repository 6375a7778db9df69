// SPDX-License-Identifier: Apache-2.0
// What accounts are made of, as text: money as decimal dollars, moments as ISO 8601, lists and
// access as JSON. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/json_tree.h"
#include "policy/account.h"

namespace leat::control {

// A JSON number to nano-dollars, never through floating point: digits, at most one point, an
// exponent, a sign in front. None: not that, beyond a billion dollars, or finer than a nano-dollar.
std::optional<policy::Nanodollars> parse_dollars(std::string_view text);
// The shortest JSON number of that value.
std::string dollars_text(policy::Nanodollars money);

// "2026-11-21T14:55:16.000Z", of unix seconds.
std::string iso_time(std::int64_t unix_seconds);
// The same and what else RFC 3339 allows; fractions of a second are dropped. None: not that.
std::optional<std::int64_t> parse_iso_time(std::string_view text);

std::string list_json(const std::vector<std::string>& names);
// None: not an array of texts.
std::optional<std::vector<std::string>> list_of(const JsonValue& value);

// For the store's own use: whole, in a form that only access_of() reads. Empty: allows everything.
std::string access_text(const policy::Access& access);
std::optional<policy::Access> access_of(std::string_view text);

// 16 random bytes as a UUID of version 4 (RFC 9562).
std::string uuid_text(std::string_view random);

}  // namespace leat::control
