// SPDX-License-Identifier: Apache-2.0
// The keys that stand in the configuration, as rows of the key table: with the limits that they
// state, all of one organisation that has none. Their ids lie apart from those that the accounts'
// store gives.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "gateway/key_table.h"
#include "leat/options.h"

namespace leat::gateway {

// The id of the first key of Options::keys, of those after it in their order, and of what they
// belong to. The store counts from 1 and never gets there.
inline constexpr std::uint32_t kConfiguredKeys = 0x8000'0000;
inline constexpr std::uint32_t kConfiguredOrganisation = 0x8000'0000;
// Who asks where no key is asked for (AuthMode::kOff).
inline constexpr std::uint32_t kAnonymousKey = UINT32_MAX;

// The key of Options::keys at `index`, as the store would have it; its name is its label.
policy::Key configured_key(const Options& options, std::size_t index);
std::vector<KeyEntry> configured_keys(const Options& options, const policy::Catalogue& catalogue);
AccountRow configured_organisation();
// Puts the keys of `next` in the places that they have in `running`, by their names, new ones after
// them; who is not there any more keeps its place, removed. So a key keeps its number, and with it
// what it has used, for as long as the process lives.
void keep_places(const Options& running, Options& next);
// All of them, for directories to begin with.
KeyDelta configured_delta(const Options& options, const policy::Catalogue& catalogue);

// What logs and records call a key: its name in the configuration, "anonymous", "-" for 0, which is
// none, else its number in the store: "#17". Views the options or `room`.
using KeyName = std::array<char, 16>;
std::string_view key_name(const Options& options, std::uint32_t key, KeyName& room);
// The same of a workspace or an organisation: its number, empty for 0. Views `room`.
std::string_view account_name(std::uint32_t account, KeyName& room);

}  // namespace leat::gateway
