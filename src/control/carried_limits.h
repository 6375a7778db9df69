// SPDX-License-Identifier: Apache-2.0
// CarriedLimits: what a process tells its successor of limits (policy/carried_quantity.h), as
// bytes: words of 64 bits in the machine's order, for both run on the same machine; the first names
// the form, so that another version's is not misread. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "policy/carried_quantity.h"

namespace leat::control {

std::string bytes_of(const policy::CarriedQuantities& quantities);
// None: they are of another form, or not whole.
std::optional<policy::CarriedQuantities> read_carried_quantities(std::string_view bytes);

// Of so many at most: one message of the takeover's socket.
inline constexpr std::size_t kCarriedEndsMax = 1'000;
std::string bytes_of(std::span<const policy::CarriedEnd> ends);
std::optional<policy::CarriedEnds> read_carried_ends(std::string_view bytes);

}  // namespace leat::control
